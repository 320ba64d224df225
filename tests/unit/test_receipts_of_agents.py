"""Receipts: the ports' status from them, and which call caused which change."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nebula_controller.api.context import internal
from nebula_controller.nodes.receipts import Receipts, packed, unpacked
from nebula_controller.store.tables.nodes import receipts
from southbound_world import ADMIN, BEARER, MEMBER, World
from sqlalchemy import select, update

from nebula.ids import Host, Owner, OwnerKind, PortId
from nebula.view.report import Action, ChangeRecord, PortStatus, Reason, Receipt, Result


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> World:
    """One for all calls that change nothing."""
    return World(tmp_path_factory.mktemp("refusing"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.node("n1", 1)
    made.node("n2", 2)
    return made


def change(kind: OwnerKind, identity: str, name: str = "") -> ChangeRecord:
    name = name or f"{kind}-{identity[:4]}"
    return ChangeRecord(Action.ADD, "flow", name, Owner(kind, identity), f"make {name}", Result.DONE, 0.01)


def receipt(world: World, first: int, last: int, *changes: ChangeRecord, **more: Any) -> Receipt:
    made = Receipt(
        host=Host("n1"),
        epoch=world.database.epoch,
        from_revision=first,
        to_revision=last,
        reason=Reason.VIEW,
        started_at="2026-11-22T10:00:00Z",
        duration_s=0.1,
        changes=changes,
    )
    return msgspec.structs.replace(made, **more)


def send(world: World, item: Receipt, expect: int = 204) -> Any:
    return world.call("POST", f"/nebula/v1/nodes/{item.host}/receipts", item, headers=BEARER, expect=expect)


def revision(world: World) -> int:
    with world.database.read() as tx:
        return tx.revision()


def request_of(world: World, at: int) -> str:
    """The id of the request that made a revision."""
    with world.database.read() as tx:
        found = tx.connection.exec_driver_sql("SELECT request_id FROM requests WHERE revision = ?", (at,))
        return str(found.scalar_one())


def caused(world: World, request: str) -> list[str]:
    """The names of the changes that a request caused."""
    body = world.call("GET", f"/nebula/v1/receipts/{request}", expect=200)
    return [item["name"] for found in body["receipts"] for item in found["changes"]]


def report(world: World, port: str, status: str, error: str = "", **more: Any) -> None:
    send(world, receipt(world, 0, 0, status=(PortStatus(PortId(port), status, error),), **more))


def bound_port(world: World, host: str = "n1") -> str:
    network = world.made("networks", name="a")["id"]
    return str(world.made("ports", network_id=network, **{"binding:host_id": host})["id"])


def test_receipt_sets_the_status_of_ports_and_rings_nobody(world: World) -> None:
    """ACTIVE, then ERROR with the node's words; the revision stays."""
    port = bound_port(world)
    before, view = revision(world), world.southbound.views.current(Host("n1"))
    report(world, port, "ACTIVE")
    assert world.show_port(port).status == "ACTIVE"
    report(world, port, "ERROR", "no bridge br-ex")
    assert world.show_port(port).status == "ERROR"
    assert revision(world) == before
    assert world.southbound.views.current(Host("n1")) is view


def test_node_says_nothing_of_anothers_ports(world: World) -> None:
    """Also not of ports that nobody has, and no status that Neutron has not."""
    port = bound_port(world, "n2")
    report(world, port, "ACTIVE")
    report(world, "no-such-port", "ACTIVE")
    report(world, port, "FINE", host="n2")
    assert world.show_port(port).status == "DOWN"


def test_status_of_another_database_is_dropped(world: World) -> None:
    """A receipt of another epoch is of other objects."""
    port = bound_port(world)
    report(world, port, "ACTIVE", epoch="00000000-0000-0000-0000-000000000000")
    assert world.show_port(port).status == "DOWN"


def test_complete_receipt_takes_down_what_it_does_not_name(world: World) -> None:
    """After its start an agent names all that works; the rest does not."""
    first, second = bound_port(world), bound_port(world)
    report(world, first, "ACTIVE")
    report(world, second, "ACTIVE", complete=True)
    assert (world.show_port(first).status, world.show_port(second).status) == ("DOWN", "ACTIVE")


def test_ports_of_a_node_that_is_down_are_down_and_come_back_with_it(world: World) -> None:
    """The node needs not say again what it said."""
    port = bound_port(world)
    report(world, port, "ACTIVE")
    world.later(16)
    world.southbound.registry.sweep()
    assert world.show_port(port).status == "DOWN"
    world.node("n1", 1)
    assert world.show_port(port).status == "ACTIVE"


def test_moved_port_is_down_until_its_new_node_says_otherwise(world: World) -> None:
    """What the old node said counts no more."""
    port = bound_port(world)
    report(world, port, "ACTIVE")
    world.call("PUT", f"/network/v2.0/ports/{port}", {"port": {"binding:host_id": "n2"}}, expect=200)
    assert world.show_port(port).status == "DOWN"
    report(world, port, "ACTIVE")
    assert world.show_port(port).status == "DOWN"
    report(world, port, "ACTIVE", host="n2")
    assert world.show_port(port).status == "ACTIVE"


