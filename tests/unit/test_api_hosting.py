"""Both schedulers by hand: networks and routers are taken from one agent and given to another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from southbound_world import MEMBER, World

from nebula.ids import Host
from nebula.view import codec
from nebula.view.records import NodeView
from nebula.view.report import Role

NODE = (Role.NETWORK,)
V2 = "/network/v2.0"


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.node("n1", 1, NODE)
    world.node("n2", 2, NODE)
    return world


def agent(world: World, host: str, kind: str) -> str:
    [found] = world.call("GET", f"{V2}/agents?host={host}&agent_type={kind}%20agent", expect=200)["agents"]
    return str(found["id"])


def view(world: World, host: str) -> NodeView:
    current = world.southbound.views.current(Host(host))
    assert current is not None
    return codec.decode(current.body)


def served(world: World) -> Any:
    network = world.made("networks", name="a")
    world.made("subnets", network_id=network["id"], ip_version=4, cidr="192.168.50.0/24")
    return network


def refusal(world: World, method: str, path: str, body: object, expect: int) -> str:
    return str(world.call(method, path, body, expect=expect)["NeutronError"]["type"])


def test_network_moves_from_agent_to_agent(world: World) -> None:
    """A second agent serves it too, from an address of its own; the first is taken away; both views follow."""
    network = served(world)
    first, second = agent(world, "n1", "DHCP"), agent(world, "n2", "DHCP")
    path, agents = f"{V2}/agents/{second}/dhcp-networks", f"{V2}/networks/{network['id']}/dhcp-agents"
    body = {"network_id": network["id"]}
    assert world.call("POST", path, body, expect=201) is None
    assert refusal(world, "POST", path, body, 409) == "NetworkHostedByDHCPAgent"
    assert {a["id"] for a in world.call("GET", agents, expect=200)["agents"]} == {first, second}
    assert [n["id"] for n in world.call("GET", path, expect=200)["networks"]] == [network["id"]]
    assert [len(view(world, host).dhcp) for host in ("n1", "n2")] == [1, 1]
    addresses = {view(world, host).ports[0].fixed_ips[0].ip_address for host in ("n1", "n2")}
    assert len(addresses) == 2
    old = f"{V2}/agents/{first}/dhcp-networks/{network['id']}"
    world.call("DELETE", old, expect=204)
    assert refusal(world, "DELETE", old, None, 409) == "NetworkNotHostedByDhcpAgent"
    assert [len(view(world, host).dhcp) for host in ("n1", "n2")] == [0, 1]


def test_network_taken_from_its_only_agent_waits(world: World) -> None:
    """Nobody serves it, its server's address stays its own, and the next subnet, or another agent, brings it back."""
    network = served(world)
    first, second = agent(world, "n1", "DHCP"), agent(world, "n2", "DHCP")
    [address] = view(world, "n1").ports[0].fixed_ips
    world.call("DELETE", f"{V2}/agents/{first}/dhcp-networks/{network['id']}", expect=204)
    assert [len(view(world, host).dhcp) for host in ("n1", "n2")] == [0, 0]
    world.call("POST", f"{V2}/agents/{second}/dhcp-networks", {"network_id": network["id"]}, expect=201)
    assert view(world, "n2").ports[0].fixed_ips == (address,)
    world.call("DELETE", f"{V2}/agents/{second}/dhcp-networks/{network['id']}", expect=204)
    world.made("subnets", network_id=network["id"], ip_version=4, cidr="192.168.51.0/24")
    assert sum(len(view(world, host).dhcp) for host in ("n1", "n2")) == 1


def test_second_server_goes_with_the_subnets(world: World) -> None:
    """Both servers get an address on a new subnet; without DHCP there is neither."""
    network = served(world)
    body = {"network_id": network["id"]}
    world.call("POST", f"{V2}/agents/{agent(world, 'n2', 'DHCP')}/dhcp-networks", body, expect=201)
    world.made("subnets", network_id=network["id"], ip_version=4, cidr="192.168.51.0/24")
    assert [len(view(world, host).ports[0].fixed_ips) for host in ("n1", "n2")] == [2, 2]
    for subnet in world.call("GET", f"{V2}/subnets", expect=200)["subnets"]:
        world.call("PUT", f"{V2}/subnets/{subnet['id']}", {"subnet": {"enable_dhcp": False}}, expect=200)
    assert world.call("GET", f"{V2}/ports", expect=200)["ports"] == []


def test_a_full_subnet_does_not_keep_the_others(world: World) -> None:
    """Of two servers one gets the only address; both are on the next subnet; without the one the other gets it."""
    network = served(world)
    body, second = {"network_id": network["id"]}, agent(world, "n2", "DHCP")
    world.call("POST", f"{V2}/agents/{second}/dhcp-networks", body, expect=201)
    for cidr in ("192.168.51.0/30", "192.168.52.0/24"):
        world.made("subnets", network_id=network["id"], ip_version=4, cidr=cidr)

    def addresses() -> dict[str, list[str]]:
        ports = world.call("GET", f"{V2}/ports", expect=200)["ports"]
        return {port["binding:host_id"]: sorted(f["ip_address"] for f in port["fixed_ips"]) for port in ports}

    found = addresses()
    assert sorted(len(each) for each in found.values()) == [2, 3]
    (having,) = [host for host, each in found.items() if "192.168.51.2" in each]
    (other,) = found.keys() - {having}
    world.call("DELETE", f"{V2}/agents/{agent(world, having, 'DHCP')}/dhcp-networks/{network['id']}", expect=204)
    assert addresses() == {other: sorted([*found[other], "192.168.51.2"])}


