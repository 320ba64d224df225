"""Tables of the servers API: instances, and the ports that are their interfaces.

Pure declarations. Times are Nova's (``2026-11-22T10:51:09Z``).
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Integer, String, Table

from nebula_controller.store.metadata import json_object, metadata, uuid_key

servers = Table(
    "servers",
    metadata,
    uuid_key(),
    Column("project_id", String(255), nullable=False, index=True),
    Column("user_id", String(64), nullable=False),
    Column("name", String(255), nullable=False, index=True),
    Column("host", String(64), nullable=False, index=True),
    Column("created_at", String(20), nullable=False),
    Column("updated_at", String(20), nullable=False),
    Column("launched_at", String(20)),
    json_object("user_metadata"),
)
"""``launched_at`` is NULL until all ports were ACTIVE once."""

server_ports = Table(
    "server_ports",
    metadata,
    Column("server_id", String(36), ForeignKey("servers.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("port_id", String(36), ForeignKey("ports.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("made_here", Boolean, nullable=False),
)
"""``position`` n is the interface ``eth<n>``. ``made_here``: made with the server, so deleted with it."""
