"""Questions on their way to the nodes and answers back; what a node answers, paused or not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
from nebula_agent.answers import Answers
from nebula_agent.node import Node
from nebula_agent.turn import Turns
from southbound_world import ADMIN, BEARER, MEMBER, World

from nebula.desired.diff import diff
from nebula.desired.kinds import Namespace
from nebula.desired.state import EMPTY, node_state
from nebula.errors import CommandFailed
from nebula.ids import Host, Owner, OwnerKind
from nebula.view.question import Ask, Item, NodeAnswer, Question


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.node("n1", 1)
    made.node("n2", 2)
    return made


async def fetch(world: World, host: str, wait_s: float = 5) -> list[dict[str, Any]]:
    answer = await world._call("GET", f"/nebula/v1/nodes/{host}/questions?wait={wait_s}", None, headers=BEARER)
    assert answer.status_code == 200, answer.text
    return list(answer.json())


async def bring(world: World, host: str, answer: NodeAnswer) -> None:
    sent = await world._call("POST", f"/nebula/v1/nodes/{host}/answers", answer, headers=BEARER)
    assert sent.status_code == 204, sent.text


async def serve(world: World, host: str, **more: Any) -> None:
    """A node that answers the next questions."""
    for question in await fetch(world, host):
        await bring(world, host, NodeAnswer(question["id"], Host(host), **more))


async def ask(world: World, **body: Any) -> Any:
    answer = await world._call("POST", "/nebula/v1/questions", body, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_all_nodes_are_asked_and_their_answers_come_together(world: World) -> None:
    """Also where a node waits for questions before anybody asks."""

    async def story() -> Any:
        return (await asyncio.gather(serve(world, "n1"), ask(world, ask="audit"), serve(world, "n2")))[1]

    found = asyncio.run(story())
    assert [answer["host"] for answer in found["answers"]] == ["n1", "n2"]
    assert (found["silent"], found["down"]) == ([], [])


def test_one_node_alone(world: World) -> None:
    """The others hear nothing."""

    async def story() -> tuple[Any, Any]:
        found = await asyncio.gather(serve(world, "n2"), ask(world, ask="status", hosts=["n2"]))
        return found[1], await fetch(world, "n1", 0)

    found, left = asyncio.run(story())
    assert ([answer["host"] for answer in found["answers"]], left) == (["n2"], [])


def test_silent_and_down_are_told_apart(world: World) -> None:
    """A node that does not answer in time, and one that is known to be down, which is not asked."""
    world.later(60)
    world.node("n1", 1)
    world.southbound.registry.sweep()

    async def story() -> tuple[Any, Any]:
        return await ask(world, ask="audit", wait_s=0.01), await fetch(world, "n1", 0)

    found, left = asyncio.run(story())
    assert (found["answers"], found["silent"], found["down"]) == ([], ["n1"], ["n2"])
    assert left == [], "nobody waits any more for the answer"


def test_an_answer_of_another_node_is_dropped(world: World) -> None:
    """Nor does one count that nobody asked for."""

    async def impostor() -> None:
        await asyncio.sleep(0)
        question = (await fetch(world, "n1"))[0]
        await bring(world, "n2", NodeAnswer(question["id"], Host("n2")))
        await bring(world, "n1", NodeAnswer(99, Host("n1")))

    async def story() -> Any:
        return (await asyncio.gather(ask(world, ask="status", hosts=["n1"], wait_s=0.2), impostor()))[0]

    assert asyncio.run(story())["silent"] == ["n1"]


def test_only_what_exists_because_of_an_object(world: World) -> None:
    """Its own, and what belongs to its parts."""
    network = world.made("networks", name="a")["id"]
    port = world.made("ports", network_id=network, **{"binding:host_id": "n1"})["id"]
    other = world.made("networks", name="b")["id"]
    items = tuple(
        Item("flow", name, Owner(kind, identity), "x")
        for name, kind, identity in (
            ("of the network", OwnerKind.NETWORK, network),
            ("of its port", OwnerKind.PORT, port),
            ("of another", OwnerKind.NETWORK, other),
        )
    )

    async def story() -> Any:
        body = {"ask": "inventory", "hosts": ["n1"], "object": network}
        return (await asyncio.gather(serve(world, "n1", items=items), ask(world, **body)))[1]

    found = asyncio.run(story())["answers"][0]["items"]
    assert [item["name"] for item in found] == ["of the network", "of its port"]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ({"ask": "nothing"}, ADMIN, 400),
        ({"ask": "plan"}, ADMIN, 400),
        ({"ask": "audit", "wait_s": 61}, ADMIN, 400),
        ({"ask": "audit", "more": 1}, ADMIN, 400),
        ({"ask": "audit", "hosts": ["n9"]}, ADMIN, 404),
        ({"ask": "audit"}, MEMBER, 403),
    ],
)
def test_refused(world: World, body: Any, headers: dict[str, str], status: int) -> None:
    """Nobody is asked."""
    assert world.status_of("POST", "/nebula/v1/questions", body, headers=headers) == status
    assert asyncio.run(fetch(world, "n1", 0)) == []


def test_nodes_show_their_secret(world: World) -> None:
    """Questions hold what is of all projects."""
    for method, path in (("GET", "questions"), ("POST", "answers")):
        assert world.status_of(method, f"/nebula/v1/nodes/n1/{path}", {}, headers=ADMIN) == 401


NAMESPACE = Namespace("qdhcp-1", Owner(OwnerKind.NETWORK, "1"))


class _Reconciler:
    """A node that has one namespace, and shall have none."""

    def __init__(self) -> None:
        self.read = 0
        self.broken = False

    def mark_dirty(self) -> None:
        self.read += 1

    def observe(self, _desired: object) -> object:
        if self.broken:
            raise CommandFailed(["ovs-ofctl"], 1, "Connection refused")
        return node_state([NAMESPACE])

    changes = staticmethod(diff)


class _Kernel:
    foreign = frozenset({"somebodys"})


class _Node:
    def __init__(self) -> None:
        self.reconciler = _Reconciler()
        self.kernel = _Kernel()
        self.ovsdb = None

    def pids(self) -> dict[str, int]:
        return {}


class _Turns:
    view = None
    has_view = True

    def desired(self) -> object:
        return EMPTY if self.has_view else None


@pytest.fixture
def parts() -> tuple[_Node, _Turns, Answers]:
    node, turns = _Node(), _Turns()
    return node, turns, Answers(cast(Node, node), cast(Turns, turns), Host("n1"))


def test_an_audit_reads_anew_and_lists_what_is_foreign_apart(parts: tuple[_Node, _Turns, Answers]) -> None:
    """What is left over is a difference with the command for it; others' things are none."""
    node, _turns, answers = parts
    found = answers.answer(Question(1, Ask.AUDIT))
    assert [(item.action, item.name, item.command) for item in found.differences] == [
        ("remove", "qdhcp-1", "ip netns delete qdhcp-1")
    ]
    assert [(item.kind, item.name) for item in found.foreign] == [("namespace", "somebodys")]
    assert (found.objects, node.reconciler.read) == (1, 1)


