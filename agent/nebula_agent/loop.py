"""The loop: waits for views, events and time, and decides when the agent takes a turn, and why.

Effects: one poll; signals end it, read the view again, or confirm what is held. All turns run here, in one thread.
"""

from __future__ import annotations

import collections
import logging
import select
import signal
import time
from collections.abc import Callable
from types import FrameType

from nebula_runtime.daemon import notify, watchdog_s
from nebula_runtime.log import event

from nebula.errors import NebulaError
from nebula.view.question import NodeAnswer, Question
from nebula.view.records import NodeView
from nebula.view.report import Plug, Reason
from nebula_agent.answers import Answers
from nebula_agent.backlog import Backlog
from nebula_agent.drivers.openvswitch import devices
from nebula_agent.edge.waiter import Waiter
from nebula_agent.guard import HOLD_S
from nebula_agent.node import Node
from nebula_agent.source import Source
from nebula_agent.turn import Turns
from nebula_agent.upcalls import UpcallCheck
from nebula_agent.warm import Warmth

_log = logging.getLogger(__name__)

_QUIET_S = 0.1
"""After the first sign of a change by others, so long is waited for more before it is looked at."""
_FULL_OBSERVE_S = 60.0
_FIRST_RETRY_S, _LONGEST_RETRY_S = 0.1, 30.0
_NEVER = float("inf")


