"""``GET /nebula/v1/nodes``: each node with its health, for administrators. Effects: HTTP answers, SQL.

``health``: ``ok``, ``down`` (heartbeats missed), ``revoked``, ``behind`` (its view has waited for it for more than
``BEHIND_S``), or ``error`` (ports that could not be made).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import func, select

from nebula.errors import Forbidden
from nebula.ids import Host
from nebula.view.capability import missing
from nebula_controller.api.endpoint import Answer, Call, Operation, Service
from nebula_controller.nodes import membership
from nebula_controller.nodes.membership import Member
from nebula_controller.nodes.realised import Realised
from nebula_controller.store.database import Database, Transaction
from nebula_controller.store.tables.network import ports
from nebula_controller.store.tables.nodes import nodes

RULE = "nebula:get_nodes"
BEHIND_S = 10.0

_NODES = select(nodes).order_by(nodes.c.host)
_PORTS = select(ports.c.host, ports.c.status, func.count()).group_by(ports.c.host, ports.c.status)

Counts = dict[str, dict[str, int]]
"""Ports by host ("": unbound) and status."""


class NodeHealth(msgspec.Struct, frozen=True):
    """One node. Times in seconds; ``lag_s``: how long its newest view has been waiting to be acted on, 0 for none.

    ``lacks``: parts of kernel and Open vSwitch that it has not. ``joined``: ``yes``, ``revoked``, or ``no`` for one
    that shows the nodes' shared secret.
    """

    host: str
    health: str
    up: bool
    version: str
    datapath_type: str
    roles: list[str]
    vtep_ip: str
    ports: int
    ports_in_error: int
    heartbeat_age_s: float
    lag_s: float
    lacks: list[str]
    joined: str
    certificate_expires_at: str | None
    certificate_left_s: float | None


def count_ports(tx: Transaction) -> Counts:
    """From an index alone."""
    counts: Counts = {}
    for host, status, count in tx.execute(_PORTS):
        counts.setdefault(host, {})[status] = count
    return counts


def healths(tx: Transaction, realised: Realised, counts: Counts, now_s: float) -> list[NodeHealth]:
    """All nodes, by name."""
    joined = membership.members(tx)
    return [
        _health(row, joined.get(Host(row["host"])), counts.get(row["host"], {}), realised.lag_s(row["host"]), now_s)
        for row in tx.execute(_NODES).mappings()
    ]


def _health(row: Any, member: Member | None, counts: dict[str, int], lag_s: float, now_s: float) -> NodeHealth:
    revoked = member is not None and member.revoked_at is not None
    in_error = counts.get("ERROR", 0)
    if row["down"]:
        health = "revoked" if revoked else "down"
    else:
        health = "error" if in_error else "behind" if lag_s > BEHIND_S else "ok"
    ends_s = member.expires_at_s if member is not None and not revoked else None
    return NodeHealth(
        host=row["host"],
        health=health,
        up=not row["down"],
        version=row["version"],
        datapath_type=row["datapath_type"],
        roles=row["roles"],
        vtep_ip=row["vtep_ip"],
        ports=sum(counts.values()),
        ports_in_error=in_error,
        heartbeat_age_s=round(max(0.0, now_s - row["heartbeat_at"]), 1),
        lag_s=round(lag_s, 3) if not row["down"] else 0.0,
        lacks=sorted(str(part) for part in missing(row["capabilities"])),
        joined="no" if member is None else "revoked" if revoked else "yes",
        certificate_expires_at=_time(ends_s) if ends_s is not None else None,
        certificate_left_s=round(ends_s - now_s) if ends_s is not None else None,
    )


class NodesListApi:
    """One operation."""

    def __init__(self, database: Database, realised: Realised, wall_s: Callable[[], float] = time.time) -> None:
        self._database = database
        self._realised = realised
        self._wall_s = wall_s

    def service(self) -> Service:
        return Service("/nebula", [Operation("GET", "/v1/nodes", self._list)], rules={RULE: "role:admin"})

    def _list(self, call: Call) -> Answer:
        if not call.context.allows(RULE, {}):
            raise Forbidden("The nodes are the administrators'.")
        with self._database.read() as tx:
            return Answer(200, {"nodes": healths(tx, self._realised, count_ports(tx), self._wall_s())})


def _time(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
