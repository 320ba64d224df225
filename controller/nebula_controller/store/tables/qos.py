"""The table of QoS policies; each kind of their rules has its own, by its declaration alone. Pure declaration."""

from __future__ import annotations

from sqlalchemy import Index

from nebula.model.qos import QOS_POLICY
from nebula_controller.store.metadata import table_of

qos_policies = table_of(QOS_POLICY)
"""Which objects have a policy, their own tables say (``qos_policy_id``; of a router's gateway, ``routers``)."""

Index(
    "uq_qos_policies_default_project_id",
    qos_policies.c.project_id,
    unique=True,
    sqlite_where=qos_policies.c.is_default.is_(True),
)
