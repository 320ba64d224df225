"""Tables of the database itself: its epoch and revision, and which API call made which revision of which objects."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, String, Table

from nebula_controller.store.metadata import metadata

database_state = Table(
    "database_state",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("epoch", String(36), nullable=False),
    Column("revision", Integer, nullable=False),
    CheckConstraint("id = 1", name="ck_database_state_one_row"),
)
"""One row. ``epoch``: a UUID made with the file; ``revision`` rises by one with each commit that touched something."""

requests = Table(
    "requests",
    metadata,
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("request_id", String(64), nullable=False, index=True),
    Column("method", String(16), nullable=False),
    Column("path", String(2048), nullable=False),
    Column("user_id", String(64)),
    Column("project_id", String(64)),
    Column("status", Integer, nullable=False),
    Column("time", String(32), nullable=False),
)
"""The call behind a revision (the newest ``database.REQUESTS_KEPT`` of them). ``time`` is RFC 3339 in UTC."""

request_objects = Table(
    "request_objects",
    metadata,
    Column("revision", Integer, ForeignKey("requests.revision", ondelete="CASCADE"), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("related", Boolean, nullable=False),
    Index("ix_request_objects_kind_id", "kind", "id"),
)
"""The objects that a revision changed, and (``related``) those whose kernel objects may follow from the change."""
