"""One pass over fake drivers: order, failures, what is blocked, what is held back; and port status."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nebula_agent.drivers.driver import together
from nebula_agent.reconcile import Reconciler
from nebula_agent.status import port_statuses

from nebula.desired.diff import Change
from nebula.desired.kinds import Address, ConfigFile, Flow, KernelObject, Key, Namespace, Offload, Process, VethPair
from nebula.desired.order import ORDER
from nebula.desired.state import EMPTY, NodeState, node_state
from nebula.ids import Host, NetworkId, Owner, OwnerKind, PortId
from nebula.view.records import NodeView, PortView
from nebula.view.report import PortStatus, Result

_P1, _P2 = (Owner(OwnerKind.PORT, PortId(f"{n}0000000-0000-4000-8000-000000000000")) for n in "12")


class _Fake:
    """Holds objects in memory; refuses what it is told to refuse."""

    def __init__(self, kind: str, log: list[str]) -> None:
        self.kinds: tuple[str, ...] = (kind,)
        self.held: dict[Key, KernelObject] = {}
        self.refused: set[str] = set()
        self.dirty = False
        self._log = log

    def observe(self, desired: NodeState) -> Iterable[KernelObject]:
        self.dirty = False
        return list(self.held.values())

    def apply(self, changes: Sequence[Change]) -> dict[Key, str]:
        failures = {}
        for change in changes:
            self._log.append(f"{change.action} {change.key.kind} {change.key.name}")
            if change.key.name in self.refused:
                failures[change.key] = "refused"
            elif change.after is None:
                self.held.pop(change.key, None)
            else:
                self.held[change.key] = change.after
        return failures

    def mark_dirty(self) -> None:
        self.dirty = True


class _Node:
    def __init__(self) -> None:
        self.log: list[str] = []
        self.drivers = {kind: _Fake(kind, self.log) for kind in ORDER}
        self.reconciler = Reconciler(list(self.drivers.values()))

    def turn(self, desired: NodeState) -> dict[str, Result]:
        self.log.clear()
        changes = self.reconciler.changes(desired, self.reconciler.observe(desired))
        self.result = self.reconciler.apply(desired, changes)
        return {record.name: record.result for record in self.result.changes}


def _veth(name: str, owner: Owner) -> VethPair:
    return VethPair(name, "ns", f"in-{name}", "fa:16:3e:00:00:01", 1450, Offload.NONE, owner)


def _address(veth: VethPair) -> Address:
    return Address("ns", veth.peer_name, "10.0.0.1/24", veth.name, veth.owner)


_NS = Namespace("ns", Owner(OwnerKind.NETWORK, "n"))
_V1, _V2 = _veth("t1", _P1), _veth("t2", _P2)
_WHOLE = node_state([_NS, _V1, _V2, _address(_V1), _address(_V2)])


def test_equal_means_no_change() -> None:
    """A second pass over the same does nothing."""
    node = _Node()
    node.turn(_WHOLE)
    assert len(node.log) == 5
    assert node.turn(_WHOLE) == {}


def test_adds_go_up_and_removals_go_down() -> None:
    """What stands on something comes after it and goes before it."""
    node = _Node()
    node.turn(_WHOLE)
    assert [line.split()[1] for line in node.log] == ["namespace", "veth", "veth", "address", "address"]
    node.turn(EMPTY)
    assert [line.split()[1] for line in node.log] == ["address", "address", "veth", "veth", "namespace"]


def test_a_failure_blocks_only_its_dependants() -> None:
    """The other port is made; what needs the failed one is named as blocked, with the reason."""
    node = _Node()
    node.drivers["veth"].refused = {"t1"}
    results = node.turn(_WHOLE)
    assert results["t1"] is Result.FAILED
    assert results["ns in-t1 10.0.0.1/24"] is Result.BLOCKED
    assert results["ns in-t2 10.0.0.1/24"] is Result.DONE
    assert node.result.problems[_address(_V1).key] == "veth t1 failed"
    node.drivers["veth"].refused = set()
    assert set(node.turn(_WHOLE).values()) == {Result.DONE}


def test_no_removal_in_a_pass_that_failed() -> None:
    """Old things stay while new ones cannot be made, and go once they can."""
    node = _Node()
    node.turn(node_state([_NS, _V1]))
    node.drivers["veth"].refused = {"t2"}
    node.turn(node_state([_NS, _V2]))
    assert node.result.held_removals == 1
    assert _V1.key in node.drivers["veth"].held
    node.drivers["veth"].refused = set()
    node.turn(node_state([_NS, _V2]))
    assert _V1.key not in node.drivers["veth"].held


def test_what_a_stuck_object_stands_on_is_not_removed() -> None:
    """A removal that fails blocks the removal of what it needs."""
    node = _Node()
    node.turn(_WHOLE)
    node.drivers["veth"].refused = {"t1"}
    results = node.turn(EMPTY)
    assert (results["t1"], results["t2"], results["ns"]) == (Result.FAILED, Result.DONE, Result.BLOCKED)


def test_flows_are_switched_in_one_step() -> None:
    """New and stale flows go to the driver together, before any other removal."""
    node = _Node()
    old = Flow("br", 0, 1, "ip", "drop", _P1)
    new = Flow("br", 0, 2, "ip", "drop", _P1)
    node.turn(node_state([_NS, _V1, old]))
    node.turn(node_state([_NS, new]))
    assert [line.split()[:2] for line in node.log] == [["add", "flow"], ["remove", "flow"], ["remove", "veth"]]


def test_a_daemon_reads_a_changed_file_again() -> None:
    """A file that gains lines brings a SIGHUP of the process that reads it; one that loses lines, a new start."""
    node = _Node()
    argv = ("dnsmasq",)
    process = Process("dnsmasq:n", "ns", argv, "/s/pid", _NS.owner, reload_on=("/s/host",))
    node.turn(node_state([_NS, process, ConfigFile("/s/host", "a\n", _NS.owner)]))
    node.turn(node_state([_NS, process, ConfigFile("/s/host", "a\nb\n", _NS.owner)]))
    assert node.log == ["change file /s/host", "change process dnsmasq:n"]
    assert node.result.changes[-1].command.splitlines() == ["cat /s/host > /s/loaded", 'kill -HUP "$(cat /s/pid)"']
    node.turn(node_state([_NS, process, ConfigFile("/s/host", "b\n", _NS.owner)]))
    assert node.result.changes[-1].command.splitlines()[0] == 'kill "$(cat /s/pid)"'


def test_a_bad_change_does_not_hold_up_the_others_of_its_step() -> None:
    """A step that is refused as a whole is taken in halves until the bad one is alone."""
    changes = [Change("add", None, Namespace(str(number), _P1)) for number in range(9)]  # type: ignore[arg-type]
    done: list[str] = []

    def step(part: Sequence[Change]) -> None:
        names = [change.key.name for change in part]
        if "6" in names:
            raise OSError("no")
        done.extend(names)

    assert together(changes, step) == {Key("namespace", "6"): "no"}
    assert sorted(done) == ["0", "1", "2", "3", "4", "5", "7", "8"]


def test_port_status_follows_what_is_in() -> None:
    """ACTIVE when all is in; ERROR with the reason; DOWN where nothing is to be made; a network's is its ports'."""
    ports = [PortView(PortId(owner.id), NetworkId("n"), "fa:16:3e:00:00:01", (), "", "") for owner in (_P1, _P2)]
    lost = PortView(PortId("30000000-0000-4000-8000-000000000000"), NetworkId("n"), "", (), "", "")
    view = NodeView("e", 1, Host("h"), ports=(*ports, lost))
    problem = {_V1.key: "no such device"}
    assert list(port_statuses(view, _WHOLE, problem, {}).values()) == [
        PortStatus(PortId(_P1.id), "ERROR", "veth t1: no such device"),
        PortStatus(PortId(_P2.id), "ACTIVE"),
        PortStatus(lost.id, "DOWN"),
    ]
    statuses = port_statuses(view, _WHOLE, {_NS.key: "no"}, {lost.id: "no VLAN is free"})
    assert [item.status for item in statuses.values()] == ["ERROR", "ERROR", "ERROR"]
