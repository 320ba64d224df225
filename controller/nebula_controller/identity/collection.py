"""The five calls that every collection of identity has: create, list, show, update (PATCH), delete.

Effects: the database, through ``Site``. A kind of object is a ``Collection`` with its table, its attributes and
filters; a subclass overrides a step only where the kind is special. Statuses and messages are Keystone's.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import UNSET
from sqlalchemy import ColumnElement, Row, Select, Table, delete, func, insert, literal, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from nebula.errors import BadRequest, Conflict, Forbidden, NotFound
from nebula.model.attribute import Resource
from nebula_controller.api import about
from nebula_controller.api.endpoint import Answer, Call, Operation
from nebula_controller.identity import attributes, documents, policy
from nebula_controller.identity.authenticator import Principal
from nebula_controller.identity.policy import Target
from nebula_controller.identity.site import Site
from nebula_controller.store import metadata as tables
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.identity import domains

HIDDEN = frozenset({"extra", "tokens_valid_after"})
_COMPARISONS = {f"{how}{where}" for how in ("", "i") for where in ("contains", "startswith", "endswith")}
Values = dict[str, Any]
"""Column values on their way to or from the database."""


class Collection:
    """One kind of identity object. Subclasses say what it is (``resource``), from which the rest follows."""

    resource: Resource[Any]
    table: Table
    singular: str
    plural: str
    new: type[msgspec.Struct]
    changed: type[msgspec.Struct]
    filters: frozenset[str]
    nulls: Mapping[str, object]
    """What is stored for a null, by column."""
    hidden = HIDDEN
    bulk = False
    """A POST has a list."""
    extensible = True
    """Attributes that nobody knows are stored and given back, as in Keystone."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        resource = cls.__dict__.get("resource")
        if resource is not None:
            cls.singular, cls.plural, cls.table = resource.singular, resource.plural, tables.table(resource)
            cls.new, cls.changed = attributes.creation(resource), attributes.change(resource)
            declared = [(bound.field, bound.attribute) for bound in resource.attributes.values()]
            cls.filters = frozenset(field for field, attribute in declared if attribute.filtered)
            cls.nulls = {field: attribute.null_is for field, attribute in declared if attribute.null_is is not UNSET}

    def __init__(self, site: Site) -> None:
        self.site = site

    def operations(self) -> list[Operation]:
        """The routes of this kind."""
        many, one = f"/v3/{self.plural}", f"/v3/{self.plural}/{{id}}"
        known = documents.Known(self.singular, self.plural, bulk=self.bulk)
        return [
            Operation("GET", many, self.index, about=known.of_list(self.filters)),
            Operation("POST", many, self.create, about=known.of_create(self.new)),
            Operation("GET", one, self.show, about=known.of_show()),
            Operation("HEAD", one, self.show, about=documents.EMPTY),
            Operation("PATCH", one, self.update, about=known.of_update(self.changed)),
            Operation("DELETE", one, self.delete, about=about.OF_DELETE),
        ]

    async def create(self, call: Call) -> Answer:
        """201 with the new object."""
        principal = self.site.principal(call)
        policy.require(principal, f"create_{self.singular}")
        given = attributes.read_object(call.raw, self.singular)
        values = attributes.given(attributes.convert(given, self.new))
        if self.extensible:
            values["extra"] = attributes.extras(given, self.new)
        _merge_options(values, {})
        await self.settle(values)
        with self.site.change(call) as tx:
            row_values = self.before_create(tx, principal, values)
            row_values.setdefault("id", uuid.uuid4().hex)
            self._store(tx, insert(self.table).values(**self._columns(row_values)), row_values)
            self.after_write(tx, row_values["id"], values)
            row = self.row(tx, row_values["id"])
            body = self.render(tx, [row], self.site.v3_url(call))[0]
        return Answer(201, {self.singular: body})

    def index(self, call: Call) -> Answer:
        """200 with those that match the query's filters and that the caller may see."""
        principal = self.site.principal(call)
        policy.require(principal, f"list_{self.plural}", Target(domain_id=policy.visible_domain(principal) or ""))
        url = self.site.v3_url(call)
        conditions = self.conditions(call.query)
        page = Page.read(call.query)
        domain_id = policy.visible_domain(principal)
        if domain_id is not None:
            conditions.append((self.table.c.domain_id if "domain_id" in self.table.c else self.table.c.id) == domain_id)
        with self.site.database.read() as tx:
            rows, more = self.page(tx, select(self.table).where(*conditions), page)
            body = self.render(tx, rows, url)
        following = page.following(call, rows[-1].id) if more else None
        return Answer(200, listing(self.plural, body, call, following))

    def page(self, tx: Transaction, statement: Select[Any], page: Page) -> tuple[Sequence[Row[Any]], bool]:
        """The rows of one page in their order, and whether others follow. BadRequest for a ``sort_key`` unknown."""
        key = self.order()
        if page.sort_key:
            if page.sort_key not in self.table.c or page.sort_key in self.hidden:
                raise BadRequest(f"sort_key {page.sort_key[:64]!r} is no attribute of a {self.singular}.")
            key = func.coalesce(self.table.c[page.sort_key], "")
        columns: list[ColumnElement[Any]] = [key, self.table.c.id]
        if page.marker:
            marker = tx.execute(select(*columns).where(self.table.c.id == page.marker)).one_or_none()
            if marker is None:
                raise NotFound(f"Could not find the marker {page.marker[:64]!r}.")
            place = tuple_(*columns)
            here = tuple_(*(literal(value) for value in marker))
            statement = statement.where(place < here if page.descending else place > here)
        statement = statement.order_by(*(column.desc() if page.descending else column for column in columns))
        if page.limit is None:
            return tx.execute(statement).all(), False
        rows = tx.execute(statement.limit(page.limit + 1)).all()
        return rows[: page.limit], 0 < page.limit < len(rows)

    def show(self, call: Call) -> Answer:
        """200 with the one; 404 where there is none (403 first, for who may not look)."""
        principal = self.site.principal(call)
        url = self.site.v3_url(call)
        with self.site.database.read() as tx:
            row = self.find(tx, principal, f"get_{self.singular}", call.path["id"])
            body = self.render(tx, [row], url)[0]
        return Answer(200, {self.singular: body})

    async def update(self, call: Call) -> Answer:
        """200 with the changed object."""
        principal = self.site.principal(call)
        policy.require(principal, f"update_{self.singular}")
        given = attributes.read_object(call.raw, self.singular)
        values = attributes.given(attributes.convert(given, self.changed))
        await self.settle(values)
        with self.site.change(call) as tx:
            row = self.row(tx, call.path["id"])
            self.check_lock(row, given)
            _merge_options(values, getattr(row, "options", {}))
            if self.extensible:
                merged = {**row.extra, **attributes.extras(given, self.changed)}
                values["extra"] = {name: value for name, value in merged.items() if value is not None}
            columns = self._columns(self.before_update(tx, row, values))
            if columns:
                self._store(tx, update(self.table).where(self.table.c.id == row.id).values(**columns), values)
            self.after_write(tx, row.id, values)
            body = self.render(tx, [self.row(tx, row.id)], self.site.v3_url(call))[0]
        return Answer(200, {self.singular: body})

    def delete(self, call: Call) -> Answer:
        """204."""
        principal = self.site.principal(call)
        policy.require(principal, f"delete_{self.singular}")
        with self.site.change(call) as tx:
            row = self.row(tx, call.path["id"])
            self.check_lock(row, None)
            self.before_delete(tx, row)
            tx.execute(delete(self.table).where(self.table.c.id == row.id))
        return Answer(204)

    def row(self, tx: Transaction, object_id: str) -> Row[Any]:
        """The row of this id, or NotFound."""
        row = tx.execute(select(self.table).where(self.table.c.id == object_id)).one_or_none()
        if row is None:
            raise NotFound(f"Could not find {self.singular}: {object_id}.")
        return row

    def find(self, tx: Transaction, principal: Principal, action: str, object_id: str) -> Row[Any]:
        """The row, if the principal may do ``action`` on it; who may not also does not learn whether it exists."""
        row = tx.execute(select(self.table).where(self.table.c.id == object_id)).one_or_none()
        policy.require(principal, action, self.target(row) if row is not None else Target())
        return row if row is not None else self.row(tx, object_id)

    def check_lock(self, row: Row[Any], given: Mapping[str, object] | None) -> None:
        """Forbidden for an immutable object, unless the change only takes the lock away. ``given`` None: deletion."""
        if not getattr(row, "options", {}).get("immutable"):
            return
        if given is None:
            raise Forbidden(f"Unable to delete immutable {self.singular} resource: `{row.id}`. Set it mutable first.")
        if list(given) != ["options"] or given["options"] not in ({"immutable": False}, {"immutable": None}):
            raise Forbidden(f"Unable to update immutable {self.singular} resource: `{row.id}`. Set it mutable first.")

    async def settle(self, values: Values) -> None:
        """What has to be waited for before the transaction."""

    def before_create(self, tx: Transaction, principal: Principal, values: Values) -> Values:
        """Check against the database; returns the row's values."""
        return values

    def before_update(self, tx: Transaction, row: Row[Any], values: Values) -> Values:
        """Check against the database; returns the columns to change."""
        return values

    def before_delete(self, tx: Transaction, row: Row[Any]) -> None:
        """Refuse, or delete what hangs on the row and has no foreign key."""

    def after_write(self, tx: Transaction, object_id: str, values: Values) -> None:
        """Write what stands in other tables."""

    def order(self) -> ColumnElement[Any]:
        """What lists are sorted by."""
        return self.table.c.name if "name" in self.table.c else self.table.c.id

    def target(self, row: Row[Any]) -> Target:
        """What the policy asks of the object."""
        return Target(domain_id=getattr(row, "domain_id", None) or "")

    def conditions(self, query: Sequence[tuple[str, str]]) -> list[ColumnElement[bool]]:
        """The query's filters on columns; what is not a filter of the kind is ignored, as in Keystone."""
        found: list[ColumnElement[bool]] = []
        for name, text in query:
            column, _, comparison = name.partition("__")
            if column in self.filters and column in self.table.c:
                found.append(condition(self.table.c[column], comparison, text))
        return found

    def render(self, tx: Transaction, rows: Sequence[Row[Any]], v3_url: str) -> list[Values]:
        """The objects as the API shows them."""
        return [self.show_row(row._mapping, v3_url) for row in rows]

    def show_row(self, row: Mapping[Any, Any], v3_url: str) -> Values:
        """One object: columns, stored extras, the link to itself."""
        shown = {**row.get("extra", {}), **{name: value for name, value in row.items() if name not in self.hidden}}
        shown["links"] = {"self": f"{v3_url}/{self.plural}/{row['id']}"}
        return shown

    def _columns(self, values: Values) -> Values:
        known = {name: value for name, value in values.items() if name in self.table.c}
        return {name: self.nulls.get(name) if value is None else value for name, value in known.items()}

    def _store(self, tx: Transaction, statement: Any, values: Values) -> None:
        try:
            tx.execute(statement)
        except IntegrityError as error:
            name = values.get("name") or values.get("id")
            raise Conflict(
                f"Conflict occurred attempting to store {self.singular} - Duplicate entry found with name {name}."
            ) from error


