"""Traces from names to a verdict: which node is asked what, in which order, and what is made of the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from southbound_world import ADMIN, BEARER, MEMBER, World

from nebula.ids import Host
from nebula.trace.live import Sighting, Sightings
from nebula.trace.packet import Packet
from nebula.trace.probe import Ends, Enters, Point, Probe, Step, Way
from nebula.view.question import Ask, NodeAnswer, Question

Node = Callable[[Probe], list[Way] | None]
Eyes = Callable[[Question], Sightings | None]


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.node("n1", 1)
    made.node("n2", 2)
    made.network = made.made("networks", name="n")["id"]  # type: ignore[attr-defined]
    made.made("subnets", name="s", network_id=made.network, cidr="10.9.0.0/24", ip_version=4)  # type: ignore[attr-defined]
    return made


def port(world: World, name: str, host: str = "n1", **more: Any) -> str:
    made = world.made("ports", name=name, network_id=world.network, **{"binding:host_id": host}, **more)  # type: ignore[attr-defined]
    return str(made["id"])


async def serve(world: World, host: str, node: Node, eyes: Eyes) -> None:
    """A node that answers each probe, and what of a real packet ``eyes`` say. None: it stays silent.

    Nobody waits for a silent one: its question ends at once as if the time were over.
    """
    while True:
        answer = await world._call("GET", f"/nebula/v1/nodes/{host}/questions?wait=5", None, headers=BEARER)
        for question in msgspec.json.decode(answer.content, type=list[Question]):
            ways = node(question.probe) if question.probe is not None else None
            seen = eyes(question) if question.live is not None else None
            if ways is None and seen is None:
                world.southbound._questions._asked[question.id][-1].cancel()
                continue
            found = NodeAnswer(question.id, Host(host), ways=tuple(ways or ()), sightings=seen)
            await world._call("POST", f"/nebula/v1/nodes/{host}/answers", found, headers=BEARER)


def trace(world: World, body: dict[str, Any], eyes: dict[str, Eyes] | None = None, **nodes: Node) -> Any:
    """The answer of a trace by a new controller (its waits are bound to an event loop), while the nodes serve."""
    world.restart()

    async def story() -> Any:
        serving = [
            asyncio.create_task(serve(world, host, node, (eyes or {}).get(host, _blind)))
            for host, node in nodes.items()
        ]
        try:
            return await world._call("POST", "/nebula/v1/traces", {"wait_s": 30, **body}, headers=ADMIN)
        finally:
            for task in serving:
                task.cancel()

    return asyncio.run(story())


def _blind(_question: Question) -> Sightings:
    return Sightings()


def way(probe: Probe, ends: Ends, *steps: Step, **more: Any) -> Way:
    given = {"packet": probe.packet, "text": "", **more}
    return Way(steps, ends, **given)


def test_from_node_to_node_and_back(world: World) -> None:
    """By the tunnel's address; the answer begins where the packet arrived, with what conntrack there has seen."""
    port(world, "a")
    port(world, "b", "n2")
    seen: list[tuple[str, Probe]] = []

    def first(probe: Probe) -> list[Way]:
        seen.append(("n1", probe))
        if probe.enters is Enters.INSIDE:
            return [way(probe, Ends.TUNNEL, vtep_ip="10.0.0.2", vni=5)]
        return [way(probe, Ends.DELIVERED, place="instance-a")]

    def second(probe: Probe) -> list[Way]:
        seen.append(("n2", probe))
        if probe.enters is Enters.TUNNEL:
            return [way(probe, Ends.DELIVERED, place="instance-b")]
        return [way(probe, Ends.TUNNEL, vtep_ip="10.0.0.1", vni=5)]

    found = trace(world, {"from": "a", "to": "b", "protocol": "tcp", "port": 80}, n1=first, n2=second).json()
    assert (found["verdict"], found["questions"]) == ("reached", 4)
    assert [leg["host"] for leg in found["there"]["legs"]] == ["n1", "n2"]
    assert [leg["host"] for leg in found["back"]["legs"]] == ["n2", "n1"]
    assert [(host, probe.enters.value) for host, probe in seen] == [
        ("n1", "inside"),
        ("n2", "tunnel"),
        ("n2", "inside"),
        ("n1", "tunnel"),
    ]
    assert (seen[1][1].vtep_ip, seen[1][1].vni, seen[2][1].place) == ("10.0.0.1", 5, "instance-b")
    there, back = seen[0][1].packet, seen[2][1].packet
    assert (back.source, back.destination, back.source_port, back.answer) == (there.destination, there.source, 80, True)


