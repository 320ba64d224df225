"""Application credentials: a secret of a program, with its user's rights (or some of them) on one project.

Effects: the database, password threads. As in Keystone the secret is shown once, only the user makes credentials of
its own, and a token that one gave makes and deletes no others unless it is ``unrestricted``. It has at most those of
its roles that the user still has.
"""

from __future__ import annotations

import secrets
import uuid
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Row, delete, insert, select
from sqlalchemy.exc import IntegrityError

from nebula.errors import BadRequest, Conflict, Forbidden, InvalidAttribute, NotFound
from nebula.model.identity import Name
from nebula_controller.api.endpoint import Answer, Call, Operation
from nebula_controller.identity import attributes, grants, policy
from nebula_controller.identity.authenticator import Principal
from nebula_controller.identity.collection import Values, listing
from nebula_controller.identity.credentials import ApplicationCredential, PasswordUser, find_user
from nebula_controller.identity.policy import Target
from nebula_controller.identity.site import Site
from nebula_controller.identity.token import ScopeKind
from nebula_controller.identity.tokenbody import timestamp
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.identity import application_credential_roles, application_credentials


class RoleName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A role by id or by name."""

    id: str | None = None
    name: str | None = None


class New(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST. Without ``roles``: those of the token; without ``secret``: a random one."""

    name: Name
    description: str | None = None
    secret: str | None = None
    expires_at: str | None = None
    roles: list[RoleName] | None = None
    unrestricted: bool | None = None
    project_id: str | None = None
    access_rules: list[object] | None = None


class ApplicationCredentials:
    """``/v3/users/{user_id}/application_credentials``."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def operations(self) -> list[Operation]:
        """The routes. There is no change: who wants another one makes another one."""
        many = "/v3/users/{user_id}/application_credentials"
        return [
            Operation("GET", many, self.index),
            Operation("POST", many, self.create),
            Operation("GET", f"{many}/{{id}}", self.show),
            Operation("HEAD", f"{many}/{{id}}", self.show),
            Operation("DELETE", f"{many}/{{id}}", self.delete),
        ]

    async def create(self, call: Call) -> Answer:
        """201 with the secret, this once."""
        principal = self.site.principal(call)
        user_id = call.path["user_id"]
        policy.require(principal, "create_application_credential", Target(user_id=user_id))
        require_unrestricted(principal)
        given = attributes.read_object(call.raw, "application_credential")
        wanted = attributes.convert(given, New)
        project_id = principal.caller.project_id
        if project_id is None or wanted.project_id not in {None, project_id}:
            raise BadRequest("An application credential is for the project that the token is scoped to.")
        if wanted.access_rules:
            raise InvalidAttribute("access_rules", "rules for single calls are not supported; leave them out")
        role_ids = _role_ids(principal, wanted.roles)
        now = self.site.clock()
        expires_at = _expiry(wanted.expires_at, now)
        secret = wanted.secret or secrets.token_urlsafe(64)
        secret_hash = await self.site.passwords.hash(secret)
        values = {
            "id": uuid.uuid4().hex,
            "user_id": user_id,
            "project_id": project_id,
            "name": wanted.name,
            "description": wanted.description,
            "unrestricted": bool(wanted.unrestricted),
            "expires_at": expires_at,
        }
        with self.site.change(call) as tx:
            try:
                statement = insert(application_credentials)
                tx.execute(statement.values(**values, secret_hash=secret_hash, created_at=now))
            except IntegrityError as error:
                raise Conflict(
                    "Conflict occurred attempting to store application_credential - Duplicate entry found with name "
                    f"{wanted.name} for user ID {user_id}."
                ) from error
            rows = [{"application_credential_id": values["id"], "role_id": role_id} for role_id in role_ids]
            tx.execute(insert(application_credential_roles), rows)
            shown = self._show(tx, _row(tx, user_id, str(values["id"])), call)
        return Answer(201, {"application_credential": {**shown, "secret": secret}})

    def index(self, call: Call) -> Answer:
        """200 with the user's; ``name`` filters."""
        principal = self.site.principal(call)
        user_id = call.path["user_id"]
        policy.require(principal, "list_application_credentials", Target(user_id=user_id))
        statement = select(application_credentials).where(application_credentials.c.user_id == user_id)
        for name, text in call.query:
            if name == "name":
                statement = statement.where(application_credentials.c.name == text)
        with self.site.database.read() as tx:
            rows = tx.execute(statement.order_by(application_credentials.c.name)).all()
            shown = [self._show(tx, row, call) for row in rows]
        return Answer(200, listing("application_credentials", shown, call))

    def show(self, call: Call) -> Answer:
        """200 without the secret, or 404."""
        user_id = call.path["user_id"]
        policy.require(self.site.principal(call), "get_application_credential", Target(user_id=user_id))
        with self.site.database.read() as tx:
            shown = self._show(tx, _row(tx, user_id, call.path["id"]), call)
        return Answer(200, {"application_credential": shown})

    def delete(self, call: Call) -> Answer:
        """204; its tokens are void from now on."""
        principal = self.site.principal(call)
        user_id = call.path["user_id"]
        policy.require(principal, "delete_application_credential", Target(user_id=user_id))
        require_unrestricted(principal)
        with self.site.change(call) as tx:
            row = _row(tx, user_id, call.path["id"])
            tx.execute(delete(application_credentials).where(application_credentials.c.id == row.id))
        return Answer(204)

    def _show(self, tx: Transaction, row: Row[Any], call: Call) -> Values:
        url = f"{self.site.v3_url(call)}/users/{row.user_id}/application_credentials/{row.id}"
        names = ("id", "name", "description", "user_id", "project_id", "unrestricted")
        found = tx.execute(select(application_credential_roles.c.role_id).where(_of(row.id))).scalars()
        return {
            **{name: getattr(row, name) for name in names},
            "roles": [msgspec.structs.asdict(role) for role in grants.role_refs(tx, set(found))],
            "expires_at": timestamp(row.expires_at) if row.expires_at is not None else None,
            "links": {"self": url},
        }


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


def _row(tx: Transaction, user_id: str, credential_id: str) -> Row[Any]:
    mine = application_credentials.c.user_id == user_id
    row = tx.execute(select(application_credentials).where(mine, application_credentials.c.id == credential_id)).first()
    if row is None:
        raise NotFound(f"Could not find Application Credential: {credential_id}.")
    return row


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
