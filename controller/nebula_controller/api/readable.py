"""What a caller may know of a resource, and how it is shown: for every call, from the resource's declaration.

Not the calls themselves, nor their changes: those are ``Collection``'s. Effects: reads in a given transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from sqlalchemy import BindParameter, ColumnElement, String, bindparam, select

from nebula.errors import NotFound
from nebula.model.registry import declared
from nebula.model.standard import Nameless
from nebula_controller.api import query as queries
from nebula_controller.api.authority import Authority
from nebula_controller.api.context import RequestContext
from nebula_controller.api.policy import Target
from nebula_controller.store.database import Database, Transaction
from nebula_controller.store.records import RecordTable

S = TypeVar("S", bound=Nameless)

Row = dict[str, object]
"""One object by API name, as it is encoded."""

PROJECT: BindParameter[str] = bindparam("project", type_=String)
"""Stands for the caller's project in ``Readable.visible``."""


class Readable(Generic[S]):
    """One resource, as far as it is read."""

    rule_texts: ClassVar[Mapping[str, str]] = {}
    """The rules that are not the usual ones: see ``Authority``."""

    def __init__(self, database: Database, rows: RecordTable[S]) -> None:
        self.database = database
        self.rows = rows
        self.resource = rows.resource
        self.authority = Authority(self.resource, self.noun(), self.rule_texts)
        self.others: Mapping[str, Readable[Any]] = {}
        """All that are served together, by table."""
        table = rows.table
        shown = [a for a in self.resource.attributes.values() if a.attribute.stored and a.attribute.sent]
        self._names = [a.name for a in shown]
        self._unstored = [
            (a.name, a.default)
            for a in self.resource.attributes.values()
            if a.attribute.sent and not a.attribute.stored
        ]
        self._select = select(*[table.c[a.field] for a in shown])
        self._select_one = self._select.where(table.c.id == bindparam("key"))
        self._visible = self.visible()
        self._select_one_visible = self._select_one.where(self._visible)
        self._filters = {**queries.tag_filters(table), **self.filters()}

    # What a resource says of itself.

    def noun(self) -> str:
        """What stands for the resource in the names of its rules."""
        return self.resource.singular

    def visible(self) -> ColumnElement[bool]:
        """Which rows a caller of the project ``PROJECT``, who is no admin, may see: by default the project's own."""
        return self.rows.table.c.project_id == PROJECT

    def filters(self) -> Mapping[str, queries.FilterMaker]:
        """Filters on what is no column."""
        return {}

    def expand(self, tx: Transaction, rows: Sequence[Row]) -> None:
        """Add to the rows what is in no column of the table: one query for all rows, never one for each."""

    def expand_for(self, tx: Transaction, context: RequestContext, rows: Sequence[Row]) -> None:
        """Add to the rows what depends on who asks; as ``expand`` otherwise."""
        del tx, context, rows

    def owners(self, tx: Transaction, context: RequestContext, values: Row) -> Target:
        """What else the rules may ask of an object with these values, as ``network:project_id``: functions."""
        del tx, context, values
        return {}

    # What follows.

    def not_found(self, key: str) -> NotFound:
        """Neutron's words for an object that is not there, or that the caller may not know of."""
        return self.resource.not_found(key)

    def fetch(self, tx: Transaction, context: RequestContext, key: str) -> Row:
        """One object as the API shows it to such a caller; raises ``NotFound``."""
        return self._present(tx, context, [self.known(tx, context, key)], frozenset())[0]

    def require_known(self, tx: Transaction, context: RequestContext, values: Row) -> None:
        """``NotFound`` for an object that ``values`` refer to and the caller may not know of."""
        for name, value in values.items():
            other = self.resource.attributes[name].attribute.refers_to
            if other and value is not None:
                self.others[declared(other).table].known(tx, context, str(value))

    def known(self, tx: Transaction, context: RequestContext, key: str) -> Row:
        """The columns of an object that such a caller may know of; raises ``NotFound``."""
        statement = self._select_one if context.is_admin else self._select_one_visible
        found = tx.execute(statement, {"key": key, "project": context.project_id}).one_or_none()
        rows = [] if found is None else self._permitted(tx, context, [dict(zip(self._names, found, strict=True))])
        if not rows:
            raise self.not_found(key)
        return rows[0]

    def fetch_all(self, tx: Transaction, context: RequestContext, keys: Sequence[str]) -> list[Row]:
        """Those of these objects that such a caller may know of, by id."""
        statement = self._select.where(self.rows.table.c.id.in_(bindparam("keys", expanding=True)))
        if not context.is_admin:
            statement = statement.where(self._visible)
        found = tx.execute(statement.order_by(self.rows.table.c.id), {"keys": keys, "project": context.project_id})
        rows = self._permitted(tx, context, [dict(zip(self._names, row, strict=True)) for row in found])
        return self._present(tx, context, rows, frozenset())

    def target(self, tx: Transaction, context: RequestContext, values: Row) -> dict[str, object]:
        """What the rules may ask of an object with these values."""
        return {**values, **self.owners(tx, context, values)}

    def _permitted(self, tx: Transaction, context: RequestContext, rows: Sequence[Row]) -> list[Row]:
        """The rows that the policy lets the caller see; by default SQL has chosen them already."""
        rule = self.authority.name("get")
        if self.authority.is_usual(context):
            return list(rows) if self.authority.may_list(context) else []
        return [row for row in rows if context.allows(rule, self.target(tx, context, row))]

    def _hidden(self, tx: Transaction, context: RequestContext, rows: Sequence[Row]) -> list[frozenset[str]]:
        if self.authority.hides_by_object(context):
            return [self.authority.hidden(context, self.target(tx, context, row)) for row in rows]
        return [self.authority.hidden(context)] * len(rows)

    def _present(
        self, tx: Transaction, context: RequestContext, rows: Sequence[Row], fields: frozenset[str]
    ) -> list[Row]:
        self.expand(tx, rows)
        self.expand_for(tx, context, rows)
        for row, hidden in zip(rows, self._hidden(tx, context, rows), strict=True):
            for name, default in self._unstored:
                row.setdefault(name, default)
            row["tenant_id"] = row["project_id"]
            for name in hidden:
                row.pop(name, None)
        return [only(row, fields) for row in rows] if fields else list(rows)


def only(row: Row, fields: frozenset[str]) -> Row:
    return {name: value for name, value in row.items() if name in fields} if fields else row