def test_who_drops_it_and_what_would_let_it_through(world: World) -> None:
    """The last table's owner; the group's name, and the rule that it lacks, as a call."""
    made_group = world.call("POST", "/network/v2.0/security-groups", {"security_group": {"name": "web"}}, expect=201)
    group = made_group["security_group"]["id"]
    receiver = port(world, "b", security_groups=[group])
    sender = port(world, "a")
    macs = {
        name: world.call("GET", f"/network/v2.0/ports/{name}")["port"]["mac_address"] for name in (sender, receiver)
    }

    def node(probe: Probe) -> list[Way]:
        packet = msgspec.structs.replace(probe.packet, mac_source=macs[sender], mac_destination=macs[receiver])
        steps = [
            Step("table", "br-int", name, "all else", "drop") for name in ("82 RULES_INGRESS", "93 DROPPED_TRAFFIC")
        ]
        return [way(probe, Ends.DROPPED, *steps, packet=packet)]

    found = trace(world, {"from": "a", "to": "b", "protocol": "tcp", "port": 80}, n1=node).json()
    source = found["start"]["address"]
    assert (found["verdict"], found["back"]) == ("dropped", None)
    assert found["advice"] == [
        {
            "text": f"a rule of security group web, which port b has: ingress tcp 80 from {source}/32",
            "command": f"nebulactl security group rule create {group} --ingress --protocol tcp --dst-port 80 "
            f"--remote-ip {source}/32",
        }
    ]


def test_dhcp_that_gets_to_no_server_is_not_laid_to_those_beside_it(world: World) -> None:
    """Copies of the flood that firewalls of others dropped say nothing; where the server is, is said."""
    port(world, "a")
    (server,) = world.call("GET", "/network/v2.0/ports?device_owner=network:dhcp")["ports"]

    def node(probe: Probe) -> list[Way]:
        names = ("82 RULES_INGRESS", "93 DROPPED_TRAFFIC")
        return [way(probe, Ends.DROPPED, *(Step("table", "br-int", name, "all else", "drop") for name in names))]

    found = trace(world, {"from": "a", "protocol": "dhcp"}, n1=node).json()
    assert found["there"]["text"] == f"no DHCP server gets it: there is one on {server['binding:host_id']}"
    assert (found["verdict"], found["owner"]) == ("dropped", None)
    assert [item["command"] for item in found["advice"]] == ["nebulactl audit"]


def test_a_neighbour_is_asked_for_from_node_to_node(world: World) -> None:
    """Then the node goes on with what was learnt; where nobody answers the packet is dropped."""
    port(world, "a")
    port(world, "b", "n2")
    question = Packet("arp", "10.9.0.2", "10.9.0.3", type=1)

    def first(probe: Probe) -> list[Way]:
        if probe.packet.protocol == "arp":
            ends = Ends.DELIVERED if probe.enters is Enters.TUNNEL else Ends.TUNNEL
            return [way(probe, ends, vtep_ip="10.0.0.2", vni=5, place="instance-a")]
        if not probe.neighbours:
            return [way(probe, Ends.RESOLVE, packet=question, place="instance-a", device="eth0")]
        return [way(probe, Ends.DELIVERED, text=probe.neighbours[0].mac_address, packet=probe.packet)]

    def answering(probe: Probe) -> list[Way]:
        answer = msgspec.structs.replace(probe.packet, source="10.9.0.3", mac_source="aa:00:00:00:00:03", answer=True)
        return [way(probe, Ends.TUNNEL, packet=answer, vtep_ip="10.0.0.1", vni=5)]

    def silent(probe: Probe) -> list[Way]:
        return [way(probe, Ends.IGNORED)]

    body = {"from": "a", "to": "b"}
    assert trace(world, body, n1=first, n2=answering).json()["there"]["text"] == "aa:00:00:00:00:03"
    found = trace(world, body, n1=first, n2=silent).json()
    assert (found["verdict"], found["text"]) == ("dropped", "10.9.0.3 does not answer ARP")


