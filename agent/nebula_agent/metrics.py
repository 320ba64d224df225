"""What the agent tells Prometheus: each metric once, and where its number comes from.

Effects: numbers in memory; reads the agent's own state when somebody scrapes, from another thread.
"""

from __future__ import annotations

import collections
import time
from collections.abc import Callable, Mapping

from nebula_runtime.metrics import Counter, Family, Gauge, Histogram, ProcessMetrics, exposition

from nebula.desired.kinds import Flow
from nebula.desired.state import EMPTY, NodeState
from nebula.ids import PortId
from nebula.view.report import PortStatus, Reason
from nebula_agent.reconcile import Pass

_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class AgentMetrics:
    """Fed by the turns and the feed."""

    def __init__(self, host: str = "", version: str = "", datapath_type: str = "") -> None:
        self._process = ProcessMetrics()
        self.info = Gauge("nebula_agent_info", "1: what runs here.", ("host", "version", "datapath_type"))
        self.info.set(1, host, version, datapath_type)
        self.passes = Counter("nebula_agent_passes_total", "Passes, by cause and end.", ("reason", "outcome"))
        self.pass_s = Histogram(
            "nebula_agent_pass_duration_seconds", "From a pass's beginning to its end.", ("reason",), bounds_s=_BOUNDS_S
        )
        self.changes = Counter("nebula_agent_changes_total", "Changes made.", ("kind", "action", "result"))
        self.drifts = Counter(
            "nebula_agent_drift_changes_total", "Changes that mended what somebody else had changed.", ("kind",)
        )
        self.problems = Gauge("nebula_agent_problems", "Objects that could not be made, at the last pass.")
        self.held = Gauge("nebula_agent_held", "1: changes are held until a second view or a person confirms them.")
        self.paused = Gauge("nebula_agent_paused", "1: a person lets the agent rest.")
        self.ports = Gauge("nebula_agent_ports", "Ports of this node, by status.", ("status",))
        self.objects = Gauge("nebula_agent_objects", "Objects that this node shall have, by kind.", ("kind",))
        self.flows = Gauge("nebula_agent_flows", "Flows that a bridge shall have.", ("bridge",))
        self.revision = Gauge("nebula_agent_view_revision", "Revision of the newest view.")
        self.applied = Gauge("nebula_agent_applied_revision", "Revision of the view that was acted on last.")
        self.contact_age = Gauge(
            "nebula_agent_feed_age_seconds", "Since the controller answered last; a poll without news takes 30 s."
        )
        self.feed_errors = Counter("nebula_agent_feed_errors_total", "Polls for the view that failed.")
        self.waiting = Gauge("nebula_agent_receipts_waiting", "Receipts that the controller has not taken yet.")
        self.expiry = Gauge(
            "nebula_agent_certificate_expiry_timestamp_seconds",
            "End of this node's certificate; absent without one.",
        )
        self.statuses: Mapping[PortId, PortStatus] = {}
        self.desired: NodeState = EMPTY
        self.more: Callable[[], None] = lambda: None
        """Sets, at a scrape, what only its owner knows."""
        self._contact_s = time.monotonic()

    def contact(self) -> None:
        """The controller has answered; from any thread."""
        self._contact_s = time.monotonic()

    def passed(self, reason: Reason, result: Pass, duration_s: float, revision: int) -> None:
        """A pass was taken to its end."""
        self.passes.add(reason.value, "clean" if result.clean else "incomplete")
        self.pass_s.observe(duration_s, reason.value)
        self.problems.set(len(result.problems) + result.held_removals)
        self.held.set(0)
        self.revision.set(revision)
        self.applied.set(revision)
        for record in result.changes:
            self.changes.add(record.kind, record.action.value, record.result.value)
            if reason is Reason.DRIFT:
                self.drifts.add(record.kind)

    def not_passed(self, reason: Reason, outcome: str) -> None:
        """``held`` or ``failed``."""
        self.passes.add(reason.value, outcome)
        self.held.set(outcome == "held")

    def families(self) -> tuple[Family, ...]:
        """All of them, in the order in which they are told."""
        own = tuple(item for item in vars(self).values() if isinstance(item, Family))
        return (*own, *self._process.families)

    def collect(self) -> bytes:
        """For a scrape; from another thread than the turns', which only ever replace what is read here."""
        desired, statuses = self.desired, self.statuses
        self.objects.replace(_counted(key.kind for key in desired))
        self.flows.replace(_counted(item.bridge for item in desired.values() if isinstance(item, Flow)))
        self.ports.replace(_counted(item.status for item in statuses.values()))
        self.contact_age.set(round(time.monotonic() - self._contact_s, 3))
        self.more()
        self._process.look()
        return exposition(self.families())


def _counted(words: collections.abc.Iterable[str]) -> dict[tuple[str, ...], float]:
    return {(word,): count for word, count in collections.Counter(words).items()}
