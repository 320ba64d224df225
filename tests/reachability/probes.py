"""Which packets to try in a topology: a choice of who sends what to whom, half of it what the oracle lets through.

Pure but for the randomness that is given.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from ipaddress import ip_address

import msgspec

from tests.reachability.groups import PORTS
from tests.reachability.oracle import Oracle
from tests.reachability.packet import ICMP, ICMPV6, SCTP, TCP, UDP, Packet
from tests.reachability.topology import Address, Station, Topology, public_addresses

_FIRST_PORT, _LAST_PORT = 1024, 65535
_GRE, _ESP = 47, 50


class Probe(msgspec.Struct, frozen=True):
    """A packet that a station sends, and the MACs of its frame."""

    number: int
    sender: Station
    source_mac: str
    target_mac: str
    packet: Packet


def choose(topology: Topology, rng: random.Random, first: int, count: int, used: set[Address]) -> list[Probe]:
    """``count`` probes, numbered from ``first``; fewer where there is not so much to try.

    ``used`` are the ends of packets that conntrack knows by nothing but their ends, and grows: what went between two of
    them before would make the next one an answer.
    """
    oracle = Oracle(topology)
    reaching: list[Probe] = []
    lost: list[Probe] = []
    for _ in range(count * 12):
        if len(reaching) + len(lost) >= count and len(reaching) >= count // 2:
            break
        found = _one(topology, rng, first + len(reaching) + len(lost))
        if found is None:
            continue
        fates = oracle.fates(found.sender, (found.source_mac, found.target_mac), found.packet)
        if not _is_new([found.packet, *(fate.packet for fate in fates)], used):
            continue
        (reaching if any(fate.at is not None for fate in fates) else lost).append(found)
    kept = reaching[:count]
    kept += lost[: count - len(kept)]
    rng.shuffle(kept)
    return kept


def _is_new(packets: list[Packet], used: set[Address]) -> bool:
    """``packets`` are one as it is sent and as it may arrive: translation must not make two connections one."""
    if packets[0].protocol in (TCP, UDP, ICMP, ICMPV6):
        return True
    ends = {end for packet in packets for end in (packet.source, packet.destination)}
    if ends & used:
        return False
    used |= ends
    return True


def _one(topology: Topology, rng: random.Random, number: int) -> Probe | None:
    sender = rng.choice(list(topology.stations.values()))
    near = rng.random() < 0.5
    destination = rng.choice(sorted(set(_destinations(topology, sender, near=near)), key=int))
    sources = [
        one for one in map(ip_address, (*sender.addresses, *sender.behind)) if one.version == destination.version
    ]
    sources = [one for one in sources if one.is_link_local == destination.is_link_local]
    if rng.random() < 0.03:
        sources = [destination.__class__(int(destination) ^ 1)]  # somebody else's address
    target = topology.next_hop(sender, destination)
    if rng.random() < 0.05:
        target = rng.choice([one.mac_address for one in topology.stations.values()])
    if not sources or target is None or destination in map(ip_address, sender.addresses):
        return None
    if sender.port is None and target in [one.mac_address for one in topology.outside]:
        return None  # no business of ours
    source = sources[0] if rng.random() < 0.7 else rng.choice(sources)
    lies = sender.port is not None and sender.port.port_security_enabled  # others may upset the provider's switch
    mac = rng.choice([sender.mac_address, target]) if lies and rng.random() < 0.03 else sender.mac_of(source)
    return Probe(number, sender, mac, target, _packet(topology, rng, source, destination, number))


def _destinations(topology: Topology, sender: Station, *, near: bool) -> Iterator[Address]:
    """Of its own network, or all there are."""
    for station in topology.stations.values():
        if not near or station.network_id == sender.network_id:
            yield from map(ip_address, (*station.addresses, *station.behind))
    for port in topology.ports:
        if not near or port.network_id == sender.network_id:
            yield from (ip_address(ip.ip_address) for ip in port.fixed_ips)
    for router in topology.routers:
        yield from map(ip_address, public_addresses(router))
        if router.routes:
            yield ip_address("198.18.0.7")


def _packet(topology: Topology, rng: random.Random, source: Address, destination: Address, number: int) -> Packet:
    sport = _FIRST_PORT + number % (_LAST_PORT - _FIRST_PORT)
    routers = {
        ip.ip_address for port in topology.ports if port.device_owner.startswith("network:") for ip in port.fixed_ips
    }
    routers |= {address for router in topology.routers for address in public_addresses(router)}
    icmp = Packet(ICMP, source, destination, sport, 0, (8, 0))
    if source.version == 6:
        icmp = msgspec.structs.replace(icmp, protocol=ICMPV6, icmp=(128, 0))
    kind = rng.choice((TCP, TCP, TCP, UDP, UDP, ICMP, ICMP, SCTP, _GRE, _ESP))
    forwarded = [one for router in topology.routers for one in router.port_forwardings]
    forwarded = [one for one in forwarded if one.floating_ip_address == str(destination)]
    if forwarded and rng.random() < 0.8:
        one = rng.choice(forwarded)
        port = rng.choice(
            (one.external_port_min, one.external_port_max, one.external_port_max + 1, one.external_port_min + 1)
        )
        return Packet(TCP if one.protocol == "tcp" else UDP, source, destination, sport, port)
    if kind == ICMP or (str(destination) in routers and rng.random() < 0.7):
        timestamp = source.version == 4 and str(destination) not in routers and rng.random() < 0.15
        return msgspec.structs.replace(icmp, icmp=(13, 0)) if timestamp else icmp
    if kind in (TCP, UDP, SCTP):
        port = rng.choice(PORTS) + rng.choice((0, 0, 0, 0, -1, 1))
        return Packet(kind, source, destination, sport, port)
    return Packet(kind, source, destination)
