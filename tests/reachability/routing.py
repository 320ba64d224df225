"""What a router does with a packet: translation and routes, as ``docs/nat.md`` and ``docs/routing.md`` say. Pure."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address, ip_network

import msgspec

from nebula.model.snapshot import PortRow, RouterRow
from tests.reachability.packet import ANY_PORT, SCTP, TCP, UDP, Packet
from tests.reachability.topology import Address, Topology, public_addresses


def own_addresses(topology: Topology, router: RouterRow) -> set[str]:
    """All that the router itself answers for."""
    gateway = topology.gateway(router)
    own = {ip.ip_address for port in topology.interfaces(router) for ip in port.fixed_ips}
    return own | (public_addresses(router) if gateway is not None else set())


def translate_destination(topology: Topology, router: RouterRow, packet: Packet) -> Packet:
    """Floating IPs first, then port forwardings; anywhere else the packet stays as it is."""
    if topology.gateway(router) is None:
        return packet
    for floating in router.floating_ips:
        if str(packet.destination) == floating.floating_ip_address:
            return msgspec.structs.replace(packet, destination=IPv4Address(floating.fixed_ip_address))
    for one in router.port_forwardings:
        known = {"tcp": TCP, "udp": UDP, "sctp": SCTP}[one.protocol] == packet.protocol
        inside = one.external_port_min <= packet.destination_port <= one.external_port_max
        if str(packet.destination) == one.floating_ip_address and known and inside:
            shift = packet.destination_port - one.external_port_min
            inner = one.internal_port_min + (shift if one.internal_port_min != one.internal_port_max else 0)
            to = IPv4Address(one.internal_ip_address)
            return msgspec.structs.replace(packet, destination=to, destination_port=inner)
    return packet


def translate_source(
    topology: Topology, router: RouterRow, exit_port: PortRow, packet: Packet, *, translated: bool
) -> Packet:
    """Out by the gateway: the sender's floating address, or the gateway's with SNAT. From inside to a public address
    (``translated``) the gateway's, so that the answer comes back this way."""
    gateway = topology.gateway(router)
    if gateway is None:
        return packet
    outer = gateway.fixed_ips[0].ip_address
    if exit_port is gateway:
        floating = {one.fixed_ip_address: one.floating_ip_address for one in router.floating_ips}
        source = floating.get(str(packet.source), outer if router.enable_snat else None)
    else:
        inside = [
            ip_network(topology.subnet[ip.subnet_id].cidr)
            for port in topology.interfaces(router)
            if port is not gateway
            for ip in port.fixed_ips
        ]
        hairpin = translated and any(packet.source in network for network in inside)
        source = outer if hairpin else None
    if source is None:
        return packet
    return msgspec.structs.replace(
        packet, source=IPv4Address(source), source_port=ANY_PORT if packet.source_port else 0
    )


def ways(topology: Topology, router: RouterRow, destination: Address) -> list[tuple[PortRow, Address]]:
    """(port, next hop) of the longest prefix; several are equal."""
    found: list[tuple[int, PortRow, Address]] = []
    ports = topology.interfaces(router)
    networks = [(port, ip_network(topology.subnet[ip.subnet_id].cidr)) for port in ports for ip in port.fixed_ips]
    for port, network in networks:
        if destination in network:
            found.append((network.prefixlen, port, destination))
    for route in router.routes:
        hop, prefix = ip_address(route.nexthop), ip_network(route.destination)
        exits = [port for port, network in networks if hop in network]
        if exits and destination in prefix:
            found.append((prefix.prefixlen, exits[0], hop))
    gateway = topology.gateway(router)
    if gateway is not None and not any(ip_network(route.destination).prefixlen == 0 for route in router.routes):
        for ip in gateway.fixed_ips:
            outer = topology.subnet[ip.subnet_id].gateway_ip
            if outer is not None:
                found.append((0, gateway, ip_address(outer)))
    longest = max((length for length, _, _ in found), default=0)
    return [(port, hop) for length, port, hop in found if length == longest]