def test_a_gap_is_named_and_the_rest_is_told(world: World) -> None:
    """A node that is silent, one that is down, one that cannot tell."""
    port(world, "a")
    port(world, "b", "n2")

    def first(probe: Probe) -> list[Way]:
        return [way(probe, Ends.TUNNEL, Step("device", "", "tap", "in"), vtep_ip="10.0.0.2", vni=5)]

    body = {"from": "a", "to": "b"}
    found = trace(world, body, n1=first, n2=lambda _probe: None).json()
    assert (found["verdict"], found["text"]) == (
        "unknown",
        "node n2 did not answer within 30 s: what it would do is not known",
    )
    assert [(leg["host"], len(leg["steps"])) for leg in found["there"]["legs"]] == [("n1", 1)]
    world.later(60)
    world.node("n1", 1)
    world.southbound.registry.sweep()
    assert "node n2 is down" in trace(world, body, n1=first).json()["text"]


def _device(probe: Probe, name: str, *, outward: bool = False, place: str = "") -> Step:
    return Step("device", place, name, "in", point=Point(place, name, outward), packet=probe.packet)


def _all_seen(question: Question) -> Sightings:
    assert question.live is not None
    if question.ask is not Ask.SEEN:
        return Sightings()
    packet = question.live.packet
    spots = question.live.expected
    return Sightings(
        tuple(
            Sighting(spot.point, 1000 * n, msgspec.structs.replace(packet, answer=spot.answer))
            for n, spot in enumerate(spots)
        )
    )


def _none_seen(_question: Question) -> Sightings:
    return Sightings()


def test_a_real_packet_beside_the_predicted_one(world: World) -> None:
    """Seen everywhere; missed behind a point; not to be known where a node says nothing more."""
    port(world, "a")
    port(world, "b", "n2")

    def first(probe: Probe) -> list[Way]:
        if probe.enters is Enters.INSIDE:
            out = _device(probe, "eth0", outward=True, place="instance-a")
            return [way(probe, Ends.TUNNEL, out, vtep_ip="10.0.0.2", vni=5)]
        return [way(probe, Ends.DELIVERED, _device(probe, "tap-a", outward=True), place="instance-a")]

    def second(probe: Probe) -> list[Way]:
        if probe.enters is Enters.TUNNEL:
            return [way(probe, Ends.DELIVERED, _device(probe, "tap-b", outward=True), place="instance-b")]
        return [way(probe, Ends.TUNNEL, _device(probe, "tap-b"), vtep_ip="10.0.0.1", vni=5)]

    def live(**eyes: Eyes) -> Any:
        found = trace(world, {"from": "a", "to": "b", "live": True}, eyes, n1=first, n2=second).json()
        states = [
            step["seen"]["state"] for way in ("there", "back") for leg in found[way]["legs"] for step in leg["steps"]
        ]
        return found["live"], states

    told, states = live(n1=_all_seen, n2=_all_seen)
    assert (told["agrees"], told["divergence"], states) == (True, "", ["seen"] * 4)
    told, states = live(n1=_all_seen, n2=_none_seen)
    assert (told["agrees"], told["divergence"]) == (False, "the packet was not seen at n2 tap-b out")
    assert states == ["seen", "missed", "missed", "seen"]
    told, states = live(n1=_all_seen, n2=lambda question: None if question.ask is Ask.SEEN else Sightings())
    assert told["gaps"] == ["node n2 did not answer: what it saw is not known"]
    assert (told["agrees"], states[0]) == (False, "seen")


