"""Which objects are shared with which projects."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table, UniqueConstraint

from nebula_controller.store.metadata import metadata, nameless

rbac_policies = Table(
    "rbac_policies",
    metadata,
    *nameless(),
    Column("object_type", String(32), nullable=False),
    Column("object_id", String(36), nullable=False),
    Column("action", String(32), nullable=False),
    Column("target_tenant", String(255), nullable=False),
    UniqueConstraint("object_id", "action", "target_tenant"),
    Index("ix_rbac_policies_target", "target_tenant", "object_type", "object_id"),
)
"""``object_type`` is the API's word (``network``, ``security_group``), ``target_tenant`` a project's id or ``*``.

A network's ``shared`` is its policy ``access_as_shared`` for ``*``; there is no column for it.
"""
