"""Random changes to a topology that is in force: what a user does on a day, objects keep their ids.

Pure but for the randomness that is given.
"""

from __future__ import annotations

import random
from ipaddress import ip_address, ip_network

import msgspec

from nebula.ids import Host
from nebula.model.port import ROUTER_GATEWAY
from nebula.model.snapshot import PortRow, RouterRow
from nebula.view.records import FixedIp
from tests.reachability.topology import NODES, PROVIDER_HOSTS, SLOTS, Topology

_HOSTS = tuple(node.host for node in NODES)


def changed(topology: Topology, rng: random.Random, count: int) -> Topology:
    """After ``count`` calls; a call that cannot be made here is none."""
    for _ in range(count):
        topology = rng.choice(_CALLS)(topology, rng)
    return topology


def _guest(topology: Topology, rng: random.Random) -> PortRow | None:
    return rng.choice(topology.guests) if topology.guests else None


def _replace(topology: Topology, field: str, row: object, **new: object) -> Topology:
    return topology.replacing(field, row, msgspec.structs.replace(row, **new))  # type: ignore[type-var]


def _move_guest(topology: Topology, rng: random.Random) -> Topology:
    """To another node, or to none."""
    port = _guest(topology, rng)
    if port is None:
        return topology
    flat = topology.network[port.network_id].network_type == "flat"
    places = [
        host
        for host in (PROVIDER_HOSTS if flat else _HOSTS)
        if sum(other.host == host for other in topology.guests) < SLOTS and host != port.host
    ]
    return _replace(topology, "ports", port, host=rng.choice([*places, Host("")]))


def _port_up_or_down(topology: Topology, rng: random.Random) -> Topology:
    port = rng.choice(topology.ports) if topology.ports else None
    return topology if port is None else _replace(topology, "ports", port, admin_state_up=not port.admin_state_up)


def _groups_of_port(topology: Topology, rng: random.Random) -> Topology:
    port = _guest(topology, rng)
    if port is None or not port.port_security_enabled:
        return topology
    groups = rng.sample(topology.groups, rng.randint(0, min(2, len(topology.groups))))
    return _replace(topology, "ports", port, security_groups=tuple(sorted(group.id for group in groups)))


def _unprotect(topology: Topology, rng: random.Random) -> Topology:
    """Port security off, which needs groups and pairs gone, or on, with the first group."""
    port = _guest(topology, rng)
    if port is None:
        return topology
    if port.port_security_enabled:
        return _replace(
            topology, "ports", port, port_security_enabled=False, security_groups=(), allowed_address_pairs=()
        )
    groups = tuple(group.id for group in topology.groups[:1])
    return _replace(topology, "ports", port, port_security_enabled=True, security_groups=groups)


def _rules(topology: Topology, rng: random.Random) -> Topology:
    """One rule less, or those of another group as well."""
    group, other = rng.choice(topology.groups), rng.choice(topology.groups)
    if group.rules and rng.random() < 0.6:
        gone = rng.choice(group.rules)
        return _replace(topology, "groups", group, rules=tuple(rule for rule in group.rules if rule != gone))
    return _replace(topology, "groups", group, rules=tuple(sorted({*group.rules, *other.rules})))


def _stateful(topology: Topology, rng: random.Random) -> Topology:
    group = rng.choice(topology.groups)
    return _replace(topology, "groups", group, stateful=not group.stateful)


def _router(topology: Topology, rng: random.Random) -> RouterRow | None:
    return rng.choice(topology.routers) if topology.routers else None


def _router_up_or_down(topology: Topology, rng: random.Random) -> Topology:
    router = _router(topology, rng)
    return (
        topology if router is None else _replace(topology, "routers", router, admin_state_up=not router.admin_state_up)
    )


def _move_router(topology: Topology, rng: random.Random) -> Topology:
    """To another node, with all its ports."""
    router = _router(topology, rng)
    if router is None:
        return topology
    mine = [port for port in topology.ports if port.device_id == router.id]
    outside = any(port.device_owner == ROUTER_GATEWAY for port in mine)
    host = rng.choice(PROVIDER_HOSTS if outside else _HOSTS)
    for port in mine:
        topology = _replace(topology, "ports", port, host=host)
    return _replace(topology, "routers", router, host=host)


def _snat(topology: Topology, rng: random.Random) -> Topology:
    router = _router(topology, rng)
    return topology if router is None else _replace(topology, "routers", router, enable_snat=not router.enable_snat)