def test_slow_nodes_listen_for_longer(world: World) -> None:
    """As much as their answers are waited for: a packet is slow where all is."""
    port(world, "a")
    listened: list[float] = []

    def eyes(question: Question) -> Sightings:
        assert question.live is not None
        listened.append(question.live.listen_s)
        return Sightings()

    def node(probe: Probe) -> list[Way]:
        return [way(probe, Ends.DROPPED, _device(probe, "eth0", outward=True, place="instance-a"))]

    for wait_s in (5, 30):
        trace(world, {"from": "a", "to": "10.9.0.77", "live": True, "wait_s": wait_s}, {"n1": eyes}, n1=node)
    assert set(listened) == {1.0, 6.0}


def test_a_loop_ends(world: World) -> None:
    """Two nodes that send a packet to each other for ever."""
    port(world, "a")
    port(world, "b", "n2")

    def towards(vtep_ip: str) -> Node:
        return lambda probe: [way(probe, Ends.TUNNEL, vtep_ip=vtep_ip, vni=5)]

    found = trace(world, {"from": "a", "to": "b"}, n1=towards("10.0.0.2"), n2=towards("10.0.0.1")).json()
    assert (found["verdict"], found["text"]) == ("dropped", "it goes round in circles")


def test_names(world: World) -> None:
    """Of nothing, of several, of what cannot be an end; a kind before the name, or the id, says which."""
    one, _two = port(world, "twice"), port(world, "twice")
    port(world, "b", "n2")
    unbound = world.made("ports", name="nowhere", network_id=world.network)  # type: ignore[attr-defined]
    world.made("routers", name="r")

    def status(start: str, goal: str, **more: Any) -> tuple[int, str]:
        def drop(probe: Probe) -> list[Way]:
            return [way(probe, Ends.DROPPED)]

        answer = trace(world, {"from": start, "to": goal, **more}, n1=drop, n2=drop)
        return answer.status_code, answer.text

    assert status("nobody", "b")[0] == 404
    assert status("twice", "b")[0] == 409
    assert f"port:{one}" in status("twice", "b")[1]
    assert status(one, "b")[0] == 200
    assert status(f"port:{one}", "port:b")[0] == 200
    assert status("router:b", "b")[0] == 404
    assert status("r", "b")[0] == 400
    assert status("b", "r")[0] == 400, "the router has no address yet"
    assert status(unbound["id"], "b")[0] == 400
    assert status("", "b")[0] == 400
    assert status("b", "10.9.0.99")[0] == 200


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        ({"from": "a", "to": "b", "protocol": "tcp"}, ADMIN, 400),
        ({"from": "a", "to": "b", "protocol": "tcp", "port": 65536}, ADMIN, 400),
        ({"from": "a", "to": "b", "protocol": "icmp", "port": 1}, ADMIN, 400),
        ({"from": "a", "to": "b", "protocol": "gre"}, ADMIN, 400),
        ({"from": "a", "protocol": "icmp"}, ADMIN, 400),
        ({"from": "a", "to": "b", "protocol": "dhcp"}, ADMIN, 400),
        ({"from": "a", "to": "b", "size_bytes": 9}, ADMIN, 400),
        ({"from": "a", "to": "b", "ip_version": 5}, ADMIN, 400),
        ({"from": "a", "to": "b", "wait_s": 0}, ADMIN, 400),
        ({"from": "a", "to": "b", "more": 1}, ADMIN, 400),
        ({"to": "b"}, ADMIN, 400),
        (b"{", ADMIN, 400),
        ({"from": "a", "to": "b"}, MEMBER, 403),
    ],
)
def test_refused(world: World, body: Any, headers: dict[str, str], expected: int) -> None:
    """Nobody is asked."""
    port(world, "a")
    port(world, "b")
    assert world.status_of("POST", "/nebula/v1/traces", body, headers=headers) == expected
