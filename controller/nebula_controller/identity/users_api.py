"""Users and groups.

Effects: the database, password threads. A password is hashed before the transaction begins, stored only as a
hash, and never shown or logged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, insert, select

from nebula.errors import InvalidAttribute, NotFound
from nebula.model.identity import GROUP, USER
from nebula_controller.api.endpoint import Answer, Call, Operation
from nebula_controller.identity import grants, policy
from nebula_controller.identity.attributes import timestamp
from nebula_controller.identity.authenticator import Principal
from nebula_controller.identity.collection import Collection, Values, listing
from nebula_controller.identity.passwordchange import keep_former
from nebula_controller.identity.passwordrules import PasswordState, check_strength, expiry
from nebula_controller.identity.policy import Target
from nebula_controller.identity.projects_api import Projects
from nebula_controller.identity.site import Site
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.identity import group_members, groups, projects, users


class Users(Collection):
    """``/v3/users``, their projects and groups."""

    resource = USER

    def operations(self) -> list[Operation]:
        """The five calls, and those on one user's projects and groups."""
        return [
            *super().operations(),
            Operation("GET", "/v3/users/{id}/projects", self.projects),
            Operation("GET", "/v3/users/{id}/groups", self.groups),
        ]

    def target(self, row: Row[Any]) -> Target:
        """Users may see themselves."""
        return Target(domain_id=row.domain_id, user_id=row.id)

    async def settle(self, values: Values) -> None:
        """Hash the password, if one was given."""
        if "password" in values:
            password = values.pop("password")
            if password is not None:
                check_strength(self.site.rules, password)
            values["password_hash"] = await self.site.passwords.hash(password) if password is not None else None

    def before_create(self, tx: Transaction, principal: Principal, values: Values) -> Values:
        """Not where a directory has the users; a password is of now."""
        values = super().before_create(tx, principal, values)
        self.site.directories.refuse_change(tx, values["domain_id"])
        self._date_password(values, values["options"])
        return values

    def before_update(self, tx: Transaction, principal: Principal, row: Row[Any], values: Values) -> Values:
        """A new password or disabling voids all tokens of the user for good."""
        values = super().before_update(tx, principal, row, values)
        if values.get("enabled", True) is None:
            raise InvalidAttribute("enabled", "Expected `bool`, got `null`")
        self.site.directories.refuse_change(tx, row.domain_id)
        if "password_hash" in values or (values.get("enabled") is False and row.enabled):
            values["tokens_valid_after"] = self.site.clock()
        if "password_hash" in values:
            keep_former(tx, row.id, row.password_hash, self.site.rules, self.site.clock())
        if values.get("enabled"):
            values.update(failed_logins=0, failed_at=None)
        self._date_password(values, values.get("options", row.options))
        return values

    def _date_password(self, values: Values, options: Mapping[str, object]) -> None:
        if values.get("password_hash") is None:
            return
        now = self.site.clock()
        expires_at = expiry(self.site.rules, options, now, by_administrator=True)
        values.update(password_changed_at=now, password_expires_at=expires_at)

    def before_delete(self, tx: Transaction, row: Row[Any]) -> None:
        """Its assignments go with it."""
        self.site.directories.refuse_change(tx, row.domain_id)
        grants.drop_of_actors(tx, "user", select(users.c.id).where(users.c.id == row.id))

    def show_row(self, row: Mapping[Any, Any], v3_url: str) -> Values:
        """Attributes that were never set are left out, as in Keystone."""
        shown = super().show_row(row, v3_url)
        for name in ("description", "default_project_id"):
            if shown[name] is None:
                del shown[name]
        state = PasswordState(expires_at=row["password_expires_at"], options=row["options"])
        return {**shown, "password_expires_at": timestamp(state.shown_expiry)}

    def projects(self, call: Call) -> Answer:
        """200 with the projects on which the user has a role."""
        principal = self.site.principal(call)
        kind = Projects(self.site)
        url = self.site.v3_url(call)
        with self.site.database.read() as tx:
            row = self.find(tx, principal, "list_user_projects", call)
            condition = projects.c.id.in_(grants.projects_of(tx, row.id))
            statement = select(projects).where(condition, *kind.conditions(call.query)).order_by(projects.c.name)
            shown = kind.render(tx, tx.execute(statement).all(), url)
        return Answer(200, listing("projects", shown, call))

    def groups(self, call: Call) -> Answer:
        """200 with the groups that the user is in."""
        principal = self.site.principal(call)
        kind = Groups(self.site)
        url = self.site.v3_url(call)
        with self.site.database.read() as tx:
            row = self.find(tx, principal, "list_groups_for_user", call)
            mine = groups.c.id.in_(select(group_members.c.group_id).where(group_members.c.user_id == row.id))
            rows = tx.execute(select(groups).where(mine, *kind.conditions(call.query)).order_by(groups.c.name)).all()
            shown = kind.render(tx, rows, url)
        return Answer(200, listing("groups", shown, call))


