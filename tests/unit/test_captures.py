"""Captures in the controller: begun together or not at all, passed on, held back, given up; and whose they are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nebula_controller.nodes import captures as captures_module
from nebula_controller.nodes.captures import MOST_CAPTURES, MOST_OF_A_USER, READER_S, SILENT_S, Captures
from southbound_world import ADMIN, BEARER, MEMBER, OTHER, World

from nebula.capture.order import CaptureOrder, Listening
from nebula.capture.stream import Head, pack, unpack
from nebula.errors import Conflict
from nebula.ids import Host
from nebula.view.question import NodeAnswer

CAPTURES = "/nebula/v1/captures"


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.node("n1", 1)
    made.node("n2", 2)
    return made


async def serve(
    world: World, host: str, listen: Callable[[CaptureOrder], tuple[Listening, ...]], error: str = ""
) -> CaptureOrder:
    """A node that answers the next question for a capture."""
    got = await world._call("GET", f"/nebula/v1/nodes/{host}/questions?wait=5", None, headers=BEARER)
    question = got.json()[0]
    order = msgspec.convert(question["capture"], CaptureOrder)
    answer = NodeAnswer(question["id"], Host(host), error=error, listening=() if error else listen(order))
    await world._call("POST", f"/nebula/v1/nodes/{host}/answers", answer, headers=BEARER)
    return order


def all_of(order: CaptureOrder) -> tuple[Listening, ...]:
    return tuple(Listening(at.index, "ns", "eth0") for at in order.points)


async def begin(world: World, headers: dict[str, str] = ADMIN, **body: Any) -> Any:
    return await world._call("POST", CAPTURES, {"what": [{"kind": "underlay"}], **body}, headers=headers)


async def begun(world: World, headers: dict[str, str] = ADMIN, **body: Any) -> str:
    answers = await asyncio.gather(
        begin(world, headers, **body), serve(world, "n1", all_of), serve(world, "n2", all_of)
    )
    assert answers[0].status_code == 201, answers[0].text
    return str(answers[0].json()["capture"]["id"])


async def send(world: World, identity: str, host: str, chunk: bytes) -> int:
    return (
        await world._call("POST", f"/nebula/v1/nodes/{host}/captures/{identity}", chunk, headers=BEARER)
    ).status_code


async def read(world: World, identity: str, headers: dict[str, str] = ADMIN, wait_s: float = 0) -> tuple[int, bytes]:
    answer = await world._call("GET", f"{CAPTURES}/{identity}?wait={wait_s}", None, headers=headers)
    return answer.status_code, answer.content


def test_the_nodes_chunks_come_out_as_they_went_in(world: World) -> None:
    """What each node is told; then all chunks in order, nothing where nothing came, and an end."""

    async def story() -> None:
        asking = begin(world, filter="icmp", snaplen_bytes=96)
        answer, first, second = await asyncio.gather(asking, serve(world, "n1", all_of), serve(world, "n2", all_of))
        assert (first.filter, first.snaplen_bytes, [at.index for at in first.points]) == ("icmp", 96, [0])
        assert [at.index for at in second.points] == [1]
        found = answer.json()["capture"]
        assert [(point["name"], point["device"]) for point in found["points"]] == [
            ("n1: underlay", "eth0"),
            ("n2: underlay", "eth0"),
        ]
        one, other = pack(Head(Host("n1"), complete_ns=1)), pack(Head(Host("n2"), complete_ns=2))
        assert [await send(world, found["id"], "n1", one), await send(world, found["id"], "n2", other)] == [204, 204]
        assert await read(world, found["id"]) == (200, one + other)
        assert await read(world, found["id"]) == (204, b"")
        late = asyncio.create_task(read(world, found["id"], wait_s=5))
        await asyncio.sleep(0)
        await send(world, found["id"], "n1", one)
        assert await late == (200, one)
        await world._call("DELETE", f"{CAPTURES}/{found['id']}", None)
        assert await send(world, found["id"], "n1", one) == 404
        assert (await read(world, found["id"]))[0] == 404

    asyncio.run(story())


def test_refused_by_one_node_is_refused(world: World) -> None:
    """tcpdump's words reach the asker; the node that has begun hears that nobody wants it."""

    async def story() -> None:
        asking = begin(world, filter="hots x")
        refusal = "filter 'hots x': can't parse filter expression: syntax error"
        answer, order, _ = await asyncio.gather(
            asking, serve(world, "n1", all_of), serve(world, "n2", all_of, error=refusal)
        )
        assert (answer.status_code, refusal in answer.text) == (400, True)
        assert await send(world, order.capture_id, "n1", pack(Head(Host("n1")))) == 404

    asyncio.run(story())


def test_a_point_that_is_missing_is_named(world: World) -> None:
    """The others are captured; where none can be, nothing begins."""

    def none(order: CaptureOrder) -> tuple[Listening, ...]:
        return tuple(Listening(at.index, error="is not there") for at in order.points)

    async def story() -> None:
        answer, *_ = await asyncio.gather(begin(world), serve(world, "n1", all_of), serve(world, "n2", none))
        assert [point["error"] for point in answer.json()["capture"]["points"]] == ["", "is not there"]
        answer, *_ = await asyncio.gather(begin(world), serve(world, "n1", none), serve(world, "n2", none))
        assert (answer.status_code, "n2: underlay: is not there" in answer.text) == (503, True)

    asyncio.run(story())


