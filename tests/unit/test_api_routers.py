"""Routers: gateway, interfaces, routes, and what holds them."""

from __future__ import annotations

import pytest
from api_network_client import Answered, Api, Json, fresh


@pytest.fixture
def api() -> Api:
    return fresh()


def attach(api: Api, router: Json, token: str = "alice", **what: object) -> Answered:
    return api.call("PUT", f"/routers/{router['id']}/add_router_interface", what, token=token)


def detach(api: Api, router: Json, **what: object) -> Answered:
    return api.call("PUT", f"/routers/{router['id']}/remove_router_interface", what)


def test_case_study(api: Api) -> None:
    """Router, interface and gateway as in the case study: addresses, owners and projects of the ports are Neutron's."""
    public, public_subnet = api.external()
    network, subnet = api.network("192.168.50.0/24")
    router = api.make("router", name="nebula_router", external_gateway_info={"network_id": public["id"]})
    assert router["external_gateway_info"] == {
        "network_id": public["id"],
        "enable_snat": True,
        "external_fixed_ips": [{"subnet_id": public_subnet["id"], "ip_address": "203.0.113.2"}],
        "qos_policy_id": None,
    }
    added = attach(api, router, subnet_id=subnet["id"]).json
    assert (added["id"], added["subnet_ids"], added["network_id"]) == (router["id"], [subnet["id"]], network["id"])
    inner = api.get(f"/ports/{added['port_id']}", "admin")["port"]
    assert (inner["device_owner"], inner["device_id"], inner["fixed_ips"][0]["ip_address"], inner["project_id"]) == (
        "network:router_interface",
        router["id"],
        "192.168.50.1",
        "p-alice",
    )
    (outer,) = api.get(f"/ports?device_owner=network:router_gateway&device_id={router['id']}", "admin")["ports"]
    assert (outer["project_id"], outer["network_id"]) == ("", public["id"])
    shown = api.get(f"/routers/{router['id']}")["router"]
    assert shown == api.get("/routers")["routers"][0]
    assert shown["revision_number"] > router["revision_number"]


def test_what_a_router_holds(api: Api) -> None:
    """Interface ports, their subnet and network, the gateway's network and the router itself cannot go first."""
    public, _ = api.external()
    network, subnet = api.network()
    router = api.make("router", external_gateway_info={"network_id": public["id"]})
    port = attach(api, router, subnet_id=subnet["id"]).json["port_id"]
    before = api.tables()
    refusals = {
        f"/ports/{port}": "ServicePortInUse",
        f"/subnets/{subnet['id']}": "SubnetInUse",
        f"/networks/{network['id']}": "NetworkInUse",
        f"/networks/{public['id']}": "NetworkInUse",
        f"/routers/{router['id']}": "RouterInUse",
    }
    for path, kind in refusals.items():
        answer = api.call("DELETE", path, token="admin")
        assert (path, answer.status, answer.kind) == (path, 409, kind)
    answer = api.put("network", public["id"], "admin", router__external=False)
    assert (answer.status, answer.kind) == (409, "ExternalNetworkInUse")
    answer = api.put("subnet", subnet["id"], gateway_ip="192.168.50.254", allocation_pools=[])
    assert (answer.status, answer.kind) == (409, "GatewayIpInUse")
    assert api.put("port", port, device_id="").status == 400
    assert api.tables() == before

    assert api.put("subnet", subnet["id"], gateway_ip=None).json["subnet"]["gateway_ip"] is None, "none is no other one"
    assert detach(api, router, subnet_id=subnet["id"]).status == 200
    assert api.call("DELETE", f"/routers/{router['id']}").status == 204
    assert api.get("/ports", "admin")["ports"] == []
    for path in (f"/networks/{network['id']}", f"/networks/{public['id']}"):
        assert api.call("DELETE", path, token="admin").status == 204


