"""What the agents talk to: reports, heartbeats, views over HTTP, plugged ports, and Neutron's list of agents."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from southbound_world import ADMIN, BEARER, MEMBER, World, node_report, plug

from nebula.ids import Host
from nebula.view import codec
from nebula.view.report import Role

BAD_REPORTS: list[dict[str, Any]] = [
    {"host": "other"},
    {"vtep_ip": "10.0.0.300"},
    {"vtep_ip": "010.0.0.1"},
    {"vtep_ip": "224.0.0.1"},
    {"vtep_ip": "127.0.0.1"},
    {"vtep_ip": "0.0.0.0"},
    {"vtep_ip": "fd00::0001"},
    {"vtep_ip": ""},
    {"underlay_mtu_bytes": 100},
    {"underlay_mtu_bytes": 70000},
    {"started_at": "yesterday"},
    {"version": "x\n"},
    {"bridge_mappings": {"phys\nnet": "br-ex"}},
    {"bridge_mappings": {"physnet1": "br-ex; rm -rf /"}},
    {"bridge_mappings": {"physnet1": "a-name-of-16-by-"}},
]


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> World:
    """One for all calls that change nothing."""
    made = World(tmp_path_factory.mktemp("refusing"))
    made.node("there", 9)
    return made


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def put(world: World, host: str, report: Any) -> int:
    return world.status_of("PUT", f"/nebula/v1/nodes/{host}", report, headers=BEARER)


def agents(world: World, query: str = "") -> list[Any]:
    found: list[Any] = world.call("GET", f"/network/v2.0/agents{query}", expect=200)["agents"]
    return found


def test_report_registers_and_is_answered_with_the_epoch(world: World) -> None:
    """The first report of a node makes it; the answer says which database and how often to come back."""
    answer = world.call("PUT", "/nebula/v1/nodes/n1", node_report("n1", 1), headers=BEARER, expect=200)
    assert answer == {"epoch": world.database.epoch, "heartbeat_s": 5}
    view = world.call("GET", "/nebula/v1/nodes/n1/view", headers=BEARER, expect=200)
    assert (view["host"], view["epoch"]) == ("n1", world.database.epoch)


@pytest.mark.parametrize("changes", BAD_REPORTS, ids=str)
def test_impossible_report_is_refused(refusing: World, changes: dict[str, Any]) -> None:
    """400 that names the attribute, and no node."""
    report = msgspec.structs.replace(node_report("n1", 1), **changes)
    response = refusing.call("PUT", "/nebula/v1/nodes/n1", report, headers=BEARER, expect=400)
    assert next(iter(changes)) in response["NeutronError"]["message"]
    assert {agent["host"] for agent in agents(refusing)} == {"there"}


@pytest.mark.parametrize("host", ["a b", "-a", "a%0Ab", "x" * 65, "%2e%2e"])
def test_unsafe_name_of_a_node_is_refused(refusing: World, host: str) -> None:
    """A node's name becomes part of paths and lines."""
    assert put(refusing, host, node_report("n1", 1)) == 400


def test_tunnel_address_of_another_node_is_refused(world: World) -> None:
    """409 that names the other node; nothing of the report is taken."""
    world.node("n1", 1)
    response = world.call("PUT", "/nebula/v1/nodes/n2", node_report("n2", 1), headers=BEARER, expect=409)
    assert "n1" in response["NeutronError"]["message"]
    assert {agent["host"] for agent in agents(world)} == {"n1"}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"host": 5}', b"\xff"])
def test_broken_report_is_refused(refusing: World, body: bytes) -> None:
    """400, never 500."""
    assert put(refusing, "n1", body) == 400


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic s3cret", "s3cret", "Bearer s3cret2"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", ""), ("GET", "/view"), ("POST", "/receipts")],
)
def test_agents_need_the_secret(refusing: World, header: str, method: str, path: str) -> None:
    """401 without it, also with an administrator's token; the answer never repeats what was tried."""
    headers = {"Authorization": header, **ADMIN}
    response = asyncio.run(refusing._call(method, f"/nebula/v1/nodes/there{path}", None, headers=headers))
    assert response.status_code == 401
    assert "s3cret" not in response.text