def test_change_belongs_to_the_call_that_touched_its_owner(world: World) -> None:
    """Two calls in one pass: each gets its own port's changes, and both what their network got."""
    network = world.made("networks", name="a")["id"]
    first = revision(world)
    one = world.made("ports", network_id=network, **{"binding:host_id": "n1"})["id"]
    two = world.made("ports", network_id=network, **{"binding:host_id": "n1"})["id"]
    item = receipt(
        world,
        first,
        first + 2,
        change(OwnerKind.PORT, one, "one"),
        change(OwnerKind.PORT, two, "two"),
        change(OwnerKind.NETWORK, network, "vlan"),
    )
    send(world, item)
    assert caused(world, request_of(world, first + 1)) == ["one", "vlan"]
    assert caused(world, request_of(world, first + 2)) == ["two", "vlan"]


def test_change_of_a_part_belongs_to_the_call_that_touched_the_whole(world: World) -> None:
    """A network's new MTU changes its ports' devices; another call of the same pass has no part in it."""
    network = world.made("networks", name="a")["id"]
    port = world.made("ports", network_id=network, **{"binding:host_id": "n1"})["id"]
    first = revision(world)
    world.call("PUT", f"/network/v2.0/networks/{network}", {"network": {"mtu": 1400}}, expect=200)
    bound_port(world)
    send(world, receipt(world, first, revision(world), change(OwnerKind.PORT, port, "mtu")))
    assert caused(world, request_of(world, first + 1)) == ["mtu"]
    assert caused(world, request_of(world, first + 2)) == []


def test_change_that_nothing_explains_belongs_to_all_calls_of_the_pass(world: World) -> None:
    """The data say what is known: it was one of these."""
    first = revision(world)
    world.made("networks", name="a")
    world.made("networks", name="b")
    send(world, receipt(world, first, first + 2, change(OwnerKind.NODE, "n1", "bridge")))
    assert [caused(world, request_of(world, first + n)) for n in (1, 2)] == [["bridge"], ["bridge"]]


def test_change_that_nothing_explains_is_not_given_to_calls_that_reached_other_nodes(world: World) -> None:
    """Of the calls of a pass, those that changed something else on the node are the likelier ones."""
    first = revision(world)
    port = bound_port(world)
    bound_port(world, "n2")
    item = receipt(
        world, first, revision(world), change(OwnerKind.PORT, port, "veth"), change(OwnerKind.PEER, "9", "x")
    )
    send(world, item)
    assert [caused(world, request_of(world, first + n)) for n in (2, 4)] == [["veth", "x"], []]


def test_calls_that_did_not_reach_the_nodes_view_are_no_causes(world: World) -> None:
    """A node that gets its first port of a network learns of the port elsewhere by that call, not by the other's."""
    views = world.southbound.views

    def known(host: str) -> int:
        view = views.current(Host(host))
        assert view is not None
        return view.revision

    first = known("n1")
    network = world.made("networks", name="a")["id"]
    elsewhere = world.made("ports", network_id=network, **{"binding:host_id": "n2"})["id"]
    assert known("n1") == first
    here = world.made("ports", network_id=network, **{"binding:host_id": "n1"})["id"]
    last = known("n1")
    seen = (change(OwnerKind.PORT, here, "tap"), change(OwnerKind.PORT, elsewhere, "tunnel"))
    send(world, receipt(world, first, last, *seen))
    assert caused(world, request_of(world, last)) == ["tap", "tunnel"]
    assert caused(world, request_of(world, last - 1)) == []


def test_placement_belongs_to_the_call_that_made_it_necessary(world: World) -> None:
    """The DHCP port is the subnet's: what the node does for it leads back to the subnet's request."""
    network = world.made("networks", name="a")["id"]
    first = revision(world)
    world.made("subnets", network_id=network, ip_version=4, cidr="10.1.0.0/24")
    (port,) = world.call("GET", f"/network/v2.0/ports?network_id={network}", expect=200)["ports"]
    send(world, receipt(world, first, first + 1, change(OwnerKind.PORT, port["id"], "veth")))
    assert caused(world, request_of(world, first + 1)) == ["veth"]


@pytest.mark.parametrize("reason", [Reason.DRIFT, Reason.START, Reason.RETRY])
def test_what_no_call_caused_is_listed_and_belongs_to_none(world: World, reason: Reason) -> None:
    """Repairs are kept, and can be asked for by node and reason."""
    port = bound_port(world)
    last = revision(world)
    send(world, receipt(world, last - 1, last, change(OwnerKind.PORT, port, "again"), reason=reason))
    assert caused(world, request_of(world, last)) == []
    path = f"/nebula/v1/receipts?host=n1&reason={reason}&limit=5"
    (found,) = world.call("GET", path, expect=200)["receipts"]
    assert (found["reason"], found["request_ids"]) == (reason.value, [])
    assert [item["command"] for item in found["changes"]] == ["make again"]
    assert world.call("GET", "/nebula/v1/receipts?host=n2", expect=200)["receipts"] == []


