"""From a token to who bears it, checked against what the database says now.

Effects: reads the database. Not here: passwords, and the making of tokens (``login``).

A token is void when it has expired, was given back, its user, project or domain is gone or disabled or was
since the token was made, its user's password has changed, or its user has no role left on its scope. What
was found is kept in memory until any identity row changes (``forget``), so that a validation mostly costs a
dictionary look-up.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
from sqlalchemy import Row, bindparam, select

from nebula.errors import Unauthorized
from nebula_controller.api.context import NO_RULES, Caller
from nebula_controller.api.policy import Policy
from nebula_controller.identity import grants
from nebula_controller.identity.grants import RoleRef
from nebula_controller.identity.passwordrules import PasswordState
from nebula_controller.identity.token import ScopeKind, TokenContent, TokenProvider
from nebula_controller.store.database import Database, Transaction
from nebula_controller.store.tables.identity import (
    application_credential_roles,
    application_credentials,
    domains,
    projects,
    revocations,
    users,
)

_KEPT_TOKENS = 4096


class Party(msgspec.Struct, frozen=True):
    """A user, project or domain as tokens show it; a domain's own ``domain_id`` is empty."""

    id: str
    name: str
    domain_id: str = ""
    domain_name: str = ""
    password_expires_at: float | None = None


class UsedCredential(msgspec.Struct, frozen=True):
    """The application credential that a token stands on, as tokens show it."""

    id: str
    name: str
    restricted: bool


class Principal(msgspec.Struct, frozen=True):
    """Who bears a valid token, with the rights it gives. ``scope`` is None for an unscoped token and the system's."""

    content: TokenContent
    user: Party
    scope: Party | None
    roles: tuple[RoleRef, ...]
    caller: Caller
    application_credential: UsedCredential | None = None
    policy: Policy = NO_RULES

    def has_role(self, name: str) -> bool:
        """True when the token's roles hold one of this name."""
        return name in self.caller.roles


class Standing(msgspec.Struct, frozen=True):
    """A user's or scope's row as far as logging in asks."""

    party: Party
    enabled: bool
    valid_after: float
    password: PasswordState = PasswordState()
    default_project_id: str | None = None


_USER = (
    select(
        users.c.id,
        users.c.name,
        users.c.domain_id,
        domains.c.name.label("domain_name"),
        (users.c.enabled & domains.c.enabled).label("enabled"),
        users.c.tokens_valid_after,
        domains.c.tokens_valid_after.label("domain_valid_after"),
        users.c.password_hash,
        users.c.password_changed_at,
        users.c.password_expires_at,
        users.c.failed_logins,
        users.c.failed_at,
        users.c.options,
        users.c.default_project_id,
    )
    .join(domains, domains.c.id == users.c.domain_id)
    .where(users.c.id == bindparam("id"))
)
_PROJECT = (
    select(
        projects.c.id,
        projects.c.name,
        projects.c.domain_id,
        domains.c.name.label("domain_name"),
        (projects.c.enabled & domains.c.enabled).label("enabled"),
        projects.c.tokens_valid_after,
        domains.c.tokens_valid_after.label("domain_valid_after"),
    )
    .join(domains, domains.c.id == projects.c.domain_id)
    .where(projects.c.id == bindparam("id"))
)
_DOMAIN = select(domains.c.id, domains.c.name, domains.c.enabled, domains.c.tokens_valid_after).where(
    domains.c.id == bindparam("id")
)
_REVOKED = select(revocations.c.audit_id).where(revocations.c.audit_id == bindparam("audit_id"))
_APPLICATION_CREDENTIAL = select(
    application_credentials.c.id, application_credentials.c.name, application_credentials.c.unrestricted
).where(application_credentials.c.id == bindparam("id"))
_ITS_ROLES = select(application_credential_roles.c.role_id).where(
    application_credential_roles.c.application_credential_id == bindparam("id")
)


def user_standing(tx: Transaction, user_id: str) -> Standing | None:
    """The user as it is now; None where there is none."""
    row = tx.execute(_USER, {"id": user_id}).one_or_none()
    if row is None:
        return None
    after = max(row.tokens_valid_after, row.domain_valid_after)
    password = PasswordState(
        hash=row.password_hash,
        changed_at=row.password_changed_at,
        expires_at=row.password_expires_at,
        failed_logins=row.failed_logins,
        failed_at=row.failed_at,
        options=row.options,
    )
    party = msgspec.structs.replace(_party(row), password_expires_at=password.shown_expiry)
    return Standing(party, bool(row.enabled), after, password, row.default_project_id)