def test_subnets_of_one_router_do_not_overlap(api: Api) -> None:
    """A subnet twice, an overlapping one, one that overlaps with the gateway's: refused with 400, as in Neutron."""
    public, _ = api.external()
    _, one = api.network("10.0.0.0/16")
    _, inside = api.network("10.0.1.0/24")
    _, like_public = api.network("203.0.113.0/25")
    router = api.make("router", external_gateway_info={"network_id": public["id"]})
    assert attach(api, router, subnet_id=one["id"]).status == 200
    before = api.tables()
    for subnet in (one, inside, like_public):
        answer = attach(api, router, subnet_id=subnet["id"])
        assert (answer.status, subnet["id"] in answer.error) == (400, True)
    assert api.tables() == before
    other = api.make("router")
    assert attach(api, other, subnet_id=like_public["id"]).status == 200
    answer = api.put("router", other["id"], external_gateway_info={"network_id": public["id"]})
    assert (answer.status, answer.kind) == (400, "BadRequest")
    assert api.get(f"/routers/{other['id']}")["router"]["external_gateway_info"] is None


def test_a_second_gateway(api: Api) -> None:
    """A gateway to another network takes the place of the first, unless floating IPs need that; one router has the
    gateway's address of a subnet: a second is refused with 409.
    """
    public, _ = api.external()
    second = api.make(
        "network",
        "admin",
        router__external=True,
        provider__network_type="flat",
        provider__physical_network="other",
    )
    router = api.make("router", external_gateway_info={"network_id": public["id"]})
    _, subnet = api.network()
    assert attach(api, router, subnet_id=subnet["id"]).status == 200
    inner = api.make("port", network_id=subnet["network_id"])
    floating = api.make("floatingip", floating_network_id=public["id"], port_id=inner["id"])
    before = api.tables()
    answer = api.put("router", router["id"], external_gateway_info={"network_id": second["id"]})
    assert (answer.status, answer.kind) == (409, "RouterExternalGatewayInUseByFloatingIp")
    assert api.tables() == before
    assert api.call("DELETE", f"/floatingips/{floating['id']}").status == 204
    moved = api.put("router", router["id"], external_gateway_info={"network_id": second["id"]}).json["router"]
    assert moved["external_gateway_info"]["network_id"] == second["id"]
    gateways = api.get("/ports?device_owner=network:router_gateway", "admin")["ports"]
    assert [port["network_id"] for port in gateways] == [second["id"]]
    answer = attach(api, api.make("router"), subnet_id=subnet["id"])
    assert (answer.status, answer.kind) == (409, "IpAddressAlreadyAllocated")


def test_gateway_set_and_cleared(api: Api) -> None:
    """SNAT and the address change in place; null takes the gateway and its port away; the address is free again."""
    public, subnet = api.external()
    router = api.make("router", "admin")
    wish = {
        "network_id": public["id"],
        "enable_snat": False,
        "external_fixed_ips": [{"ip_address": "203.0.113.77"}],
    }
    shown = api.put("router", router["id"], "admin", external_gateway_info=wish, name="edge").json["router"]
    fixed = [{"subnet_id": subnet["id"], "ip_address": "203.0.113.77"}]
    assert (shown["external_gateway_info"], shown["name"]) == (
        {"network_id": public["id"], "enable_snat": False, "external_fixed_ips": fixed, "qos_policy_id": None},
        "edge",
    )
    same = {"network_id": public["id"], "enable_snat": False}
    again = api.put("router", router["id"], "admin", external_gateway_info=same).json["router"]
    assert again["external_gateway_info"] == shown["external_gateway_info"]
    unnamed = {"network_id": public["id"]}
    changed = api.put("router", router["id"], "admin", external_gateway_info=unnamed).json["router"]
    assert changed["external_gateway_info"] == {**shown["external_gateway_info"], "enable_snat": True}
    nothings: tuple[object, ...] = (None, {})
    for nothing in nothings:
        cleared = api.put("router", router["id"], "admin", external_gateway_info=nothing, name="").json["router"]
        assert (cleared["external_gateway_info"], cleared["name"]) == (None, "")
    assert api.get("/ports", "admin")["ports"] == []
    api.make("port", "admin", network_id=public["id"], fixed_ips=[{"ip_address": "203.0.113.77"}])


