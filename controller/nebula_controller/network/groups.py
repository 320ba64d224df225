"""Security groups as rows: the default group, members, and who hears of a change. Effects: SQL in a transaction.

What is touched, so that nodes hear of it: a change of a group or of its rules touches the group and the ports that have
it. A change of a port touches its groups, because rules of other groups may name them as their remote side: whose
ports those are follows from ``security_group_rules.remote_group_id`` and is not touched one by one.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import and_, bindparam, delete, insert, literal_column, select

from nebula.errors import NotFound
from nebula.ids import Owner, OwnerKind
from nebula.model.security_group import (
    ADDRESS_GROUP,
    DEFAULT_NAME,
    EGRESS,
    ETHERTYPES,
    INGRESS,
    SECURITY_GROUP,
    SECURITY_GROUP_RULE,
    AddressGroup,
    SecurityGroup,
    SecurityGroupRule,
)
from nebula_controller.api.context import RequestContext
from nebula_controller.network.sharing import is_granted, usable
from nebula_controller.store.database import Transaction
from nebula_controller.store.records import RecordTable
from nebula_controller.store.tables.security import (
    port_security_groups,
    security_group_rules,
    security_groups,
)

GROUPS = RecordTable(SECURITY_GROUP)
RULES = RecordTable(SECURITY_GROUP_RULE)
ADDRESS_GROUPS = RecordTable(ADDRESS_GROUP)

_default_of = select(security_groups.c.id).where(
    security_groups.c.project_id == bindparam("project"), security_groups.c.is_default.is_(True)
)
_SAME = ("direction", "ethertype", "protocol_number", "port_range_min", "port_range_max")
_alike = RULES.query(
    and_(
        security_group_rules.c.security_group_id == bindparam("group"),
        *[security_group_rules.c[name].is_not_distinct_from(bindparam(name)) for name in _SAME],
    ),
    literal_column("security_group_rules.rowid"),
)
_ports_of = select(port_security_groups.c.port_id).where(port_security_groups.c.group_id == bindparam("group"))
_referring = select(security_group_rules.c.security_group_id).where(
    security_group_rules.c.remote_group_id == bindparam("group")
)
_referring_to_addresses = (
    select(security_group_rules.c.security_group_id)
    .where(security_group_rules.c.remote_address_group_id == bindparam("group"))
    .distinct()
)
_join = insert(port_security_groups)
_leave_all = delete(port_security_groups).where(port_security_groups.c.port_id == bindparam("port"))


def default_id(tx: Transaction, project_id: str) -> str | None:
    """The project's default group, where it has been made."""
    return tx.execute(_default_of, {"project": project_id}).scalar_one_or_none()


def ensure_default(tx: Transaction, project_id: str) -> str:
    """The project's default group; made on first use, with all out and, from its own members, all in."""
    known = default_id(tx, project_id)
    if known is not None:
        return known
    group = SecurityGroup(
        id=str(uuid.uuid4()),
        project_id=project_id,
        name=DEFAULT_NAME,
        description="Default security group",
        is_default=True,
    )
    return create(tx, group).id


def create(tx: Transaction, group: SecurityGroup) -> SecurityGroup:
    """Write a group with the rules that every new one has: all out; in a default group, in from its own members."""
    made = GROUPS.insert(tx, group)
    for ethertype in ETHERTYPES:
        wanted = [(EGRESS, None), *([(INGRESS, made.id)] if made.is_default else [])]
        for direction, remote in wanted:
            rule = SecurityGroupRule(
                id=str(uuid.uuid4()),
                project_id=made.project_id,
                security_group_id=made.id,
                direction=direction,
                ethertype=ethertype,
                remote_group_id=remote,
            )
            RULES.insert(tx, rule)
    touch(tx, made.id)
    return made


def group(tx: Transaction, group_id: str) -> SecurityGroup:
    """Without its rules. Raises ``NotFound``."""
    found = GROUPS.get(tx, group_id)
    if found is None:
        raise not_found(group_id)
    return found


def group_for(tx: Transaction, context: RequestContext, group_id: str) -> SecurityGroup:
    """The group, where the caller may know of it; raises ``NotFound``."""
    found = group(tx, group_id)
    if context.is_admin or found.project_id == context.project_id or is_granted(tx, group_id, context.project_id):
        return found
    raise not_found(group_id)


def address_group_for(tx: Transaction, context: RequestContext, address_group_id: str) -> AddressGroup:
    """The address group, where the caller may know of it; raises ``NotFound``."""
    return usable(tx, context, ADDRESS_GROUPS, address_group_id)


def not_found(group_id: str) -> NotFound:
    """Neutron's words."""
    return NotFound(f"Security group {group_id} does not exist", type_name="SecurityGroupNotFound")


def alike(tx: Transaction, rule: SecurityGroupRule) -> list[SecurityGroupRule]:
    """Rules of its group with the rule's direction, family, protocol and ports."""
    wanted = {name: getattr(rule, name) for name in _SAME}
    return RULES.all(tx, _alike, {"group": rule.security_group_id, **wanted})


def members(tx: Transaction, group_id: str) -> Sequence[str]:
    """The ports that have the group."""
    return tx.execute(_ports_of, {"group": group_id}).scalars().all()


def referring(tx: Transaction, group_id: str) -> set[str]:
    """The groups with a rule that names this one as its remote side."""
    return set(tx.execute(_referring, {"group": group_id}).scalars())


def referring_to_addresses(tx: Transaction, address_group_id: str) -> Sequence[str]:
    """The groups with a rule that names this address group."""
    return tx.execute(_referring_to_addresses, {"group": address_group_id}).scalars().all()


def set_groups(tx: Transaction, port_id: str, groups: Iterable[str]) -> None:
    """Write down the groups of a port in place of those it had."""
    tx.execute(_leave_all, {"port": port_id})
    join(tx, port_id, groups)


def join(tx: Transaction, port_id: str, groups: Iterable[str]) -> None:
    """Write down the groups of a port that has none yet."""
    rows = [{"port_id": port_id, "group_id": group_id} for group_id in groups]
    if rows:
        tx.execute(_join, rows)


def touch(tx: Transaction, group_id: str) -> None:
    """The group or its rules changed: what is let in and out of its ports may follow."""
    owner = Owner(OwnerKind.SECURITY_GROUP, group_id)
    tx.touch(owner, *[Owner(OwnerKind.PORT, port) for port in members(tx, group_id)])


def bump(tx: Transaction, changed: SecurityGroup) -> None:
    """The group's rules changed: its revision rises, as in Neutron."""
    GROUPS.save(tx, changed, msgspec.structs.replace(changed), always=True)
    touch(tx, changed.id)
