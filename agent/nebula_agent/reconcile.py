"""One pass: observe what is dirty, compare with what shall be, change it in order, say how each change ended.

Effects only through the drivers. Decides nothing about what shall be, nor when to run: that is the loop's.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence

import msgspec

from nebula.desired.diff import Change, diff
from nebula.desired.kinds import ConfigFile, Flow, KernelObject, Key, Process
from nebula.desired.order import RANK
from nebula.desired.reload import must_start_anew
from nebula.desired.shell import command
from nebula.desired.state import NodeState
from nebula.view.report import Action, ChangeRecord, Result
from nebula_agent.drivers.driver import Driver
from nebula_agent.drivers.process import before_reload, before_restart

_log = logging.getLogger(__name__)


class Pass(msgspec.Struct, frozen=True):
    """How a pass went. ``problems`` is why each object that is not in is not in; ``held_removals`` were not tried."""

    changes: tuple[ChangeRecord, ...]
    problems: dict[Key, str]
    held_removals: int = 0

    @property
    def clean(self) -> bool:
        """True when all that shall be is."""
        return not self.problems and not self.held_removals


class Reconciler:
    """The drivers in the order of their stages, and what they last saw."""

    def __init__(self, drivers: Sequence[Driver], *, applied: Callable[[Change], None] | None = None) -> None:
        """``applied`` is called after every change, which are then carried out one by one (for tests)."""
        self._drivers = tuple(sorted(drivers, key=lambda driver: max(RANK[kind] for kind in driver.kinds)))
        self._observed: dict[int, dict[Key, KernelObject]] = {}
        self._stale = set(range(len(self._drivers)))
        self._applied = applied

    @property
    def dirty(self) -> bool:
        """True when a driver has reason to look again."""
        return bool(self._stale) or any(driver.dirty for driver in self._drivers)

    def mark_dirty(self) -> None:
        """Read everything at the next pass."""
        for driver in self._drivers:
            driver.mark_dirty()
        self._stale = set(range(len(self._drivers)))

    def observe(self, desired: NodeState, *, quick: bool = False) -> NodeState:
        """What of ours is there. ``quick``: trust what was seen and done before, read only what is not known.

        Raises NebulaError where the kernel or OVS cannot be read.
        """
        for number, driver in enumerate(self._drivers):
            if number in self._stale or (driver.dirty and not quick):
                self._observed[number] = {item.key: item for item in driver.observe(desired)}
                self._stale.discard(number)
        merged: dict[Key, KernelObject] = {}
        for part in self._observed.values():
            merged.update(part)
        return merged

    @staticmethod
    def changes(desired: NodeState, observed: NodeState) -> tuple[Change, ...]:
        """What :meth:`apply` would do."""
        return diff(desired, observed)

    def apply(self, desired: NodeState, changes: Sequence[Change]) -> Pass:
        """Carry out changes: adds and changes first, removals last and only when nothing failed."""
        running = _Apply(self, time.monotonic())
        removals = [change for change in changes if change.action is Action.REMOVE]
        forward = [change for change in changes if change.action is not Action.REMOVE]
        forward += _reloads(desired, forward)
        for number, driver in enumerate(self._drivers):
            batch = [change for change in forward if change.key.kind in driver.kinds]
            if Flow.kind in driver.kinds and not running.problems:
                batch += [change for change in removals if change.key.kind == Flow.kind]
                removals = [change for change in removals if change.key.kind != Flow.kind]
            running.step(number, driver, batch)
        held = 0
        if running.problems:
            held = len(removals)
        else:
            for number, driver in reversed(list(enumerate(self._drivers))):
                running.step(number, driver, [change for change in removals if change.key.kind in driver.kinds])
        return Pass(tuple(running.records), running.problems, held)

    def carry_out(self, number: int, driver: Driver, batch: Sequence[Change]) -> dict[Key, str]:
        """One driver's changes, noted in what is observed; failures by key."""
        failures: dict[Key, str] = {}
        if self._applied is None:
            failures.update(driver.apply(batch))
        else:
            # A bundle of flows is atomic: there is no moment between two of its changes.
            steps = [list(batch)] if Flow.kind in driver.kinds else [[change] for change in batch]
            for step in steps:
                failures.update(driver.apply(step))
                self._applied(step[-1])
        observed = self._observed.setdefault(number, {})
        for change in batch:
            if change.key in failures:
                self._stale.add(number)
            elif change.after is None:
                observed.pop(change.key, None)
            else:
                observed[change.key] = change.after
        if failures:
            driver.mark_dirty()
        return failures


class _Apply:
    """The state of one apply: records so far, and what failed."""

    def __init__(self, reconciler: Reconciler, began: float) -> None:
        self._reconciler = reconciler
        self._began = began
        self.records: list[ChangeRecord] = []
        self.problems: dict[Key, str] = {}
        self._needed: dict[Key, Key] = {}

    def step(self, number: int, driver: Driver, batch: Iterable[Change]) -> None:
        """Carry out what is not blocked by an earlier failure."""
        ready: list[Change] = []
        for change in batch:
            culprit = self._culprit(change)
            if culprit is None:
                ready.append(change)
            else:
                self._note(change, Result.BLOCKED, f"{culprit.kind} {culprit.name} failed")
        if not ready:
            return
        failures = self._reconciler.carry_out(number, driver, ready)
        for change in ready:
            error = failures.get(change.key, "")
            self._note(change, Result.FAILED if error else Result.DONE, error)

    def _culprit(self, change: Change) -> Key | None:
        """What failed and is needed for the change: its requirements, or for a removal what stands on it."""
        if not self.problems:
            return None
        if change.action is Action.REMOVE:
            return self._needed.get(change.key)
        return next((key for key in change.subject.requires if key in self.problems), None)

    def _note(self, change: Change, result: Result, error: str) -> None:
        at_s = round(time.monotonic() - self._began, 6)
        subject = change.subject
        text = command(change)
        self.records.append(
            ChangeRecord(change.action, change.key.kind, change.key.name, subject.owner, text, result, at_s, error)
        )
        if result is not Result.DONE:
            self.problems[change.key] = error
            if change.action is Action.REMOVE:
                self._needed.update(dict.fromkeys(subject.requires, change.key))


def _reloads(desired: NodeState, changes: Sequence[Change]) -> list[Change]:
    """Daemons whose files change in this pass, and that do not change themselves: to read them again, or start anew."""
    written = {change.key.name: change for change in changes if change.key.kind == ConfigFile.kind}
    changing = {change.key for change in changes}
    reloads: list[Change] = []
    for key, item in desired.items():
        if isinstance(item, Process) and key not in changing and not written.keys().isdisjoint(item.reload_on):
            files = [written[path] for path in item.reload_on if path in written]
            before = before_restart(item) if any(map(_forgets, files)) else before_reload(item)
            reloads.append(Change(Action.CHANGE, before, item))
    return reloads


def _forgets(change: Change) -> bool:
    """True for a file that loses lines."""
    before, after = change.before, change.after
    return (
        isinstance(before, ConfigFile)
        and isinstance(after, ConfigFile)
        and must_start_anew(before.content, after.content)
    )