def test_routes_wait_for_their_gateway(api: Api) -> None:
    """A gateway goes though routes lead through it; they stay until they are taken away, one by one."""
    public, _ = api.external()
    info = {"network_id": public["id"]}
    router = api.make("router", external_gateway_info=info)
    routes = [{"destination": f"10.{n}.0.0/16", "nexthop": "203.0.113.9"} for n in (8, 9)]
    assert api.put("router", router["id"], routes=routes).status == 200
    cleared = api.put("router", router["id"], external_gateway_info=None).json["router"]
    assert (cleared["external_gateway_info"], cleared["routes"]) == (None, routes)
    path = f"/routers/{router['id']}"
    new = {"router": {"routes": [{"destination": "10.7.0.0/16", "nexthop": "203.0.113.9"}]}}
    assert api.call("PUT", f"{path}/add_extraroutes", new).kind == "InvalidRoutes"
    left = api.call("PUT", f"{path}/remove_extraroutes", {"router": {"routes": routes[:1]}}).json["router"]
    assert left["routes"] == routes[1:]
    again = api.put("router", router["id"], external_gateway_info=info).json["router"]
    assert again["routes"] == routes[1:]
    assert api.call("DELETE", path).status == 204


@pytest.mark.parametrize(
    ("info", "status", "words"),
    [
        ({"network_id": "x"}, 400, "external_gateway_info"),
        ({"enable_snat": True}, 400, "external_gateway_info"),
        ("public", 400, "external_gateway_info"),
        ([], 400, "external_gateway_info"),
        ({"network_id": "00000000-0000-4000-8000-000000000000"}, 404, "NetworkNotFound"),
        ({"network_id": "INNER"}, 400, "not an external network"),
        ({"network_id": "PUBLIC", "enable_snat": "perhaps"}, 400, "external_gateway_info"),
        ({"network_id": "PUBLIC", "colour": 1}, 400, "external_gateway_info"),
        ({"network_id": "PUBLIC", "external_fixed_ips": [{"ip_address": "10.0.0.1"}]}, 400, "fixed_ips"),
    ],
)
def test_refused_gateways(api: Api, info: object, status: int, words: str) -> None:
    """What is wrong is named, and neither router nor port is made."""
    public, _ = api.external()
    inner, _ = api.network()
    if isinstance(info, dict):
        info = {k: {"INNER": inner["id"], "PUBLIC": public["id"]}.get(str(v), v) for k, v in info.items()}
    before = api.tables()
    answer = api.call("POST", "/routers", {"router": {"external_gateway_info": info}}, token="admin")
    assert (answer.status, words in answer.error) == (status, True), answer.raw
    assert api.tables() == before


def test_gateway_policy(api: Api) -> None:
    """SNAT and the outer address are an administrator's to choose."""
    public, _ = api.external()
    for extra in ({"enable_snat": False}, {"external_fixed_ips": [{"ip_address": "203.0.113.5"}]}):
        body = {"router": {"external_gateway_info": {"network_id": public["id"], **extra}}}
        assert api.call("POST", "/routers", body).status == 403


def test_interface_by_port(api: Api) -> None:
    """A free port becomes an interface with the address that it has; a used one does not; detaching deletes it."""
    network, subnet = api.network()
    router = api.make("router")
    used = api.make("port", network_id=network["id"], device_id="vm", device_owner="compute:nova")
    answer = attach(api, router, port_id=used["id"])
    assert (answer.status, answer.kind) == (409, "PortInUse")
    bare = api.make("port", network_id=network["id"], fixed_ips=[])
    assert attach(api, router, port_id=bare["id"]).status == 400
    free = api.make("port", network_id=network["id"], fixed_ips=[{"ip_address": "192.168.50.77"}])
    assert attach(api, router, port_id=free["id"]).json["port_id"] == free["id"]
    shown = api.get(f"/ports/{free['id']}")["port"]
    assert (shown["device_owner"], shown["device_id"]) == ("network:router_interface", router["id"])
    answer = detach(api, router, port_id=free["id"], subnet_id="00000000-0000-4000-8000-000000000000")
    assert (answer.status, answer.kind) == (400, "SubnetMismatchForPort")
    assert detach(api, router, port_id=free["id"]).json["subnet_id"] == subnet["id"]
    assert api.call("GET", f"/ports/{free['id']}").status == 404
    assert api.put("port", used["id"], device_id="").status == 200
    assert attach(api, router, port_id=used["id"]).status == 200, "it is its device that uses a port"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ([], 400),
        ({"subnet_id": "x"}, 400),
        ({"subnet_id": None}, 400),
        ({"subnet_id": "00000000-0000-4000-8000-000000000000"}, 404),
        ({"port_id": "00000000-0000-4000-8000-000000000000"}, 404),
        ({"port_id": 5}, 400),
        ({"colour": "red"}, 400),
    ],
)
def test_refused_interfaces(api: Api, body: object, status: int) -> None:
    """Both operations name what is wrong, and change nothing."""
    router = api.make("router")
    before = api.tables()
    for verb in ("add", "remove"):
        answer = api.call("PUT", f"/routers/{router['id']}/{verb}_router_interface", body)
        assert (verb, answer.status) == (verb, status)
    assert api.tables() == before


