"""Which objects are shared with which projects."""

from __future__ import annotations

from sqlalchemy import Index

from nebula.model.rbac import RBAC_POLICY
from nebula_controller.store.metadata import table_of

rbac_policies = table_of(
    RBAC_POLICY,
    Index("ix_rbac_policies_target", "target_tenant", "object_type", "object_id"),
)
"""``object_type`` is the API's word (``network``, ``security_group``), ``target_tenant`` a project's id or ``*``.

A network's ``shared`` is its policy ``access_as_shared`` for ``*``; there is no column for it.
"""
