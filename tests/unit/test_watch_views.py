"""The views in memory and the long polls on them: nobody misses a ring, and a burst is one turn."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nebula_controller import watch
from nebula_controller.nodes import rows
from southbound_world import World

from nebula.ids import Host
from nebula.view import codec
from nebula.view.project import project
from nebula.view.records import FixedIp, NodeView

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    for number, host in enumerate(("node1", "node2", "node3"), start=1):
        made.node(host, number)
    return made


def from_database(world: World, host: str) -> NodeView:
    """What the whole database projects to."""
    with world.database.read() as tx:
        return project(rows.load(tx, world.database.epoch), Host(host))


def view_of(world: World, host: str) -> watch.View:
    view = world.southbound.views.current(Host(host))
    assert view is not None
    return view


def content(view: NodeView) -> NodeView:
    """Without the revision, which is that of the newest change of the content."""
    return msgspec.structs.replace(view, revision=0)


STEPS = st.lists(
    st.tuples(st.integers(0, 11), st.integers(0, 30), st.integers(0, 30), st.booleans()), min_size=1, max_size=25
)


class Walk:
    """Random changes, as the services make them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.networks = [world.network() for _ in range(2)]
        self.subnets = {n: [world.subnet(n, "10.0.0.0/24", enable_dhcp=True)] for n in self.networks}
        self.ports: list[str] = []
        self.count = 0

    def step(self, kind: int, first: int, second: int) -> None:
        hosts = ["", "node1", "node2", "node3"]
        network = self.networks[first % len(self.networks)]
        port = self.ports[first % len(self.ports)] if self.ports else None
        self.count += 1
        if kind <= 3:
            ip = FixedIp(self.subnets[network][0], f"10.0.0.{self.count + 100}")  # type: ignore[arg-type]
            self.ports.append(self.world.port(network, hosts[second % 4], [ip] if second % 3 else []))
        elif kind <= 6 and port:
            self.world.change_port(port, host=hosts[second % 4])
        elif kind == 7 and port:
            self.world.change_port(port, admin_state_up=bool(second % 2), dns_name=f"name{second % 3}")
        elif kind == 8 and port:
            self.ports.remove(port)
            self.world.delete_port(port)
        elif kind == 9:
            self.world.node(f"node{first % 3 + 1}", first % 3 + 1 + 10 * (second % 2))
        elif kind == 10:
            self.networks.append(self.world.network())
            self.subnets[self.networks[-1]] = [self.world.subnet(self.networks[-1], "10.0.0.0/24")]
        elif kind == 11 and port:
            self.world.change_port(port, device_owner="network:dhcp")


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_views_in_memory_equal_the_whole_database(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, int, bool]]
) -> None:
    """After any sequence of changes, with views read at any moments in between, no node's view is out of date."""
    world = World(tmp_path_factory.mktemp("walk"))
    for number, host in enumerate(("node1", "node2", "node3"), start=1):
        world.node(host, number)
    walk = Walk(world)
    for kind, first, second, look in steps:
        walk.step(kind, first, second)
        if look:
            view_of(world, f"node{first % 3 + 1}")
    for host in ("node1", "node2", "node3"):
        assert content(codec.decode(view_of(world, host).body)) == content(from_database(world, host))
    world.database.close()


def test_change_rings_only_the_nodes_that_it_reaches(world: World) -> None:
    """A port of one network projects no view of a node that does not have the network."""
    ours, theirs = world.network(), world.network()
    world.port(ours, "node1")
    world.port(theirs, "node2")
    for host in ("node1", "node2", "node3"):
        view_of(world, host)
    before = world.southbound.views.projections
    world.port(ours, "node1")
    for host in ("node1", "node2", "node3"):
        view_of(world, host)
    assert world.southbound.views.projections - before == 1


def test_view_keeps_its_revision_while_its_content_stays(world: World) -> None:
    """The revision that an agent is told is that of the newest change that reached it."""
    network = world.network()
    world.port(network, "node1")
    told = view_of(world, "node1")
    world.network()
    assert view_of(world, "node1") is told


async def test_poll_answers_at_once_when_the_etag_differs(world: World) -> None:
    """Who has nothing, or something old, waits for nothing."""
    views = world.southbound.views
    view = await asyncio.wait_for(views.changed(Host("node1"), "", 30), 1)
    assert view is not None and codec.decode(view.body).host == "node1"
    assert await views.changed(Host("node1"), view.etag, 0) is None


