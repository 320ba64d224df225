"""The free blocks of subnet pools: halved until one fits, and joined again when their halves come back.

Effects: SQL in a transaction. Any step costs at most one row for each bit of an address, whatever a pool has given out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from sqlalchemy import bindparam, delete, insert, select

from nebula.model.accept import IpNetwork
from nebula.rules.subnet_pools import BITS
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.pools import free_prefixes

_columns = free_prefixes.c
_best = (
    select(_columns.first, _columns.prefixlen)
    .where(_columns.subnetpool_id == bindparam("pool"), _columns.prefixlen <= bindparam("length"))
    .order_by(_columns.prefixlen.desc(), _columns.first)
    .limit(1)
)
_at_or_below = (
    select(_columns.first, _columns.prefixlen)
    .where(_columns.subnetpool_id == bindparam("pool"), _columns.first <= bindparam("first"))
    .order_by(_columns.first.desc())
    .limit(1)
)
_block = (_columns.subnetpool_id == bindparam("pool"), _columns.first == bindparam("start"))
_remove = delete(free_prefixes).where(*_block)
_remove_buddy = _remove.where(_columns.prefixlen == bindparam("length"))
_insert = insert(free_prefixes)


def take_any(tx: Transaction, pool_id: str, version: int, prefixlen: int) -> str | None:
    """A CIDR of this length out of the smallest block that has one, the lowest of equals; None where none has."""
    found = tx.execute(_best, {"pool": pool_id, "length": prefixlen}).one_or_none()
    if found is None:
        return None
    block = _network(version, *found)
    cidr = f"{block.network_address}/{prefixlen}"
    _split(tx, pool_id, block, ipaddress.ip_network(cidr))
    return cidr


def take(tx: Transaction, pool_id: str, cidr: str) -> bool:
    """Take this CIDR; False where not all of it is free."""
    wanted = ipaddress.ip_network(cidr)
    found = tx.execute(_at_or_below, {"pool": pool_id, "first": wanted.network_address.packed}).one_or_none()
    if found is None:
        return False
    block = _network(wanted.version, *found)
    if block.prefixlen > wanted.prefixlen or wanted.network_address not in block:
        return False
    _split(tx, pool_id, block, wanted)
    return True


def give_back(tx: Transaction, pool_id: str, cidrs: Iterable[str]) -> None:
    """Put blocks that were taken, or that come new into the pool, among the free ones."""
    for cidr in cidrs:
        block = ipaddress.ip_network(cidr)
        while block.prefixlen and _take_buddy(tx, pool_id, block):
            block = block.supernet()
        _add(tx, pool_id, block)


def _split(tx: Transaction, pool_id: str, block: IpNetwork, wanted: IpNetwork) -> None:
    """Put the halves of the block that do not hold ``wanted`` in its place."""
    tx.execute(_remove, {"pool": pool_id, "start": block.network_address.packed})
    for length in range(wanted.prefixlen, block.prefixlen, -1):
        _add(tx, pool_id, _buddy(wanted.supernet(new_prefix=length)))


def _take_buddy(tx: Transaction, pool_id: str, block: IpNetwork) -> bool:
    key = {"pool": pool_id, "start": _buddy(block).network_address.packed, "length": block.prefixlen}
    return tx.execute(_remove_buddy, key).rowcount > 0


def _buddy(block: IpNetwork) -> IpNetwork:
    """The other half of the block twice as large."""
    bit = 1 << (BITS[block.version] - block.prefixlen)
    return _network(
        block.version, (int(block.network_address) ^ bit).to_bytes(BITS[block.version] // 8), block.prefixlen
    )


def _add(tx: Transaction, pool_id: str, block: IpNetwork) -> None:
    row = {"subnetpool_id": pool_id, "first": block.network_address.packed, "prefixlen": block.prefixlen}
    tx.execute(_insert, row)


def _network(version: int, first: bytes, prefixlen: int) -> IpNetwork:
    if version == 4:
        return ipaddress.IPv4Network((int.from_bytes(first), prefixlen))
    return ipaddress.IPv6Network((int.from_bytes(first), prefixlen))
