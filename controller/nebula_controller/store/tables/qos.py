"""Tables of QoS policies and their rules: a table for each kind of rule."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table

from nebula_controller.store.metadata import metadata, nameless, standard

qos_policies = Table("qos_policies", metadata, *standard(), Column("is_default", Boolean, nullable=False))
"""Which objects have a policy, their own tables say (``qos_policy_id``; of a router's gateway, ``routers``)."""

Index(
    "uq_qos_policies_default_project_id",
    qos_policies.c.project_id,
    unique=True,
    sqlite_where=qos_policies.c.is_default.is_(True),
)


def _rules(name: str, *columns: Column[Any]) -> Table:
    policy = ForeignKey("qos_policies.id", ondelete="CASCADE")
    return Table(
        f"qos_{name}",
        metadata,
        *nameless(),
        Column("qos_policy_id", String(36), policy, nullable=False, index=True),
        *columns,
    )


bandwidth_limit_rules = _rules(
    "bandwidth_limit_rules",
    Column("max_kbps", Integer, nullable=False),
    Column("max_burst_kbps", Integer, nullable=False),
    Column("direction", String(7), nullable=False),
)
dscp_marking_rules = _rules("dscp_marking_rules", Column("dscp_mark", Integer, nullable=False))
minimum_bandwidth_rules = _rules(
    "minimum_bandwidth_rules",
    Column("min_kbps", Integer, nullable=False),
    Column("direction", String(7), nullable=False),
)
minimum_packet_rate_rules = _rules(
    "minimum_packet_rate_rules",
    Column("min_kpps", Integer, nullable=False),
    Column("direction", String(7), nullable=False),
)


def qos_policy_id(name: str = "qos_policy_id") -> Column[Any]:
    """The column of what can have a policy; a policy that anything has cannot go."""
    return Column(name, String(36), ForeignKey("qos_policies.id", ondelete="RESTRICT"), index=True)
