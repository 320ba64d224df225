"""A call that is only rehearsed: nothing is kept, and the nodes that it would reach are asked what they would do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from southbound_world import ADMIN, MEMBER, World
from test_questions import bring, fetch

from nebula.ids import Host, Owner, OwnerKind
from nebula.view.question import Difference, NodeAnswer
from nebula.view.report import Action

PLAN = {**ADMIN, "X-Nebula-Plan": "true"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.node("n1", 1)
    made.node("n2", 2)
    return made


def planned(world: World, method: str, path: str, body: Any = None, *nodes: str) -> tuple[Any, list[Any]]:
    """The plan, and the questions that the nodes were asked."""
    asked: list[Any] = []

    async def serve(host: str) -> None:
        for question in await fetch(world, host):
            asked.append((host, question))
            owner = Owner(OwnerKind.NETWORK, "x")
            todo = Difference(Action.ADD, "namespace", "qdhcp-x", owner, "ip netns add qdhcp-x")
            await bring(world, host, NodeAnswer(question["id"], Host(host), differences=(todo,)))

    async def story() -> Any:
        call = world._call(method, f"/network/v2.0/{path}", body, headers=PLAN)
        return (await asyncio.gather(call, *(serve(host) for host in nodes)))[0]

    answer = asyncio.run(story())
    assert answer.status_code == 200, answer.text
    return answer.json(), asked


def test_nothing_is_kept(world: World) -> None:
    """No row, no revision; the scheduler's and the address's choice are made anew by the real call."""
    with world.database.read() as tx:
        before = tx.revision()
    found, _asked = planned(world, "POST", "networks", {"network": {"name": "a"}})
    assert [item["kind"] for item in found["objects"]] == ["network"]
    assert (found["nodes"], found["silent"], found["down"]) == ([], [], [])
    assert world.call("GET", "/network/v2.0/networks")["networks"] == []
    with world.database.read() as tx:
        assert tx.revision() == before


def test_only_nodes_that_would_be_reached_are_asked(world: World) -> None:
    """Each with the view that it would get, in which the new port is; its answer is the plan's."""
    network = world.made("networks", name="a")["id"]
    port = {"network_id": network, "binding:host_id": "n1"}
    found, asked = planned(world, "POST", "ports", {"port": port}, "n1")
    host, question = asked[0]
    assert (host, question["ask"], len(question["view"]["ports"])) == ("n1", "plan", 1)
    assert [(node["host"], node["differences"][0]["command"]) for node in found["nodes"]] == [
        ("n1", "ip netns add qdhcp-x")
    ]
    assert world.call("GET", "/network/v2.0/ports")["ports"] == []


def test_a_node_that_is_down_is_named(world: World) -> None:
    """It is not asked: it would follow when it comes back."""
    network = world.made("networks", name="a")["id"]
    world.later(60)
    world.node("n1", 1)
    world.southbound.registry.sweep()
    found, _asked = planned(world, "POST", "ports", {"port": {"network_id": network, "binding:host_id": "n2"}})
    assert (found["down"], found["nodes"]) == (["n2"], [])


def test_what_the_call_would_be_refused_for(world: World) -> None:
    """The same answer as without a plan."""
    network = world.made("networks", name="a")["id"]
    world.made("ports", network_id=network)
    refused = world.status_of("DELETE", f"/network/v2.0/networks/{network}", headers=PLAN)
    unknown = world.status_of("DELETE", "/network/v2.0/networks/nope", headers=PLAN)
    wrong = world.status_of("POST", "/network/v2.0/networks", {"network": {"mtu": "x"}}, headers=PLAN)
    assert (refused, unknown, wrong) == (409, 404, 400)


def test_who_may_not_see_the_nodes(world: World) -> None:
    """403, and nothing has been done."""
    headers = {**MEMBER, "X-Nebula-Plan": "true"}
    assert world.status_of("POST", "/network/v2.0/networks", {"network": {}}, headers=headers) == 403
    assert world.call("GET", "/network/v2.0/networks")["networks"] == []


def test_a_wrong_header(world: World) -> None:
    """400 before anything is done; ``false`` is no wish."""
    for word, status in (("perhaps", 400), ("false", 201)):
        headers = {**ADMIN, "X-Nebula-Plan": word}
        assert world.status_of("POST", "/network/v2.0/networks", {"network": {}}, headers=headers) == status
    assert len(world.call("GET", "/network/v2.0/networks")["networks"]) == 1