def test_view_of_an_unregistered_node_is_404(world: World) -> None:
    """Who does not report gets nothing."""
    assert world.status_of("GET", "/nebula/v1/nodes/n1/view?wait=5", headers=BEARER) == 404


@pytest.mark.parametrize("wait", ["-1", "61", "nan", "x", "1e9"])
def test_wait_out_of_range_is_refused(refusing: World, wait: str) -> None:
    """At most a minute."""
    assert refusing.status_of("GET", f"/nebula/v1/nodes/there/view?wait={wait}", headers=BEARER) == 400


def test_view_over_http_has_an_etag_and_304(world: World) -> None:
    """200 with the ETag, then 304 while nothing changes, then a held call that a change answers."""
    world.node("n1", 1)

    async def talk() -> tuple[int, int, int, int]:
        async with world.client() as client:
            path = "/nebula/v1/nodes/n1/view"
            first = await client.get(path, headers=BEARER)
            known = {**BEARER, "If-None-Match": first.headers["etag"]}
            second = await client.get(f"{path}?wait=0.05", headers=known)
            held = asyncio.create_task(client.get(f"{path}?wait=30", headers=known))
            await asyncio.sleep(0.02)
            body = {"network": {"name": "n"}}
            network = (await client.post("/network/v2.0/networks", json=body, headers=ADMIN)).json()["network"]["id"]
            port = {"port": {"network_id": network, "binding:host_id": "n1"}}
            await client.post("/network/v2.0/ports", json=port, headers=ADMIN)
            third = await asyncio.wait_for(held, 5)
            view = codec.decode(third.content)
            assert third.headers["etag"] == codec.etag(view)
            return first.status_code, second.status_code, third.status_code, len(view.ports)

    assert asyncio.run(talk()) == (200, 304, 200, 1)


def test_agents_are_alive_until_three_heartbeats_are_missed(world: World) -> None:
    """15 s of silence; the next report brings them back."""
    report = world.node("n1", 1)
    world.later(14.9)
    assert world.southbound.registry.sweep() == []
    world.later(0.2)
    assert world.southbound.registry.sweep() == ["n1"]
    assert [agent["alive"] for agent in agents(world)] == [False, False, False]
    assert put(world, "n1", report) == 200
    assert [agent["alive"] for agent in agents(world)] == [True, True, True]


def test_heartbeats_keep_a_node_up_and_change_no_revision(world: World) -> None:
    """A heartbeat is no change: nothing rings, nothing is recorded."""
    report = world.node("n1", 1)
    with world.database.read() as tx:
        before = tx.revision()
    for _ in range(5):
        world.later(5)
        assert put(world, "n1", report) == 200
        assert world.southbound.registry.sweep() == []
    with world.database.read() as tx:
        assert tx.revision() == before
    assert agents(world)[0]["heartbeat_timestamp"] == "2027-01-15 08:00:25"


def test_restart_of_the_controller_takes_no_node_down(world: World) -> None:
    """A node has its 15 seconds again; one that was down stays down."""
    world.node("n1", 1)
    world.node("n2", 2)
    world.later(16)
    world.node("n2", 2)
    world.southbound.registry.sweep()
    world.later(3600)
    world.restart()
    assert world.southbound.registry.sweep() == []
    assert {agent["host"]: agent["alive"] for agent in agents(world)} == {"n1": False, "n2": True}
    world.later(16)
    assert world.southbound.registry.sweep() == ["n2"]


def test_list_of_agents_has_neutrons_fields(world: World) -> None:
    """An Open vSwitch agent everywhere, DHCP and L3 agents on network nodes; ids survive everything."""
    world.node("c1", 1, (Role.COMPUTE,))
    world.node("n1", 2, (Role.NETWORK,))
    found = agents(world)
    assert [(agent["host"], agent["agent_type"]) for agent in found] == [
        ("c1", "Open vSwitch agent"),
        ("n1", "DHCP agent"),
        ("n1", "L3 agent"),
        ("n1", "Open vSwitch agent"),
    ]
    configurations = found[3]["configurations"]
    assert (configurations["tunneling_ip"], configurations["tunnel_types"]) == ("10.0.0.2", ["vxlan"])
    assert configurations["bridge_mappings"] == {"physnet1": "br-ex"}
    assert [agent["id"] for agent in agents(world, "?host=n1")] == [agent["id"] for agent in found[1:]]
    assert len(agents(world, "?binary=neutron-l3-agent&alive=true")) == 1
    assert agents(world, "?alive=false") == []
    assert world.call("GET", "/network/v2.0/agents?colour=red", expect=400)
    assert world.call("GET", "/network/v2.0/agents", headers=MEMBER, expect=200) == {"agents": []}
    assert world.status_of("GET", f"/network/v2.0/agents/{found[0]['id']}", headers=MEMBER) == 404


