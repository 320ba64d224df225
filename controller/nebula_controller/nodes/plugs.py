"""Binding ports to the node where somebody plugged them. Effects: binds ports in the database.

What binds is a change: an interface for the port *appears* on a node while the port is unbound. That it is still there
later means nothing: the interface of a port that was just unbound stays for a moment.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import bindparam, select

from nebula.ids import Host, PortId
from nebula.view.report import Plug
from nebula_controller.network import ports as network_ports
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.network import ports

MOST = 10_000
"""So many interfaces of one node are looked at."""
CHUNK = 500

_UNBOUND = (
    select(ports.c.id).where(ports.c.id.in_(bindparam("keys", expanding=True)), ports.c.host == "").order_by(ports.c.id)
)


class Plugs:
    """What each node last reported as plugged."""

    def __init__(self) -> None:
        self._plugged: dict[Host, frozenset[PortId]] = {}

    def report(self, tx: Transaction, host: Host, plugged: Iterable[Plug]) -> None:
        """Bind what newly appeared on ``host`` and is unbound."""
        now = frozenset([plug.port_id for plug in plugged][:MOST])
        appeared = sorted(now - self._plugged.get(host, frozenset()))
        self._plugged[host] = now
        for start in range(0, len(appeared), CHUNK):
            for port in tx.execute(_UNBOUND, {"keys": appeared[start : start + CHUNK]}).scalars():
                network_ports.bind(tx, port, host)

    def forget(self, host: Host) -> None:
        """The node is gone, or its report came to nothing: its next report counts as new."""
        self._plugged.pop(host, None)
