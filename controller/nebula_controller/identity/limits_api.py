"""Registered limits (a service's default for everybody) and limits (a project's or domain's own).

Effects: the database. Nobody enforces them here: services ask for them (oslo.limit). The model is Keystone's ``flat``:
a project's limit has nothing to do with its parent's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, or_, select

from nebula.errors import BadRequest, Conflict, Forbidden, InvalidAttribute, NebulaError, NotFound
from nebula.model.identity import LIMIT, REGISTERED_LIMIT
from nebula_controller.api.endpoint import Answer, Call, Operation
from nebula_controller.identity import attributes, grants, policy
from nebula_controller.identity.authenticator import Principal
from nebula_controller.identity.collection import Collection, Values, condition, listing
from nebula_controller.identity.policy import Target
from nebula_controller.identity.token import ScopeKind
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.identity import limits, projects, registered_limits

_BULK_LIMIT = 1000
_MODEL = {
    "name": "flat",
    "description": "Limit enforcement and validation does not take project hierarchy into consideration.",
}


class _Bulk(Collection):
    """What is created several at a time, all or none."""

    async def create(self, call: Call) -> Answer:
        """201 with the new ones."""
        principal = self.site.principal(call)
        self.admit(principal, "create", call)
        given = attributes.read_body(call.raw).get(self.plural)
        if not isinstance(given, list) or not given or len(given) > _BULK_LIMIT:
            raise InvalidAttribute(self.plural, f"a list of 1 to {_BULK_LIMIT} objects is expected")
        wanted = [attributes.given(attributes.convert(_object(item, self.singular), self.new)) for item in given]
        with self.site.change(call) as tx:
            rows = [self.insert(tx, principal, values) for values in wanted]
            shown = self.render(tx, rows, self.site.v3_url(call))
        return Answer(201, listing(self.plural, shown, call))

    def require_known(self, tx: Transaction, values: Values, error: type[NebulaError] = BadRequest) -> None:
        """What is named and not there makes a bad request."""
        super().require_known(tx, values, error)


class RegisteredLimits(_Bulk):
    """``/v3/registered_limits``: everybody may read them."""

    resource = REGISTERED_LIMIT

    def before_create(self, tx: Transaction, principal: Principal, values: Values) -> Values:
        """The resource has no limit there yet."""
        values = super().before_create(tx, principal, values)
        self._check_unique(tx, values, "")
        return values

    def before_update(self, tx: Transaction, principal: Principal, row: Row[Any], values: Values) -> Values:
        """As for creation; one that limits stand on changes only in its number and description."""
        values = super().before_update(tx, principal, row, values)
        place = {name: getattr(row, name) for name in ("service_id", "region_id", "resource_name")}
        moved = {**place, **{name: value for name, value in values.items() if name in place}}
        if moved != place:
            if tx.execute(select(limits.c.id).where(limits.c.registered_limit_id == row.id)).first() is not None:
                raise Forbidden(f"Unable to update registered limit {row.id} because there are limits of it.")
            self._check_unique(tx, moved, row.id)
        return values

    def _check_unique(self, tx: Transaction, values: Mapping[str, object], own_id: str) -> None:
        if registered(tx, values) not in {None, own_id}:
            raise Conflict(
                "Conflict occurred attempting to store registered_limit - Duplicate entry found with name "
                f"{values['resource_name']}."
            )


class Limits(_Bulk):
    """``/v3/limits``: readers see all or their domain's, everybody those of the token's own scope."""

    resource = LIMIT

    def operations(self) -> list[Operation]:
        """The five calls, and the model's, which has to come before the path of one limit."""
        model = Operation("GET", "/v3/limits/model", self.model, open=False)
        return [model, Operation("HEAD", "/v3/limits/model", self.model), *super().operations()]

    def model(self, call: Call) -> Answer:
        """200 with how limits of nested projects go together: not at all."""
        policy.require(self.site.principal(call), "get_limit_model")
        return Answer(200, {"model": _MODEL})

    def before_create(self, tx: Transaction, principal: Principal, values: Values) -> Values:
        """There is a registered limit for it, the holder exists, and has no other one."""
        if (values["project_id"] is None) == (values["domain_id"] is None):
            raise BadRequest("A limit is of exactly one project_id or domain_id.")
        self.require_known(tx, {name: values[name] for name in ("service_id", "region_id")})
        registered_id = registered(tx, values)
        if registered_id is None:
            raise Forbidden("Unable to create a limit that has no corresponding registered limit.")
        self.require_known(tx, values, NotFound)
        own = [limits.c[name] == values[name] for name in ("project_id", "domain_id") if values[name] is not None]
        if tx.execute(select(limits.c.id).where(*own, limits.c.registered_limit_id == registered_id)).first():
            raise Conflict(
                "Conflict occurred attempting to store limit - Duplicate entry found with name "
                f"{values['resource_name']}."
            )
        return {**values, "registered_limit_id": registered_id}

    def visible(self, principal: Principal, call: Call) -> list[ColumnElement[bool]]:
        """Those of the token's scope, for who is no reader of all."""
        policy.require(principal, "list_limits")
        return _visible(principal)

    def conditions(self, query: Sequence[tuple[str, str]]) -> list[ColumnElement[bool]]:
        """Also on what the registered one says."""
        asked = [pair for pair in query if pair[0] in {"service_id", "region_id", "resource_name"}]
        of = [condition(registered_limits.c[name], "", text) for name, text in asked]
        inside = [limits.c.registered_limit_id.in_(select(registered_limits.c.id).where(*of))] if of else []
        return [*super().conditions(query), *inside]

    def find(self, tx: Transaction, principal: Principal, action: str, call: Call) -> Row[Any]:
        """A domain's reader sees the limits of the domain's projects too."""
        row = tx.execute(select(limits).where(limits.c.id == call.path["id"])).one_or_none()
        if row is not None and row.project_id is not None:
            policy.require_any(
                principal, action, self.target(row), Target(domain_id=grants.ancestors(tx, row.project_id)[1])
            )
            return row
        return super().find(tx, principal, action, call)

    def render(self, tx: Transaction, rows: Sequence[Row[Any]], v3_url: str) -> list[Values]:
        """With the service, region and resource of the registered limit."""
        known = {row.id: row for row in tx.execute(select(registered_limits))}
        shown = super().render(tx, rows, v3_url)
        for row, limit in zip(rows, shown, strict=True):
            base = known[row.registered_limit_id]
            limit.update(service_id=base.service_id, region_id=base.region_id, resource_name=base.resource_name)
        return shown


def registered(tx: Transaction, values: Mapping[str, object]) -> str | None:
    """The id of the registered limit for a service, region and resource name."""
    where = [registered_limits.c[name] == values[name] for name in ("service_id", "resource_name")]
    region_id = values.get("region_id")
    where.append(
        registered_limits.c.region_id.is_(None) if region_id is None else registered_limits.c.region_id == region_id
    )
    return tx.execute(select(registered_limits.c.id).where(*where)).scalars().first()


def _visible(principal: Principal) -> list[ColumnElement[bool]]:
    if principal.caller.is_admin or policy.is_system_reader(principal):
        return []
    if principal.content.scope is ScopeKind.DOMAIN and principal.scope is not None:
        inside = select(projects.c.id).where(projects.c.domain_id == principal.scope.id)
        return [or_(limits.c.domain_id == principal.scope.id, limits.c.project_id.in_(inside))]
    return [limits.c.project_id == (principal.caller.project_id or "")]


def _object(item: object, singular: str) -> dict[str, object]:
    if not isinstance(item, dict):
        raise InvalidAttribute(singular, "an object is expected")
    return item