def test_agent_is_set_one_attribute_at_a_time(world: World) -> None:
    """The first call for an agent may name any of them; the empty text, or null, is no description."""
    world.node("n1", 1)
    path = f"/network/v2.0/agents/{agents(world)[0]['id']}"
    shown = []
    given = ({"admin_state_up": False}, {"description": "x"}, {"admin_state_up": True}, {"description": ""})
    for values in (*given, {"description": "y"}, {"description": None}):
        agent = world.call("PUT", path, {"agent": values}, expect=200)["agent"]
        shown.append((agent["admin_state_up"], agent["description"]))
    assert shown == [(False, None), (False, "x"), (True, "x"), (True, None), (True, "y"), (True, None)]


def test_agent_of_a_live_node_is_not_deleted(world: World) -> None:
    """It would be back with the next heartbeat: 409 says what to do first."""
    world.node("n1", 1)
    assert world.status_of("DELETE", f"/network/v2.0/agents/{agents(world)[0]['id']}") == 409


def test_deleted_node_registers_again(world: World) -> None:
    """A forgotten node that comes back is a new one, with the same report as before."""
    report = world.node("n1", 1)
    world.later(16)
    world.southbound.registry.sweep()
    assert world.status_of("DELETE", f"/network/v2.0/agents/{agents(world)[0]['id']}") == 204
    assert agents(world) == []
    assert put(world, "n1", report) == 200
    assert [agent["alive"] for agent in agents(world)] == [True, True, True]


def test_unbound_port_is_bound_where_it_is_plugged(world: World) -> None:
    """What libvirt or a person plugs is bound like one of ours, and the view has it."""
    world.node("n1", 1)
    network = world.made("networks", name="a")["id"]
    port = world.made("ports", network_id=network)["id"]
    assert put(world, "n1", node_report("n1", 1, plugged=(plug(port), plug("no-such-port")))) == 200
    shown = world.call("GET", f"/network/v2.0/ports/{port}", expect=200)["port"]
    assert (shown["binding:host_id"], shown["binding:vif_type"], shown["status"]) == ("n1", "ovs", "DOWN")
    current = world.southbound.views.current(Host("n1"))
    assert current is not None
    assert [known.id for known in codec.decode(current.body).ports] == [port]


def test_port_bound_elsewhere_is_not_moved_by_a_plug(world: World) -> None:
    """Only what is unbound is bound: an interface left behind steals nothing."""
    world.node("n1", 1)
    world.node("n2", 2)
    network = world.made("networks", name="a")["id"]
    port = world.made("ports", network_id=network, **{"binding:host_id": "n2"})["id"]
    put(world, "n1", node_report("n1", 1, plugged=(plug(port),)))
    assert world.show_port(port).host == "n2"


def test_port_that_is_unbound_while_its_interface_stays_is_not_bound_again(world: World) -> None:
    """An interface that goes a moment after its port was unbound does not bring the binding back."""
    world.node("n1", 1)
    network = world.made("networks", name="a")["id"]
    port = world.made("ports", network_id=network)["id"]
    put(world, "n1", node_report("n1", 1, plugged=(plug(port),)))
    body = {"port": {"binding:host_id": ""}}
    world.call("PUT", f"/network/v2.0/ports/{port}", body, expect=200)
    put(world, "n1", node_report("n1", 1, plugged=(plug(port),)))
    other = world.made("ports", network_id=network)["id"]
    put(world, "n1", node_report("n1", 1, plugged=(plug(port), plug(other))))
    assert (world.show_port(port).host, world.show_port(other).host) == ("", "n1")
    put(world, "n1", node_report("n1", 1))
    put(world, "n1", node_report("n1", 1, plugged=(plug(port),)))
    assert world.show_port(port).host == "n1"