def _floating(topology: Topology, rng: random.Random) -> Topology:
    """One gone, or two change places."""
    router = _router(topology, rng)
    if router is None or not router.floating_ips:
        return topology
    one, other = rng.choice(router.floating_ips), rng.choice(router.floating_ips)
    left = [floating for floating in router.floating_ips if floating not in (one, other)]
    if one != other:
        swapped = [msgspec.structs.replace(one, fixed_ip_address=other.fixed_ip_address)]
        left += [*swapped, msgspec.structs.replace(other, fixed_ip_address=one.fixed_ip_address)]
    forwardings = router.port_forwardings[1:]
    return _replace(topology, "routers", router, floating_ips=tuple(sorted(left)), port_forwardings=forwardings)


def _routes(topology: Topology, rng: random.Random) -> Topology:
    router = _router(topology, rng)
    return topology if router is None else _replace(topology, "routers", router, routes=router.routes[1:])


def _delete_port(topology: Topology, rng: random.Random) -> Topology:
    """With what leads to it."""
    port = _guest(topology, rng)
    if port is None:
        return topology
    for ip in port.fixed_ips:
        topology = _led_nowhere(topology, ip.ip_address)
    return msgspec.structs.replace(topology, ports=tuple(other for other in topology.ports if other.id != port.id))


def _mac_of_port(topology: Topology, rng: random.Random) -> Topology:
    """Another network card. Pairs and what the guest uses keep the MACs that they had."""
    port = _guest(topology, rng)
    if port is None:
        return topology
    return _replace(
        topology, "ports", port, mac_address=f"fa:16:3e:fe:{rng.randrange(256):02x}:{rng.randrange(256):02x}"
    )


def _address_of_port(topology: Topology, rng: random.Random) -> Topology:
    """A second address, or only the last of several; what leads to one that goes, goes first."""
    port = _guest(topology, rng)
    four = [ip for ip in port.fixed_ips if ":" not in ip.ip_address] if port is not None else []
    if port is None or not four:
        return topology
    if len(four) > 1:
        return _replace(_led_nowhere(topology, four[0].ip_address), "ports", port, fixed_ips=(four[-1],))
    cidr = ip_network(topology.subnet[four[0].subnet_id].cidr)
    taken = {ip.ip_address for other in topology.ports for ip in other.fixed_ips}
    taken |= {held.address for held in topology.held.values()}
    free = [address for address in map(str, (cidr[rng.randint(4, 60)] for _ in range(5))) if address not in taken]
    more = tuple(FixedIp(four[0].subnet_id, address) for address in free[:1])
    return _replace(topology, "ports", port, fixed_ips=tuple(sorted((*port.fixed_ips, *more))))


def _led_nowhere(topology: Topology, address: str) -> Topology:
    """Without floating IPs and port forwardings of an inner address."""
    for router in topology.routers:
        floating = tuple(one for one in router.floating_ips if one.fixed_ip_address != address)
        forwardings = tuple(one for one in router.port_forwardings if one.internal_ip_address != address)
        topology = _replace(topology, "routers", router, floating_ips=floating, port_forwardings=forwardings)
    return topology


def _no_gateway(topology: Topology, rng: random.Random) -> Topology:
    """A router's gateway is cleared, which needs its floating IPs gone, and routes by it."""
    router = _router(topology, rng)
    gateway = topology.gateway(router) if router is not None else None
    if router is None or gateway is None:
        return topology
    cidr = ip_network(topology.subnet[gateway.fixed_ips[0].subnet_id].cidr)
    routes = tuple(route for route in router.routes if ip_address(route.nexthop) not in cidr)
    topology = _replace(topology, "routers", router, floating_ips=(), port_forwardings=(), routes=routes)
    return msgspec.structs.replace(topology, ports=tuple(port for port in topology.ports if port.id != gateway.id))


def _network_up_or_down(topology: Topology, rng: random.Random) -> Topology:
    network = rng.choice(topology.networks)
    return _replace(topology, "networks", network, admin_state_up=not network.admin_state_up)


_CALLS = (
    *(_move_guest, _move_guest, _port_up_or_down, _groups_of_port, _groups_of_port, _unprotect, _delete_port),
    *(_mac_of_port, _address_of_port, _address_of_port, _no_gateway),
    *(_rules, _rules, _stateful, _network_up_or_down),
    *(_router_up_or_down, _move_router, _snat, _floating, _routes),
)
