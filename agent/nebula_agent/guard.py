"""Guard: which views the agent may act on, and which passes it must not run unasked.

Pure but for a clock that is given. A view of another database, or of an older state of the same, holds all changes;
so does a pass that would take away most of the node's ports. A second view of the same, some time later, or a
person, confirms it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from nebula.desired.diff import Change
from nebula.desired.kinds import FdbEntry, Flow, KernelObject
from nebula.ids import BR_TUN, OwnerKind
from nebula.view.records import NodeView
from nebula.view.report import Action

HOLD_S = 10.0
"""A second view counts as a confirmation only this long after the first."""
SANE_PORTS = 20
"""As many ports may go in one pass whatever their share."""
SANE_SHARE = 0.5


class Held(msgspec.Struct, frozen=True):
    """What is held, since when (seconds of the given clock), and why, in words for a person."""

    epoch: str
    revision: int
    since_s: float
    reason: str


class Guard:
    """Remembers what was acted on last, and what is held."""

    def __init__(self, epoch: str = "", revision: int = 0) -> None:
        """``epoch`` and ``revision`` of the last view that was acted on; empty: there was none."""
        self.epoch = epoch
        self.revision = revision
        self.held: Held | None = None
        self._confirmed = False

    def confirm(self) -> None:
        """A person says that what is held is meant."""
        self._confirmed = True

    def admit(self, view: NodeView, now_s: float) -> bool:
        """True when the agent may act on the view. Otherwise ``held`` says why not."""
        if self.epoch in ("", view.epoch) and view.revision >= self.revision:
            return True
        if view.epoch != self.epoch:
            reason = f"the controller has another database (epoch {view.epoch}, was {self.epoch})"
        else:
            reason = f"the controller's database has gone back from revision {self.revision} to {view.revision}"
        return self._hold_or_confirm(view, now_s, reason)

    def allow(self, view: NodeView, changes: Iterable[Change], observed: Iterable[KernelObject], now_s: float) -> bool:
        """True when the pass may run. Otherwise ``held`` says why not."""
        going = _ports(change.before for change in changes if change.action is Action.REMOVE)
        if len(going) <= SANE_PORTS:
            return True
        staying = _ports(change.after for change in changes if change.action is not Action.REMOVE)
        present = _ports(observed)
        gone = going - staying
        if len(gone) <= max(SANE_PORTS, SANE_SHARE * len(present)):
            return True
        return self._hold_or_confirm(view, now_s, f"{len(gone)} of {len(present)} ports would be removed in one pass")

    def acted(self, view: NodeView) -> None:
        """The pass for this view ran."""
        self.epoch, self.revision = view.epoch, view.revision
        self.held, self._confirmed = None, False

    def _hold_or_confirm(self, view: NodeView, now_s: float, reason: str) -> bool:
        if self._confirmed:
            return True
        held = self.held
        if held is None or held.epoch != view.epoch or view.revision < held.revision:
            self.held = Held(view.epoch, view.revision, now_s, reason)
            return False
        return now_s - held.since_s >= HOLD_S


def _ports(items: Iterable[KernelObject | None]) -> set[str]:
    """The node's own."""
    found = (item for item in items if item is not None and item.owner.kind is OwnerKind.PORT)
    return {item.owner.id for item in found if not _leads_away(item)}


def _leads_away(item: KernelObject) -> bool:
    """To a port of another node: all of them go when that node is shut out, and then they must at once."""
    return isinstance(item, FdbEntry) or (isinstance(item, Flow) and item.bridge == BR_TUN)
