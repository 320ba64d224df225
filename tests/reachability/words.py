"""Packets and topologies in words, for who looks for a fault. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from tests.reachability.packet import Packet
from tests.reachability.topology import Topology


def packet(sent: Packet) -> str:
    kind = {6: "tcp", 17: "udp", 1: "icmp", 58: "icmpv6", 132: "sctp"}.get(sent.protocol, f"protocol {sent.protocol}")
    if sent.icmp is not None:
        return f"{kind} type {sent.icmp[0]} {sent.source} > {sent.destination}"
    ports = (f" port {sent.source_port}", f" port {sent.destination_port}") if sent.destination_port else ("", "")
    return f"{kind} {sent.source}{ports[0]} > {sent.destination}{ports[1]}"


def describe(topology: Topology) -> Iterator[str]:
    """The topology for people, one line an object."""
    name = topology.names.get
    for network in topology.networks:
        cidrs = " ".join(subnet.cidr for subnet in network.subnets)
        yield f"network {network.name} {network.network_type} VNI {network.segmentation_id} {cidrs}{_down(network)}"
    for router in topology.routers:
        yield f"router {router.name} on {router.host} snat={router.enable_snat}{_down(router)}"
        yield from (f"  route {route.destination} via {route.nexthop}" for route in router.routes)
        yield from (f"  floating {one.floating_ip_address} = {one.fixed_ip_address}" for one in router.floating_ips)
        for one in router.port_forwardings:
            outer, inner = (
                f"{one.external_port_min}-{one.external_port_max}",
                f"{one.internal_port_min}-{one.internal_port_max}",
            )
            yield f"  forward {one.protocol} {one.floating_ip_address}:{outer} to {one.internal_ip_address}:{inner}"
    for port in topology.ports:
        addresses = " ".join(ip.ip_address for ip in port.fixed_ips)
        network_name = topology.network[port.network_id].name if port.network_id in topology.network else "?"
        where = f"on {port.host or 'no node'}, {network_name}"
        head = f"port {name(port.id)} {where} {port.mac_address} {addresses}{_down(port)}"
        pairs = "".join(f" pair {pair.mac_address} {pair.ip_address}" for pair in port.allowed_address_pairs)
        used = topology.held.get(port.id)
        held = f" also uses {used.mac_address} {used.address}" if used else ""
        groups = " ".join(str(name(group)) for group in port.security_groups) or "none"
        security = (
            ""
            if not port.device_owner.startswith("compute")
            else f" groups {groups}"
            if port.port_security_enabled
            else " unprotected"
        )
        yield f"{head}{security}{pairs}{held}"
    for group in topology.groups:
        yield f"group {name(group.id)}{'' if group.stateful else ' stateless'}"
        for rule in group.rules:
            remote = rule.remote_ip_prefix or name(
                rule.remote_group_id or rule.remote_address_group_id or "", "anybody"
            )
            ports = f"{rule.port_min}-{rule.port_max}"
            yield f"  {rule.direction} IPv{rule.ip_version} protocol {rule.protocol} {ports} {remote}"
    for addresses_ in topology.address_groups:
        yield f"addresses {name(addresses_.id)} {' '.join(addresses_.addresses)}"


def _down(row: object) -> str:
    return "" if getattr(row, "admin_state_up", True) else " DOWN"
