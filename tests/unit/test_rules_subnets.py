"""Rules of subnets and routers: pure, and they find every problem."""

from __future__ import annotations

import ipaddress

import hypothesis.strategies as st
from hypothesis import given

from nebula.errors import NebulaError
from nebula.model.network import Network
from nebula.model.subnet import Pool, Subnet
from nebula.rules import addresses, networks, routers, subnets
from nebula.view.records import FixedIp, HostRoute


def subnet(cidr: str, key: str = "s", gateway_ip: str | None = None, pools: tuple[Pool, ...] = ()) -> Subnet:
    version = ipaddress.ip_network(cidr).version
    return Subnet(id=key, network_id="n", ip_version=version, cidr=cidr, gateway_ip=gateway_ip, allocation_pools=pools)


def kinds(problems: list[NebulaError]) -> list[str]:
    return [problem.type_name for problem in problems]


@given(st.integers(0, 2**32 - 1), st.integers(1, 32), st.data())
def test_default_pools_are_the_usable_addresses(number: int, prefix: int, data: st.DataObject) -> None:
    """Gateway and pools together are just what hosts may have, and a subnet made by default has no problem."""
    network = ipaddress.ip_network((number, prefix), strict=False)
    cidr = str(network)
    first, last = subnets.usable(cidr)
    gateway = str(ipaddress.ip_address(data.draw(st.integers(first, last))))
    pools = subnets.default_pools(cidr, gateway)
    sizes = sum(end - start + 1 for start, end in subnets.pool_ranges(pools))
    assert sizes + 1 == last - first + 1
    made = subnet(cidr, gateway_ip=gateway, pools=pools)
    plain = not (network.is_multicast or network.is_loopback or prefix > 30 or int(network.network_address) == 0)
    assert (subnets.check(made, []) == []) == plain


def test_every_problem_is_found() -> None:
    """Gateway, pools and neighbour at once."""
    wrong = subnet(
        "10.0.0.0/24",
        gateway_ip="10.0.0.5",
        pools=(Pool("10.0.0.1", "10.0.0.9"), Pool("10.0.0.9", "10.0.0.12"), Pool("10.0.1.1", "10.0.1.2")),
    )
    assert kinds(subnets.check(wrong, [subnet("10.0.0.0/16", "other")])) == [
        "GatewayConflictWithAllocationPools",
        "OutOfBoundsAllocationPool",
        "OverlappingAllocationPools",
        "InvalidInput",
    ]


def test_versions_never_overlap() -> None:
    """IPv4 and IPv6 blocks stand beside each other."""
    assert not subnets.overlap("0.0.0.0/0", "::/0")
    assert subnets.overlap("10.0.0.0/8", "10.1.0.0/16")


def test_resolve_finds_subnet_by_address() -> None:
    """By address alone the subnet is the one that holds it."""
    one, two = subnet("10.0.0.0/24", "one"), subnet("10.0.1.0/24", "two")
    wishes, problems = addresses.resolve("n", [{"ip_address": "10.0.1.7"}, {"subnet_id": "one"}], [one, two])
    assert ([(w.subnet.id, w.ip_address) for w in wishes], problems) == ([("two", "10.0.1.7"), ("one", None)], [])
    _, problems = addresses.resolve("n", [{"ip_address": "10.9.9.9"}, {}, {"subnet_id": "x"}], [one, two])
    assert kinds(problems) == ["InvalidIpForNetwork", "InvalidInput", "InvalidInput"]


def test_router_rules() -> None:
    """Overlaps, an inner network as gateway, routes to strangers or too many, a subnet that a route needs."""
    inner, outer = subnet("10.0.0.0/24", "inner"), subnet("203.0.113.0/24", "outer")
    assert len(routers.check_subnets([inner, subnet("203.0.113.128/25", "x")], [inner, outer])) == 2
    assert kinds(routers.check_gateway(Network(id="n"))) == ["BadRequest"]
    route = HostRoute("10.9.0.0/16", "10.0.0.9")
    own = [FixedIp("inner", "10.0.0.9")]  # type: ignore[arg-type]
    assert kinds(routers.check_routes([route], [outer], [])) == ["InvalidRoutes"]
    assert kinds(routers.check_routes([route], [inner], own)) == ["InvalidRoutes"]
    assert routers.check_routes([route], [inner], []) == []
    assert routers.check_routes([route] * 30, [inner], []) == []
    assert kinds(routers.check_routes([route] * 31, [inner], [])) == ["RoutesExhausted"]
    assert kinds(routers.check_detach("r", [route], [inner], [outer])) == ["RouterInterfaceInUseByRoute"]
    assert routers.check_detach("r", [route], [outer], [inner]) == []


def test_network_mtu() -> None:
    """A tunnelled network leaves 50 bytes to the tunnel; IPv6 needs 1280."""
    assert (networks.largest_mtu_bytes("vxlan", 1500), networks.largest_mtu_bytes("flat", 1500)) == (1450, 1500)
    small = Network(mtu=1279)
    assert networks.check(small, 1500) == []
    assert kinds(networks.check(small, 1500, has_ipv6=True)) == ["NetworkMTUSubnetConflict"]