def test_subnet_without_gateway(api: Api) -> None:
    """The interface by subnet takes the gateway's address: there must be one."""
    _, subnet = api.network(gateway_ip=None)
    answer = attach(api, api.make("router"), subnet_id=subnet["id"])
    assert (answer.status, "gateway IP" in answer.error) == (400, True)


def test_routes(api: Api) -> None:
    """Next hops are neighbours; a subnet that a route needs does not leave the router."""
    _, subnet = api.network("10.0.0.0/24")
    router = api.make("router")
    attach(api, router, subnet_id=subnet["id"])
    routes = [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}]
    assert api.put("router", router["id"], routes=routes).json["router"]["routes"] == routes
    for nexthop in ("10.1.0.9", "10.0.0.1", "fd00::1"):
        bad = [{"destination": "10.8.0.0/16", "nexthop": nexthop}]
        answer = api.put("router", router["id"], routes=bad)
        assert (answer.status, answer.kind) == (400, "InvalidRoutes")
    answer = detach(api, router, subnet_id=subnet["id"])
    assert (answer.status, answer.kind) == (409, "RouterInterfaceInUseByRoute")
    more = {"router": {"routes": [*routes, {"destination": "10.7.0.0/16", "nexthop": "10.0.0.7"}]}}
    answer = api.call("PUT", f"/routers/{router['id']}/add_extraroutes", more)
    assert answer.json["router"]["routes"] == more["router"]["routes"]
    answer = api.call("PUT", f"/routers/{router['id']}/remove_extraroutes", {"router": {"routes": routes}})
    assert answer.json["router"]["routes"] == more["router"]["routes"][1:]
    assert api.call("PUT", f"/routers/{router['id']}/add_extraroutes", {"router": {}}).status == 400
    assert api.put("router", router["id"], routes=[]).status == 200
    assert detach(api, router, subnet_id=subnet["id"]).status == 200


def test_several_gateway_addresses(api: Api) -> None:
    """External addresses by subnet, by address and by both; fewer, and others, in the next call; an update of none
    leaves them.
    """
    public, one = api.external()
    two = api.make("subnet", "admin", network_id=public["id"], cidr="198.51.100.0/24", ip_version=4, enable_dhcp=False)
    wanted = [{"subnet_id": two["id"]}, {"ip_address": "203.0.113.9"}]
    info: Json = {"network_id": public["id"], "external_fixed_ips": wanted}
    router = api.make("router", "admin", external_gateway_info=info)
    shown = router["external_gateway_info"]["external_fixed_ips"]
    assert shown == [
        {"subnet_id": two["id"], "ip_address": "198.51.100.2"},
        {"subnet_id": one["id"], "ip_address": "203.0.113.9"},
    ]
    info["external_fixed_ips"] = [{"subnet_id": one["id"], "ip_address": "203.0.113.7"}]
    for gateway in (info, {"network_id": public["id"]}):
        changed = api.put("router", router["id"], "admin", external_gateway_info=gateway).json["router"]
        assert changed["external_gateway_info"]["external_fixed_ips"] == info["external_fixed_ips"]