def scope_standing(tx: Transaction, kind: ScopeKind, scope_id: str) -> Standing | None:
    """The project or domain as it is now; None where there is none."""
    if kind is ScopeKind.PROJECT:
        row = tx.execute(_PROJECT, {"id": scope_id}).one_or_none()
        if row is None:
            return None
        return Standing(_party(row), bool(row.enabled), max(row.tokens_valid_after, row.domain_valid_after))
    row = tx.execute(_DOMAIN, {"id": scope_id}).one_or_none()
    if row is None:
        return None
    return Standing(Party(row.id, row.name), row.enabled, row.tokens_valid_after)


def _party(row: Row[tuple[object, ...]]) -> Party:
    return Party(row.id, row.name, row.domain_id, row.domain_name)


class TokenAuthenticator:
    """The ``Authenticator`` of all services. ``clock`` gives seconds since the epoch."""

    def __init__(self, database: Database, codec: TokenProvider, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._codec = codec
        self._clock = clock
        self._known: dict[str, Principal] = {}
        self._generation = -1

    def authenticate(self, token: str) -> Caller:
        """See ``principal``."""
        return self.principal(token).caller

    def principal(self, token: str) -> Principal:
        """Who bears this token. Unauthorized where it is void; the message does not say why, nor the token."""
        generation = self._codec.generation()
        if generation != self._generation:  # a key went, and the tokens that it made with it
            self.forget()
            self._generation = generation
        known = self._known.get(token)
        if known is None:
            content = self._codec.decode(token)
            with self._database.read() as tx:
                known = self._check(tx, content)
            if len(self._known) >= _KEPT_TOKENS:
                self._known.clear()
            self._known[token] = known
        if known.content.expires_at <= self._clock():
            raise Unauthorized("The token has expired.")
        return known

    def forget(self) -> None:
        """Some identity row has changed: check every token anew."""
        self._known.clear()

    def _check(self, tx: Transaction, content: TokenContent) -> Principal:
        if tx.execute(_REVOKED, {"audit_id": content.audit_ids[0]}).first() is not None:
            raise Unauthorized("The token was given back.")
        user = _still_valid(user_standing(tx, content.user_id), content)
        return principal_of(tx, content, user.party)


def principal_of(tx: Transaction, content: TokenContent, user: Party) -> Principal:
    """The rights that ``content``'s scope gives to this user now. Unauthorized where there are none."""
    scope: Party | None = None
    roles: tuple[RoleRef, ...] = ()
    if content.scope in {ScopeKind.PROJECT, ScopeKind.DOMAIN}:
        scope = _still_valid(scope_standing(tx, content.scope, content.scope_id), content).party
        kind = "project" if content.scope is ScopeKind.PROJECT else "domain"
        roles = grants.roles_on(tx, user.id, kind, scope.id)
    elif content.scope is ScopeKind.SYSTEM:
        roles = grants.roles_on(tx, user.id, "system", grants.SYSTEM_ID)
    used = None
    if content.application_credential_id:
        used, allowed = _application_credential(tx, content)
        roles = tuple(role for role in roles if role.id in allowed)
    if content.scope is not ScopeKind.NONE and not roles:
        raise Unauthorized(f"User {user.id} has no role on the requested scope.")
    return Principal(content, user, scope, roles, _caller(content, user, scope, roles), used)


def _application_credential(tx: Transaction, content: TokenContent) -> tuple[UsedCredential, set[str]]:
    """The credential and its role ids. Unauthorized where it is gone (its expiry bounds that of its tokens)."""
    key = {"id": content.application_credential_id}
    row = tx.execute(_APPLICATION_CREDENTIAL, key).one_or_none()
    if row is None:
        raise Unauthorized("The application credential is no longer valid.")
    return UsedCredential(row.id, row.name, not row.unrestricted), set(tx.execute(_ITS_ROLES, key).scalars())


def _still_valid(standing: Standing | None, content: TokenContent) -> Standing:
    if standing is None or not standing.enabled or content.issued_at < standing.valid_after:
        raise Unauthorized("The token is no longer valid.")
    return standing


def _caller(content: TokenContent, user: Party, scope: Party | None, roles: tuple[RoleRef, ...]) -> Caller:
    in_project = scope is not None and content.scope is ScopeKind.PROJECT
    return Caller(
        user_id=user.id,
        user_name=user.name,
        user_domain_id=user.domain_id,
        project_id=scope.id if scope and in_project else None,
        project_name=scope.name if scope and in_project else "",
        project_domain_id=scope.domain_id if scope and in_project else "",
        domain_id=scope.id if scope and content.scope is ScopeKind.DOMAIN else None,
        system_scope=content.scope is ScopeKind.SYSTEM,
        roles=frozenset(role.name for role in roles),
    )
