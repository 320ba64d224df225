"""What is on record of a call: its rows, its receipts, who waits for them; and calls that wait for the nodes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from nebula_controller.api.context import internal
from nebula_controller.nodes.registry import shut_out
from southbound_world import ADMIN, BEARER, MEMBER, World

from nebula.ids import Host, Owner, OwnerKind
from nebula.view.report import Action, ChangeRecord, Reason, Receipt, Result


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.node("n1", 1)
    made.node("n2", 2)
    return made


def receipt(world: World, host: str = "n1", *changes: ChangeRecord, **more: Any) -> Receipt:
    view = world.southbound.views.current(Host(host))
    assert view is not None
    fields: dict[str, Any] = {"from_revision": 0, "to_revision": view.revision, "reason": Reason.VIEW, **more}
    return Receipt(
        host=Host(host),
        epoch=world.database.epoch,
        started_at="2026-11-22T10:00:00Z",
        duration_s=0.1,
        changes=changes,
        **fields,
    )


def change(kind: OwnerKind, identity: str, result: Result = Result.DONE) -> ChangeRecord:
    return ChangeRecord(Action.ADD, "flow", "f", Owner(kind, identity), "ovs-ofctl add-flow", result, 0.01)


async def send(world: World, item: Receipt) -> None:
    answer = await world._call("POST", f"/nebula/v1/nodes/{item.host}/receipts", item, headers=BEARER)
    assert answer.status_code == 204, answer.text


def waiting_call(
    world: World, values: dict[str, Any], wait: str, *acts: Receipt | None, plural: str = "networks"
) -> Any:
    """A call that waits; once it waits, the nodes act (None: on what the call made)."""

    async def both() -> Any:
        headers = {**ADMIN, "X-Nebula-Wait": wait}
        body = {plural.removesuffix("s"): values}
        call = asyncio.create_task(world._call("POST", f"/network/v2.0/{plural}", body, headers=headers))
        for _turn in range(20):
            await asyncio.sleep(0)
        for act in acts:
            await send(world, act if act is not None else receipt(world))
        return await call

    return asyncio.run(both())


def settle(world: World) -> None:
    for host in ("n1", "n2"):
        asyncio.run(send(world, receipt(world, host)))


def test_a_call_that_reaches_no_node_does_not_wait(world: World) -> None:
    """A network is rows alone; no header, no answer about nodes."""
    settle(world)
    answer = waiting_call(world, {"name": "a"}, "30")
    assert (answer.status_code, answer.headers["x-nebula-realised"]) == (201, "")
    plain = asyncio.run(world._call("POST", "/network/v2.0/networks", {"network": {}}))
    assert "x-nebula-realised" not in plain.headers


def test_a_call_waits_for_the_nodes_that_it_reaches(world: World) -> None:
    """Only they are named, with the time until their report and what failed."""
    network = world.made("networks", name="a")["id"]
    settle(world)
    port = {"network_id": network, "binding:host_id": "n1"}
    answer = waiting_call(world, port, "30", None, plural="ports")
    host, took = answer.headers["x-nebula-realised"].split(";")
    assert (answer.status_code, host, took.startswith("ms=")) == (201, "n1", True)


def test_failures_nodes_that_are_down_and_time_that_is_over(world: World) -> None:
    """Each is said; the call itself has succeeded all the same."""
    network = world.made("networks", name="a")["id"]
    port = {"network_id": network, "binding:host_id": "n1"}
    answer = waiting_call(world, port, "0.01", plural="ports")
    assert (answer.status_code, answer.headers["x-nebula-realised"]) == (201, "n1;waiting, n2;waiting")
    settle(world)
    world.later(60)
    world.node("n1", 1)
    world.southbound.registry.sweep()
    answer = waiting_call(world, {**port, "binding:host_id": "n2"}, "0.01", plural="ports")
    assert answer.headers["x-nebula-realised"].endswith("n2;down")


def test_what_failed_is_counted(world: World) -> None:
    """Changes of the node's pass that did not succeed."""
    settle(world)
    network = world.made("networks", name="a")["id"]

    async def both() -> Any:
        body = {"port": {"network_id": network, "binding:host_id": "n1"}}
        headers = {**ADMIN, "X-Nebula-Wait": "30"}
        call = asyncio.create_task(world._call("POST", "/network/v2.0/ports", body, headers=headers))
        for _turn in range(20):
            await asyncio.sleep(0)
        failed = change(OwnerKind.NETWORK, network, Result.FAILED)
        await send(world, receipt(world, "n1", failed, change(OwnerKind.NETWORK, network)))
        return await call

    assert asyncio.run(both()).headers["x-nebula-realised"].endswith(";failed=1")


@pytest.mark.parametrize("text", ["x", "-1", "61", "nan", ""])
def test_a_wrong_wait_changes_nothing(world: World, text: str) -> None:
    """400 before anything is done."""
    answer = waiting_call(world, {"name": "never"}, text)
    assert answer.status_code == 400
    assert world.call("GET", "/network/v2.0/networks?name=never")["networks"] == []


