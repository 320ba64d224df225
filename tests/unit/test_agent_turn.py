"""What a turn tells the controller, also when it cannot be taken."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from nebula_agent.node import Node
from nebula_agent.reconcile import Reconciler
from nebula_agent.source import Cache
from nebula_agent.turn import Turns

from nebula.compile.facts import Facts
from nebula.desired.state import NodeState
from nebula.errors import CommandFailed
from nebula.ids import Host, NetworkId, PortId
from nebula.view.records import NetworkView, NodeView, PortView
from nebula.view.report import PortStatus, Reason, Receipt

_PORT = PortId("10000000-0000-4000-8000-000000000000")
_OFF = PortId("20000000-0000-4000-8000-000000000000")
_NET = NetworkId("30000000-0000-4000-8000-000000000000")
_REFUSED = CommandFailed(["ovs-ofctl", "dump-flows"], 1, "Connection refused")


class _Reconciler(Reconciler):
    """No drivers; ``gone``: the node cannot be looked at."""

    gone = False

    def observe(self, desired: NodeState, *, quick: bool = False) -> NodeState:
        if self.gone:
            raise _REFUSED
        return super().observe(desired, quick=quick)


class _Node:
    def __init__(self) -> None:
        self.reconciler = _Reconciler([])

    def facts(self) -> Facts:
        return Facts(Host("n1"), "netdev", "10.0.0.1", "/var/lib/nebula", "/x", {})


class _World:
    def __init__(self, folder: Path) -> None:
        self.sent: list[Receipt] = []
        self.node = _Node()
        self.cache = Cache(folder / "view.json")
        self.turns = Turns(cast(Node, self.node), self.cache, "n1", self.sent.append)
        network = NetworkView(_NET, "n", "p", "vxlan", 5, None, 1450, False)
        ports = (
            PortView(_PORT, _NET, "fa:16:3e:00:00:01", (), "network:dhcp", "d"),
            PortView(_OFF, _NET, "fa:16:3e:00:00:02", (), "network:dhcp", "d", admin_state_up=False),
        )
        self.turns.view = NodeView("e", 7, Host("n1"), (network,), ports)

    def take(self) -> None:
        try:
            self.turns.take(Reason.RETRY)
        except CommandFailed as error:
            self.turns.fail(error, Reason.RETRY)


@pytest.fixture
def world(tmp_path: Path) -> _World:
    return _World(tmp_path)


def test_ports_of_a_node_that_cannot_be_looked_at_are_in_error(world: _World) -> None:
    """Once, after the third failure in a row, with the reason; a port that is switched off stays DOWN."""
    world.take()
    world.sent.clear()
    world.node.reconciler.gone = True
    world.take()
    world.take()
    assert world.sent == []
    for _ in range(3):
        world.take()
    (receipt,) = world.sent
    assert receipt.status == (PortStatus(_PORT, "ERROR", str(_REFUSED)),)
    assert (receipt.changes, receipt.to_revision) == ((), 7)


def test_ports_come_back_with_the_next_turn_that_can_be_taken(world: _World) -> None:
    """Their statuses are told again although nothing has changed on the node."""
    world.take()
    (before,) = (receipt.status for receipt in world.sent)
    world.node.reconciler.gone = True
    for _ in range(3):
        world.take()
    world.sent.clear()
    world.node.reconciler.gone = False
    world.take()
    told = {item.port_id: item for receipt in world.sent for item in receipt.status}
    assert told[_PORT] == {item.port_id: item for item in before}[_PORT]


def test_a_view_that_could_not_be_kept_is_kept_as_soon_as_it_can(tmp_path: Path) -> None:
    """The disk was full when the view came: the next turn writes it, so that a reboot does not go back behind it."""
    world = _World(tmp_path / "folder")
    (tmp_path / "folder").write_text("in the way")
    world.take()
    assert world.cache.load() is None
    (tmp_path / "folder").unlink()
    world.take()
    assert world.cache.load() == world.turns.view
