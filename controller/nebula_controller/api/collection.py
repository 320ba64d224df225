"""The operations that every Neutron resource has, from its declaration: list, show, create, update, delete.

Effects: reads and writes through the given database. A resource that is more than its declaration subclasses
``Collection`` and says what is its own: who sees a row, what else an answer holds (``Readable``), what create, update
and delete do.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from nebula.errors import BadRequest, Conflict, PreconditionFailed
from nebula.model import accept
from nebula_controller.api import about
from nebula_controller.api import query as queries
from nebula_controller.api.context import RequestContext
from nebula_controller.api.endpoint import Answer, Call, Operation, PlainHandler
from nebula_controller.api.readable import Readable, Row, S, only
from nebula_controller.api.tags import TagOperations
from nebula_controller.store.database import Transaction

BULK_LIMIT = 1000
"""So many objects at most in one bulk create: it holds all other calls up."""


class Collection(Readable[S]):
    """One resource, below its path."""

    # What a resource says of itself.

    def create(self, tx: Transaction, context: RequestContext, values: Row) -> S:
        """Make one; ``values`` are parsed, with ``project_id``."""
        self.require_known(tx, context, values)
        try:
            return self.rows.insert(tx, self.draft(values))
        except IntegrityError:
            raise self._exists() from None

    def update(self, tx: Transaction, context: RequestContext, old: S, values: Row) -> None:
        """Change one; ``values`` are parsed."""
        self.require_known(tx, context, values)
        try:
            self.rows.save(tx, old, self.resource.change(old, values))
        except IntegrityError:
            raise self._exists() from None

    def delete(self, tx: Transaction, context: RequestContext, old: S) -> None:
        """Delete one, unless another object refers to it."""
        del context
        try:
            self.rows.delete(tx, old.id)
        except IntegrityError:
            raise Conflict(
                f"{self.resource.title} {old.id} is in use.", type_name=self.resource.error_type("InUse")
            ) from None

    def asked(self, old: S, values: Row) -> Iterable[str]:
        """The attributes that an update with these values sets, as far as rules ask."""
        del old
        return values

    def record(self, tx: Transaction, key: str) -> S:
        """The whole record, with what is in other tables; the caller knows that it is there."""
        found = self.rows.get(tx, key)
        if found is None:
            raise self.not_found(key)
        return found

    def limit(self, tx: Transaction, projects: Sequence[str]) -> None:
        """One more for each of these projects is to be made; raises where that is too many."""
        del tx, projects

    def touch(self, tx: Transaction, record: S) -> None:
        """Say that a change of the words only (tags) happened."""
        del tx, record

    # What follows.

    def operations(self) -> list[Operation]:
        """All of them, for a ``Service`` whose prefix is the network service's."""
        path = f"/v2.0{self.resource.path}"
        tagged = self.resource.attributes["tags"].attribute.sent
        return [*self.plain_operations(path), *(TagOperations(self).operations(path) if tagged else ())]

    def plain_operations(
        self,
        path: str,
        around: Callable[[PlainHandler], PlainHandler] = lambda handler: handler,
        *,
        bulk: bool = True,
    ) -> list[Operation]:
        """The five on the objects themselves below a path; ``around`` is put around each. ``bulk``: several at once."""
        one, resource = f"{path}/{{id}}", self.resource
        return [
            Operation("GET", path, around(self._list), about=about.of_list(resource, list(self._filters))),
            Operation("POST", path, around(self._create), about=about.of_create(resource, bulk=bulk)),
            Operation("GET", one, around(self._show), about=about.of_show(resource)),
            Operation("PUT", one, around(self._update), about=about.of_update(resource)),
            Operation("DELETE", one, around(self._delete), about=about.OF_DELETE),
        ]

    def draft(self, values: Row) -> S:
        """A new record with these values, and an id."""
        return msgspec.structs.replace(self.resource.make(values), id=str(uuid.uuid4()))

    def load(self, tx: Transaction, context: RequestContext, call: Call, rule: str = "") -> S:
        """The record that a call is about to change by this rule (empty: that of update or delete).

        Raises ``NotFound``, ``Forbidden`` or ``PreconditionFailed``.
        """
        key = call.path["id"]
        self.fetch(tx, context, key)
        record = self.record(tx, key)
        verb = "delete" if context.method == "DELETE" else "update"
        context.require(rule or self.authority.name(verb), self.target(tx, context, self.resource.show(record)))
        wanted = call.headers.get("if-match", "")
        if wanted.startswith("revision_number="):
            revision = wanted.removeprefix("revision_number=")
            if revision != str(record.revision_number):
                raise PreconditionFailed(
                    f"Constrained to {accept.shown(revision)}, but current revision is {record.revision_number}"
                )
        elif wanted:
            raise BadRequest("If-Match must be revision_number=NUMBER", type_name="HTTPBadRequest")
        return record

    def authorise_new(self, tx: Transaction, context: RequestContext, values: Row) -> None:
        """``Forbidden`` unless the caller may make one with these values."""
        target = self.target(tx, context, values)
        self.authority.require(context, "create", target)
        self.authority.require_attributes(context, "create", values, target)

    def _list(self, call: Call) -> Answer:
        context = call.context
        project = {"project": context.project_id}
        query = queries.parse(call.query)
        statement = self._select
        if not context.is_admin:
            statement = statement.where(self._visible)
        where = queries.condition(self.resource, self.rows.table, query.filters, self._filters)
        if where is not None:
            statement = statement.where(where)
        with self.database.read() as tx:
            marker = self._marker(tx, context, query.marker)
            statement = queries.ordered(statement, self.resource, self.rows.table, query, marker)
            names = self._names
            found = tx.execute(statement, project).all() if self.authority.may_list(context) else ()
            rows = self._permitted(tx, context, [dict(zip(names, row, strict=True)) for row in found])
            if query.page_reverse:
                rows.reverse()
            ids = [str(row["id"]) for row in rows]
            body: dict[str, object] = {self.resource.plural: self._present(tx, context, rows, query.fields)}
        links = queries.links(call.url, call.query, query, ids)
        if links:
            body[f"{self.resource.plural}_links"] = links
        return Answer(200, body)

    def _show(self, call: Call) -> Answer:
        query = queries.parse([pair for pair in call.query if pair[0] == "fields"])
        with self.database.read() as tx:
            row = self.fetch(tx, call.context, call.path["id"])
        return Answer(200, {self.resource.singular: only(row, query.fields)})

    def _create(self, call: Call) -> Answer:
        body = call.json()
        singular, plural = self.resource.singular, self.resource.plural
        if isinstance(body, dict) and plural in body and singular not in body:
            items = body[plural]
            if not isinstance(items, list) or not items:
                raise BadRequest("Resources required", type_name="HTTPBadRequest")
            if len(items) > BULK_LIMIT:
                raise BadRequest(f"At most {BULK_LIMIT} {plural} in one request", type_name="HTTPBadRequest")
            return Answer(201, {plural: self._create_all(call.context, items)})
        return Answer(201, {singular: self._create_all(call.context, [wrapped(body, singular)])[0]})

    def _create_all(self, context: RequestContext, items: Sequence[object]) -> list[Row]:
        parsed = [self._owned(context, self.resource.parse_post(i)) for i in items]
        with self.database.write(context, status=201) as tx:
            for values in parsed:
                self.authorise_new(tx, context, values)
            self.limit(tx, [str(values["project_id"]) for values in parsed])
            made = [self.create(tx, context, values) for values in parsed]
            return [self.fetch(tx, context, record.id) for record in made]

    def _update(self, call: Call) -> Answer:
        context, singular = call.context, self.resource.singular
        values = self.resource.parse_put(wrapped(call.json(), singular))
        with self.database.write(context) as tx:
            old = self.load(tx, context, call)
            target = self.target(tx, context, {**self.resource.show(old), **values})
            self.authority.require_attributes(context, "update", self.asked(old, values), target)
            self.update(tx, context, old, values)
            return Answer(200, {singular: self.fetch(tx, context, old.id)})

    def _delete(self, call: Call) -> Answer:
        with self.database.write(call.context, status=204) as tx:
            self.delete(tx, call.context, self.load(tx, call.context, call))
        return Answer(204)

    def _exists(self) -> Conflict:
        return Conflict(
            f"There is a {self.resource.words} with such values already.", type_name=self.resource.error_type("Exists")
        )

    def _owned(self, context: RequestContext, values: Row) -> Row:
        """``values`` with the project that the object will belong to."""
        project = values.get("project_id", context.project_id)
        if project is None:
            raise BadRequest(
                "The token is not scoped to a project and no project_id is given", type_name="HTTPBadRequest"
            )
        if project != context.project_id and not context.is_admin:
            raise BadRequest(
                "Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires "
                "admin privileges",
                type_name="HTTPBadRequest",
            )
        return {**values, "project_id": project}

    def _marker(self, tx: Transaction, context: RequestContext, key: str | None) -> Mapping[str, object] | None:
        if key is None:
            return None
        self.fetch(tx, context, key)
        table = self.rows.table
        return dict(tx.execute(select(table).where(table.c.id == key)).one()._mapping)


def wrapped(body: object, singular: str) -> object:
    """What stands under the resource's name; raises ``BadRequest``."""
    if not isinstance(body, dict) or singular not in body:
        raise BadRequest(f"Unable to find '{singular}' in request body", type_name="HTTPBadRequest")
    return body[singular]