def test_a_new_controller_believes_a_node_that_has_the_view(world: World) -> None:
    """After a restart of the controller the nodes ask for news of what they have: they have acted on it."""
    world.made("networks", name="a")
    view = world.southbound.views.current(Host("n1"))
    assert view is not None
    world.restart()
    assert set(world.southbound.realised.lacking()) == {"n1", "n2"}
    asyncio.run(world._call("GET", "/nebula/v1/nodes/n1/view", None, headers={**BEARER, "If-None-Match": view.etag}))
    assert set(world.southbound.realised.lacking()) == {"n2"}


def asks(world: World, etag: str) -> int:
    """The node n1, for what is newer."""
    headers = {**BEARER, "If-None-Match": etag}
    return world.status_of("GET", "/nebula/v1/nodes/n1/view", headers=headers)


def test_a_node_that_comes_back_to_the_view_that_it_has(world: World) -> None:
    """It is told nothing, as it has acted on that; but not where it has fetched another one meanwhile."""
    network = world.network()
    settle(world)
    views, realised = world.southbound.views, world.southbound.realised
    view = views.current(Host("n1"))
    assert view is not None
    asks(world, view.etag)
    with world.database.write(internal("test")) as tx:
        shut_out(tx, Host("n1"))
    assert views.current(Host("n1")) is None
    world.node("n1", 1)
    assert set(realised.lacking()) >= {"n1"}
    assert asks(world, view.etag) == 304
    assert "n1" not in realised.lacking()

    port = world.port(network, "n1")
    other = views.current(Host("n1"))
    assert other is not None
    assert asks(world, other.etag) == 304
    world.delete_port(port)
    assert asks(world, view.etag) == 304
    assert "n1" in realised.lacking()


def test_the_rows_of_a_call_and_who_has_not_reported(world: World) -> None:
    """What it changed itself, what it concerns, and the nodes that are still to act."""
    settle(world)
    network = world.made("networks", name="a")["id"]
    made = asyncio.run(
        world._call("POST", "/network/v2.0/ports", {"port": {"network_id": network, "binding:host_id": "n1"}})
    )
    request = made.headers["x-openstack-request-id"]
    found = world.call("GET", f"/nebula/v1/receipts/{request}", expect=200)
    rows = {(item["kind"], item["id"]): item["related"] for item in found["objects"]}
    assert rows["port", made.json()["port"]["id"]] is False
    assert rows["network", network] is True
    assert found["waiting"] == ["n1"]
    settle(world)
    assert world.call("GET", f"/nebula/v1/receipts/{request}", expect=200)["waiting"] == []


def test_the_calls_of_an_object(world: World) -> None:
    """Those that changed it, the newest first, also when it is gone; not those that only concern it."""
    network = world.made("networks", name="a")["id"]
    world.call("PUT", f"/network/v2.0/networks/{network}", {"network": {"name": "b"}}, expect=200)
    world.made("subnets", network_id=network, ip_version=4, cidr="10.0.0.0/24", enable_dhcp=False)
    world.call("DELETE", f"/network/v2.0/networks/{network}", expect=204)
    calls = world.call("GET", f"/nebula/v1/calls?object={network}", expect=200)["calls"]
    assert [call["method"] for call in calls] == ["DELETE", "PUT", "POST"]


def test_receipts_as_they_come(world: World) -> None:
    """Whoever waits after the newest gets the next one when it comes, with the calls that it belongs to, or none."""
    network = world.made("networks", name="a")["id"]
    newest = world.call("GET", "/nebula/v1/receipts?limit=1", expect=200)["newest"]

    async def both() -> tuple[Any, Any]:
        follow = asyncio.create_task(world._call("GET", f"/nebula/v1/receipts?after={newest}&wait=30", None))
        await asyncio.sleep(0)
        await send(world, receipt(world, "n1", change(OwnerKind.NETWORK, network)))
        return (await follow).json(), (await world._call("GET", "/nebula/v1/receipts?after=99&wait=0.01", None)).json()

    news, nothing = asyncio.run(both())
    assert [(item["host"], len(item["request_ids"])) for item in news["receipts"]] == [("n1", 1)]
    assert news["newest"] == news["receipts"][0]["id"]
    assert nothing == {"receipts": [], "newest": 99}


@pytest.mark.parametrize(
    "query",
    [
        "receipts?after=x",
        "receipts?after=-1",
        "receipts?wait=99&after=0",
        "calls",
        "calls?object=a&limit=0",
        "calls?x=1",
    ],
)
def test_wrong_questions(world: World, query: str) -> None:
    """400, and nobody waits."""
    assert world.status_of("GET", f"/nebula/v1/{query}") == 400


def test_people_of_projects_do_not_see_what_others_did(world: World) -> None:
    """Receipts and calls name objects of all projects."""
    assert world.status_of("GET", "/nebula/v1/calls?object=a", headers=MEMBER) == 403
    assert world.status_of("GET", "/nebula/v1/receipts?after=0", headers=MEMBER) == 403
