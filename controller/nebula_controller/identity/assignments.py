"""Giving and taking roles, and the list of who has which.

Effects: the database. The paths are Keystone's: ``/{projects|domains}/{id}/{users|groups}/{id}/roles``, the same
below ``/system`` and, for inherited assignments, below ``/OS-INHERIT``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Table, delete, insert, select

from nebula.errors import BadRequest, Forbidden, NotFound
from nebula_controller.api.endpoint import Answer, Call, Operation
from nebula_controller.identity import grants, policy
from nebula_controller.identity.appcreds_api import drop_of_user_on_project
from nebula_controller.identity.collection import Values, listing
from nebula_controller.identity.grants import SYSTEM_ID, Grant
from nebula_controller.identity.policy import Target
from nebula_controller.identity.roles_api import Roles
from nebula_controller.identity.site import Site
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.identity import assignments, domains, group_members, groups, projects, roles, users

_TABLES: Mapping[str, Table] = {"project": projects, "domain": domains, "user": users, "group": groups}


class Place(msgspec.Struct, frozen=True):
    """One family of assignment paths: who gets roles on what, and whether they are inherited."""

    actor_kind: str
    target_kind: str
    inherited: bool

    @property
    def path(self) -> str:
        """The path of the list of roles."""
        actor = f"{self.actor_kind}s/{{actor_id}}/roles"
        if self.target_kind == "system":
            return f"/v3/system/{actor}"
        if self.inherited:
            return f"/v3/OS-INHERIT/{self.target_kind}s/{{target_id}}/{actor}/inherited_to_projects"
        return f"/v3/{self.target_kind}s/{{target_id}}/{actor}"

    @property
    def role_path(self) -> str:
        """The path of one role."""
        if not self.inherited:
            return f"{self.path}/{{role_id}}"
        return self.path.replace("/inherited_to_projects", "/{role_id}/inherited_to_projects")


PLACES = tuple(
    Place(actor, target, inherited)
    for actor in ("user", "group")
    for target in ("project", "domain", "system")
    for inherited in (False, True)
    if not (target == "system" and inherited)
)


class Assignments:
    """All calls on role assignments."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._roles = Roles(site)

    def operations(self) -> list[Operation]:
        """The routes of every place, and ``/v3/role_assignments``."""
        found = [
            Operation("GET", "/v3/role_assignments", self.index),
            Operation("HEAD", "/v3/role_assignments", self.index),
        ]
        for place in PLACES:
            found += [
                Operation("GET", place.path, partial(self.roles_at, place)),
                Operation("GET", place.role_path, partial(self.check, place)),
                Operation("HEAD", place.role_path, partial(self.check, place)),
                Operation("PUT", place.role_path, partial(self.give, place)),
                Operation("DELETE", place.role_path, partial(self.take, place)),
            ]
        return found

    def roles_at(self, place: Place, call: Call) -> Answer:
        """200 with the roles given directly there."""
        principal = self.site.principal(call)
        url = self.site.v3_url(call)
        with self.site.database.read() as tx:
            policy.require(principal, "list_grants", _policy_target(tx, place, call))
            grant = _grant(tx, place, call, role_id="")
            rows = tx.execute(
                select(roles).where(roles.c.id.in_(select(assignments.c.role_id).where(*_same_place(grant))))
            ).all()
            shown = self._roles.render(tx, rows, url)
        return Answer(200, listing("roles", shown, call))

    def check(self, place: Place, call: Call) -> Answer:
        """204, or 404."""
        principal = self.site.principal(call)
        with self.site.database.read() as tx:
            policy.require(principal, "check_grant", _policy_target(tx, place, call))
            grant = self._named(tx, place, call)
            if tx.execute(select(assignments).where(*_same(grant))).first() is None:
                raise NotFound(f"Could not find role assignment with role: {grant.role_id}.")
        return Answer(204)

    def give(self, place: Place, call: Call) -> Answer:
        """204, also where it was given already."""
        policy.require(self.site.principal(call), "create_grant")
        with self.site.change(call) as tx:
            grant = self._named(tx, place, call)
            self._check_domain(tx, grant)
            if tx.execute(select(assignments).where(*_same(grant))).first() is None:
                tx.execute(insert(assignments).values(**msgspec.structs.asdict(grant)))
        return Answer(204)

    def take(self, place: Place, call: Call) -> Answer:
        """204, or 404."""
        policy.require(self.site.principal(call), "revoke_grant")
        with self.site.change(call) as tx:
            grant = self._named(tx, place, call)
            if tx.execute(delete(assignments).where(*_same(grant))).rowcount == 0:
                raise NotFound(f"Could not find role assignment with role: {grant.role_id}.")
            if (grant.actor_kind, grant.target_kind) == ("user", "project"):
                drop_of_user_on_project(tx, grant.actor_id, grant.target_id)
        return Answer(204)

    def index(self, call: Call) -> Answer:
        """200 with the assignments that match; ``effective`` unfolds groups, inheritance and implied roles."""
        principal = self.site.principal(call)
        policy.require(principal, "list_role_assignments", Target(domain_id=policy.visible_domain(principal) or ""))
        query = dict(call.query)
        _check_filters(query)
        url = self.site.v3_url(call)
        with self.site.database.read() as tx:
            found = [Grant(**row._mapping) for row in tx.execute(select(assignments))]
            if _flag(query, "effective"):
                if query.pop("scope.OS-INHERIT:inherited_to", ""):
                    found = [grant for grant in found if grant.inherited]
                found = list(_unfolded(tx, found))
            domain_id = policy.visible_domain(principal)
            if domain_id is not None:
                found = [grant for grant in found if _domain_of(tx, grant) == domain_id]
            wanted = _subtree(tx, query)
            shown = [grant for grant in found if _matches(grant, query, wanted)]
            names = _Names(tx) if _flag(query, "include_names") else None
            body = [_show(grant, url, names) for grant in sorted(shown)]
        return Answer(200, listing("role_assignments", body, call))

    def _named(self, tx: Transaction, place: Place, call: Call) -> Grant:
        role = self._roles.row(tx, call.path["role_id"])
        return _grant(tx, place, call, role_id=role.id)

    def _check_domain(self, tx: Transaction, grant: Grant) -> None:
        """A role of a domain is given in that domain only."""
        role = self._roles.row(tx, grant.role_id)
        if role.domain_id is not None and role.domain_id != _domain_of(tx, grant):
            raise Forbidden(f"Role {role.id} belongs to domain {role.domain_id} and can only be given there.")