class Loop:
    """Timers and what has arrived."""

    def __init__(
        self,
        node: Node,
        turns: Turns,
        warmth: Warmth | None,
        told_plugs: Callable[[tuple[Plug, ...]], None],
        *,
        answers: Answers,
        upcalls: UpcallCheck | None = None,
        backlog: Backlog | None = None,
    ) -> None:
        """``told_plugs`` is called when what others plugged has changed.

        ``warmth``: tunnels to keep warm (userspace datapath). After a turn, ``upcalls`` looks at the kernel datapath,
        ``backlog`` makes room for the userspace datapath.
        """
        self._node = node
        self._turns = turns
        self._warmth = warmth
        self._told_plugs = told_plugs
        self._answers = answers
        self._upcalls = upcalls
        self._backlog = backlog
        self._asked: collections.deque[tuple[Question, Callable[[NodeAnswer], None]]] = collections.deque()
        self._plugs: tuple[Plug, ...] = ()
        self._arrived: collections.deque[NodeView] = collections.deque()
        self._stopped = False
        self._lost = False
        self._source: Source | None = None
        self._started = False
        self._retry_pause_s = _FIRST_RETRY_S
        self._retry_at = self._drift_at = self._refetch_at = self._tell_at = _NEVER
        self._full_at = time.monotonic() + _FULL_OBSERVE_S
        self._watchdog_s = watchdog_s()
        self._alive_at = time.monotonic() if self._watchdog_s else _NEVER

    def deliver(self, view: NodeView) -> None:
        """A view has come; from any thread."""
        self._arrived.append(view)
        self._node.watch.wake()

    def ask(self, question: Question, reply: Callable[[NodeAnswer], None]) -> None:
        """Somebody asks; from any thread. ``reply`` is called by the loop."""
        self._asked.append((question, reply))
        self._node.watch.wake()

    def statuses_lost(self) -> None:
        """The controller may not know our ports' statuses; from any thread."""
        self._lost = True
        self._node.watch.wake()

    def run(self, source: Source) -> None:
        """Until SIGTERM or SIGINT."""
        self._source = source
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            signal.signal(number, self._signalled)
        source.start()
        try:
            while not self._stopped:
                self._once()
                self._wait()
        finally:
            source.stop()

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._refetch_at = 0.0
        elif number == signal.SIGUSR1:
            self._turns.guard.confirm()
            self._refetch_at = 0.0
        else:
            self._stopped = True
        self._node.watch.wake()

    def _once(self) -> None:
        assert self._node.ovsdb is not None
        self._node.ovsdb.run()
        self._node.watch.dispatch()
        plugs = self._node.plugs()
        if plugs != self._plugs:
            self._plugs = plugs
            self._told_plugs(plugs)
        now = time.monotonic()
        if now >= self._alive_at:
            self._alive_at = now + self._watchdog_s
            notify("WATCHDOG=1")
        if now >= self._refetch_at and self._source is not None:
            self._refetch_at = _NEVER
            self._source.refetch()
        if self._lost:
            self._lost = False
            self._turns.tell_all = True
            self._tell_at = now + 1.0
        if not self._answers.paused:
            reason = self._reason(now)
            if reason is not None:
                self._turn(reason)
        while self._asked:
            question, reply = self._asked.popleft()
            self._answers.take(question, reply)
        if self._warmth is not None and self._turns.view is not None:
            self._warmth.touch(self._turns.view.peers, time.monotonic())

    def _reason(self, now: float) -> Reason | None:
        """Why a turn is due now, or None."""
        if self._arrived:
            while self._arrived:
                self._turns.view = self._arrived.popleft()
            return Reason.VIEW if self._started else Reason.START
        if self._turns.view is None:
            return None
        return self._reason_without_view(now) if self._started else Reason.START

    def _reason_without_view(self, now: float) -> Reason | None:
        if self._turns.facts_changed:
            return Reason.DRIFT
        if now >= self._full_at:
            self._node.reconciler.mark_dirty()
            return Reason.DRIFT
        if now >= self._retry_at:
            return Reason.RETRY
        self._plan_drift(now)
        return Reason.DRIFT if now >= min(self._drift_at, self._tell_at) else None

    def _plan_drift(self, now: float) -> None:
        """Something is dirty: look again once it has been quiet for a moment."""
        if self._drift_at == _NEVER and self._node.reconciler.dirty and self._retry_at == _NEVER:
            self._drift_at = now + _QUIET_S

    def _turn(self, reason: Reason) -> None:
        try:
            done = self._turns.take(reason)
        except (NebulaError, ValueError) as error:
            self._turns.fail(error, reason)
            done = False
        now = time.monotonic()
        self._started = True
        if done:
            self._retry_pause_s, self._retry_at = _FIRST_RETRY_S, _NEVER
        else:
            self._retry_at = now + self._retry_pause_s
            self._retry_pause_s = min(2 * self._retry_pause_s, _LONGEST_RETRY_S)
        if reason is not Reason.VIEW:
            self._drift_at = self._tell_at = _NEVER
            self._full_at = now + _FULL_OBSERVE_S
        if self._turns.guard.held is not None and self._refetch_at == _NEVER:
            self._refetch_at = self._turns.guard.held.since_s + HOLD_S + 0.1
        if self._warmth is not None and reason is not Reason.VIEW:
            self._warmth.forget()
        if self._upcalls is not None and done:
            self._upcalls.look()
        if self._backlog is not None and self._node.ovsdb is not None:
            self._backlog.make_room(devices(self._node.ovsdb.state()))

    def _wait(self) -> None:
        paused = self._answers.paused
        if self._stopped or self._asked or (self._arrived and not paused):
            return
        assert self._node.ovsdb is not None
        self._plan_drift(time.monotonic())  # a turn itself may have left something to look at
        poller = Waiter()
        self._node.ovsdb.wait(poller)
        poller.fd_wait(self._node.watch.fileno(), select.POLLIN)
        due = self._alive_at
        if not paused:
            due = min(due, self._retry_at, self._drift_at, self._full_at, self._refetch_at, self._tell_at)
        poller.timer_wait(max(0, int((due - time.monotonic()) * 1000) + 1) if due != _NEVER else 60_000)
        poller.block()


def log_start(**fields: str | int) -> None:
    """The line that says what the agent found out at its start."""
    event(_log, logging.INFO, "nebula-agent started", **fields)
