"""Which packet stands for the question, and where it begins. Pure.

From the two ends, the protocol and the port to a packet with addresses: the port of the first end that shares a network
with the second, where there is one, and addresses of one family.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import msgspec

from nebula.errors import BadRequest
from nebula.ids import Host
from nebula.model.port import ROUTER_GATEWAY
from nebula.model.snapshot import NetworkRow, PortRow, Snapshot
from nebula.trace.packet import (
    ARP_REQUEST,
    BROADCAST,
    DHCP_CLIENT,
    DHCP_SERVER,
    ECHO,
    ECHO6,
    SOLICITATION,
    UNKNOWN_MAC,
    Packet,
)
from nebula_controller.trace.ends import ADDRESS, End, address_of, is_external, on_network, versions

PROTOCOLS = ("tcp", "udp", "icmp", "arp", "dhcp")
WITH_PORT = ("tcp", "udp")


class Wanted(msgspec.Struct, frozen=True):
    """``port`` is TCP's or UDP's, ``own_port`` the sender's (of ICMP its identifier); ``version`` 0: whichever fits."""

    protocol: str
    port: int
    own_port: int
    version: int = 0
    size_bytes: int = 0


class Plan(msgspec.Struct, frozen=True):
    """``port``: where the packet begins, None for outside.

    Then ``segment`` is the external network, and ``hop`` the address that is asked for on it.
    """

    packet: Packet
    port: PortRow | None
    segment: NetworkRow | None = None
    hop: str = ""


def check(protocol: str, port: int | None, version: int, size_bytes: int) -> None:
    """Raises BadRequest for what no packet can be."""
    if protocol not in PROTOCOLS:
        raise BadRequest(f"{protocol!r} is no protocol that can be traced; there are: {', '.join(PROTOCOLS)}.")
    if protocol in WITH_PORT and (port is None or not 1 <= port <= 65535):
        raise BadRequest(f"{protocol} needs a port in 1..65535.")
    if protocol not in WITH_PORT and port is not None:
        raise BadRequest(f"{protocol} has no ports.")
    if version not in (0, 4, 6) or (version == 6 and protocol == "dhcp"):
        raise BadRequest("The IP version is 4 or 6, and 4 for DHCP.")
    if size_bytes and not 64 <= size_bytes <= 65535:
        raise BadRequest("The size of an IP packet is 64 to 65535 bytes here.")


def dhcp(snapshot: Snapshot, start: End) -> Plan:
    """A DHCP client's first question. Raises BadRequest."""
    if start.kind == ADDRESS:
        raise BadRequest("DHCP begins at an instance or a port.")
    port = _placed(start)[0]
    packet = Packet(
        "udp", "0.0.0.0", "255.255.255.255", port.mac_address.lower(), BROADCAST, DHCP_CLIENT, DHCP_SERVER
    )  # fmt: skip
    return Plan(packet, port)


def plan(snapshot: Snapshot, start: End, goal: End, wanted: Wanted) -> Plan:
    """Raises BadRequest where the ends have no addresses that fit."""
    if start.kind == ADDRESS:
        return _from_outside(snapshot, start, goal, wanted)
    ports = _placed(start)
    version = _version(start, goal, wanted)
    ports = [port for port in ports if address_of(port, version)] or ports
    pairs = [(port, address) for address in _addresses(goal, version) for port in ports]
    if not pairs:
        raise BadRequest(f"{goal.words} has no IPv{version} address.")
    port, address = min(pairs, key=lambda pair: _farther(snapshot, goal, *pair))
    source = start.address or address_of(port, version)
    if not source:
        raise BadRequest(f"{start.words} has no IPv{version} address.")
    return Plan(_packet(wanted, version, source, address), port)


def _placed(end: End) -> list[PortRow]:
    if not end.ports:
        raise BadRequest(f"{end.words} has no port.")
    placed = [port for port in end.ports if port.host]
    if not placed:
        raise BadRequest(f"{end.words} is on no node: its port is not bound.")
    return placed


def _version(start: End, goal: End, wanted: Wanted) -> int:
    if wanted.version:
        return wanted.version
    both = versions(start) & versions(goal)
    if goal.kind == ADDRESS or goal.address:
        return next(iter(versions(goal)))
    return 6 if both == {6} else 4


