"""What must hold for a router: its subnets, gateway and routes. Pure; the words are Neutron's."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from nebula.errors import BadRequest, Conflict, NebulaError
from nebula.model.network import Network
from nebula.model.subnet import Subnet
from nebula.rules.subnets import overlap
from nebula.view.records import FixedIp, HostRoute

MAX_ROUTES = 30
"""Neutron's ``max_routes``: so many extra routes a router may have."""


def bad_request(problem: str) -> BadRequest:
    """Neutron's ``BadRequest`` for routers."""
    return BadRequest(f"Bad router request: {problem}.", type_name="BadRequest")


def check_subnets(new: Sequence[Subnet], present: Sequence[Subnet]) -> list[NebulaError]:
    """A router cannot tell apart subnets that overlap, so it has none that do (a gateway's count too)."""
    return [
        bad_request(
            f"Router already has a port on subnet {subnet.id}"
            if subnet.id == other.id
            else f"Cidr {subnet.cidr} of subnet {subnet.id} overlaps with cidr {other.cidr} of subnet {other.id}"
        )
        for subnet in new
        for other in present
        if overlap(subnet.cidr, other.cidr)
    ]


def check_announced(subnet: Subnet) -> list[NebulaError]:
    """A subnet whose addresses follow from another router's announcements has no router here."""
    if subnet.ip_version == 6 and subnet.ipv6_ra_mode is None and subnet.ipv6_address_mode is not None:
        return [
            bad_request(
                f"IPv6 subnet {subnet.id} configured to receive RAs from an external router cannot be added to "
                "Neutron Router"
            )
        ]
    return []


def check_interface(subnet: Subnet) -> list[NebulaError]:
    """By subnet, the interface takes the gateway's address: there must be one."""
    problems = check_announced(subnet)
    if subnet.gateway_ip is None:
        problems.append(bad_request("Subnet for router interface must have a gateway IP"))
    return problems


def check_gateway(network: Network) -> list[NebulaError]:
    """Gateways lead to external networks."""
    if network.external:
        return []
    return [bad_request(f"Network {network.id} is not an external network")]


def check_routes(
    routes: Sequence[HostRoute],
    subnets: Sequence[Subnet],
    own: Sequence[FixedIp],
    present: Sequence[HostRoute] = (),
) -> list[NebulaError]:
    """Each new next hop is a neighbour on one of the router's subnets, and not the router itself.

    Those of routes that were ``present`` may have lost their gateway since.
    """
    if len(routes) > MAX_ROUTES:
        return [
            BadRequest(
                f"Unable to complete operation. The number of routes exceeds the maximum {MAX_ROUTES}.",
                type_name="RoutesExhausted",
            )
        ]
    problems: list[NebulaError] = []
    mine = {fixed.ip_address for fixed in own}
    networks = [ipaddress.ip_network(subnet.cidr) for subnet in subnets]
    for route in routes:
        if route in present:
            continue
        nexthop = ipaddress.ip_address(route.nexthop)
        if ipaddress.ip_network(route.destination).version != nexthop.version:
            problems.append(_invalid(route, "destination and nexthop are of different IP versions"))
        elif not any(nexthop in network for network in networks):
            problems.append(_invalid(route, "the nexthop is not connected with router"))
        elif route.nexthop in mine:
            problems.append(_invalid(route, "the nexthop is used by router"))
    return problems


def check_detach(
    router_id: str, routes: Sequence[HostRoute], leaving: Sequence[Subnet], staying: Sequence[Subnet]
) -> list[NebulaError]:
    """A subnet that a route's next hop is on cannot leave the router."""
    kept = [ipaddress.ip_network(subnet.cidr) for subnet in staying]
    for subnet in leaving:
        network = ipaddress.ip_network(subnet.cidr)
        for route in routes:
            nexthop = ipaddress.ip_address(route.nexthop)
            if nexthop in network and not any(nexthop in other for other in kept):
                return [
                    Conflict(
                        f"Router interface for subnet {subnet.id} on router {router_id} cannot be deleted, as it is "
                        "required by one or more routes.",
                        type_name="RouterInterfaceInUseByRoute",
                    )
                ]
    return []


def in_use(router_id: str, interfaces: Sequence[str]) -> list[NebulaError]:
    """A router with interfaces (ids of ports) cannot go."""
    if not interfaces:
        return []
    return [Conflict(f"Router {router_id} still has ports.", type_name="RouterInUse")]


def _invalid(route: HostRoute, reason: str) -> BadRequest:
    shown = f"{{'destination': '{route.destination}', 'nexthop': '{route.nexthop}'}}"
    return BadRequest(
        f"Invalid input for routes. Reason: Invalid format for routes: {shown}, {reason}.", type_name="InvalidRoutes"
    )