def test_router_moves_from_agent_to_agent(world: World) -> None:
    """It is on one agent; taken from it, it is nowhere and its ports are unbound, until it is given to another."""
    network = served(world)
    router = world.made("routers", name="r")["id"]
    [subnet] = world.call("GET", f"{V2}/networks/{network['id']}", expect=200)["network"]["subnets"]
    world.call("PUT", f"{V2}/routers/{router}/add_router_interface", {"subnet_id": subnet}, expect=200)
    first, second = agent(world, "n1", "L3"), agent(world, "n2", "L3")
    path, body = f"{V2}/agents/{second}/l3-routers", {"router_id": router}
    assert refusal(world, "POST", path, body, 409) == "RouterHostedByL3Agent"
    assert world.call("POST", f"{V2}/agents/{first}/l3-routers", body, expect=201) is None, "it is there"
    old = f"{V2}/agents/{first}/l3-routers/{router}"
    world.call("DELETE", old, expect=204)
    assert refusal(world, "DELETE", old, None, 409) == "RouterNotHostedByL3Agent"
    assert world.call("GET", f"{V2}/routers/{router}/l3-agents", expect=200)["agents"] == []
    assert [len(view(world, host).routers) for host in ("n1", "n2")] == [0, 0]
    world.call("POST", path, body, expect=201)
    assert [r["id"] for r in world.call("GET", path, expect=200)["routers"]] == [router]
    assert [len(view(world, host).routers) for host in ("n1", "n2")] == [0, 1]
    assert len(view(world, "n2").routers[0].interfaces) == 1


def test_refused(world: World) -> None:
    """Agents of another kind or disabled, what is not there, networks without DHCP; all but administrators."""
    network, empty = served(world)["id"], world.made("networks", name="b")["id"]
    router = world.made("routers", name="r")["id"]
    dhcp, l3 = agent(world, "n2", "DHCP"), agent(world, "n2", "L3")
    nobody = "00000000-0000-4000-8000-000000000000"
    for path, body, expect, kind in (
        (f"{l3}/dhcp-networks", {"network_id": network}, 404, "InvalidDHCPAgent"),
        (f"{dhcp}/l3-routers", {"router_id": router}, 404, "InvalidL3Agent"),
        (f"{nobody}/l3-routers", {"router_id": router}, 404, "AgentNotFound"),
        (f"{dhcp}/dhcp-networks", {"network_id": nobody}, 404, "NetworkNotFound"),
        (f"{l3}/l3-routers", {"router_id": nobody}, 404, "RouterNotFound"),
        (f"{dhcp}/dhcp-networks", {"network_id": empty}, 409, "Conflict"),
        (f"{dhcp}/dhcp-networks", {}, 400, "HTTPBadRequest"),
        (f"{l3}/l3-routers", {"router_id": []}, 400, "HTTPBadRequest"),
    ):
        assert refusal(world, "POST", f"{V2}/agents/{path}", body, expect) == kind
    for disabled in (dhcp, l3):
        world.call("PUT", f"{V2}/agents/{disabled}", {"agent": {"admin_state_up": False}}, expect=200)
    body = {"network_id": network}
    assert refusal(world, "POST", f"{V2}/agents/{dhcp}/dhcp-networks", body, 404) == "InvalidDHCPAgent"
    for method, path in (
        ("GET", f"agents/{dhcp}/dhcp-networks"),
        ("GET", f"agents/{l3}/l3-routers"),
        ("DELETE", f"agents/{l3}/l3-routers/{router}"),
        ("DELETE", f"agents/{dhcp}/dhcp-networks/{network}"),
        ("GET", f"networks/{network}/dhcp-agents"),
        ("GET", f"routers/{router}/l3-agents"),
    ):
        assert world.status_of(method, f"{V2}/{path}", headers=MEMBER) == 403


def test_pages_of_agents(world: World) -> None:
    """Sorted by what is asked for; pages hold each once, forwards and back."""
    query = "sort_key=host&sort_key=agent_type&sort_dir=desc&sort_dir=asc"
    everything = world.call("GET", f"{V2}/agents?{query}", expect=200)["agents"]
    assert [row["host"] for row in everything] == sorted((row["host"] for row in everything), reverse=True)
    ids = [row["id"] for row in everything]
    assert len(ids) >= 4
    asked, pages = f"{V2}/agents?{query}&limit=3", []
    while asked:
        page = world.call("GET", asked, expect=200)
        pages.append([row["id"] for row in page["agents"]])
        links = {link["rel"]: link["href"] for link in page.get("agents_links", [])}
        asked = V2 + links["next"].partition(V2)[2] if "next" in links else ""
    assert [each for page in pages for each in page] == ids
    back = f"{V2}/agents?{query}&limit=3&page_reverse=True&marker={ids[-1]}"
    assert [row["id"] for row in world.call("GET", back, expect=200)["agents"]] == ids[-4:-1]
    for wrong in ("sort_key=colour", "limit=x", "sort_key=configurations"):
        world.call("GET", f"{V2}/agents?{wrong}", expect=400)
    world.call("GET", f"{V2}/agents?marker=nobody", expect=404)
