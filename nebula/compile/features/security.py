"""Security: ports send from their own addresses only, and their groups say what passes.

Pure. Per-port flows of tables 24, 25, 71 and 72 (port security), and the rules of security groups in 72 and 82. What is
the same for every port stands in feature ``switching``.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network

import msgspec

from nebula.compile.pipeline import (
    int_24_arp_spoof,
    int_25_mac_spoof,
    int_71_base_egress,
    int_72_rules_egress,
    rules,
    tables,
    text,
)
from nebula.compile.pipeline.tables import Table
from nebula.compile.wiring import WiredPort, Wiring
from nebula.desired.kinds import Flow, KernelObject
from nebula.eui64 import interface_identifier
from nebula.ids import Owner, OwnerKind, port_key
from nebula.view.records import PortView, SecurityGroupView, SecurityRule, pair_macs

Network = IPv4Network | IPv6Network
_LINK_LOCAL = 0xFE80 << 112
_TABLE = {"egress": tables.RULES_EGRESS, "ingress": tables.RULES_INGRESS}


class Half(msgspec.Struct, frozen=True, order=True):
    """A conjunction, half stated: all rules of one table and family with this remote group."""

    group: Owner
    table: Table
    ip_version: int


def objects(node: Wiring) -> Iterator[KernelObject]:
    """Every secured port that may send and receive."""
    secured = [port for ports in node.live_ports.values() for port in ports if port.protection]
    for port in secured:
        yield from _anti_spoofing(port.port, port.device)
    yield from _rules(node, secured)


def link_local(mac_address: str) -> IPv6Network:
    """The address that a guest makes itself of a MAC."""
    return IPv6Network(IPv6Address(_LINK_LOCAL | interface_identifier(mac_address)))


def _pairs(port: PortView) -> list[tuple[str, Network]]:
    """Every (MAC, addresses) that the port may send from."""
    pairs: set[tuple[str, Network]] = {
        (port.mac_address.lower(), ip_network(fixed.ip_address)) for fixed in port.fixed_ips
    }
    for pair in port.allowed_address_pairs:
        pairs.add((pair.mac_address.lower(), ip_network(pair.ip_address, strict=False)))
    pairs |= {(mac_address, link_local(mac_address)) for mac_address in _macs(port)}
    return sorted(pairs, key=lambda pair: (pair[0], pair[1].version, pair[1]))


def _macs(port: PortView) -> list[str]:
    return sorted({port.mac_address.lower(), *pair_macs(port.mac_address, port.allowed_address_pairs)})


@functools.lru_cache(maxsize=4096)
def _anti_spoofing(port: PortView, device: str) -> tuple[Flow, ...]:
    """The same port gives the same flows, whatever else changes: kept, since addresses take long to parse."""
    return tuple(_anti_spoofing_flows(port, device, port_key(port.id), Owner(OwnerKind.PORT, port.id)))


def _anti_spoofing_flows(port: PortView, device: str, key: int, owner: Owner) -> Iterator[Flow]:
    for mac_address in _macs(port):
        yield int_24_arp_spoof.solicit(device, mac_address, owner)
        yield int_25_mac_spoof.own(device, mac_address, owner)
        yield int_72_rules_egress.advertise(key, mac_address, owner)
    told: set[Network] = set()
    for mac_address, network in _pairs(port):
        yield int_71_base_egress.own_address(key, mac_address, network, owner)
        if isinstance(network, IPv4Network) or network not in told:  # advertisements name no MAC in table 24
            told.add(network)
            yield int_24_arp_spoof.speak_for(device, mac_address, network, owner)


def _rules(node: Wiring, ports: list[WiredPort]) -> Iterator[Flow]:
    """One flow for each match: what several rules ask for is asked once, and belongs to the first by group."""
    accepted: dict[tuple[Table, str], Owner] = {}
    halves: dict[tuple[Table, str], dict[tuple[Half, int], Owner]] = defaultdict(dict)
    groups = {group_id: tuple(_described(group)) for group_id, group in node.groups.items()}
    for port in ports:
        key = port.key
        for group_id in sorted(set(port.port.security_groups)):
            owner = Owner(OwnerKind.SECURITY_GROUP, group_id)
            for table, half, match in groups.get(group_id, ()):
                if half is None:
                    accepted.setdefault((table, match.of(key)), owner)
                else:
                    halves[table, match.of(key)].setdefault((half, 2), owner)
    conjunctions = sorted({half for clauses in halves.values() for half, _ in clauses})
    _members(node, conjunctions, halves)
    numbers = _numbers(conjunctions)
    for (table, line), owner in accepted.items():
        yield rules.accept(table, line, owner)
    for (table, line), clauses in halves.items():
        numbered = sorted((numbers[half], clause) for half, clause in clauses)
        yield rules.one_of_two(table, line, numbered, min(clauses.values()))
    for half in conjunctions:
        yield rules.both(half.table, numbers[half], half.group)


def _described(group: SecurityGroupView) -> Iterator[tuple[Table, Half | None, rules.Match]]:
    """A group's rules in order, the same for all its ports, each with the conjunction that it is half of."""
    for rule in sorted(group.rules):
        remote, table = _remote(rule), _TABLE[rule.direction]
        half = None if remote is None else Half(remote, table, rule.ip_version)
        for match in _matches(rule, table):
            yield table, half, match


def _members(
    node: Wiring, conjunctions: list[Half], halves: dict[tuple[Table, str], dict[tuple[Half, int], Owner]]
) -> None:
    """Add the addresses that the remote groups stand for."""
    sets = {found.id: [ip_network(item, strict=False) for item in found.addresses] for found in node.view.address_sets}
    for half in conjunctions:
        for network in sets.get(half.group.id, ()):
            if network.version == half.ip_version:
                halves[half.table, rules.member(half.table, network)].setdefault((half, 1), half.group)


def _matches(rule: SecurityRule, table: Table) -> Iterator[rules.Match]:
    remote = ""
    if rule.remote_ip_prefix is not None:
        prefix = ip_network(rule.remote_ip_prefix, strict=False)
        if prefix.version != rule.ip_version:
            return
        remote = text.address("dst" if table is tables.RULES_EGRESS else "src", prefix)
    traffic = rules.Traffic(rule.ip_version, rule.protocol, (rule.port_min, rule.port_max), remote)
    yield from rules.matches(traffic)


def _remote(rule: SecurityRule) -> Owner | None:
    if rule.remote_group_id is not None:
        return Owner(OwnerKind.SECURITY_GROUP, rule.remote_group_id)
    if rule.remote_address_group_id is not None:
        return Owner(OwnerKind.ADDRESS_GROUP, rule.remote_address_group_id)
    return None


def _numbers(conjunctions: list[Half]) -> Mapping[Half, int]:
    """A number for each: the first 30 bits of the group's id, direction and family; the next free one when taken."""
    numbers: dict[Half, int] = {}
    used: set[int] = set()
    for half in conjunctions:
        number = int(half.group.id[:8], 16) & ~3 | (half.table is tables.RULES_INGRESS) << 1 | (half.ip_version == 6)
        while number in used or number < 4:
            number = (number + 4) & 0xFFFFFFFF
        used.add(number)
        numbers[half] = number
    return numbers
