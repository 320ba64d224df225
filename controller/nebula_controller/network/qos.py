"""QoS policies as rows: their rules, the project's default, and what has one. Effects: SQL in a transaction."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from sqlalchemy import bindparam, literal_column, select

from nebula.errors import Conflict, Forbidden, NotFound
from nebula.model.qos import (
    BANDWIDTH_LIMIT,
    DSCP_MARKING,
    MINIMUM_BANDWIDTH,
    MINIMUM_PACKET_RATE,
    QOS_POLICY,
    QosPolicy,
    QosRule,
)
from nebula_controller.api.context import RequestContext
from nebula_controller.network import rows
from nebula_controller.network.sharing import is_granted
from nebula_controller.store.database import Transaction
from nebula_controller.store.records import RecordTable
from nebula_controller.store.tables import network as tables
from nebula_controller.store.tables import qos
from nebula_controller.store.tables.floating import floating_ips

POLICIES = RecordTable(QOS_POLICY)
RULES = (
    RecordTable(BANDWIDTH_LIMIT),
    RecordTable(DSCP_MARKING),
    RecordTable(MINIMUM_BANDWIDTH),
    RecordTable(MINIMUM_PACKET_RATE),
)

_default_of = select(qos.qos_policies.c.id).where(
    qos.qos_policies.c.project_id == bindparam("project"), qos.qos_policies.c.is_default.is_(True)
)
_rules_among = tuple(
    kind.query(rows.among(kind.table.c.qos_policy_id), literal_column(f"{kind.table.name}.rowid")) for kind in RULES
)
_users = {
    "network": select(tables.networks.c.id).where(tables.networks.c.qos_policy_id == bindparam("policy")).limit(1),
    "port": select(tables.ports.c.id).where(tables.ports.c.qos_policy_id == bindparam("policy")).limit(1),
    "floatingip": select(floating_ips.c.id).where(floating_ips.c.qos_policy_id == bindparam("policy")).limit(1),
    "router": select(tables.routers.c.id).where(tables.routers.c.gateway_qos_policy_id == bindparam("policy")).limit(1),
}


def default_of(tx: Transaction, project_id: str) -> str | None:
    """The policy that new networks of the project get."""
    return tx.execute(_default_of, {"project": project_id}).scalar_one_or_none()


def rules_among(tx: Transaction, policies: list[str]) -> dict[str, list[QosRule]]:
    """The rules of each policy, by kind and then oldest first."""
    keys = rows.ids({"id": policy} for policy in policies)
    found: dict[str, list[QosRule]] = {policy: [] for policy in policies}
    for kind, query in zip(RULES, _rules_among, strict=True):
        for rule in kind.all(tx, query, keys):
            found[rule.qos_policy_id].append(rule)
    return found


def refuse_in_use(tx: Transaction, policy_id: str) -> None:
    """A policy that anything has stays."""
    for kind, statement in _users.items():
        user = tx.execute(statement, {"policy": policy_id}).scalar_one_or_none()
        if user is not None:
            raise Conflict(f"QoS Policy {policy_id} is used by {kind} {user}.", type_name="QosPolicyInUse")


def may_assign(tx: Transaction, context: RequestContext, values: Mapping[str, object], old: str | None = None) -> None:
    """Whether the caller may set the ``qos_policy_id`` that a request names, in place of ``old``.

    Raises ``NotFound`` for a policy that the caller may not know of, ``Forbidden`` where the old one is such.
    """
    if "qos_policy_id" not in values or values["qos_policy_id"] == old:
        return
    if old is not None and not _is_known(tx, context, old):
        raise Forbidden(
            f"Failed to remove provided policy {old} because you are not authorized.",
            type_name="PolicyRemoveAuthorizationError",
        )
    new = values["qos_policy_id"]
    if new is not None and not _is_known(tx, context, str(new)):
        raise not_found(str(new))


def not_found(policy_id: str) -> NotFound:
    """Neutron's words."""
    return NotFound(f"QoS policy {policy_id[:100]} could not be found.", type_name="QosPolicyNotFound")


def refuse_second_default(tx: Transaction, policy: QosPolicy) -> None:
    """A project has one default policy; raises Neutron's conflict."""
    known = default_of(tx, policy.project_id)
    if policy.is_default and known is not None and known != policy.id:
        raise Conflict(
            f"A default QoS policy exists for project {policy.project_id}.", type_name="QoSPolicyDefaultAlreadyExists"
        )


def bump(tx: Transaction, policy_id: str) -> None:
    """The policy's rules changed: its revision rises, as in Neutron."""
    policy = POLICIES.get(tx, policy_id)
    assert policy is not None
    POLICIES.save(tx, policy, msgspec.structs.replace(policy), always=True)


def _is_known(tx: Transaction, context: RequestContext, policy_id: str) -> bool:
    policy = POLICIES.get(tx, policy_id)
    if policy is None:
        return False
    mine = context.is_admin or policy.project_id == context.project_id
    return mine or is_granted(tx, policy_id, context.project_id)
