"""Roles, and which role implies which.

Effects: the database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, insert, select

from nebula.errors import Forbidden, NotFound
from nebula.model.identity import ROLE
from nebula_controller.api.endpoint import Answer, Call, Operation
from nebula_controller.identity import grants, policy
from nebula_controller.identity.authenticator import Principal
from nebula_controller.identity.collection import Collection, Values
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.identity import implied_roles, roles

RoleRow = Mapping[Any, Any]


class Roles(Collection):
    """``/v3/roles``, implications, ``/v3/role_inferences``."""

    resource = ROLE

    def operations(self) -> list[Operation]:
        """The five calls, and those on implications."""
        implies, implied = "/v3/roles/{id}/implies", "/v3/roles/{id}/implies/{implied_id}"
        return [
            *super().operations(),
            Operation("GET", implies, self.implications),
            Operation("GET", implied, self.implication),
            Operation("HEAD", implied, self.implication),
            Operation("PUT", implied, self.imply),
            Operation("DELETE", implied, self.stop_implying),
            Operation("GET", "/v3/role_inferences", self.inferences),
        ]

    def before_update(self, tx: Transaction, principal: Principal, row: Row[Any], values: Values) -> Values:
        """The name ``admin`` stays (the policies stand on it)."""
        if values.get("name", row.name) != row.name:
            self._keep_admin(row)
        return super().before_update(tx, principal, row, values)

    def before_delete(self, tx: Transaction, row: Row[Any]) -> None:
        """Assignments go by their foreign key."""
        self._keep_admin(row)

    def conditions(self, query: Sequence[tuple[str, str]]) -> list[ColumnElement[bool]]:
        """Without ``domain_id``: the roles of no domain."""
        found = super().conditions(query)
        if not any(name == "domain_id" for name, _text in query):
            found.append(roles.c.domain_id.is_(None))
        return found

    def implications(self, call: Call) -> Answer:
        """200 with what one role implies."""
        principal = self.site.principal(call)
        url = self.site.v3_url(call)
        with self.site.database.read() as tx:
            row = self.find(tx, principal, "list_implied_roles", call)
            found = self._implied_by(tx, row.id)
        body = {"prior_role": _brief(row._mapping, url), "implies": [_brief(role, url) for role in found]}
        return Answer(200, {"role_inference": body})

    def implication(self, call: Call) -> Answer:
        """200 with the pair, or 404."""
        principal = self.site.principal(call)
        url = self.site.v3_url(call)
        with self.site.database.read() as tx:
            row = self.find(tx, principal, "get_implied_role", call)
            implied = self.row(tx, call.path["implied_id"])
            if tx.execute(select(implied_roles).where(_pair(row.id, implied.id))).first() is None:
                raise NotFound(f"{row.id} does not imply {implied.id}.")
        return Answer(200, _inference(row, implied, url))

    def imply(self, call: Call) -> Answer:
        """201 with the pair, also where it was there already. Forbidden for a circle and for ``admin`` as implied."""
        policy.require(self.site.principal(call), "create_implied_role")
        with self.site.change(call) as tx:
            row = self.row(tx, call.path["id"])
            implied = self.row(tx, call.path["implied_id"])
            if implied.name == "admin":
                raise Forbidden("The role admin cannot be an implied role.")
            if row.id in grants.implied_by(tx, [implied.id]):
                raise Forbidden(f"Role {implied.id} implies {row.id} already.")
            if tx.execute(select(implied_roles).where(_pair(row.id, implied.id))).first() is None:
                tx.execute(insert(implied_roles).values(prior_role_id=row.id, implied_role_id=implied.id))
        return Answer(201, _inference(row, implied, self.site.v3_url(call)))

    def stop_implying(self, call: Call) -> Answer:
        """204, or 404."""
        policy.require(self.site.principal(call), "delete_implied_role")
        with self.site.change(call) as tx:
            pair = _pair(call.path["id"], call.path["implied_id"])
            if tx.execute(delete(implied_roles).where(pair)).rowcount == 0:
                raise NotFound(f"{call.path['id']} does not imply {call.path['implied_id']}.")
        return Answer(204)

    def inferences(self, call: Call) -> Answer:
        """200 with all implications."""
        policy.require(self.site.principal(call), "list_role_inference_rules")
        url = self.site.v3_url(call)
        with self.site.database.read() as tx:
            priors = tx.execute(select(roles).where(roles.c.id.in_(select(implied_roles.c.prior_role_id)))).all()
            body = [
                {
                    "prior_role": _brief(row._mapping, url),
                    "implies": [_brief(role, url) for role in self._implied_by(tx, row.id)],
                }
                for row in priors
            ]
        return Answer(200, {"role_inferences": body, "links": {"next": None, "self": call.url, "previous": None}})

    def _implied_by(self, tx: Transaction, role_id: str) -> list[RoleRow]:
        inside = select(implied_roles.c.implied_role_id).where(implied_roles.c.prior_role_id == role_id)
        return [row._mapping for row in tx.execute(select(roles).where(roles.c.id.in_(inside)).order_by(roles.c.name))]

    def _keep_admin(self, row: Row[Any]) -> None:
        if row.name == "admin" and row.domain_id is None:
            raise Forbidden("The role admin cannot be renamed or deleted: the policies of all services stand on it.")


def _pair(prior_id: str, implied_id: str) -> ColumnElement[bool]:
    return (implied_roles.c.prior_role_id == prior_id) & (implied_roles.c.implied_role_id == implied_id)


def _brief(role: RoleRow, url: str) -> Values:
    return {"id": role["id"], "name": role["name"], "links": {"self": f"{url}/roles/{role['id']}"}}


def _inference(prior: Row[Any], implied: Row[Any], url: str) -> Values:
    pair = {"prior_role": _brief(prior._mapping, url), "implies": _brief(implied._mapping, url)}
    link = {"self": f"{url}/roles/{prior.id}/implies/{implied.id}"}
    return {"role_inference": pair, "links": link}