def condition(column: ColumnElement[Any], comparison: str, text: str) -> ColumnElement[bool]:
    """Keystone's inexact filters (``name__contains=x``); anything else compares for equality."""
    if column.type.python_type is bool:
        return column.is_(text.strip().lower() not in {"0", "false", "f", "n", "no", "off"})
    found: ColumnElement[bool] = column == text
    if comparison in _COMPARISONS:
        found = getattr(column, comparison)(text, autoescape=True)
    return found


def listing(plural: str, items: Sequence[Values], call: Call, following: str | None = None) -> Values:
    """A list in Keystone's frame; ``following`` is the next page's URL."""
    return {plural: items, "links": {"next": following, "self": call.url, "previous": None}}


def plain(resource: Resource[Any]) -> type[Collection]:
    """The collection of a kind that is no more than declared."""
    return type(resource.plural, (Collection,), {"resource": resource})


class Page(msgspec.Struct, frozen=True):
    """Which part of a list is asked for, and sorted by what. ``limit`` None: all of it."""

    limit: int | None
    marker: str
    sort_key: str
    descending: bool

    @staticmethod
    def read(query: Sequence[tuple[str, str]]) -> Page:
        """From ``limit``, ``marker``, ``sort_key`` and ``sort_dir``. BadRequest where one of them is not to be read."""
        given = dict(query)
        limit = given.get("limit", "")
        if limit and not (limit.isascii() and limit.isdigit() and len(limit) < 10):
            raise BadRequest(f"limit is a number of objects, not {limit[:64]!r}.")
        direction = given.get("sort_dir", "asc")
        if direction not in {"asc", "desc"}:
            raise BadRequest(f"sort_dir is asc or desc, not {direction[:64]!r}.")
        marker, sort_key = given.get("marker", ""), given.get("sort_key", "")
        return Page(int(limit) if limit else None, marker, sort_key, direction == "desc")

    def following(self, call: Call, last_id: str) -> str:
        """The URL of the page after the one that ends with ``last_id``."""
        query = [(name, text) for name, text in call.query if name != "marker"]
        return f"{call.url}?{urlencode([*query, ('marker', last_id)])}"


def _merge_options(values: Values, current: Mapping[str, object]) -> None:
    """``values['options']``, where given, becomes what is to be stored: None takes an option away."""
    if isinstance(values.get("options"), msgspec.Struct):
        merged = {**current, **attributes.given(values["options"])}
        values["options"] = {name: value for name, value in merged.items() if value is not None}


def require_domain(tx: Transaction, domain_id: str) -> None:
    """NotFound where there is no such domain."""
    if tx.execute(select(domains.c.id).where(domains.c.id == domain_id)).first() is None:
        raise NotFound(f"Could not find domain: {domain_id}.")


def own_domain(principal: Principal) -> str:
    """The domain of an object that is made without naming one: that of the caller's scope, else the default one."""
    if principal.scope is None:
        return "default"
    return principal.scope.domain_id or principal.scope.id
