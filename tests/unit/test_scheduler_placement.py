"""Placement: which node gets the DHCP server, the router, the instance; and that it is part of the call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from nebula_controller.scheduler import least_loaded
from southbound_world import World

from nebula.ids import Host
from nebula.rules.ipv6 import eui64
from nebula.view import codec
from nebula.view.records import NodeView
from nebula.view.report import Role

NETWORK, COMPUTE = (Role.NETWORK,), (Role.COMPUTE,)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def subnet(world: World, network: str, cidr: str = "192.168.50.0/24", **more: Any) -> Any:
    return world.made("subnets", **{"network_id": network, "ip_version": 4, "cidr": cidr, **more})


def dhcp_ports(world: World, network: str) -> list[Any]:
    path = f"/network/v2.0/ports?network_id={network}&device_owner=network:dhcp"
    found: list[Any] = world.call("GET", path, expect=200)["ports"]
    return found


def view(world: World, host: str) -> NodeView:
    current = world.southbound.views.current(Host(host))
    assert current is not None
    return codec.decode(current.body)


def public(world: World, physical_network: str = "physnet1") -> str:
    network = world.made(
        "networks",
        **{
            "name": "public",
            "router:external": True,
            "provider:network_type": "flat",
            "provider:physical_network": physical_network,
        },
    )
    subnet(world, network["id"], "203.0.113.0/24", enable_dhcp=False)
    return str(network["id"])


def test_least_loaded_prefers_less_then_the_first_name() -> None:
    """Ties are decided by name, so that a placement can be foretold."""
    assert least_loaded([Host("b"), Host("a")], {}) == "a"
    assert least_loaded([Host("a"), Host("b")], {"a": 1}) == "b"
    assert least_loaded([], {"a": 1}) is None


def test_dhcp_port_is_made_with_the_subnet_on_the_least_loaded_network_node(world: World) -> None:
    """The subnet's own call makes and binds the port; a second network goes to the other node."""
    for number, (host, roles) in enumerate((("c1", COMPUTE), ("n1", NETWORK), ("n2", NETWORK)), start=1):
        world.node(host, number, roles)
    networks = [world.made("networks", name=name)["id"] for name in ("a", "b", "c")]
    for network in networks:
        subnet(world, network)
    ports = [dhcp_ports(world, network) for network in networks]
    assert [[port["binding:host_id"] for port in found] for found in ports] == [["n1"], ["n2"], ["n1"]]
    assert ports[0][0]["fixed_ips"][0]["ip_address"] == "192.168.50.2"
    assert [server.network_id for server in view(world, "n2").dhcp] == [networks[1]]


def test_dhcp_follows_the_subnets(world: World) -> None:
    """A second subnet adds an address; one without DHCP does not; the last one with DHCP takes the port with it."""
    world.node("n1", 1)
    network = world.made("networks", name="a")["id"]
    subnet(world, network, enable_dhcp=False)
    assert dhcp_ports(world, network) == []
    second = subnet(world, network, "192.168.51.0/24")
    third = subnet(world, network, "192.168.52.0/24")
    (port,) = dhcp_ports(world, network)
    assert sorted(ip["subnet_id"] for ip in port["fixed_ips"]) == sorted([second["id"], third["id"]])
    world.call("DELETE", f"/network/v2.0/subnets/{second['id']}", expect=204)
    (port,) = dhcp_ports(world, network)
    assert [ip["subnet_id"] for ip in port["fixed_ips"]] == [third["id"]]
    body = {"subnet": {"enable_dhcp": False}}
    world.call("PUT", f"/network/v2.0/subnets/{third['id']}", body, expect=200)
    assert dhcp_ports(world, network) == []
    world.call("DELETE", f"/network/v2.0/networks/{network}", expect=204)


def test_deleted_dhcp_port_comes_back(world: World) -> None:
    """An administrator may delete the server's port, as in Neutron; the network is not left without DHCP."""
    world.node("n1", 1)
    network = world.made("networks", name="a")["id"]
    subnet(world, network)
    (port,) = dhcp_ports(world, network)
    world.call("DELETE", f"/network/v2.0/ports/{port['id']}", expect=204)
    (again,) = dhcp_ports(world, network)
    assert again["id"] != port["id"]
    assert [server.port_id for server in view(world, "n1").dhcp] == [again["id"]]
    world.call("DELETE", f"/network/v2.0/networks/{network}", expect=204)