def test_ipv6_subnets_of_a_network_share_a_port(api: Api) -> None:
    """A second IPv6 subnet goes to the router's port; taken away by subnet, the port keeps the other."""
    network, first = api.network("fd00:1::/64")
    second = api.make("subnet", network_id=network["id"], cidr="fd00:2::/64", ip_version=6)
    router = api.make("router")
    port = attach(api, router, subnet_id=first["id"]).json["port_id"]
    added = attach(api, router, subnet_id=second["id"]).json
    assert (added["port_id"], added["subnet_id"], set(added["subnet_ids"])) == (
        port,
        second["id"],
        {first["id"], second["id"]},
    )
    own = api.make("port", network_id=network["id"])
    answer = attach(api, router, port_id=own["id"])
    assert (answer.status, "already contains IPv6 port" in answer.error) == (400, True)
    removed = detach(api, router, subnet_id=first["id"]).json
    assert (removed["port_id"], removed["subnet_ids"]) == (port, [first["id"]])
    [left] = api.get(f"/ports/{port}")["port"]["fixed_ips"]
    assert left["subnet_id"] == second["id"]
    assert detach(api, router, subnet_id=second["id"]).status == 200
    assert api.call("GET", f"/ports/{port}").status == 404


def test_project_walls(api: Api) -> None:
    """Another project's router, and another's subnet or port as its interface, are not there."""
    network, subnet = api.network()
    port = api.make("port", network_id=network["id"])
    router = api.make("router", "bob")
    assert api.call("GET", f"/routers/{router['id']}").status == 404
    assert attach(api, router, subnet_id=subnet["id"]).status == 404
    assert attach(api, router, "bob", subnet_id=subnet["id"]).status == 404
    assert attach(api, router, "bob", port_id=port["id"]).status == 404
    assert api.get("/routers") == {"routers": []}


def test_a_new_outer_subnet_reaches_the_gateways(api: Api) -> None:
    """A gateway gets an address of an IP version that it has none of, where one is left and nothing overlaps inside."""
    public = api.make("network", "admin", router__external=True)
    free, overlapped = [
        api.make("router", name=name, external_gateway_info={"network_id": public["id"]}) for name in "ab"
    ]
    _, inner = api.network("203.0.113.0/25")
    path = f"/routers/{overlapped['id']}/add_router_interface"
    assert api.call("PUT", path, {"subnet_id": inner["id"]}).status == 200

    def outside(router: Json) -> list[str]:
        gateway = api.get(f"/routers/{router['id']}")["router"]["external_gateway_info"]
        return [fixed["ip_address"] for fixed in gateway["external_fixed_ips"]]

    assert outside(free) == []
    for cidr in ("203.0.113.0/24", "fd00::/64", "198.51.100.0/24"):
        version = 6 if ":" in cidr else 4
        api.make("subnet", "admin", network_id=public["id"], cidr=cidr, ip_version=version, enable_dhcp=False)
    assert outside(free) == ["203.0.113.2", "fd00::2"]
    assert sorted(outside(overlapped)) == ["198.51.100.2", "fd00::3"]


def test_a_gateway_with_other_addresses_is_a_change(api: Api) -> None:
    """Also where a new subnet of the external network gives it one: the router has another revision."""
    network, _ = api.external()
    router = api.make("router", "admin", external_gateway_info={"network_id": network["id"]})
    revisions = [router["revision_number"]]
    wish = {"network_id": network["id"], "external_fixed_ips": [{"ip_address": "203.0.113.99"}]}
    for info in (wish, wish):
        changed = api.put("router", router["id"], "admin", external_gateway_info=info).json["router"]
        revisions.append(changed["revision_number"])
    api.make("subnet", "admin", network_id=network["id"], cidr="2001:db8::/64", ip_version=6)
    now = api.get(f"/routers/{router['id']}", "admin")["router"]
    assert len(now["external_gateway_info"]["external_fixed_ips"]) == 2
    first = revisions[0]
    assert [*revisions, now["revision_number"]] == [first, first + 1, first + 1, first + 2]