class Groups(Collection):
    """``/v3/groups`` and their members."""

    resource = GROUP

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._users = Users(site)

    def operations(self) -> list[Operation]:
        """The five calls, and those on members."""
        members, member = "/v3/groups/{id}/users", "/v3/groups/{id}/users/{user_id}"
        return [
            *super().operations(),
            Operation("GET", members, self.members),
            Operation("GET", member, self.has_member),
            Operation("HEAD", member, self.has_member),
            Operation("PUT", member, self.add_member),
            Operation("DELETE", member, self.remove_member),
        ]

    def before_create(self, tx: Transaction, principal: Principal, values: Values) -> Values:
        """Not where a directory has the groups."""
        values = super().before_create(tx, principal, values)
        self.site.directories.refuse_change(tx, values["domain_id"])
        return values

    def before_update(self, tx: Transaction, principal: Principal, row: Row[Any], values: Values) -> Values:
        """Not where a directory has the groups."""
        self.site.directories.refuse_change(tx, row.domain_id)
        return super().before_update(tx, principal, row, values)

    def before_delete(self, tx: Transaction, row: Row[Any]) -> None:
        """Its assignments go with it."""
        self.site.directories.refuse_change(tx, row.domain_id)
        grants.drop_of_actors(tx, "group", select(groups.c.id).where(groups.c.id == row.id))

    def members(self, call: Call) -> Answer:
        """200 with the users in the group."""
        principal = self.site.principal(call)
        url = self.site.v3_url(call)
        with self.site.database.read() as tx:
            row = self.find(tx, principal, "list_users_in_group", call)
            inside = users.c.id.in_(select(group_members.c.user_id).where(group_members.c.group_id == row.id))
            found = tx.execute(select(users).where(inside, *self._users.conditions(call.query)).order_by(users.c.name))
            shown = self._users.render(tx, found.all(), url)
        return Answer(200, listing("users", shown, call))

    def has_member(self, call: Call) -> Answer:
        """204, or 404."""
        principal = self.site.principal(call)
        with self.site.database.read() as tx:
            row = self.find(tx, principal, "check_user_in_group", call)
            user = self._users.row(tx, call.path["user_id"])
            if tx.execute(select(group_members).where(_membership(user.id, row.id))).first() is None:
                raise NotFound(f"User {user.id} is not in group {row.id}.")
        return Answer(204)

    def add_member(self, call: Call) -> Answer:
        """204, also where the user is in the group already."""
        policy.require(self.site.principal(call), "add_user_to_group")
        with self.site.change(call) as tx:
            row = self.row(tx, call.path["id"])
            self.site.directories.refuse_change(tx, row.domain_id)
            user = self._users.row(tx, call.path["user_id"])
            if tx.execute(select(group_members).where(_membership(user.id, row.id))).first() is None:
                tx.execute(insert(group_members).values(user_id=user.id, group_id=row.id))
        return Answer(204)

    def remove_member(self, call: Call) -> Answer:
        """204, or 404."""
        policy.require(self.site.principal(call), "remove_user_from_group")
        with self.site.change(call) as tx:
            row = self.row(tx, call.path["id"])
            self.site.directories.refuse_change(tx, row.domain_id)
            user = self._users.row(tx, call.path["user_id"])
            if tx.execute(delete(group_members).where(_membership(user.id, row.id))).rowcount == 0:
                raise NotFound(f"User {user.id} is not in group {row.id}.")
        return Answer(204)


def _membership(user_id: str, group_id: str) -> ColumnElement[bool]:
    return (group_members.c.user_id == user_id) & (group_members.c.group_id == group_id)
