"""Records to rows and back, for the resources that are declared in ``nebula.model``. Effects: SQL in a transaction.

Only fields that are ``stored`` travel; what lives in tables of its own (addresses, pools) the resource's module adds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Select, bindparam, delete, insert, select, update

from nebula.model.attribute import Resource
from nebula.model.standard import Nameless
from nebula_controller.store import metadata as tables
from nebula_controller.store.database import Transaction

S = TypeVar("S", bound=Nameless)


def now() -> str:
    """UTC to the second, in Neutron's form."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class RecordTable(Generic[S]):
    """The table of a resource's records. ``derived`` gives the values of columns that no field has."""

    def __init__(self, resource: Resource[S], derived: Callable[[S], Mapping[str, object]] | None = None) -> None:
        self.table = table = tables.table(resource)
        self.resource = resource
        self._derived = derived
        stored = [a for a in resource.attributes.values() if a.attribute.stored]
        self._names = [a.name for a in stored]
        self._fields = [a.field for a in stored]
        self._select = select(*[table.c[a.field] for a in stored])
        self._select_one = self._select.where(table.c.id == bindparam("key"))
        self._insert = insert(table)
        self._update = update(table).where(table.c.id == bindparam("record_id"))
        self._delete = delete(table).where(table.c.id == bindparam("key"))

    def get(self, tx: Transaction, key: str) -> S | None:
        """The record with this id."""
        row = tx.execute(self._select_one, {"key": key}).one_or_none()
        return None if row is None else self.resource.make(dict(zip(self._names, row, strict=True)))

    def one(self, tx: Transaction, key: str) -> S:
        """The same; raises ``NotFound``."""
        found = self.get(tx, key)
        if found is None:
            raise self.resource.not_found(key)
        return found

    def query(self, condition: ColumnElement[bool], order: ColumnElement[Any]) -> Select[Any]:
        """A statement for ``all``: build it once, with ``bindparam`` for what varies."""
        return self._select.where(condition).order_by(order)

    def all(self, tx: Transaction, query: Select[Any], parameters: Mapping[str, object]) -> list[S]:
        """The records that a statement made by ``query`` finds."""
        rows = tx.execute(query, parameters).all()
        return [self.resource.make(dict(zip(self._names, row, strict=True))) for row in rows]

    def insert(self, tx: Transaction, record: S) -> S:
        """Write a new record, with its times and first revision; returns it as written."""
        moment = now()
        written = msgspec.structs.replace(record, revision_number=1, created_at=moment, updated_at=moment)
        values = self._columns(written)
        if self._derived is not None:
            values.update(self._derived(written))
        tx.execute(self._insert, values)
        return written

    def save(self, tx: Transaction, old: S, new: S, *, always: bool = False) -> S:
        """Write what differs, with the next revision; writes nothing where nothing does (unless ``always``)."""
        before, after = self._columns(old), self._columns(new)
        changed = {name: value for name, value in after.items() if before[name] != value}
        if not changed and not always:
            return new
        written = msgspec.structs.replace(new, revision_number=old.revision_number + 1, updated_at=now())
        changed |= {"revision_number": written.revision_number, "updated_at": written.updated_at}
        tx.execute(self._update.values(**changed), {"record_id": old.id})
        return written

    def delete(self, tx: Transaction, key: str) -> None:
        """Remove the row; rows that hang on it by a cascading foreign key go too."""
        tx.execute(self._delete, {"key": key})

    def _columns(self, record: S) -> dict[str, object]:
        return {name: msgspec.to_builtins(getattr(record, name)) for name in self._fields}