def _grant(tx: Transaction, place: Place, call: Call, *, role_id: str) -> Grant:
    """The assignment that a path names; NotFound for an unknown actor or target."""
    target_id = SYSTEM_ID if place.target_kind == "system" else call.path["target_id"]
    for kind, object_id in ((place.actor_kind, call.path["actor_id"]), (place.target_kind, target_id)):
        table = _TABLES.get(kind)
        if table is not None and tx.execute(select(table.c.id).where(table.c.id == object_id)).first() is None:
            raise NotFound(f"Could not find {kind}: {object_id}.")
    return Grant(place.actor_kind, call.path["actor_id"], place.target_kind, target_id, role_id, place.inherited)


def _policy_target(tx: Transaction, place: Place, call: Call) -> Target:
    if place.target_kind == "domain":
        return Target(domain_id=call.path["target_id"])
    if place.target_kind == "project":
        return Target(domain_id=grants.ancestors(tx, call.path["target_id"])[1])
    return Target()


def _same_place(grant: Grant) -> list[Any]:
    columns = ("actor_kind", "actor_id", "target_kind", "target_id", "inherited")
    return [assignments.c[name] == getattr(grant, name) for name in columns]


def _same(grant: Grant) -> list[Any]:
    return [*_same_place(grant), assignments.c.role_id == grant.role_id]


def _domain_of(tx: Transaction, grant: Grant) -> str:
    if grant.target_kind == "domain":
        return grant.target_id
    return grants.ancestors(tx, grant.target_id)[1] if grant.target_kind == "project" else ""


def _unfolded(tx: Transaction, found: Iterable[Grant]) -> set[Grant]:
    """What the rows come to: users only, on the targets themselves, with implied roles, without domains' own roles."""
    unfolded: set[Grant] = set()
    for grant in found:
        actors = [grant.actor_id]
        if grant.actor_kind == "group":
            members = select(group_members.c.user_id).where(group_members.c.group_id == grant.actor_id)
            actors = list(tx.execute(members).scalars())
        targets = [(grant.target_kind, grant.target_id)]
        if grant.inherited:
            targets = [("project", below) for below in grants.below(tx, grant.target_kind, grant.target_id)]
        unfolded |= {
            Grant("user", actor, kind, target, role, False)
            for actor in actors
            for kind, target in targets
            for role in grants.implied_by(tx, [grant.role_id])
        }
    of_domains = set(tx.execute(select(roles.c.id).where(roles.c.domain_id.is_not(None))).scalars())
    return {grant for grant in unfolded if grant.role_id not in of_domains}