def test_what_cannot_be_answered_is_said(parts: tuple[_Node, _Turns, Answers]) -> None:
    """A node without a view, and one that cannot be looked at; the agent lives on."""
    node, turns, answers = parts
    node.reconciler.broken = True
    assert "Connection refused" in answers.answer(Question(1, Ask.AUDIT)).error
    turns.has_view = False
    assert "no view" in answers.answer(Question(2, Ask.INVENTORY)).error
    assert answers.answer(Question(3, Ask.PLAN)).error == "a plan needs a view"


def test_pause_and_resume(parts: tuple[_Node, _Turns, Answers]) -> None:
    """Each answer says which it is."""
    answers = parts[2]
    words = [answers.answer(Question(1, ask)).paused for ask in (Ask.STATUS, Ask.PAUSE, Ask.STATUS, Ask.RESUME)]
    assert words == [False, True, True, False]


def test_the_owner_of_a_thing(parts: tuple[_Node, _Turns, Answers]) -> None:
    """Ours with its owner; another's as foreign; what is not there as nothing."""
    answers = parts[2]
    ours = answers.answer(Question(1, Ask.OWNER, thing="qdhcp-1"))
    others = answers.answer(Question(1, Ask.OWNER, thing="somebodys"))
    nothing = answers.answer(Question(1, Ask.OWNER, thing="x"))
    assert [item.owner.id for item in ours.items] == ["1"]
    assert [item.name for item in others.foreign] == ["somebodys"]
    assert (nothing.items, nothing.foreign) == ((), ())


def test_a_question_that_a_dying_agent_took_with_it_reaches_the_next_one(world: World) -> None:
    """The wait of an agent that was killed still stands at the controller, and takes what is asked first."""

    async def die_and_start_again() -> None:
        await fetch(world, "n1")
        await serve(world, "n1")

    async def story() -> tuple[Any, Any]:
        asked = ask(world, ask="audit", hosts=["n1"], wait_s=3)
        _nothing, found = await asyncio.gather(die_and_start_again(), asked)
        return found, await fetch(world, "n1", 0)

    found, left = asyncio.run(story())
    assert ([answer["host"] for answer in found["answers"]], found["silent"], left) == (["n1"], [], [])