async def test_poll_is_woken_by_a_change(world: World) -> None:
    """A waiting poll hears of the change, one of another node does not."""
    views = world.southbound.views
    etags = {host: view_of(world, host).etag for host in ("node1", "node2")}
    waiting = asyncio.create_task(views.changed(Host("node1"), etags["node1"], 30))
    other = asyncio.create_task(views.changed(Host("node2"), etags["node2"], 0.2))
    await asyncio.sleep(0.01)
    world.port(world.network(), "node1")
    view = await asyncio.wait_for(waiting, 1)
    assert view is not None and len(codec.decode(view.body).ports) == 1
    assert await other is None


async def test_poll_ends_without_a_change_after_its_time(world: World) -> None:
    """None after ``wait`` seconds, not before."""
    began = time.monotonic()
    assert await world.southbound.views.changed(Host("node1"), view_of(world, "node1").etag, 0.1) is None
    assert time.monotonic() - began >= 0.1


async def test_many_waiters_hear_of_one_change(world: World) -> None:
    """One projection for all of them, and none is left behind."""
    views = world.southbound.views
    etag = view_of(world, "node1").etag
    waiting = [asyncio.create_task(views.changed(Host("node1"), etag, 30)) for _ in range(50)]
    await asyncio.sleep(0.01)
    before = views.projections
    world.port(world.network(), "node1")
    found = await asyncio.wait_for(asyncio.gather(*waiting), 2)
    assert {view.etag for view in found if view} == {view_of(world, "node1").etag}
    assert views.projections - before == 1


async def test_burst_of_changes_is_few_projections(world: World) -> None:
    """50 ports made one after the other, by a busy agent that polls again at once, cost a handful of projections."""
    views = world.southbound.views
    network = world.network()
    before, seen = views.projections, 0

    async def agent() -> None:
        nonlocal seen
        etag = ""
        while seen < 50:
            view = await views.changed(Host("node1"), etag, 30)
            assert view is not None
            etag, seen = view.etag, len(codec.decode(view.body).ports)

    polling = asyncio.create_task(agent())
    for _ in range(50):
        await asyncio.sleep(0)
        world.port(network, "node1")
    await asyncio.wait_for(polling, 5)
    assert views.projections - before <= 25


async def test_stop_lets_all_waiters_go(world: World) -> None:
    """A controller that ends does not wait for polls of a minute."""
    views = world.southbound.views
    waiting = [asyncio.create_task(views.changed(Host("node1"), view_of(world, "node1").etag, 60)) for _ in range(3)]
    await asyncio.sleep(0.01)
    world.southbound.release()
    assert await asyncio.wait_for(asyncio.gather(*waiting), 1) == [None, None, None]
    assert await asyncio.wait_for(views.changed(Host("node1"), view_of(world, "node1").etag, 60), 1) is None


async def test_poll_of_an_unknown_node_is_refused(world: World) -> None:
    """Also of one that is forgotten while it waits."""
    with pytest.raises(LookupError):
        await world.southbound.views.changed(Host("nobody"), "", 0)


async def test_poll_with_an_older_etag_is_answered_though_the_view_was_projected_since(world: World) -> None:
    """What another poll made the controller project is not lost on this one."""
    views = world.southbound.views
    old = view_of(world, "node1").etag
    world.port(world.network(), "node1")
    view_of(world, "node1")
    world.network()
    view = await asyncio.wait_for(views.changed(Host("node1"), old, 30), 1)
    assert view is not None and view.etag != old


async def test_failed_turn_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that does not answer for a moment costs a moment, not a ring."""
    views = world.southbound.views
    etag = view_of(world, "node1").etag
    monkeypatch.setattr(watch, "RETRY_S", 0.05)
    original, failures = rows.refresh, iter([True, True])

    def refresh(*arguments: object) -> object:
        if next(failures, False):
            raise OSError("disk")
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(rows, "refresh", refresh)
    waiting = asyncio.create_task(views.changed(Host("node1"), etag, 30))
    await asyncio.sleep(0.01)
    world.port(world.network(), "node1")
    view = await asyncio.wait_for(waiting, 2)
    assert view is not None and len(codec.decode(view.body).ports) == 1