def test_networks_and_routers_wait_for_a_network_node(world: World) -> None:
    """What was made while no network node was up is placed when one registers."""
    network = world.made("networks", name="a")["id"]
    subnet(world, network)
    router = world.made("routers", name="r")["id"]
    assert dhcp_ports(world, network) == []
    world.node("c1", 1, COMPUTE)
    assert dhcp_ports(world, network) == []
    world.node("n1", 2, NETWORK)
    assert [port["binding:host_id"] for port in dhcp_ports(world, network)] == ["n1"]
    assert [placed.id for placed in view(world, "n1").routers] == [router]


def test_subnet_without_a_free_address_is_made_without_dhcp(world: World) -> None:
    """The call succeeds: DHCP is a consequence, not a condition."""
    world.node("n1", 1)
    network = world.made("networks", name="a")["id"]
    pool = [{"start": "192.168.50.2", "end": "192.168.50.2"}]
    subnet(world, network, allocation_pools=pool, enable_dhcp=False)
    taken = world.made("ports", network_id=network)
    assert taken["fixed_ips"][0]["ip_address"] == "192.168.50.2"
    path = f"/network/v2.0/subnets/{taken['fixed_ips'][0]['subnet_id']}"
    assert world.call("PUT", path, {"subnet": {"enable_dhcp": True}}, expect=200)["subnet"]["enable_dhcp"] is True
    assert dhcp_ports(world, network) == []


def test_router_and_its_ports_are_bound_to_one_network_node(world: World) -> None:
    """Interface and gateway follow the router, also those that are added later."""
    world.node("n1", 1, NETWORK)
    world.node("n2", 2, NETWORK)
    world.made("routers", name="first")
    router = world.made("routers", name="second")["id"]
    network = world.made("networks", name="a")["id"]
    inner = subnet(world, network)["id"]
    path = f"/network/v2.0/routers/{router}"
    world.call("PUT", f"{path}/add_router_interface", {"subnet_id": inner}, expect=200)
    gateway = {"router": {"external_gateway_info": {"network_id": public(world)}}}
    world.call("PUT", path, gateway, expect=200)
    (placed,) = view(world, "n2").routers
    assert placed.id == router and len(placed.interfaces) == 1 and placed.gateway is not None
    owners = {port.device_owner for port in view(world, "n2").ports if port.device_id == router}
    assert owners == {"network:router_interface", "network:router_gateway"}


def test_router_goes_where_its_gateway_is(world: World) -> None:
    """A gateway to a physical network that its node lacks moves the router with all its ports."""
    world.node("n1", 1, NETWORK, bridge_mappings={})
    world.node("n2", 2, NETWORK, bridge_mappings={"physnet1": "br-ex"})
    router = world.made("routers", name="r")["id"]
    inner = subnet(world, world.made("networks", name="a")["id"])["id"]
    path = f"/network/v2.0/routers/{router}"
    world.call("PUT", f"{path}/add_router_interface", {"subnet_id": inner}, expect=200)
    assert [placed.id for placed in view(world, "n1").routers] == [router]
    world.call("PUT", path, {"router": {"external_gateway_info": {"network_id": public(world)}}}, expect=200)
    assert view(world, "n1").routers == ()
    (placed,) = view(world, "n2").routers
    assert len(placed.interfaces) == 1 and placed.gateway is not None
    assert [agent["host"] for agent in world.call("GET", f"{path}/l3-agents", expect=200)["agents"]] == ["n2"]


def test_router_stays_where_no_node_has_its_physical_network(world: World) -> None:
    """Its inner side goes on working; the gateway is on the node too, which will say what is wrong with it."""
    world.node("n1", 1, NETWORK, bridge_mappings={})
    router = world.made("routers", name="r", external_gateway_info={"network_id": public(world, "physnet9")})["id"]
    assert view(world, "n1").routers == ()
    inner = world.made("routers", name="inner")["id"]
    body = {
        "router": {
            "external_gateway_info": {
                "network_id": world.call("GET", "/network/v2.0/networks?name=public")["networks"][0]["id"]
            }
        }
    }
    world.call("PUT", f"/network/v2.0/routers/{inner}", body, expect=200)
    assert [placed.id for placed in view(world, "n1").routers] == [inner]
    world.node("n2", 2, NETWORK, bridge_mappings={"physnet9": "br-nine"})
    assert [placed.id for placed in view(world, "n2").routers] == [router]


