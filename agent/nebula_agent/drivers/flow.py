"""Driver of OpenFlow rules.

Effects: one atomic bundle per bridge; a flow monitor per bridge that notices others' changes. Ours are the flows
whose cookie has our mark; a dump asks only for those, and other flows are never touched.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from nebula.compile.pipeline.dump import observed_flows, owners_by_cookie
from nebula.desired.diff import Change
from nebula.desired.kinds import Flow, KernelObject, Key
from nebula.desired.openflow import flow_identity, flow_line
from nebula.desired.shell import OWNER_KEY
from nebula.desired.state import NodeState
from nebula.ids import cookie_is_ours, parse_mark
from nebula.view.report import Action
from nebula_agent.drivers.driver import Failures, together
from nebula_agent.drivers.openvswitch import our_bridges
from nebula_agent.edge import ofctl
from nebula_agent.edge.flowmonitor import FlowMonitor
from nebula_agent.edge.ovsdb import Ovsdb
from nebula_agent.edge.watch import Watch

_COOKIE = re.compile(r"cookie=(0x[0-9a-f]+)")


class FlowDriver:
    """Adds, changes and deletes flows."""

    kinds = (Flow.kind,)

    def __init__(self, ovsdb: Ovsdb, run_folder: Path, watch: Watch) -> None:
        self._ovsdb = ovsdb
        self._run_folder = run_folder
        self._watch = watch
        self._monitors: dict[str, FlowMonitor] = {}
        self._known: dict[str, list[Flow]] = {}
        self._ports: dict[str, dict[str, int | None]] = {}

    @property
    def dirty(self) -> bool:
        self._follow_ports()
        return any(bridge not in self._known for bridge in self._bridges(()))

    def mark_dirty(self) -> None:
        self._known.clear()

    def observe(self, desired: NodeState) -> Iterable[KernelObject]:
        self._follow_ports()
        wanted = [item for item in desired.values() if isinstance(item, Flow)]
        owners = owners_by_cookie(wanted)
        bridges = self._bridges({flow.bridge for flow in wanted})
        for gone in set(self._monitors) - set(bridges):
            self._stop_monitor(gone)
        self._known = {name: flows for name, flows in self._known.items() if name in bridges}
        for bridge in bridges:
            if bridge not in self._known:
                self._start_monitor(bridge)
                dump = ofctl.dump_flows(self._run_folder, bridge, self._numbers(bridge))
                self._known[bridge] = observed_flows(bridge, dump, owners)
            for flow in self._known[bridge]:
                same = desired.get(flow.key)
                yield same if isinstance(same, Flow) and _equal(same, flow) else flow

    def apply(self, changes: Sequence[Change]) -> Failures:
        failures: dict[Key, str] = {}
        by_bridge: dict[str, list[Change]] = {}
        for change in changes:
            subject = change.subject
            assert isinstance(subject, Flow)
            by_bridge.setdefault(subject.bridge, []).append(change)
        present = self._ovsdb.state().bridges
        for bridge, ours in by_bridge.items():
            self._known.pop(bridge, None)
            if bridge not in present and all(change.action is Action.REMOVE for change in ours):
                continue
            numbers = self._numbers(bridge)
            ready: list[Change] = []
            for change in ours:
                missing = _missing_port(change, numbers)
                if not missing:
                    ready.append(change)
                elif change.action is not Action.REMOVE:
                    failures[change.key] = f"port {missing} is not on bridge {bridge}"
            failures |= together(ready, lambda part, name=bridge: self._step(name, part))  # type: ignore[misc]
        return failures

    def foreign(self, bridge: str) -> Iterator[str]:
        """Flows of a bridge without our mark, as they are printed (a cookie of 0 is not). Raises CommandFailed."""
        for line in ofctl.dump_all(self._run_folder, bridge, self._numbers(bridge)).splitlines():
            if "actions=" in line:
                cookie = _COOKIE.search(line)
                if cookie is None or not cookie_is_ours(int(cookie[1], 16)):
                    yield line.strip()

    def _step(self, bridge: str, changes: Sequence[Change]) -> None:
        ofctl.bundle(self._run_folder, bridge, (_line(change) for change in changes), self._numbers(bridge))

    def _numbers(self, bridge: str) -> dict[str, int]:
        """OpenFlow numbers of the bridge's ports, by name."""
        rows = self._ovsdb.state().interfaces.values()
        return {row.name: row.ofport for row in rows if row.bridge == bridge and row.ofport and row.ofport > 0}

    def _bridges(self, wanted: Iterable[str]) -> list[str]:
        """Bridges that may hold flows of ours: our own, those with a port of ours, those that are to get flows."""
        state = self._ovsdb.state()
        found = {*wanted, *our_bridges(state)}
        for row in state.interfaces.values():
            if row.bridge not in found and parse_mark(row.port_external_ids.get(OWNER_KEY, "")) is not None:
                found.add(row.bridge)
        return sorted(found & set(state.bridges))

    def _follow_ports(self) -> None:
        """Flows hold port numbers: where a bridge's numbers have changed its flows are read again."""
        numbers: dict[str, dict[str, int | None]] = {}
        for row in self._ovsdb.state().interfaces.values():
            numbers.setdefault(row.bridge, {})[row.name] = row.ofport
        for bridge in list(self._known):
            if numbers.get(bridge) != self._ports.get(bridge):
                del self._known[bridge]
        self._ports = numbers

    def _start_monitor(self, bridge: str) -> None:
        known = self._monitors.get(bridge)
        if known is not None:
            known.drain()
            if not known.ended:
                return
            self._stop_monitor(bridge)
        with contextlib.suppress(OSError):
            monitor = FlowMonitor(self._run_folder, bridge)
            self._monitors[bridge] = monitor
            self._watch.add(monitor.fileno(), lambda: self._changed(bridge))

    def _changed(self, bridge: str) -> None:
        monitor = self._monitors.get(bridge)
        if monitor is not None and monitor.drain():
            self._known.pop(bridge, None)
            if monitor.ended:
                self._stop_monitor(bridge)

    def _stop_monitor(self, bridge: str) -> None:
        monitor = self._monitors.pop(bridge, None)
        if monitor is not None:
            self._watch.remove(monitor.fileno())
            monitor.close()


def _equal(wanted: Flow, found: Flow) -> bool:
    return wanted.actions == found.actions and wanted.cookie == found.cookie


def _missing_port(change: Change, numbers: Mapping[str, int]) -> str:
    """The first port that the flow speaks of and the bridge does not have, or ''.

    A flow of ours that is to go speaks of a port's number where its port is gone, never of a missing name: but for
    a port that went between the dump and now, and then the next dump shows it.
    """
    flow = change.subject
    assert isinstance(flow, Flow)
    return next((name for name in flow.ports if name not in numbers), "")


def _line(change: Change) -> str:
    flow = change.subject
    assert isinstance(flow, Flow)
    if change.action is not Action.REMOVE:
        return f"add {flow_line(flow)}"
    return f"delete_strict cookie={flow.cookie:#x}/-1,{flow_identity(flow)}"
