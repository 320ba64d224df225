"""Reads that several resources of the network service share. Effects: SQL in a transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from sqlalchemy import Column, ColumnElement, Integer, Text, bindparam, func, literal_column, select

from nebula.model.network import NETWORK, Network
from nebula.model.port import PORT, Port
from nebula.model.router import ROUTER, Router
from nebula.model.subnet import SUBNET, Subnet
from nebula_controller.network import addresses
from nebula_controller.store.database import Transaction
from nebula_controller.store.records import RecordTable
from nebula_controller.store.tables import network as tables
from nebula_controller.store.tables.security import port_security_groups

NETWORKS = RecordTable(NETWORK)
SUBNETS = RecordTable(SUBNET)
PORTS = RecordTable(PORT, derived=lambda port: {"key": port.id[:8]})
ROUTERS = RecordTable(ROUTER)

OLDEST_SUBNET_FIRST: ColumnElement[int] = literal_column("subnets.rowid", Integer)
"""SQLite numbers rows as they come; ``created_at`` is too coarse to tell two subnets of one second apart."""

_subnets_of = SUBNETS.query(tables.subnets.c.network_id == bindparam("network"), OLDEST_SUBNET_FIRST)
_groups_of_port = (
    select(port_security_groups.c.group_id)
    .where(port_security_groups.c.port_id == bindparam("port"))
    .order_by(port_security_groups.c.group_id)
)
_key_taken = select(tables.ports.c.id).where(tables.ports.c.key == bindparam("key"))


def network(tx: Transaction, network_id: str) -> Network:
    """Raises ``NotFound``."""
    return NETWORKS.one(tx, network_id)


def subnets_of(tx: Transaction, network_id: str) -> list[Subnet]:
    """The network's subnets, oldest first, without their pools."""
    return SUBNETS.all(tx, _subnets_of, {"network": network_id})


def subnet(tx: Transaction, subnet_id: str) -> Subnet:
    """With its pools. Raises ``NotFound``."""
    found = SUBNETS.one(tx, subnet_id)
    return msgspec.structs.replace(found, allocation_pools=addresses.pools(tx, subnet_id))


def port(tx: Transaction, port_id: str) -> Port:
    """With its addresses and groups. Raises ``NotFound``."""
    found = PORTS.one(tx, port_id)
    groups = tuple(tx.execute(_groups_of_port, {"port": port_id}).scalars())
    return msgspec.structs.replace(found, fixed_ips=addresses.of_port(tx, port_id), security_groups=groups)


def router(tx: Transaction, router_id: str) -> Router:
    """Without ``external_gateway_info``. Raises ``NotFound``."""
    return ROUTERS.one(tx, router_id)


def key_is_taken(tx: Transaction, port_id: str) -> bool:
    """Whether a port has the same first 8 digits."""
    return tx.execute(_key_taken, {"key": port_id[:8]}).first() is not None


def among(column: Column[str]) -> ColumnElement[bool]:
    """``column IN ids`` as one statement for any number of ids: they travel as one JSON array, see ``ids``."""
    values = func.json_each(bindparam("ids", type_=Text)).table_valued("value")
    return column.in_(select(values.c.value))


def ids(shown: Iterable[Mapping[str, object]]) -> dict[str, str]:
    """The parameter of statements with ``among``: the ids of these rows."""
    return {"ids": msgspec.json.encode([row["id"] for row in shown]).decode()}


def bump(tx: Transaction, record: Network | Router) -> None:
    """What hangs on the object changed: its revision rises, as in Neutron."""
    if isinstance(record, Router):
        ROUTERS.save(tx, record, record, always=True)
    else:
        NETWORKS.save(tx, record, record, always=True)


def grouped(pairs: Iterable[Sequence[object]]) -> dict[object, list[object]]:
    """Values by key, in order."""
    found: dict[object, list[object]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found