def _addresses(goal: End, version: int) -> list[str]:
    if goal.address:
        return [goal.address] if ip_address(goal.address).version == version else []
    found = (ip.ip_address for port in goal.ports for ip in port.fixed_ips)
    return [address for address in found if ip_address(address).version == version]


def _farther(snapshot: Snapshot, goal: End, port: PortRow, address: str) -> tuple[bool, bool]:
    """A neighbour first; of a router's other addresses the outer one."""
    holder = next((item for item in goal.ports if any(ip.ip_address == address for ip in item.fixed_ips)), None)
    same = holder is not None and holder.network_id == port.network_id
    return not (same or (holder is None and on_network(snapshot, port, address))), not (
        holder is not None and is_external(snapshot, holder)
    )


def _packet(wanted: Wanted, version: int, source: str, destination: str) -> Packet:
    size = wanted.size_bytes
    if wanted.protocol in WITH_PORT:
        return Packet(
            wanted.protocol, source, destination, size_bytes=size,
            source_port=wanted.own_port, destination_port=wanted.port,
        )  # fmt: skip
    if wanted.protocol == "arp":
        if version == 4:
            return Packet("arp", source, destination, type=ARP_REQUEST)
        return Packet("icmp6", source, destination, type=SOLICITATION, ttl=255)
    word, kind = ("icmp", ECHO) if version == 4 else ("icmp6", ECHO6)
    identity = wanted.own_port
    return Packet(
        word, source, destination, type=kind, size_bytes=size, source_port=identity, destination_port=identity
    )  # fmt: skip


def _from_outside(snapshot: Snapshot, start: End, goal: End, wanted: Wanted) -> Plan:
    """The goal's address on an external network, and who answers for it there."""
    version = wanted.version or ip_address(start.address).version
    addresses = _addresses(goal, version)
    if goal.kind in ("instance", "port"):
        ids = {port.id for port in goal.ports}
        floating = [
            item.floating_ip_address
            for router in snapshot.routers.values()
            for item in router.floating_ips
            for port in (snapshot.ports[key] for key in ids)
            if any(ip.ip_address == item.fixed_ip_address for ip in port.fixed_ips)
            and _is_routed_by(snapshot, router.id, port)
        ]
        addresses = floating + addresses
    externals = [item for item in snapshot.networks.values() if item.external]
    for address in addresses:
        for network in externals:
            if any(_in(subnet.cidr, address) for subnet in network.subnets):
                return Plan(_packet(wanted, version, start.address, address), None, network, address)
    for port in goal.ports:  # a network behind a router: by the router's own address outside
        for router in snapshot.routers.values():
            if _is_routed_by(snapshot, router.id, port):
                for gateway in (snapshot.ports[key] for key in snapshot.ports_of_device(router.id)):
                    hop = address_of(gateway, version)
                    if gateway.device_owner == ROUTER_GATEWAY and hop and addresses:
                        network = snapshot.networks[gateway.network_id]
                        return Plan(_packet(wanted, version, start.address, addresses[0]), None, network, hop)
    raise BadRequest(
        f"{goal.words} has no address on an external network, so nothing comes to it from outside; {start.address} is "
        "the address of no port here."
    )


def _is_routed_by(snapshot: Snapshot, router: str, port: PortRow) -> bool:
    networks = {snapshot.ports[key].network_id for key in snapshot.ports_of_device(router)}
    return port.network_id in networks


def _in(cidr: str, address: str) -> bool:
    network, parsed = ip_network(cidr), ip_address(address)
    return network.version == parsed.version and parsed in network


def question(segment_source: str, hop: str) -> Packet:
    """What the outside asks before it sends: who has the address?"""
    if ":" in hop:
        return Packet("icmp6", segment_source, hop, UNKNOWN_MAC, BROADCAST, type=SOLICITATION, ttl=255)
    return Packet("arp", segment_source, hop, UNKNOWN_MAC, BROADCAST, type=ARP_REQUEST)


def hosts(snapshot: Snapshot, network: NetworkRow) -> list[Host]:
    """The nodes on an external network's segment."""
    return sorted(snapshot.hosts_of_network(network.id).keys() & snapshot.nodes.keys())
