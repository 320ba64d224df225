"""The guard: which views are acted on, and which mass removals wait."""

from __future__ import annotations

from collections.abc import Sequence

from nebula_agent.guard import HOLD_S, SANE_PORTS, Guard

from nebula.desired.diff import Change
from nebula.desired.kinds import FdbEntry, Flow, KernelObject, Namespace
from nebula.ids import Host, Owner, OwnerKind
from nebula.view.records import NodeView
from nebula.view.report import Action

_A, _B = "6f1c1a52-2f0d-4d3e-9f57-0c6c3a4d8e21", "aaaaaaaa-2f0d-4d3e-9f57-0c6c3a4d8e21"


def _view(revision: int, epoch: str = _A) -> NodeView:
    return NodeView(epoch=epoch, revision=revision, host=Host("n"))


def _ports(count: int) -> list[Namespace]:
    return [Namespace(f"n{number}", Owner(OwnerKind.PORT, str(number))) for number in range(count)]


def _removals(items: Sequence[KernelObject]) -> list[Change]:
    return [Change(Action.REMOVE, item, None) for item in items]


def test_first_view_is_taken() -> None:
    """An agent that never acted takes what it gets."""
    assert Guard().admit(_view(5), 0.0)


def test_same_database_forward_is_taken() -> None:
    """The same revision again, and a later one, of the same database."""
    guard = Guard(_A, 5)
    assert [guard.admit(_view(5), 0.0), guard.admit(_view(6), 0.0)] == [True, True]


def test_older_revision_waits_for_a_second_view() -> None:
    """A database that went back is believed when it still says so some time later, not at once."""
    guard = Guard(_A, 5)
    assert not guard.admit(_view(3), 100.0)
    assert guard.held is not None
    assert "gone back from revision 5 to 3" in guard.held.reason
    assert not guard.admit(_view(3), 100.0 + HOLD_S / 2)
    assert guard.admit(_view(3), 100.0 + HOLD_S)
    guard.acted(_view(3))
    assert (guard.held, guard.revision) == (None, 3)


def test_other_database_waits_for_a_person() -> None:
    """Another epoch is held until somebody confirms it, once."""
    guard = Guard(_A, 5)
    assert not guard.admit(_view(1, _B), 0.0)
    guard.confirm()
    assert guard.admit(_view(1, _B), 0.1)
    guard.acted(_view(1, _B))
    assert not guard.admit(_view(9, _A), 0.2)


def test_a_third_database_starts_the_wait_anew() -> None:
    """The second view must be of the database that is held."""
    guard = Guard(_A, 5)
    assert not guard.admit(_view(1, _B), 0.0)
    assert not guard.admit(_view(1, "cccc"), HOLD_S + 1)


def test_few_or_a_small_share_of_ports_may_go() -> None:
    """Twenty ports may always go, and more where most stay."""
    guard, ports = Guard(_A, 5), _ports(100)
    assert guard.allow(_view(6), _removals(ports[:SANE_PORTS]), ports[:SANE_PORTS], 0.0)
    assert guard.allow(_view(6), _removals(ports[:50]), ports, 0.0)


def test_most_ports_going_is_held() -> None:
    """More than half of many ports in one pass waits, and names the count."""
    guard, ports = Guard(_A, 5), _ports(100)
    assert not guard.allow(_view(6), _removals(ports[:51]), ports, 0.0)
    assert guard.held is not None
    assert guard.held.reason == "51 of 100 ports would be removed in one pass"
    assert guard.allow(_view(6), _removals(ports[:51]), ports, HOLD_S)


def test_a_port_that_is_made_anew_does_not_count_as_gone() -> None:
    """Removals of objects of ports that also get objects are moves."""
    guard, ports = Guard(_A, 5), _ports(100)
    moved = [Namespace(f"other{item.name}", item.owner) for item in ports]
    changes = [*(Change(Action.ADD, None, item) for item in moved), *_removals(ports)]
    assert guard.allow(_view(6), changes, ports, 0.0)


def test_ports_of_another_node_all_go_at_once() -> None:
    """A node that is shut out had many ports, and this one few: what led to those is no part of this node."""
    guard, owners = Guard(_A, 5), [item.owner for item in _ports(100)]
    ways: list[KernelObject] = [Flow("br-tun", 20, 10, f"dl_dst={number}", "drop", owner)
                                for number, owner in enumerate(owners)]  # fmt: skip
    ways += [FdbEntry("vxlan-1", f"fa:16:3e:00:00:{number:02x}", "10.0.0.9", owner)
             for number, owner in enumerate(owners)]  # fmt: skip
    assert guard.allow(_view(6), _removals(ways), ways, 0.0)
    inside = [Flow("br-int", 60, 10, f"dl_dst={number}", "drop", owner) for number, owner in enumerate(owners)]
    assert not guard.allow(_view(6), _removals(inside), inside, 0.0)
