"""Which roles somebody effectively has where: own and groups' assignments, inherited ones, implied roles.

Reads the caller's transaction, by index; writes nothing. The rules are Keystone's: an inherited assignment on a
domain or project holds on the projects below it and not on itself; a role brings the roles it implies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from sqlalchemy import Select, and_, bindparam, delete, or_, select

from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.identity import assignments, group_members, implied_roles, projects, roles

SYSTEM_ID = "all"
"""Keystone's word for the one system target."""


class RoleRef(msgspec.Struct, frozen=True, order=True):
    """A role as tokens show it."""

    name: str
    id: str
    domain_id: str | None = None


class Grant(msgspec.Struct, frozen=True, order=True):
    """A row of the assignments: ``kind`` of target is ``project``, ``domain`` or ``system``."""

    actor_kind: str
    actor_id: str
    target_kind: str
    target_id: str
    role_id: str
    inherited: bool


_OF_USER = or_(
    and_(assignments.c.actor_kind == "user", assignments.c.actor_id == bindparam("user_id")),
    and_(
        assignments.c.actor_kind == "group",
        assignments.c.actor_id.in_(
            select(group_members.c.group_id).where(group_members.c.user_id == bindparam("user_id"))
        ),
    ),
)
_GRANTS_OF_USER = select(assignments).where(_OF_USER)
_PROJECT_PLACE = select(projects.c.parent_id, projects.c.domain_id).where(projects.c.id == bindparam("project_id"))
_IMPLIED = select(implied_roles)
_ROLES = select(roles.c.name, roles.c.id, roles.c.domain_id).where(roles.c.id.in_(bindparam("ids", expanding=True)))


def grants_of_user(tx: Transaction, user_id: str) -> list[Grant]:
    """The user's own assignments and those of its groups, wherever."""
    return [Grant(**row._mapping) for row in tx.execute(_GRANTS_OF_USER, {"user_id": user_id})]


def ancestors(tx: Transaction, project_id: str) -> tuple[list[str], str]:
    """The projects above this one, nearest first, and the domain; an unknown project has neither."""
    above: list[str] = []
    current: str | None = project_id
    domain_id = ""
    while current is not None:
        row = tx.execute(_PROJECT_PLACE, {"project_id": current}).one_or_none()
        if row is None:
            break
        domain_id = row.domain_id
        current = row.parent_id
        if current is not None:
            above.append(current)
    return above, domain_id


def implied_by(tx: Transaction, role_ids: Iterable[str]) -> set[str]:
    """The roles themselves and all that they imply, at whatever distance."""
    implications: dict[str, list[str]] = {}
    for row in tx.execute(_IMPLIED):
        implications.setdefault(row.prior_role_id, []).append(row.implied_role_id)
    found: set[str] = set()
    pending = list(role_ids)
    while pending:
        role_id = pending.pop()
        if role_id not in found:
            found.add(role_id)
            pending.extend(implications.get(role_id, ()))
    return found


def role_refs(tx: Transaction, role_ids: set[str]) -> tuple[RoleRef, ...]:
    """Names for ids, sorted by name."""
    if not role_ids:
        return ()
    return tuple(sorted(RoleRef(**row._mapping) for row in tx.execute(_ROLES, {"ids": sorted(role_ids)})))


def roles_on(tx: Transaction, user_id: str, target_kind: str, target_id: str) -> tuple[RoleRef, ...]:
    """The roles that the user effectively has on one project, one domain or the system; empty for none.

    A domain's own role counts only by what it implies (Keystone): services know the names of global roles.
    """
    mine = grants_of_user(tx, user_id)
    holding = {g.role_id for g in mine if not g.inherited and (g.target_kind, g.target_id) == (target_kind, target_id)}
    if target_kind == "project" and any(grant.inherited for grant in mine):
        above, domain_id = ancestors(tx, target_id)
        places = {("domain", domain_id), *(("project", project_id) for project_id in above)}
        holding |= {g.role_id for g in mine if g.inherited and (g.target_kind, g.target_id) in places}
    if not holding:
        return ()
    return tuple(role for role in role_refs(tx, implied_by(tx, holding)) if role.domain_id is None)


def projects_of(tx: Transaction, user_id: str) -> set[str]:
    """Ids of the projects on which the user effectively has a role."""
    mine = grants_of_user(tx, user_id)
    found = {grant.target_id for grant in mine if grant.target_kind == "project" and not grant.inherited}
    for grant in mine:
        if grant.inherited:
            found |= set(below(tx, grant.target_kind, grant.target_id))
    return found


def below(tx: Transaction, target_kind: str, target_id: str) -> Iterator[str]:
    """Ids of the projects below a domain or project, at whatever depth, itself not included."""
    if target_kind == "domain":
        yield from tx.execute(select(projects.c.id).where(projects.c.domain_id == target_id)).scalars().all()
        return
    pending = [target_id]
    while pending:
        children = tx.execute(select(projects.c.id).where(projects.c.parent_id == pending.pop())).scalars().all()
        yield from children
        pending.extend(children)


def drop_of_actors(tx: Transaction, kind: str, ids: Select[tuple[str]]) -> None:
    """Delete the assignments of the users or groups that ``ids`` selects."""
    tx.execute(delete(assignments).where(assignments.c.actor_kind == kind, assignments.c.actor_id.in_(ids)))


def drop_on_targets(tx: Transaction, kind: str, ids: Select[tuple[str]]) -> None:
    """Delete the assignments on the projects or domains that ``ids`` selects."""
    tx.execute(delete(assignments).where(assignments.c.target_kind == kind, assignments.c.target_id.in_(ids)))