def test_deleted_router_leaves_no_placement(world: World) -> None:
    """Its node forgets it."""
    world.node("n1", 1, NETWORK)
    router = world.made("routers", name="r")["id"]
    world.call("DELETE", f"/network/v2.0/routers/{router}", expect=204)
    assert view(world, "n1").routers == ()


def test_what_is_placed_stays_while_its_node_is_down_and_moves_when_its_agent_is_deleted(world: World) -> None:
    """As in Neutron by default; the deleted node's DHCP server and router are another's at once."""
    world.node("n1", 1, NETWORK)
    network = world.made("networks", name="a")["id"]
    inner = subnet(world, network)["id"]
    router = world.made("routers", name="r")["id"]
    world.call("PUT", f"/network/v2.0/routers/{router}/add_router_interface", {"subnet_id": inner}, expect=200)
    world.later(16)
    world.node("n2", 2, NETWORK)
    world.southbound.registry.sweep()
    assert [port["binding:host_id"] for port in dhcp_ports(world, network)] == ["n1"]
    agents = {a["agent_type"]: a for a in world.call("GET", "/network/v2.0/agents?host=n1", expect=200)["agents"]}
    assert {agent["alive"] for agent in agents.values()} == {False}
    world.call("DELETE", f"/network/v2.0/agents/{agents['L3 agent']['id']}", expect=204)
    assert [port["binding:host_id"] for port in dhcp_ports(world, network)] == ["n2"]
    assert [placed.id for placed in view(world, "n2").routers] == [router]
    assert len(view(world, "n2").routers[0].interfaces) == 1
    assert world.southbound.views.current(Host("n1")) is None


def test_disabled_agent_gets_nothing_new(world: World) -> None:
    """``agent set --disable`` on the only DHCP agent: networks go elsewhere, then nowhere."""
    world.node("n1", 1, NETWORK)
    world.node("n2", 2, NETWORK)
    (agent,) = world.call("GET", "/network/v2.0/agents?host=n1&agent_type=DHCP%20agent", expect=200)["agents"]
    body = {"agent": {"admin_state_up": False, "description": "under repair"}}
    shown = world.call("PUT", f"/network/v2.0/agents/{agent['id']}", body, expect=200)["agent"]
    assert (shown["admin_state_up"], shown["description"]) == (False, "under repair")
    networks = [world.made("networks", name=name)["id"] for name in ("a", "b")]
    for network in networks:
        subnet(world, network)
    assert [dhcp_ports(world, network)[0]["binding:host_id"] for network in networks] == ["n2", "n2"]


def test_dhcp_server_has_the_address_that_it_makes(world: World) -> None:
    """On a SLAAC subnet its EUI-64 address, beside the lowest of the IPv4 subnet; it goes with the subnet."""
    world.node("n1", 1)
    network = world.made("networks", name="a")["id"]
    four = subnet(world, network)
    six = subnet(world, network, "fd00::/64", ip_version=6, ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    (port,) = dhcp_ports(world, network)
    own = eui64("fd00::/64", port["mac_address"])
    assert [fixed["ip_address"] for fixed in port["fixed_ips"]] == ["192.168.50.2", own]
    world.call("DELETE", f"/network/v2.0/subnets/{four['id']}", expect=204)
    (port,) = dhcp_ports(world, network)
    assert [fixed["ip_address"] for fixed in port["fixed_ips"]] == [own]
    world.call("DELETE", f"/network/v2.0/subnets/{six['id']}", expect=204)
    assert dhcp_ports(world, network) == []


def test_a_slaac_subnet_reaches_bound_ports(world: World) -> None:
    """The node of a port that was there before is told the port's new address, which its firewall lets through."""
    world.node("c1", 1, COMPUTE)
    network = world.made("networks", name="a")["id"]
    subnet(world, network, enable_dhcp=False)
    port = world.made("ports", **{"network_id": network, "binding:host_id": "c1"})
    subnet(world, network, "fd00::/64", ip_version=6, ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    (bound,) = view(world, "c1").ports
    own = eui64("fd00::/64", port["mac_address"])
    assert sorted(fixed.ip_address for fixed in bound.fixed_ips) == ["192.168.50.2", own]
