"""One turn of the agent: from the view at hand to a receipt.

Effects through the reconciler, the cache and the ``send`` that it is given. When to take a turn is the loop's.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from nebula_runtime.log import event

from nebula.compile.facts import Facts
from nebula.compile.node import compile_node, unwired_ports
from nebula.desired.state import EMPTY, NodeState
from nebula.errors import NebulaError
from nebula.ids import PortId
from nebula.view.records import NodeView
from nebula.view.report import Action, PortStatus, Reason, Receipt, Result
from nebula_agent.guard import Guard
from nebula_agent.metrics import AgentMetrics
from nebula_agent.node import Node
from nebula_agent.reconcile import Pass
from nebula_agent.source import Cache
from nebula_agent.status import DOWN, ERROR, port_statuses

_log = logging.getLogger(__name__)

_FAILURES_BEFORE_TOLD = 3
"""So many turns in a row that could not be taken (0.3 s): OVS restarting is no news, OVS gone is."""


class Turns:
    """The view acted on, the one that waits, and what was told last."""

    def __init__(
        self,
        node: Node,
        cache: Cache,
        host: str,
        send: Callable[[Receipt], None],
        metrics: AgentMetrics | None = None,
    ) -> None:
        self._metrics = metrics or AgentMetrics()
        self._node = node
        self._cache = cache
        self._host = host
        self._send = send
        self.view: NodeView | None = None
        """The newest view, admitted or not."""
        self.guard = Guard()
        self.tell_all = True
        """The next receipt holds the status of every port."""
        self._acted_on: NodeView | None = None
        self._stored: NodeView | None = None
        """What is on the disk; where that is full, each turn tries again."""
        self._compiled: tuple[NodeView, Facts] | None = None
        self._desired: NodeState = EMPTY
        self._unwired: dict[PortId, str] = {}
        self._told: dict[PortId, PortStatus] = {}
        self._alarm = ""
        self._failures = 0

    def start_from(self, view: NodeView) -> None:
        """Take up the view that was acted on before."""
        self.view = self._acted_on = self._stored = view
        self.guard = Guard(view.epoch, view.revision)

    @property
    def facts_changed(self) -> bool:
        """True when something was plugged or unplugged since the last turn, a bridge came or went, or ovs-vswitchd
        has started with another setting.
        """
        if self._compiled is None:
            return False
        before, now = self._compiled[1], self._node.facts()
        return _moving(before) != _moving(now)

    def take(self, reason: Reason) -> bool:
        """Observe, compare, change, report. True when all that shall be is; False: try again later.

        Raises NebulaError where the kernel or OVS cannot be read, ValueError where the view cannot be used.
        """
        view = self.view
        if view is None:
            return True
        if not self.guard.admit(view, time.monotonic()):
            self._hold(view, reason)
            return True
        began, started_at = time.monotonic(), _now()
        desired = self._compile(view)
        reconciler = self._node.reconciler
        observed = reconciler.observe(desired, quick=reason is Reason.VIEW)
        changes = reconciler.changes(desired, observed)
        if not self.guard.allow(view, changes, observed.values(), time.monotonic()):
            self._hold(view, reason)
            return True
        result = reconciler.apply(desired, changes)
        self._failures = 0
        receipt = self._receipt(view, reason, result, began, started_at)
        self.guard.acted(view)
        self._metrics.passed(reason, result, time.monotonic() - began, view.revision)
        self._metrics.desired, self._metrics.statuses = desired, self._told
        self._alarm = ""
        if receipt is not None:
            self._send(receipt)
        _log_pass(receipt, reason, result, view.revision, began)
        self._acted_on = view
        if self._stored != view and self._cache.store(view):
            self._stored = view
        return result.clean

    def desired(self) -> NodeState | None:
        """What shall be by the newest view, None without one. Raises ValueError for a view that cannot be used."""
        return self._compile(self.view) if self.view is not None else None

    def _compile(self, view: NodeView) -> NodeState:
        facts = self._node.facts()
        if self._compiled is None or self._compiled[0] is not view or self._compiled[1] != facts:
            self._desired = compile_node(view, facts)
            self._unwired = {item.port_id: item.reason for item in unwired_ports(view, facts)}
            self._compiled = (view, facts)
        return self._desired

    def _receipt(self, view: NodeView, reason: Reason, result: Pass, began: float, started_at: str) -> Receipt | None:
        statuses = port_statuses(view, self._desired, result.problems, self._unwired)
        complete = self.tell_all or reason is Reason.START
        told = tuple(item for item in statuses.values() if complete or self._told.get(item.port_id) != item)
        if not (complete or told or result.changes or reason is Reason.VIEW):
            return None
        self._told = statuses
        self.tell_all = False
        return Receipt(
            host=view.host,
            epoch=view.epoch,
            from_revision=self.guard.revision if self.guard.epoch == view.epoch else 0,
            to_revision=view.revision,
            reason=reason,
            started_at=started_at,
            duration_s=round(time.monotonic() - began, 6),
            changes=result.changes,
            status=told,
            complete=complete,
        )

    def _hold(self, view: NodeView, reason: Reason) -> None:
        self._metrics.not_passed(reason, "held")
        self._metrics.revision.set(view.revision)
        held = self.guard.held
        text = held.reason if held is not None else "held"
        if text == self._alarm:
            return
        self._alarm = text
        event(_log, logging.ERROR, "no change: this needs a second view, or 'nebula-agent confirm'", reason=text)
        revision = self.guard.revision
        self._send(
            Receipt(view.host, view.epoch, revision, revision, reason, _now(), 0.0, alarm=text),
        )

    def fail(self, error: NebulaError | ValueError, reason: Reason) -> None:
        """A turn could not even be taken. Where that goes on, nobody knows that the ports work: they are in ERROR."""
        event(_log, logging.ERROR, "the pass could not run", error=str(error))
        self._metrics.not_passed(reason, "failed")
        self._failures += 1
        view = self._acted_on
        if view is None or self._failures < _FAILURES_BEFORE_TOLD:
            return
        statuses = {
            port.id: PortStatus(port.id, ERROR, str(error)) if port.admin_state_up else PortStatus(port.id, DOWN)
            for port in view.ports
        }
        told = tuple(item for item in statuses.values() if self._told.get(item.port_id) != item)
        if told:
            self._told = self._metrics.statuses = statuses
            revision = self.guard.revision
            self._send(Receipt(view.host, view.epoch, revision, revision, reason, _now(), 0.0, status=told))


def _moving(facts: Facts) -> tuple[object, ...]:
    """The facts that others change."""
    return facts.plugged, facts.foreign_bridges, facts.segmentation_offload


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _log_pass(receipt: Receipt | None, reason: Reason, result: Pass, revision: int, began: float) -> None:
    for record in result.changes:
        level = logging.ERROR if record.result is Result.FAILED else logging.DEBUG
        if _log.isEnabledFor(level):
            fields = {"kind": record.kind, "name": record.name, "result": record.result.value, "at_s": record.at_s}
            event(_log, level, record.action.value, **fields, error=record.error)
    count = {action: sum(1 for item in result.changes if item.action is action) for action in Action}
    errors = sum(1 for item in receipt.status if item.status == ERROR) if receipt is not None else 0
    event(
        _log,
        logging.INFO if result.changes or reason is Reason.START else logging.DEBUG,
        "pass",
        reason=reason.value,
        revision=revision,
        added=count[Action.ADD],
        changed=count[Action.CHANGE],
        removed=count[Action.REMOVE],
        problems=len(result.problems),
        held_removals=result.held_removals,
        ports_in_error=errors,
        duration_ms=round((time.monotonic() - began) * 1000, 1),
    )
