"""What is on record of calls and receipts, for people: a call and what it changed, an object's calls, what is new.

Effects: reads in a transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import bindparam, select

from nebula.errors import NotFound
from nebula.view.report import Reason
from nebula_controller.nodes.receipts import unpacked
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.identity import projects, users
from nebula_controller.store.tables.nodes import receipt_requests, receipts
from nebula_controller.store.tables.requests import request_objects, requests

_positions = msgspec.json.Decoder(list[int])
_changes = msgspec.json.Decoder(list[msgspec.Raw])

_CALL = (
    select(requests, users.c.name.label("user_name"), projects.c.name.label("project_name"))
    .outerjoin(users, users.c.id == requests.c.user_id)
    .outerjoin(projects, projects.c.id == requests.c.project_id)
)
_REQUEST = _CALL.where(requests.c.request_id == bindparam("id")).order_by(requests.c.revision)
_OBJECTS = (
    select(request_objects.c.kind, request_objects.c.id, request_objects.c.related)
    .join(requests, requests.c.revision == request_objects.c.revision)
    .where(requests.c.request_id == bindparam("id"))
    .order_by(request_objects.c.related, request_objects.c.kind, request_objects.c.id)
)
_OF_REQUEST = (
    select(receipts, receipt_requests.c.positions)
    .join(receipt_requests, receipt_requests.c.receipt_id == receipts.c.id)
    .where(receipt_requests.c.request_id == bindparam("id"))
    .order_by(receipts.c.id)
)
_OF_OBJECT = (
    _CALL.join(request_objects, request_objects.c.revision == requests.c.revision)
    .where(request_objects.c.id == bindparam("id"), request_objects.c.related.is_(False))
    .order_by(requests.c.revision.desc())
)
_AFTER = select(receipts).where(receipts.c.id > bindparam("after")).order_by(receipts.c.id)
_NEWEST = select(receipts.c.id).order_by(receipts.c.id.desc()).limit(1)


def of_request(tx: Transaction, request_id: str) -> dict[str, Any]:
    """The call, the rows that it changed, and what it changed on each node.

    Raises ``NotFound`` for a call that changed nothing or is too old.
    """
    calls = tx.execute(_REQUEST, {"id": request_id}).mappings().all()
    if not calls:
        raise NotFound(
            f"No change is on record for request {request_id}: it asked for none, failed, or is too long ago."
        )
    objects: dict[tuple[str, str], bool] = {}
    for kind, identity, related in tx.execute(_OBJECTS, {"id": request_id}):
        objects[kind, identity] = objects.get((kind, identity), True) and related
    rows = tx.execute(_OF_REQUEST, {"id": request_id}).mappings()
    return {
        "request": _call(calls[-1]),
        "objects": [{"kind": kind, "id": name, "related": related} for (kind, name), related in objects.items()],
        "receipts": [_shown(row, _positions.decode(row["positions"])) for row in rows],
    }


def of_object(tx: Transaction, identity: str, limit: int) -> list[dict[str, Any]]:
    """The calls that changed the object with this id, the newest first."""
    found: dict[str, dict[str, Any]] = {}
    for row in tx.execute(_OF_OBJECT.limit(limit), {"id": identity}).mappings():
        found.setdefault(row["request_id"], _call(row))
    return list(found.values())


def listing(tx: Transaction, *, host: str | None, reason: Reason | None, limit: int) -> list[dict[str, Any]]:
    """The newest receipts first, of whatever cause."""
    statement = select(receipts).order_by(receipts.c.id.desc()).limit(limit)
    if host is not None:
        statement = statement.where(receipts.c.host == host)
    if reason is not None:
        statement = statement.where(receipts.c.reason == reason.value)
    return _with_requests(tx, tx.execute(statement).mappings().all())


def newer(tx: Transaction, after: int, limit: int) -> list[dict[str, Any]]:
    """Receipts that came after the one with this id, the oldest first."""
    return _with_requests(tx, tx.execute(_AFTER.limit(limit), {"after": after}).mappings().all())


def newest_id(tx: Transaction) -> int:
    """The id of the newest receipt, 0 where there is none."""
    return tx.execute(_NEWEST).scalar() or 0


def _with_requests(tx: Transaction, rows: Sequence[Any]) -> list[dict[str, Any]]:
    of: dict[int, list[str]] = defaultdict(list)
    statement = select(receipt_requests.c.receipt_id, receipt_requests.c.request_id)
    for receipt, request in tx.execute(statement.where(receipt_requests.c.receipt_id.in_([row["id"] for row in rows]))):
        of[receipt].append(request)
    return [{**_shown(row, None), "request_ids": sorted(of[row["id"]])} for row in rows]


def _call(row: Any) -> dict[str, Any]:
    names = ("method", "path", "user_id", "user_name", "project_id", "project_name", "status", "time", "revision")
    return {"id": row["request_id"], **{name: row[name] for name in names}}


def _shown(row: Any, positions: list[int] | None) -> dict[str, Any]:
    changes = _changes.decode(unpacked(row["changes"]))
    fields = ("id", "host", "epoch", "from_revision", "to_revision", "reason", "started_at", "duration_s", "alarm")
    return {
        **{name: row[name] for name in fields},
        "changes": changes if positions is None else [changes[position] for position in positions],
    }
