"""What the controller tells Prometheus: each metric once, and where its number comes from.

Effects: numbers in memory; reads the database, and the sizes of its files, when somebody scrapes, on the loop's thread.
"""

from __future__ import annotations

import collections
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from nebula_runtime.metrics import Counter, Family, Gauge, Histogram, ProcessMetrics, exposition
from sqlalchemy import Table, func, select

from nebula.view.report import Receipt
from nebula_controller.nodes.nodes_api import count_ports, healths
from nebula_controller.nodes.realised import Realised
from nebula_controller.store.database import Database
from nebula_controller.store.tables.compute import servers
from nebula_controller.store.tables.network import networks, routers

if TYPE_CHECKING:
    from nebula_controller.tls.authority import Authority

_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_COUNTED: Sequence[tuple[str, Table]] = (("network", networks), ("router", routers), ("server", servers))


class ControllerMetrics:
    """Fed by the endpoints and the nodes' receipts. ``wall_s``: seconds since the epoch."""

    def __init__(self, version: str, wall_s: Callable[[], float] = time.time) -> None:
        self._wall_s = wall_s
        self._process = ProcessMetrics()
        self.info = Gauge("nebula_controller_info", "1: what runs here.", ("version",))
        self.info.set(1, version)
        self.requests = Counter(
            "nebula_api_requests_total",
            "Requests answered, by service (nodes: the agents').",
            ("service", "method", "status"),
        )
        self.request_s = Histogram(
            "nebula_api_request_duration_seconds",
            "From a request's headers to its answer; not of the agents', which wait for news.",
            ("service", "method"),
            bounds_s=_BOUNDS_S,
        )
        self.node_passes = Counter(
            "nebula_node_passes_total", "Passes that nodes told of, by cause.", ("host", "reason")
        )
        self.node_changes = Counter(
            "nebula_node_changes_total", "Changes that nodes reported, by cause and end.", ("host", "reason", "result")
        )
        self.node_up = Gauge(
            "nebula_node_up", "1: the node's heartbeats come. Nodes that are revoked have none.", ("host",)
        )
        self.node_lag = Gauge(
            "nebula_node_lag_seconds",
            "How long a node's newest view has waited to be acted on.",
            ("host",),
        )
        self.node_heartbeat = Gauge("nebula_node_heartbeat_age_seconds", "Since the node's last heartbeat.", ("host",))
        self.node_expiry = Gauge(
            "nebula_node_certificate_expiry_timestamp_seconds", "End of the node's newest certificate.", ("host",)
        )
        self.authority_expiry = Gauge(
            "nebula_authority_expiry_timestamp_seconds",
            "End of each certificate authority, by the start of its SHA-256.",
            ("authority",),
        )
        self.ports = Gauge("nebula_ports", "Ports, by status.", ("status",))
        self.objects = Gauge("nebula_objects", "Networks, routers and servers.", ("kind",))
        self.database = Gauge("nebula_database_size_bytes", "Of the database's files.", ("file",))
        self.revision = Gauge("nebula_database_revision", "Revision: the number of changing calls so far.")

    def answered(self, service: str, method: str, status: int, duration_s: float) -> None:
        """A request has had its answer."""
        self.requests.add(service, method, str(status))
        if service != "nodes":
            self.request_s.observe(duration_s, service, method)

    def took(self, receipt: Receipt) -> None:
        """A node has told of a pass."""
        self.node_passes.add(receipt.host, receipt.reason.value)
        for change in receipt.changes:
            self.node_changes.add(receipt.host, receipt.reason.value, change.result.value)

    def families(self) -> tuple[Family, ...]:
        """All of them, in the order in which they are told."""
        own = tuple(item for item in vars(self).values() if isinstance(item, Family))
        return (*own, *self._process.families)

    def collect(self, database: Database, realised: Realised, authorities: Sequence[Authority] = ()) -> bytes:
        """For a scrape; on the thread of the event loop."""
        now_s = self._wall_s()
        with database.read() as tx:
            counts = count_ports(tx)
            found = [node for node in healths(tx, realised, counts, now_s) if node.health != "revoked"]
            for kind, table in _COUNTED:
                self.objects.set(tx.execute(select(func.count()).select_from(table)).scalar_one(), kind)
            self.revision.set(tx.revision())
        by_status: collections.Counter[str] = collections.Counter()
        for count in counts.values():
            by_status.update(count)
        self.ports.replace({(status,): count for status, count in by_status.items()})
        self.node_up.replace({(node.host,): node.up for node in found})
        self.node_lag.replace({(node.host,): node.lag_s for node in found if node.up})
        self.node_heartbeat.replace({(node.host,): node.heartbeat_age_s for node in found})
        left = {node.host: node.certificate_left_s for node in found if node.certificate_left_s is not None}
        self.node_expiry.replace({(host,): round(now_s + left_s) for host, left_s in left.items()})
        self.authority_expiry.replace({(one.pin[:16],): round(one.expires_at_s) for one in authorities})
        for suffix, name in (("", "database"), ("-wal", "journal")):
            path = database.path.with_name(database.path.name + suffix)
            self.database.set(path.stat().st_size if path.exists() else 0, name)
        self._process.look()
        return exposition(self.families())
