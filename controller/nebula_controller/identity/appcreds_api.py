"""Application credentials: a secret of a program, with its user's rights (or some of them) on one project.

Effects: the database, password threads. As in Keystone the secret is shown once, only the user makes credentials of
its own, and a token that one gave makes and deletes no others unless it is ``unrestricted``. It has at most those of
its roles that the user still has.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Row, delete, insert, select

from nebula.errors import BadRequest, Forbidden, InvalidAttribute
from nebula.model.credential import APPLICATION_CREDENTIAL, RoleName
from nebula_controller.api.endpoint import Call
from nebula_controller.identity import attributes, grants
from nebula_controller.identity.authenticator import Principal
from nebula_controller.identity.collection import Collection, Values
from nebula_controller.identity.credentials import ApplicationCredential, PasswordUser, find_user
from nebula_controller.identity.token import ScopeKind
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.identity import application_credential_roles, application_credentials


class ApplicationCredentials(Collection):
    """``/v3/users/{user_id}/application_credentials``. There is no change: who wants another one makes another one."""

    resource = APPLICATION_CREDENTIAL
    shown_once = ("secret",)

    def admit(self, principal: Principal, verb: str, call: Call) -> None:
        """Not with the token of a restricted one."""
        super().admit(principal, verb, call)
        require_unrestricted(principal)

    async def settle(self, values: Values) -> None:
        """A random secret, if none was given; it is stored as a hash."""
        values["secret"] = values["secret"] or secrets.token_urlsafe(64)
        values["secret_hash"] = await self.site.passwords.hash(values["secret"])

    def before_create(self, tx: Transaction, principal: Principal, values: Values) -> Values:
        """It is for the token's project, with some or all of its roles."""
        project_id = principal.caller.project_id
        if project_id is None or values["project_id"] not in {None, project_id}:
            raise BadRequest("An application credential is for the project that the token is scoped to.")
        if values["access_rules"]:
            raise InvalidAttribute("access_rules", "rules for single calls are not supported; leave them out")
        now = self.site.clock()
        found = {
            "project_id": project_id,
            "roles": _role_ids(principal, values["roles"]),
            "expires_at": _expiry(values["expires_at"], now),
            "created_at": now,
        }
        return super().before_create(tx, principal, {**values, **found})

    def after_write(self, tx: Transaction, object_id: str, values: Values) -> None:
        """Roles stand in their own table."""
        rows = [{"application_credential_id": object_id, "role_id": role_id} for role_id in values["roles"]]
        tx.execute(insert(application_credential_roles), rows)

    def render(self, tx: Transaction, rows: Sequence[Row[Any]], v3_url: str) -> list[Values]:
        """With the roles."""
        shown = super().render(tx, rows, v3_url)
        for one in shown:
            found = tx.execute(select(application_credential_roles.c.role_id).where(_of(one["id"]))).scalars()
            one["roles"] = [msgspec.structs.asdict(role) for role in grants.role_refs(tx, set(found))]
            one["expires_at"] = attributes.timestamp(one["expires_at"])
        return shown


def require_unrestricted(principal: Principal) -> None:
    """Forbidden for the token of an application credential that may not make or delete credentials."""
    if principal.application_credential is not None and principal.application_credential.restricted:
        raise Forbidden("A restricted application credential may not manage credentials.")


def find_application_credential(tx: Transaction, wanted: ApplicationCredential) -> Row[Any] | None:
    """The one that a login names, by id or by name and user; None where there is none."""
    statement = select(application_credentials)
    if wanted.id is not None:
        statement = statement.where(application_credentials.c.id == wanted.id)
    else:
        if wanted.name is None or wanted.user is None:
            raise BadRequest("Expecting to find id, or name and user, in application_credential.")
        named = PasswordUser(password="", id=wanted.user.id, name=wanted.user.name, domain=wanted.user.domain)
        user = find_user(tx, named)
        statement = statement.where(
            application_credentials.c.user_id == (user.party.id if user else ""),
            application_credentials.c.name == wanted.name,
        )
    return tx.execute(statement).one_or_none()


def drop_of_user_on_project(tx: Transaction, user_id: str, project_id: str) -> None:
    """A role of the user on the project was taken: what stood on it goes (Keystone)."""
    mine = application_credentials.c.user_id == user_id
    tx.execute(delete(application_credentials).where(mine, application_credentials.c.project_id == project_id))


def _of(credential_id: str) -> Any:
    return application_credential_roles.c.application_credential_id == credential_id


def _role_ids(principal: Principal, wanted: list[RoleName] | None) -> list[str]:
    if principal.content.scope is not ScopeKind.PROJECT or not wanted:
        return [role.id for role in principal.roles]
    found = []
    for name in wanted:
        matching = [
            role.id for role in principal.roles if role.id == name.id or (not name.id and role.name == name.name)
        ]
        if not matching:
            raise InvalidAttribute("roles", f"the token has no role {name.id or name.name!r} on this project")
        found.append(matching[0])
    return sorted(set(found))


def _expiry(text: str | None, now: float) -> float | None:
    if text is None:
        return None
    try:
        when = datetime.fromisoformat(text)
        at = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise InvalidAttribute("expires_at", "it is a time as in 2030-01-31T12:00:00Z") from error
    if at <= now:
        raise InvalidAttribute("expires_at", "it has passed already")
    return at
