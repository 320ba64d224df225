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

from nebula.errors import BadRequest, Conflict, Forbidden, NebulaError, NotFound
from nebula.model import registry
from nebula.model.attribute import Attribute, Resource
from nebula_controller.api import about
from nebula_controller.api.endpoint import Answer, Call, Operation
from nebula_controller.identity import attributes, policy
from nebula_controller.identity.authenticator import Principal
from nebula_controller.identity.policy import Target
from nebula_controller.identity.site import Site
from nebula_controller.store import metadata as tables
from nebula_controller.store.database import Transaction

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
    shown: frozenset[str]
    in_domain: bool
    """It is in the caller's domain, where none is named, and stays there."""
    actions = ""
    """What stands before the verb in the names of its rules."""
    shown_once: tuple[str, ...] = ()
    """What only the answer to its creation has."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        resource = cls.__dict__.get("resource")
        if resource is not None:
            cls.singular, cls.plural, cls.table = resource.singular, resource.plural, tables.table(resource)
            cls.new, cls.changed = attributes.creation(resource), attributes.change(resource)
            declared = [(bound.field, bound.attribute) for bound in resource.attributes.values()]
            cls.filters = frozenset(field for field, attribute in declared if attribute.filtered)
            cls.nulls = {field: attribute.null_is for field, attribute in declared if attribute.null_is is not UNSET}
            cls.shown = frozenset(field for field, attribute in declared if attribute.sent)
            cls.in_domain = "domain_id" in resource.attributes and "domain_id" not in cls.nulls

    def __init__(self, site: Site) -> None:
        self.site = site

    def operations(self) -> list[Operation]:
        """The routes of this kind."""
        many, one = f"/v3{self.resource.path}", f"/v3{self.resource.path}/{{id}}"
        found = [
            Operation("GET", many, self.index, about=about.of_list(self.resource)),
            Operation("POST", many, self.create, about=about.of_create(self.resource)),
            Operation("GET", one, self.show, about=about.of_show(self.resource)),
            Operation("HEAD", one, self.show, about=about.About()),
            Operation("DELETE", one, self.delete, about=about.OF_DELETE),
        ]
        if self.resource.is_changed:
            found.append(Operation("PATCH", one, self.update, about=about.of_update(self.resource)))
        return found

    def action(self, verb: str) -> str:
        """The name of the rule for ``create``, ``list``, ``get``, ``update`` or ``delete``."""
        several = verb == "list" or (verb == "create" and self.resource.by_list)
        return f"{self.actions}{verb}_{self.plural if several else self.singular}"

    async def create(self, call: Call) -> Answer:
        """201 with the new object."""
        principal = self.site.principal(call)
        self.admit(principal, "create", call)
        given = self.read(call)
        values = attributes.given(attributes.convert(given, self.new))
        if self.resource.extensible:
            values["extra"] = attributes.extras(given, self.new)
        _merge_options(values, {})
        await self.settle(values)
        with self.site.change(call) as tx:
            row = self.insert(tx, principal, {**call.path, **values})
            body = self.render(tx, [row], self.site.v3_url(call))[0]
        return Answer(201, {self.singular: {**body, **{name: values[name] for name in self.shown_once}}})

    def insert(self, tx: Transaction, principal: Principal, values: Values) -> Row[Any]:
        """The row of a new object."""
        values = self.before_create(tx, principal, values)
        values.setdefault("id", uuid.uuid4().hex)
        self._store(tx, insert(self.table).values(**self._columns(values)), values)
        self.after_write(tx, values["id"], values)
        return self.row(tx, values["id"])

    def index(self, call: Call) -> Answer:
        """200 with those that match the query's filters and that the caller may see."""
        conditions = [*self.visible(self.site.principal(call), call), *self.conditions(call.query)]
        page = Page.read(call.query)
        with self.site.database.read() as tx:
            rows, more = self.page(tx, self.rows(call).where(*conditions), page)
            body = self.render(tx, rows, self.site.v3_url(call))
        following = page.following(call, rows[-1].id) if more else None
        return Answer(200, listing(self.plural, body, call, following))

    def page(self, tx: Transaction, statement: Select[Any], page: Page) -> tuple[Sequence[Row[Any]], bool]:
        """The rows of one page in their order, and whether others follow. BadRequest for a ``sort_key`` unknown."""
        key = self.order()
        if page.sort_key:
            if page.sort_key not in self.table.c or page.sort_key not in self.shown:
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
            row = self.find(tx, principal, self.action("get"), call)
            body = self.render(tx, [row], url)[0]
        return Answer(200, {self.singular: body})

    async def update(self, call: Call) -> Answer:
        """200 with the changed object."""
        principal = self.site.principal(call)
        self.admit(principal, "update", call)
        given = self.read(call)
        values = attributes.given(attributes.convert(given, self.changed))
        await self.settle(values)
        with self.site.change(call) as tx:
            row = self.own(tx, call)
            self.check_lock(row, given)
            _merge_options(values, getattr(row, "options", {}))
            if self.resource.extensible:
                merged = {**row.extra, **attributes.extras(given, self.changed)}
                values["extra"] = {name: value for name, value in merged.items() if value is not None}
            columns = self._columns(self.before_update(tx, principal, row, values))
            if columns:
                self._store(tx, update(self.table).where(self.table.c.id == row.id).values(**columns), values)
            self.after_write(tx, row.id, values)
            body = self.render(tx, [self.row(tx, row.id)], self.site.v3_url(call))[0]
        return Answer(200, {self.singular: body})

    def delete(self, call: Call) -> Answer:
        """204; Forbidden while others refer to it."""
        self.admit(self.site.principal(call), "delete", call)
        with self.site.change(call) as tx:
            row = self.own(tx, call)
            self.check_lock(row, None)
            try:
                self.before_delete(tx, row)
                tx.execute(delete(self.table).where(self.table.c.id == row.id))
            except IntegrityError as error:
                there = " or ".join(self._referring())
                reason = f"because there are {there} of it"
                raise Forbidden(f"Unable to delete {self.singular} {row.id} {reason}.") from error
        return Answer(204)

    def read(self, call: Call) -> dict[str, object]:
        """The attributes in a request."""
        return attributes.read_object(call.raw, self.singular)

    def key(self, call: Call) -> str:
        """The id of the object that a path names."""
        return call.path["id"]

    def rows(self, call: Call) -> Select[Any]:
        """Those below what the path names: ``/users/{user_id}/...``."""
        above = [name for name in call.path if name != "id" and name in self.table.c]
        return select(self.table).where(*(self.table.c[name] == call.path[name] for name in above))

    def row(self, tx: Transaction, object_id: str) -> Row[Any]:
        """The row of this id, or NotFound."""
        return self._found(tx, select(self.table).where(self.table.c.id == object_id), object_id)

    def own(self, tx: Transaction, call: Call) -> Row[Any]:
        """The row that the path names, or NotFound."""
        return self._found(tx, self.rows(call).where(self.table.c.id == self.key(call)), call.path["id"])

    def find(self, tx: Transaction, principal: Principal, action: str, call: Call) -> Row[Any]:
        """The row, if the principal may do ``action`` on it; who may not also does not learn whether it exists."""
        row = tx.execute(self.rows(call).where(self.table.c.id == self.key(call))).one_or_none()
        policy.require(principal, action, self.target(row) if row is not None else self.place(call))
        return row if row is not None else self.own(tx, call)

    def _found(self, tx: Transaction, statement: Select[Any], object_id: str) -> Row[Any]:
        row = tx.execute(statement).one_or_none()
        if row is None:
            raise NotFound(f"Could not find {self.singular}: {object_id}.")
        return row

    def _referring(self) -> list[str]:
        """The plurals of the kinds whose objects keep one of this kind from going."""
        return [
            other.plural.replace("_", " ")
            for other in registry.of("identity")
            for _name, attribute in _references(other)
            if registry.declared(attribute.refers_to) is self.resource and attribute.on_delete == "NO ACTION"
        ]

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
        if self.in_domain:
            values = {**values, "domain_id": values["domain_id"] or own_domain(principal)}
        self.require_known(tx, values)
        return values

    def before_update(self, tx: Transaction, principal: Principal, row: Row[Any], values: Values) -> Values:
        """Check against the database; returns the columns to change."""
        if self.in_domain and values.pop("domain_id", row.domain_id) != row.domain_id:
            raise BadRequest(f"The domain_id of a {self.singular} cannot be changed.")
        self.require_known(tx, values)
        return values

    def require_known(self, tx: Transaction, values: Values, error: type[NebulaError] = NotFound) -> None:
        """``error`` for what is named in the values and is not there."""
        for name, attribute in _references(self.resource):
            wanted = values.get(name)
            other = registry.declared(attribute.refers_to)
            key = tables.table(other).c.id
            if wanted is not None and tx.execute(select(key).where(key == wanted)).first() is None:
                raise error(f"Could not find {other.singular}: {wanted}.")

    def before_delete(self, tx: Transaction, row: Row[Any]) -> None:
        """Refuse, or delete what hangs on the row and has no foreign key."""

    def after_write(self, tx: Transaction, object_id: str, values: Values) -> None:
        """Write what stands in other tables."""

    def order(self) -> ColumnElement[Any]:
        """What lists are sorted by."""
        return self.table.c.name if "name" in self.table.c else self.table.c.id

    def admit(self, principal: Principal, verb: str, call: Call) -> None:
        """Forbidden for who may not change such objects, before anything is read."""
        policy.require(principal, self.action(verb), self.place(call))

    def place(self, call: Call) -> Target:
        """What the policy asks of an object that is not there (yet)."""
        return Target(user_id=call.path.get("user_id", ""))

    def target(self, row: Row[Any]) -> Target:
        """What the policy asks of the object."""
        return Target(**{name: getattr(row, name, None) or "" for name in Target.__struct_fields__})

    def visible(self, principal: Principal, call: Call) -> list[ColumnElement[bool]]:
        """Which rows of a list the caller sees; Forbidden for who sees none."""
        domain_id = policy.visible_domain(principal)
        place = msgspec.structs.replace(self.place(call), domain_id=domain_id or "")
        policy.require(principal, self.action("list"), place)
        return [] if domain_id is None else self.of_domain(domain_id)

    def of_domain(self, domain_id: str) -> list[ColumnElement[bool]]:
        """Those that are in a domain, of what is in one."""
        return [self.table.c.domain_id == domain_id] if "domain_id" in self.table.c else []

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
        shown = {**row.get("extra", {}), **{name: value for name, value in row.items() if name in self.shown}}
        shown["links"] = {"self": f"{v3_url}{self.resource.path.format_map(row)}/{row['id']}"}
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


def _references(resource: Resource[Any]) -> list[tuple[str, Attribute]]:
    """The attributes that name other objects."""
    named = ((bound.field, bound.attribute) for bound in resource.attributes.values())
    return [(field, attribute) for field, attribute in named if attribute.refers_to]


def own_domain(principal: Principal) -> str:
    """The domain of an object that is made without naming one: that of the caller's scope, else the default one."""
    if principal.scope is None:
        return "default"
    return principal.scope.domain_id or principal.scope.id