def _check_filters(query: Mapping[str, str]) -> None:
    """BadRequest for filters that together can match nothing, as Keystone refuses them."""
    effective, inherited = _flag(query, "effective"), "scope.OS-INHERIT:inherited_to" in query
    if effective and "group.id" in query:
        raise BadRequest("Combining effective and group filter will always result in an empty list.")
    if effective and inherited and "scope.domain.id" in query:
        raise BadRequest("Combining effective, domain and inherited filters will always result in an empty list.")
    if "user.id" in query and "group.id" in query:
        raise BadRequest("Specify a user or group, not both.")
    if len({"scope.project.id", "scope.domain.id", "scope.system"} & set(query)) > 1:
        raise BadRequest("Specify one of a project, a domain and the system, not several.")
    if _flag(query, "include_subtree") and "scope.project.id" not in query:
        raise BadRequest("scope.project.id must be specified if include_subtree is also specified.")


def _flag(query: Mapping[str, str], name: str) -> bool:
    """Keystone: present and not ``0``."""
    return name in query and query[name].lower() not in {"0", "false"}


def _subtree(tx: Transaction, query: Mapping[str, str]) -> frozenset[str]:
    """The projects that ``scope.project.id`` means, with those below for ``include_subtree``."""
    project_id = query.get("scope.project.id", "")
    if not _flag(query, "include_subtree"):
        return frozenset({project_id})
    return frozenset({project_id, *grants.below(tx, "project", project_id)})


def _matches(grant: Grant, query: Mapping[str, str], subtree: frozenset[str]) -> bool:
    tests: dict[str, Callable[[str], bool]] = {
        "user.id": lambda text: (grant.actor_kind, grant.actor_id) == ("user", text),
        "group.id": lambda text: (grant.actor_kind, grant.actor_id) == ("group", text),
        "role.id": lambda text: grant.role_id == text,
        "scope.project.id": lambda _text: grant.target_kind == "project" and grant.target_id in subtree,
        "scope.domain.id": lambda text: (grant.target_kind, grant.target_id) == ("domain", text),
        "scope.system": lambda _text: grant.target_kind == "system",
        "scope.OS-INHERIT:inherited_to": lambda _text: grant.inherited,
    }
    return all(tests[name](text) for name, text in query.items() if name in tests)


class _Names:
    """Names (and domains) of everything that assignments mention, read once."""

    def __init__(self, tx: Transaction) -> None:
        self._domains = {row.id: row.name for row in tx.execute(select(domains.c.id, domains.c.name))}
        self._rows = {
            kind: {row.id: row for row in tx.execute(select(table.c.id, table.c.name, table.c.domain_id))}
            for kind, table in {"project": projects, "user": users, "group": groups, "role": roles}.items()
        }

    def of(self, kind: str, object_id: str) -> Values:
        """``name`` and, where there is one, ``domain``."""
        if kind == "domain":
            return {"name": self._domains.get(object_id, "")}
        row = self._rows[kind].get(object_id)
        if row is None:
            return {"name": ""}
        if row.domain_id is None:
            return {"name": row.name}
        return {"name": row.name, "domain": {"id": row.domain_id, "name": self._domains[row.domain_id]}}


def _show(grant: Grant, url: str, names: _Names | None) -> Values:
    def named(kind: str, object_id: str) -> Values:
        return {"id": object_id, **(names.of(kind, object_id) if names is not None else {})}

    place = Place(grant.actor_kind, grant.target_kind, grant.inherited)
    link = place.role_path.removeprefix("/v3").format(
        target_id=grant.target_id, actor_id=grant.actor_id, role_id=grant.role_id
    )
    scope: Values = {"system": {"all": True}}
    if grant.target_kind != "system":
        scope = {grant.target_kind: named(grant.target_kind, grant.target_id)}
    if grant.inherited:
        scope["OS-INHERIT:inherited_to"] = "projects"
    return {
        "role": named("role", grant.role_id),
        grant.actor_kind: named(grant.actor_kind, grant.actor_id),
        "scope": scope,
        "links": {"assignment": url + link},
    }