def test_receipt_says_who_called_and_what_was_done(world: World) -> None:
    """The answer has the call, the node, and each change with its command."""
    port = bound_port(world)
    last = revision(world)
    send(world, receipt(world, last - 1, last, change(OwnerKind.PORT, port, "veth")))
    body = world.call("GET", f"/nebula/v1/receipts/{request_of(world, last)}", expect=200)
    assert (body["request"]["method"], body["request"]["path"]) == ("POST", "/network/v2.0/ports")
    assert (body["request"]["user_id"], body["request"]["status"]) == ("u-admin", 201)
    (found,) = body["receipts"]
    assert (found["host"], found["to_revision"]) == ("n1", last)
    assert found["changes"][0]["owner"] == {"kind": "port", "id": port}


def test_request_id_is_the_one_of_the_answer(world: World) -> None:
    """What a client saw in ``X-Openstack-Request-Id`` is what it asks for."""

    async def talk() -> tuple[int, str]:
        async with world.client() as client:
            made = await client.post("/network/v2.0/networks", json={"network": {"name": "a"}}, headers=ADMIN)
            request = made.headers["x-openstack-request-id"]
            shown = await client.get(f"/nebula/v1/receipts/{request}", headers=ADMIN)
            return shown.status_code, shown.json()["request"]["path"]

    import asyncio

    assert asyncio.run(talk()) == (200, "/network/v2.0/networks")


def test_receipts_are_for_administrators(world: World) -> None:
    """They name objects of all projects."""
    assert world.status_of("GET", "/nebula/v1/receipts", headers=MEMBER) == 403
    assert world.status_of("GET", "/nebula/v1/receipts/req-1", headers=MEMBER) == 403
    assert world.status_of("GET", "/nebula/v1/receipts/req-1") == 404
    assert world.status_of("GET", "/nebula/v1/receipts", headers={}) == 401


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=99999", "reason=why", "colour=red"])
def test_wrong_question_is_refused(refusing: World, query: str) -> None:
    """400 that says what can be asked."""
    assert refusing.status_of("GET", f"/nebula/v1/receipts?{query}") == 400


def test_receipt_of_another_or_unknown_node_is_refused(world: World) -> None:
    """400 where path and body differ, 404 where nobody registered."""
    item = receipt(world, 0, 0)
    assert world.status_of("POST", "/nebula/v1/nodes/n2/receipts", item, headers=BEARER) == 400
    unknown = msgspec.structs.replace(item, host=Host("n9"))
    assert world.status_of("POST", "/nebula/v1/nodes/n9/receipts", unknown, headers=BEARER) == 404
    assert world.status_of("POST", "/nebula/v1/nodes/n1/receipts", b"{}", headers=BEARER) == 400


def test_oldest_receipts_go_when_there_is_no_room(world: World) -> None:
    """A bound on bytes as they are kept, packed, across a restart; the newest stays whatever its size."""
    keeper = Receipts(world.database, world.southbound.views.snapshot, kept_bytes=2000)
    noise = [random.Random(n).randbytes(300).hex() for n in range(9)]
    items = [
        receipt(world, 0, 0, change(OwnerKind.NODE, "n1", f"{n}-{noise[n]}"), reason=Reason.DRIFT) for n in range(9)
    ]
    for item in items:
        with world.database.write(internal("test")) as tx:
            keeper.keep(tx, item)
    listed = world.call("GET", "/nebula/v1/receipts", expect=200)["receipts"]
    names = [found["changes"][0]["name"][0] for found in listed]
    assert names == ["8", "7", "6", "5"][: len(names)] and names
    assert world.database.path.exists()


def test_receipts_kept_before_they_were_packed_are_read(world: World) -> None:
    """A database of an elder controller has them as plain JSON."""
    send(world, receipt(world, 0, 0, change(OwnerKind.NODE, "n1", "old"), reason=Reason.DRIFT))
    with world.database.write(internal("test")) as tx:
        (body,) = tx.execute(select(receipts.c.changes)).scalars()
        assert body == packed(tuple(msgspec.json.decode(unpacked(body), type=list[ChangeRecord])))
        tx.execute(update(receipts).values(changes=unpacked(body)))
    (found,) = world.call("GET", "/nebula/v1/receipts", expect=200)["receipts"]
    assert found["changes"][0]["name"] == "old"


def test_pass_that_changed_nothing_is_not_kept(world: World) -> None:
    """Most passes: no row for them, unless they raise an alarm."""
    send(world, receipt(world, 0, revision(world)))
    send(world, receipt(world, 0, 0, alarm="would delete 90 of 100 objects"))
    (found,) = world.call("GET", "/nebula/v1/receipts", expect=200)["receipts"]
    assert found["alarm"] == "would delete 90 of 100 objects"
