"""Which nodes there are and which are up. Effects: the tables of the nodes; memory of when each was heard last.

A node is up from its report on, and down once ``MISSED`` heartbeats in a row did not come, or when it is shut out.
Whether it is up is kept in the row (``down``), kept true by ``sweep``. After a start of the controller every node that
was up gets as long to be heard again, so that a restart of the controller takes no port down.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from nebula_runtime.log import event
from sqlalchemy import bindparam, insert, select, update

from nebula.errors import Conflict
from nebula.ids import Host, Owner, OwnerKind
from nebula.view.report import NodeReport
from nebula_controller import status
from nebula_controller.api.context import internal
from nebula_controller.nodes.plugs import Plugs
from nebula_controller.scheduler import place_waiting
from nebula_controller.store.database import Database, Origin, Transaction
from nebula_controller.store.tables.nodes import nodes

log = logging.getLogger(__name__)

HEARTBEAT_S = 5
MISSED = 3

_HEARD = (
    update(nodes)
    .where(nodes.c.host == bindparam("node"), nodes.c.down.is_(False))
    .values(heartbeat_at=bindparam("time"))
)
_NODE = select(nodes).where(nodes.c.host == bindparam("node"))
_SAME_VTEP = select(nodes.c.host).where(nodes.c.vtep_ip == bindparam("vtep"), nodes.c.host != bindparam("node"))
_UPDATE = update(nodes).where(nodes.c.host == bindparam("node"))
_UP = select(nodes.c.host).where(nodes.c.down.is_(False))
_MARK_DOWN = update(nodes).where(nodes.c.host == bindparam("node")).values(down=True)

_SHUT_OUT = (
    update(nodes)
    .where(nodes.c.host == bindparam("node"), nodes.c.shut_out.is_(False))
    .values(down=True, shut_out=True)
    .returning(nodes.c.vtep_ip)
)

_OTHERS_MUST_KNOW = ("vtep_ip", "roles", "bridge_mappings", "shut_out")
"""What of a report other nodes' views or the scheduler depend on."""


class Registry:
    """Takes the nodes' reports. ``monotonic_s`` and ``wall_s`` are clocks in seconds."""

    def __init__(
        self,
        database: Database,
        plugs: Plugs,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._plugs = plugs
        self._monotonic_s = monotonic_s
        self._wall_s = wall_s
        self._started_s = monotonic_s()
        self._heard_s: dict[Host, float] = {}
        self._reports: dict[Host, NodeReport] = {}

    def report(self, origin: Origin, report: NodeReport) -> None:
        """Take a checked report: registration, heartbeat, or news. Raises ``Conflict`` for another node's VTEP."""
        host = report.host
        try:
            with self._database.write(origin) as tx:
                known = self._reports.get(host) == report
                if not (known and tx.execute(_HEARD, {"node": host, "time": self._wall_s()}).rowcount):
                    self._enter(tx, report)
                    self._plugs.report(tx, host, report.plugged)
        except BaseException:
            self._reports.pop(host, None)
            self._plugs.forget(host)
            raise
        self._reports[host] = report
        self._heard_s[host] = self._monotonic_s()

    def sweep(self) -> list[Host]:
        """Take the nodes down that were not heard for too long; returns them."""
        now = self._monotonic_s()
        with self._database.read() as tx:
            up = [Host(host) for host in tx.execute(_UP).scalars()]
        silent = [host for host in up if now - self._heard_s.get(host, self._started_s) > HEARTBEAT_S * MISSED]
        if silent:
            self._down(silent)
        return silent

    def _down(self, hosts: Sequence[Host]) -> None:
        with self._database.write(internal("heartbeats")) as tx:
            for host in hosts:
                tx.execute(_MARK_DOWN, {"node": host})
                status.node_down(tx, host)
        for host in hosts:
            event(log, logging.WARNING, "node down", host=host)

    def _enter(self, tx: Transaction, report: NodeReport) -> None:
        self._refuse_second_vtep(tx, report)
        row = _row(report)
        row["heartbeat_at"] = self._wall_s()
        old = tx.execute(_NODE, {"node": report.host}).mappings().one_or_none()
        if old is None:
            row["created_at"] = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            tx.execute(insert(nodes), row)
        else:
            tx.execute(_UPDATE, {"node": report.host, **row})
        if old is None or any(old[field] != row[field] for field in _OTHERS_MUST_KNOW):
            tx.touch(Owner(OwnerKind.NODE, report.host))
        if old is None or old["down"]:
            status.node_up(tx, report.host)
            place_waiting(tx)
            event(log, logging.INFO, "node up", host=report.host, vtep_ip=report.vtep_ip, roles=",".join(report.roles))

    def _refuse_second_vtep(self, tx: Transaction, report: NodeReport) -> None:
        other = tx.execute(_SAME_VTEP, {"vtep": report.vtep_ip, "node": report.host}).scalar()
        if other is not None:
            raise Conflict(
                f"Node {report.host} reports the tunnel address {report.vtep_ip}, which node {other} has. Give each "
                f"node an address of its own (vtep_ip); if {other} is this machine's former name, delete its agents."
            )


def shut_out(tx: Transaction, host: Host) -> None:
    """The node is not believed any more: it is down now, and no peer of the others until it reports again."""
    vtep_ip = tx.execute(_SHUT_OUT, {"node": host}).scalar()
    if vtep_ip is not None:
        status.node_down(tx, host)
        tx.touch(Owner(OwnerKind.NODE, host), Owner(OwnerKind.PEER, vtep_ip))


def _row(report: NodeReport) -> dict[str, object]:
    return {
        "host": report.host,
        "version": report.version,
        "started_at": report.started_at,
        "datapath_type": report.datapath_type,
        "vtep_ip": report.vtep_ip,
        "underlay_mtu_bytes": report.underlay_mtu_bytes,
        "roles": sorted(report.roles),
        "bridge_mappings": dict(sorted(report.bridge_mappings.items())),
        "capabilities": sorted(report.capabilities),
        "down": False,
        "shut_out": False,
    }