def test_a_capture_is_its_users(world: World) -> None:
    """Another user reads nothing and ends nothing; a node that was not asked sends nothing."""
    world.network(project_id="p-member")

    async def story() -> None:
        identity = await begun(world, MEMBER)
        assert await send(world, identity, "n3", b"x") == 404
        for headers in (OTHER, ADMIN):
            assert (await read(world, identity, headers))[0] == 404
        assert (await world._call("DELETE", f"{CAPTURES}/{identity}", None, headers=OTHER)).status_code == 404
        assert (await read(world, identity, MEMBER))[0] == 204

    asyncio.run(story())


def test_a_member_gets_the_own_networks_packets(world: World) -> None:
    """The nodes are told which VNIs; an administrator's capture has no such bound."""
    world.network(project_id="p-member", segmentation_id=77)
    world.network(project_id="p-other", segmentation_id=88)

    async def story() -> tuple[Any, Any]:
        orders = []
        for headers in (MEMBER, ADMIN):
            _, order, _ = await asyncio.gather(
                begin(world, headers), serve(world, "n1", all_of), serve(world, "n2", all_of)
            )
            orders.append(order.points[0].vnis)
        return orders[0], orders[1]

    assert asyncio.run(story()) == ((77,), None)


def test_a_node_that_is_down_is_not_asked(world: World) -> None:
    """What would be on it is named, the rest is captured."""
    world.later(60)
    world.node("n1", 1)
    world.southbound.registry.sweep()

    async def story() -> Any:
        answer, _ = await asyncio.gather(begin(world), serve(world, "n1", all_of))
        return answer.json()["capture"]

    found = asyncio.run(story())
    assert ([point["host"] for point in found["points"]], found["notes"]) == (["n1"], ["underlay: node n2 is down"])


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ({"what": []}, ADMIN, 400),
        ({"what": [{"kind": "moon"}]}, ADMIN, 400),
        ({"what": [{"kind": "instance", "id": "x"}]}, ADMIN, 404),
        ({"what": [{"kind": "underlay", "host": "n9"}]}, ADMIN, 404),
        ({"snaplen_bytes": 0}, ADMIN, 400),
        ({"buffer_bytes": 1 << 30}, ADMIN, 400),
        ({"more": 1}, ADMIN, 400),
        ({}, {**ADMIN, "X-Nebula-Plan": "true"}, 400),
        ({}, OTHER, 400),
    ],
)
def test_refused(world: World, body: Any, headers: dict[str, str], status: int) -> None:
    """No node is asked."""
    whole = {"what": [{"kind": "underlay"}], **body}
    assert world.status_of("POST", CAPTURES, whole, headers=headers) == status


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_reader_that_does_not_come_ends_it() -> None:
    """Nothing is kept for it; a reader that comes in time keeps it, and its nodes' last chunks."""
    clock = Clock()
    captures = Captures(clock)

    async def story() -> None:
        read_one, left_one = captures.begin("u", [Host("n1")]), captures.begin("u", [Host("n1")])
        for _second in range(int(READER_S) + 1):
            clock.now_s += 1
            await read_one.take(0)
            assert await read_one.put(Host("n1"), pack(Head(Host("n1"))))
            captures.sweep()
        assert await captures.put(left_one.id, Host("n1"), b"x") is False
        assert await captures.put(read_one.id, Host("n1"), b"x") is True

    asyncio.run(story())


def test_a_node_waits_while_the_reader_is_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded; a node that waits is not silent; who waits when it ends is told so."""
    monkeypatch.setattr(captures_module, "MOST_WAITING_BYTES", 100)
    clock = Clock()
    captures = Captures(clock)

    async def story() -> None:
        capture = captures.begin("u", [Host("n1")])
        assert await capture.put(Host("n1"), b"x" * 100)
        waiting = asyncio.create_task(capture.put(Host("n1"), b"y" * 100))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        clock.now_s += SILENT_S + 1
        captures.sweep()
        assert await capture.take(0) == b"x" * 100
        assert await waiting
        assert await capture.take(0) == b"y" * 100
        assert await capture.put(Host("n1"), b"x" * 100)
        waiting = asyncio.create_task(capture.put(Host("n1"), b"z"))
        await asyncio.sleep(0)
        captures.end(capture)
        assert await waiting is False

    asyncio.run(story())


def test_a_silent_node_is_told_to_the_reader() -> None:
    """Once; the others go on."""
    clock = Clock()
    captures = Captures(clock)

    async def story() -> bytes:
        capture = captures.begin("u", [Host("n1"), Host("n2")])
        for _second in range(int(SILENT_S) + 2):
            clock.now_s += 1
            assert await capture.put(Host("n1"), pack(Head(Host("n1"))))
            captures.sweep()
        assert await capture.put(Host("n2"), b"late") is False
        return await capture.take(0)

    gone = [chunk.head for chunk in unpack(asyncio.run(story())) if chunk.head.gone]
    assert gone == [Head(Host("n2"), gone="nothing has come from the node for 3 s")]


def test_so_many_and_no_more() -> None:
    """Until one ends; and not all of them one user's."""
    captures = Captures()
    made = [captures.begin("u", [Host("n1")]) for _number in range(MOST_OF_A_USER)]
    with pytest.raises(Conflict, match="8 captures of yours run"):
        captures.begin("u", [Host("n1")])
    for number in range(MOST_CAPTURES - MOST_OF_A_USER):
        captures.begin(f"v{number}", [Host("n1")])
    with pytest.raises(Conflict, match="16 captures run"):
        captures.begin("w", [Host("n1")])
    captures.end(made[0])
    captures.begin("w", [Host("n1")])
