"""Routing: a namespace per router, its interfaces, and the way out through the gateway.

Pure. Forwarding is switched on only once the rules of feature ``snat`` are in: nothing is routed before it is
translated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from nebula.compile.wiring import WiredPort, Wiring
from nebula.desired.kinds import Address, KernelObject, Namespace, NextHop, Route, Sysctl
from nebula.ids import Owner, OwnerKind, RouterId, router_namespace
from nebula.view.records import RouterView

DEFAULT_ROUTE = "0.0.0.0/0"

SYSCTLS = (
    # Answer ARP only for the addresses of the interface that is asked, and ask with one of the interface's own:
    # by default Linux answers for, and asks with, any address of the namespace, also a private one towards outside.
    ("net.ipv4.conf.all.arp_ignore", "1"),
    ("net.ipv4.conf.all.arp_announce", "2"),
)


def objects(node: Wiring) -> Iterator[KernelObject]:
    """Every router that is up; one that is down has no namespace, as in Neutron."""
    for router in active(node):
        yield from _router(node, router)


def active(node: Wiring) -> list[RouterView]:
    """Routers of this node that route, each once, by id."""
    routers: dict[RouterId, RouterView] = {}
    for router in node.view.routers:
        if router.admin_state_up:
            routers.setdefault(router.id, router)
    return sorted(routers.values(), key=lambda router: router.id)


def gateway_port(node: Wiring, router: RouterView) -> WiredPort | None:
    """The router's port on its external network, where there is one and it is wired."""
    if router.gateway is None:
        return None
    here = node.ports_at(router_namespace(router.id))
    return next((port for port in here if port.id == router.gateway.port_id), None)


def public_addresses(router: RouterView) -> Mapping[IPv4Address | IPv6Address, Owner]:
    """The router's floating addresses, each with the floating IP that it is of; of two with one, the first by id."""
    floating = [(item.id, item.floating_ip_address) for item in router.floating_ips]
    floating += [(item.floating_ip_id, item.floating_ip_address) for item in router.port_forwardings]
    found: dict[IPv4Address | IPv6Address, Owner] = {}
    for identity, address in sorted(floating):
        found.setdefault(IPv4Address(address), Owner(OwnerKind.FLOATING_IP, identity))
    return found


def _router(node: Wiring, router: RouterView) -> Iterator[KernelObject]:
    namespace = router_namespace(router.id)
    owner = Owner(OwnerKind.ROUTER, router.id)
    yield Namespace(namespace, owner)
    for name, value in SYSCTLS:
        yield Sysctl(namespace, name, value, owner)
    yield Sysctl(namespace, "net.ipv4.ip_forward", "1", owner, after_rules=True)
    ports = node.ports_at(namespace)
    for port in ports:
        for interface in port.interfaces:
            yield Address(namespace, port.inner_device, str(interface), port.device, port.owner)
    gateway = gateway_port(node, router)
    if gateway is not None:
        for address, floating_owner in public_addresses(router).items():
            yield Address(namespace, gateway.inner_device, f"{address}/32", gateway.device, floating_owner)
    yield from _routes(node, router, ports, owner)


def _routes(node: Wiring, router: RouterView, ports: tuple[WiredPort, ...], owner: Owner) -> Iterator[Route]:
    """The user's routes, then the default route by the external subnet's gateway unless the user gave one.

    All next hops of a destination are one route, which shares the traffic among them (ECMP).
    """
    namespace = router_namespace(router.id)
    hops: dict[str, set[NextHop]] = {}
    for route in router.routes:
        port = _towards(ports, route.nexthop)
        if port is not None:
            hop = NextHop(str(ip_address(route.nexthop)), port.inner_device, port.device)
            hops.setdefault(str(ip_network(route.destination)), set()).add(hop)
    for destination in sorted(hops):
        yield Route(namespace, destination, tuple(sorted(hops[destination])), owner)
    gateway = gateway_port(node, router)
    if gateway is None or DEFAULT_ROUTE in hops:
        return
    subnets = {fixed_ip.subnet_id for fixed_ip in gateway.port.fixed_ips}
    for subnet in sorted(gateway.network.subnets, key=lambda item: item.id):
        if subnet.id in subnets and subnet.ip_version == 4 and subnet.gateway_ip is not None:
            hop = NextHop(subnet.gateway_ip, gateway.inner_device, gateway.device)
            yield Route(namespace, DEFAULT_ROUTE, (hop,), owner)
            return


def _towards(ports: tuple[WiredPort, ...], nexthop: str) -> WiredPort | None:
    """The port on whose subnets the next hop lives."""
    address = ip_address(nexthop)
    for port in ports:
        if any(address in interface.network for interface in port.interfaces):
            return port
    return None
