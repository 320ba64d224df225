"""Rows of security groups and address groups for the snapshot. Effects: reads of the database.

What touches what is said in ``network/groups.py``: a change of a group touches it and its ports, a change of a port
touches its groups, a change of an address group touches the groups whose rules name it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from sqlalchemy import select

from nebula.ids import AddressGroupId, Host, SecurityGroupId
from nebula.model.snapshot import Snapshot
from nebula.view.records import AddressSet, SecurityGroupView, SecurityRule
from nebula_controller.nodes.queries import query, read
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.security import (
    address_group_addresses,
    address_groups,
    port_security_groups,
    security_group_rules,
    security_groups,
)

_GROUPS = query(select(security_groups.c.id, security_groups.c.stateful), security_groups.c.id)
_RULES = query(
    select(
        security_group_rules.c.security_group_id,
        security_group_rules.c.id,
        security_group_rules.c.direction,
        security_group_rules.c.ethertype,
        security_group_rules.c.protocol_number,
        security_group_rules.c.port_range_min,
        security_group_rules.c.port_range_max,
        security_group_rules.c.normalized_cidr,
        security_group_rules.c.remote_group_id,
        security_group_rules.c.remote_address_group_id,
    ).order_by(security_group_rules.c.id),
    security_group_rules.c.security_group_id,
)
_GROUPS_OF_PORTS = query(
    select(port_security_groups.c.port_id, port_security_groups.c.group_id).order_by(port_security_groups.c.group_id),
    port_security_groups.c.port_id,
)
_ADDRESS_GROUPS = query(select(address_groups.c.id), address_groups.c.id)
_ADDRESSES = query(
    select(address_group_addresses.c.address_group_id, address_group_addresses.c.address).order_by(
        address_group_addresses.c.address
    ),
    address_group_addresses.c.address_group_id,
)


def load(tx: Transaction, snapshot: Snapshot) -> None:
    """All groups."""
    for group in group_rows(tx, None):
        snapshot.put_security_group(group)
    for found in _address_rows(tx, None):
        snapshot.put_address_group(found)


def refresh(tx: Transaction, snapshot: Snapshot, touched: set[str], reached: set[Host]) -> None:
    """Bring these groups, and the address groups that their rules name, up to date."""
    found = {row.id: row for row in group_rows(tx, touched)}
    addresses: set[str] = set()
    for group in map(SecurityGroupId, touched):
        old, new = snapshot.security_groups.get(group), found.get(group)
        rules = [rule for row in (old, new) if row is not None for rule in row.rules]
        addresses.update(rule.remote_address_group_id for rule in rules if rule.remote_address_group_id is not None)
        if old == new:
            continue
        reached.update(snapshot.hosts_of_group(group))
        if new is None:
            snapshot.drop_security_group(group)
        else:
            snapshot.put_security_group(new)
    refresh_addresses(tx, snapshot, addresses, reached)


def refresh_addresses(tx: Transaction, snapshot: Snapshot, touched: set[str], reached: set[Host]) -> None:
    """Bring these address groups up to date."""
    sets = {row.id: row for row in _address_rows(tx, touched)}
    for identity in touched:
        old, new = snapshot.address_groups.get(AddressGroupId(identity)), sets.get(identity)
        if old == new:
            continue
        for group in snapshot.groups_naming(identity):
            reached.update(snapshot.hosts_of_group(group))
        if new is None:
            snapshot.drop_address_group(AddressGroupId(identity))
        else:
            snapshot.put_address_group(new)


def groups_of_ports(tx: Transaction, keys: set[str] | None) -> Mapping[str, tuple[SecurityGroupId, ...]]:
    """The groups of each port that has any, sorted."""
    found: dict[str, list[SecurityGroupId]] = defaultdict(list)
    for port_id, group_id in read(tx, _GROUPS_OF_PORTS, keys):
        found[port_id].append(SecurityGroupId(group_id))
    return {port: tuple(groups) for port, groups in found.items()}


def group_rows(tx: Transaction, keys: set[str] | None) -> Iterator[SecurityGroupView]:
    """The groups with their rules."""
    rules: dict[str, list[SecurityRule]] = defaultdict(list)
    for group_id, identity, direction, ethertype, *rest in read(tx, _RULES, keys):
        rules[group_id].append(SecurityRule(identity, direction, 6 if ethertype == "IPv6" else 4, *rest))
    for identity, stateful in read(tx, _GROUPS, keys):
        yield SecurityGroupView(identity, stateful, tuple(rules[identity]))


def _address_rows(tx: Transaction, keys: set[str] | None) -> Iterator[AddressSet]:
    addresses: dict[str, list[str]] = defaultdict(list)
    for group_id, address in read(tx, _ADDRESSES, keys):
        addresses[group_id].append(address)
    for (identity,) in read(tx, _ADDRESS_GROUPS, keys):
        yield AddressSet(identity, tuple(addresses[identity]))
