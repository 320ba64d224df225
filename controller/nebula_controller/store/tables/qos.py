"""Tables of QoS policies and their rules: a table for each kind of rule. Pure declaration."""

from __future__ import annotations

from sqlalchemy import Index

from nebula.model.qos import BANDWIDTH_LIMIT, DSCP_MARKING, MINIMUM_BANDWIDTH, MINIMUM_PACKET_RATE, QOS_POLICY
from nebula_controller.store.metadata import table_of

qos_policies = table_of(QOS_POLICY)
"""Which objects have a policy, their own tables say (``qos_policy_id``; of a router's gateway, ``routers``)."""

Index(
    "uq_qos_policies_default_project_id",
    qos_policies.c.project_id,
    unique=True,
    sqlite_where=qos_policies.c.is_default.is_(True),
)

bandwidth_limit_rules = table_of(BANDWIDTH_LIMIT)
dscp_marking_rules = table_of(DSCP_MARKING)
minimum_bandwidth_rules = table_of(MINIMUM_BANDWIDTH)
minimum_packet_rate_rules = table_of(MINIMUM_PACKET_RATE)
