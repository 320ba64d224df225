"""The status of ports and instances, from what the nodes say. Effects: writes of the database that ring nobody.

A port's status is what its node last said of it while that node is up, else DOWN. What a node says is kept beside the
port (``port_reports``), so that a node that was out of reach needs not say it again. None of this is what a person
asked for: no revision, no ring.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import bindparam, delete, exists, select, update
from sqlalchemy.dialects.sqlite import insert

from nebula.view.report import PortStatus
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.compute import server_ports, servers
from nebula_controller.store.tables.network import ports
from nebula_controller.store.tables.nodes import port_reports

ACTIVE, DOWN, ERROR = "ACTIVE", "DOWN", "ERROR"
STATUSES = frozenset({ACTIVE, DOWN, ERROR})
_ERROR_LENGTH = 1000
_MANY = 500

_BOUND_HERE = select(ports.c.id).where(
    ports.c.host == bindparam("here"), ports.c.id.in_(bindparam("keys", expanding=True))
)
_new = insert(port_reports)
_REPORT = _new.on_conflict_do_update(
    index_elements=["port_id"],
    set_={"host": _new.excluded.host, "status": _new.excluded.status, "error": _new.excluded.error},
)
_SET_STATUS = (
    update(ports).where(ports.c.id == bindparam("port")).values(status=bindparam("new"), status_error=bindparam("why"))
)
_FORGET = delete(port_reports).where(port_reports.c.host == bindparam("here"))
_ALL_DOWN = update(ports).where(ports.c.host == bindparam("here")).values(status=DOWN, status_error="")
_AS_REPORTED = (
    update(ports)
    .where(ports.c.host == bindparam("here"), ports.c.id == port_reports.c.port_id, port_reports.c.host == ports.c.host)
    .values(status=port_reports.c.status, status_error=port_reports.c.error)
)
_waiting = server_ports.alias()
_LAUNCHED = (
    update(servers)
    .where(
        servers.c.launched_at.is_(None),
        servers.c.id.in_(
            select(server_ports.c.server_id).where(server_ports.c.port_id.in_(bindparam("keys", expanding=True)))
        ),
        ~exists().where(
            _waiting.c.server_id == servers.c.id, _waiting.c.port_id == ports.c.id, ports.c.status != ACTIVE
        ),
    )
    .values(launched_at=bindparam("time"))
)


def take(tx: Transaction, host: str, reported: Iterable[PortStatus], *, complete: bool, node_is_up: bool) -> None:
    """Take over what node ``host`` says of the ports bound to it; what it says of others' ports is dropped.

    ``complete``: it named all ports that it has, so that those that it did not name are DOWN.
    """
    said = {item.port_id: item for item in reported if item.status in STATUSES}
    if complete:
        tx.execute(_FORGET, {"here": host})
        tx.execute(_ALL_DOWN, {"here": host})
    ids = sorted(said)
    for start in range(0, len(ids), _MANY):
        bound = tx.execute(_BOUND_HERE, {"here": host, "keys": ids[start : start + _MANY]}).scalars().all()
        if not bound:
            continue
        reports = [(port, said[port].status, said[port].error[:_ERROR_LENGTH]) for port in bound]
        tx.execute(_REPORT, [{"port_id": p, "host": host, "status": s, "error": e} for p, s, e in reports])
        if node_is_up:
            tx.execute(_SET_STATUS, [{"port": p, "new": s, "why": e} for p, s, e in reports])
            _launch(tx, [port for port, status, _ in reports if status == ACTIVE])


def node_down(tx: Transaction, host: str) -> None:
    """Nobody knows how the node's ports are: DOWN."""
    tx.execute(_ALL_DOWN, {"here": host})


def node_up(tx: Transaction, host: str) -> None:
    """The node is back: its ports are again what it last said."""
    tx.execute(_AS_REPORTED, {"here": host})


def _launch(tx: Transaction, active: list[str]) -> None:
    """Instances whose ports are all ACTIVE for the first time are launched."""
    if active:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        tx.execute(_LAUNCHED, {"keys": active, "time": now})
