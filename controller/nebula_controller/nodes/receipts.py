"""What the agents did, kept and led back to the calls that caused it. Effects: the tables of the receipts.

Not here: reading them (``explanations``).

A receipt of a pass that took in a view goes from one revision to another; the calls in between are its possible
causes, but for those that are known not to have reached the node's view. A change belongs to those of them that
touched its owner, or something that its owner is part of, or that is part of its owner. Where no call is that near, to
all calls that caused something else in the pass; where there are none, to all. What an agent repaired, retried or did
at its start belongs to no call.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

import msgspec
from sqlalchemy import bindparam, delete, func, insert, select

from nebula.ids import NetworkId, Owner, OwnerKind, PortId, RouterId, SubnetId
from nebula.model.snapshot import Snapshot
from nebula.view.report import ChangeRecord, Reason, Receipt
from nebula_controller.store.database import Database, Transaction
from nebula_controller.store.tables.nodes import receipt_requests, receipts
from nebula_controller.store.tables.requests import request_objects, requests

KEPT_BYTES = 40 * 1024 * 1024
"""Changes are kept up to so many bytes, packed, the newest: with rows and indexes less than 50 MiB. A call's are some
2 KiB, so those of 10,000 calls have room.
"""

_OLDEST_AT_ONCE = 50

_encode = msgspec.json.encode

_INSERT = insert(receipts)
_ATTRIBUTE = insert(receipt_requests)
_SIZE = select(func.coalesce(func.sum(receipts.c.size_bytes), 0))
_OLDEST = select(receipts.c.id, receipts.c.size_bytes).order_by(receipts.c.id).limit(_OLDEST_AT_ONCE)
_DELETE = delete(receipts).where(receipts.c.id <= bindparam("last"))
_IN_RANGE = (requests.c.revision > bindparam("first")) & (requests.c.revision <= bindparam("last"))
_REQUESTS = select(requests.c.revision, requests.c.request_id).where(_IN_RANGE)
_OBJECTS = (
    select(requests.c.request_id, request_objects.c.kind, request_objects.c.id, request_objects.c.related)
    .join(request_objects, request_objects.c.revision == requests.c.revision)
    .where(_IN_RANGE)
)


class Receipts:
    """Keeps receipts. ``snapshot`` says what is part of what."""

    def __init__(self, database: Database, snapshot: Snapshot, *, kept_bytes: int = KEPT_BYTES) -> None:
        self._epoch = database.epoch
        self._snapshot = snapshot
        self._kept_bytes = kept_bytes
        with database.read() as tx:
            self._size_bytes = int(tx.execute(_SIZE).scalar_one())

    def keep(self, tx: Transaction, receipt: Receipt, *, after: int | None = None) -> None:
        """Store what the pass changed; a pass that changed nothing and raised no alarm is not worth a row.

        ``after``: only later revisions can be its cause (default: its ``from_revision``).
        """
        if not receipt.changes and not receipt.alarm:
            return
        body = packed(receipt.changes)
        inserted = tx.execute(
            _INSERT,
            {
                "host": receipt.host,
                "epoch": receipt.epoch,
                "from_revision": receipt.from_revision,
                "to_revision": receipt.to_revision,
                "reason": receipt.reason.value,
                "started_at": receipt.started_at,
                "duration_s": receipt.duration_s,
                "alarm": receipt.alarm,
                "size_bytes": len(body),
                "changes": body,
            },
        ).inserted_primary_key
        assert inserted is not None
        if receipt.reason is Reason.VIEW and receipt.epoch == self._epoch:
            causes = self._causes(tx, receipt, receipt.from_revision if after is None else after)
            if causes:
                rows = [
                    {"request_id": request, "receipt_id": inserted[0], "positions": _encode(positions)}
                    for request, positions in causes.items()
                ]
                tx.execute(_ATTRIBUTE, rows)
        self._size_bytes += len(body)
        while self._size_bytes > self._kept_bytes and self._age_out(tx):
            pass

    def _age_out(self, tx: Transaction) -> bool:
        """Delete the oldest until the size fits; False when there is nothing more to delete."""
        last = None
        for row in tx.execute(_OLDEST).all():
            if self._size_bytes <= self._kept_bytes:
                break
            self._size_bytes -= row.size_bytes
            last = row.id
        if last is None:
            return False
        tx.execute(_DELETE, {"last": last})
        return True

    def _causes(self, tx: Transaction, receipt: Receipt, after: int) -> dict[str, list[int]]:
        """Request ids to the positions of the changes that they caused."""
        span = {"first": after, "last": receipt.to_revision}
        everybody = {row.request_id for row in tx.execute(_REQUESTS, span)}
        if not everybody:
            return {}
        touched: dict[Owner, set[str]] = defaultdict(set)
        concerned: dict[Owner, set[str]] = defaultdict(set)
        for request, kind, identity, related in tx.execute(_OBJECTS, span):
            owner = Owner(OwnerKind(kind), identity)
            concerned[owner].add(request)
            if not related:
                touched[owner].add(request)
                for whole in wholes(self._snapshot, owner):
                    concerned[whole].add(request)
        nearest: dict[Owner, set[str]] = {}
        for owner in {change.owner for change in receipt.changes}:
            of_wholes = [touched.get(whole, set()) for whole in wholes(self._snapshot, owner)]
            nearest[owner] = concerned.get(owner, set()) or set().union(*of_wholes)
        reached_the_node = set().union(*nearest.values()) or everybody
        causes: dict[str, list[int]] = defaultdict(list)
        for position, change in enumerate(receipt.changes):
            for request in nearest[change.owner] or reached_the_node:
                causes[request].append(position)
        return causes


def packed(changes: Sequence[ChangeRecord]) -> bytes:
    """As they are kept: commands repeat themselves, so that packed they take a sixth."""
    return zlib.compress(_encode(changes), 1)


def unpacked(body: bytes) -> bytes:
    """The JSON of what ``packed`` made, and of what was kept before anything was packed."""
    return body if body.startswith(b"[") else zlib.decompress(body)


def wholes(snapshot: Snapshot, owner: Owner) -> Iterator[Owner]:
    """What ``owner`` is part of: a port's network and device, a subnet's network, a tunnel address's node."""
    if owner.kind is OwnerKind.PORT:
        port = snapshot.ports.get(PortId(owner.id))
        if port is not None:
            yield Owner(OwnerKind.NETWORK, port.network_id)
            if RouterId(port.device_id) in snapshot.routers:
                yield Owner(OwnerKind.ROUTER, port.device_id)
            elif port.device_id in snapshot.instances:
                yield Owner(OwnerKind.INSTANCE, port.device_id)
    elif owner.kind is OwnerKind.SUBNET:
        network = snapshot.network_of_subnet.get(SubnetId(owner.id), NetworkId(""))
        if network:
            yield Owner(OwnerKind.NETWORK, network)
    elif owner.kind is OwnerKind.PEER:
        for node in snapshot.nodes.values():
            if node.vtep_ip == owner.id:
                yield Owner(OwnerKind.NODE, node.host)
