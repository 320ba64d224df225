"""What a node lacks: found out by the agent, shown in the list of agents, and the reason of refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from nebula_agent.capabilities import probe
from southbound_world import ADMIN, World

from nebula.view.capability import Capability, missing

EVERYTHING = tuple(sorted(Capability))


def _without(*parts: Capability) -> tuple[str, ...]:
    return tuple(part for part in EVERYTHING if part not in parts)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def _probed(folder: Path, datapath_type: str = "netdev", refused: str = "-", **changes: Any) -> tuple[Capability, ...]:
    there = folder / "there"
    there.touch()
    parts: dict[str, Any] = {
        "loads": lambda rules: refused not in rules,
        "ends_connections": lambda: True,
        "has_vxlan": lambda: True,
        "tracks_connections": there,
        "has_ipv6": there,
    }
    return probe(datapath_type, **(parts | changes))


@pytest.mark.parametrize(
    ("changes", "lacking"),
    [
        ({"refused": "nothing of ours"}, ()),
        ({"refused": "-p dccp"}, (Capability.NAT_DCCP,)),
        ({"refused": "-p sctp"}, (Capability.NAT_SCTP,)),
        ({"refused": "--ctstate"}, (Capability.NAT,)),
        ({"refused": "*nat"}, (Capability.NAT, Capability.NAT_DCCP, Capability.NAT_SCTP)),
        ({"refused": "nothing of ours", "ends_connections": lambda: False}, (Capability.NAT,)),
        ({"refused": "nothing of ours", "has_vxlan": lambda: False}, (Capability.KERNEL_VXLAN,)),
        ({"refused": "nothing of ours", "has_ipv6": Path("/none")}, (Capability.IPV6,)),
        ({"refused": "nothing of ours", "tracks_connections": Path("/none")}, ()),
        (
            {"refused": "nothing of ours", "datapath_type": "system", "tracks_connections": Path("/none")},
            (Capability.CONNTRACK,),
        ),
    ],
)
def test_what_is_not_there_is_found_out(
    tmp_path: Path, changes: dict[str, Any], lacking: tuple[Capability, ...]
) -> None:
    """Each part by itself; the userspace datapath tracks connections whatever the kernel has."""
    found = _probed(tmp_path, **changes)
    assert (found, tuple(missing(found))) == (_without(*lacking), tuple(part for part in Capability if part in lacking))


def test_an_agent_that_reports_nothing_lacks_nothing() -> None:
    """Agents of before say nothing of capabilities; nothing is refused for them."""
    assert missing(()) == {}


def test_the_list_of_agents_names_what_a_node_lacks(world: World) -> None:
    """With what follows from it, in the configurations of the node's switch agent."""
    world.node("net1", 1, capabilities=_without(Capability.NAT_DCCP))
    agents = world.call("GET", "/network/v2.0/agents?agent_type=Open+vSwitch+agent", headers=ADMIN)["agents"]
    shown = agents[0]["configurations"]
    assert (shown["capabilities"], list(shown["lacks"])) == (list(_without(Capability.NAT_DCCP)), ["nat-dccp"])
    assert "DCCP" in shown["lacks"]["nat-dccp"]


def _public(world: World) -> str:
    external = {"provider:network_type": "flat", "provider:physical_network": "physnet1", "router:external": True}
    network: str = world.made("networks", name="public", **external)["id"]
    world.made("subnets", network_id=network, ip_version=4, cidr="203.0.113.0/24", enable_dhcp=False)
    return network


def _refused(world: World, method: str, path: str, body: object) -> str:
    error = world.call(method, f"/network/v2.0/{path}", body, expect=409)["NeutronError"]
    assert error["type"] == "NodeLacksCapability"
    return str(error["message"])


def _group(world: World, *, stateful: bool) -> str:
    body = {"security_group": {"name": f"stateful {stateful}", "stateful": stateful}}
    made: str = world.call("POST", "/network/v2.0/security-groups", body, expect=201)["security_group"]["id"]
    return made


def test_translation_is_refused_where_no_node_can(world: World) -> None:
    """A gateway with SNAT, a floating IP and a forwarding are refused with the reason and leave nothing behind; a
    gateway without SNAT is not."""
    mappings = {"bridge_mappings": {"physnet1": "br-ex"}}
    world.node("net1", 1, capabilities=_without(Capability.NAT), **mappings)
    public, private = _public(world), world.made("networks", name="private")["id"]
    subnet = world.made("subnets", network_id=private, ip_version=4, cidr="10.9.0.0/24", gateway_ip="10.9.0.1")["id"]
    router = world.made("routers", name="r")["id"]
    world.call("PUT", f"/network/v2.0/routers/{router}/add_router_interface", {"subnet_id": subnet}, expect=200)
    gateway = {"router": {"external_gateway_info": {"network_id": public}}}
    assert "Node net1 cannot do this: its kernel cannot translate" in _refused(
        world, "PUT", f"routers/{router}", gateway
    )
    plain = {"router": {"external_gateway_info": {"network_id": public, "enable_snat": False}}}
    world.call("PUT", f"/network/v2.0/routers/{router}", plain, expect=200)
    port = world.made("ports", network_id=private)["id"]
    wanted = {"floatingip": {"floating_network_id": public, "port_id": port}}
    assert "no SNAT, floating IPs" in _refused(world, "POST", "floatingips", wanted)
    assert world.call("GET", "/network/v2.0/floatingips")["floatingips"] == []
    free = world.made("floatingips", floating_network_id=public)["id"]
    forwarding = {"protocol": "dccp", "external_port": 1, "internal_port": 1, "internal_port_id": port}
    path = f"floatingips/{free}/port_forwardings"
    assert "no SNAT, floating IPs" in _refused(world, "POST", path, {"port_forwarding": forwarding})
    world.node("net1", 1, capabilities=_without(Capability.NAT_DCCP), **mappings)
    assert "DCCP" in _refused(world, "POST", path, {"port_forwarding": forwarding})
    world.call("POST", f"/network/v2.0/{path}", {"port_forwarding": {**forwarding, "protocol": "tcp"}}, expect=201)


def test_a_router_goes_where_translation_is(world: World) -> None:
    """Of two nodes the one that can; the other has less to do."""
    world.node("net1", 1, capabilities=_without(Capability.NAT))
    world.node("net2", 2, capabilities=EVERYTHING)
    for name in ("a", "b"):
        world.made("routers", name=name)
    agents = world.call("GET", "/network/v2.0/agents?agent_type=L3+agent")["agents"]
    assert {agent["host"]: agent["configurations"]["routers"] for agent in agents} == {"net1": 0, "net2": 2}


def test_stateful_groups_are_refused_where_connections_are_not_tracked(world: World) -> None:
    """A port with such a group is not bound to the node, and one that is there gets none; a stateless group and no
    group at all it may have."""
    world.node("compute1", 1, capabilities=_without(Capability.CONNTRACK))
    network = world.made("networks", name="n")["id"]
    values = {"network_id": network, "binding:host_id": "compute1"}
    assert "does not track connections" in _refused(world, "POST", "ports", {"port": values})
    port = world.made("ports", **values, security_groups=[])["id"]
    stateful, stateless = (_group(world, stateful=stateful) for stateful in (True, False))
    _refused(world, "PUT", f"ports/{port}", {"port": {"security_groups": [stateful]}})
    world.call("PUT", f"/network/v2.0/ports/{port}", {"port": {"security_groups": [stateless]}}, expect=200)
