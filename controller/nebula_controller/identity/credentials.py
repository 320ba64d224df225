"""What the body of a login asks for: who, with which proof, on which scope.

Reads the caller's transaction to find users, projects and domains by name; writes nothing.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta
from sqlalchemy import bindparam, select

from nebula.errors import BadRequest, Unauthorized
from nebula_controller.identity import attributes
from nebula_controller.identity.authenticator import Standing, user_standing
from nebula_controller.identity.grants import SYSTEM_ID
from nebula_controller.identity.token import ScopeKind
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.identity import domains, projects, users

_Text = Annotated[str, Meta(max_length=255)]


class DomainName(msgspec.Struct, frozen=True):
    """A domain by id or by name."""

    id: _Text | None = None
    name: _Text | None = None


class PasswordUser(msgspec.Struct, frozen=True, kw_only=True):
    """A user by id, or by name and domain; with the password."""

    password: str
    id: _Text | None = None
    name: _Text | None = None
    domain: DomainName | None = None


class UserName(msgspec.Struct, frozen=True, kw_only=True):
    """A user by id, or by name and domain."""

    id: _Text | None = None
    name: _Text | None = None
    domain: DomainName | None = None


class ApplicationCredential(msgspec.Struct, frozen=True, kw_only=True):
    """An application credential by id, or by name and user; with its secret."""

    secret: str
    id: _Text | None = None
    name: _Text | None = None
    user: UserName | None = None


class _Password(msgspec.Struct, frozen=True):
    user: PasswordUser


class _Token(msgspec.Struct, frozen=True):
    id: str


class _Identity(msgspec.Struct, frozen=True):
    methods: tuple[str, ...]
    password: _Password | None = None
    token: _Token | None = None
    application_credential: ApplicationCredential | None = None


class _Project(msgspec.Struct, frozen=True):
    id: _Text | None = None
    name: _Text | None = None
    domain: DomainName | None = None


class _System(msgspec.Struct, frozen=True):
    all: bool


class _Scope(msgspec.Struct, frozen=True):
    project: _Project | None = None
    domain: DomainName | None = None
    system: _System | None = None


class _Auth(msgspec.Struct, frozen=True):
    identity: _Identity
    scope: _Scope | str | None = None


class ScopeWish(msgspec.Struct, frozen=True):
    """The scope that was asked for. ``explicitly_none``: not even the user's default project."""

    kind: ScopeKind = ScopeKind.NONE
    project: _Project | None = None
    domain: DomainName | None = None
    explicitly_none: bool = False

    def find_domain(self, tx: Transaction) -> str:
        """The id of the domain (or of the system). Unauthorized where there is none."""
        if self.kind is ScopeKind.SYSTEM:
            return SYSTEM_ID
        return _domain_id(tx, self.domain)


class Credentials(msgspec.Struct, frozen=True):
    """A login. Every method that is named has to be given; at least one is."""

    password: PasswordUser | None
    token: str | None
    application_credential: ApplicationCredential | None
    scope: ScopeWish

    @staticmethod
    def read(body: bytes) -> Credentials:
        """BadRequest where the body has not the form of Keystone's ``auth``, names no or an unknown method."""
        auth = attributes.convert(attributes.read_object(body, "auth"), _Auth)
        for method in auth.identity.methods:
            if method not in {"password", "token", "application_credential"}:
                raise Unauthorized(f"Attempted to authenticate with an unsupported method: {method[:64]!r}.")
        password = _wanted("password", auth.identity.methods, auth.identity.password)
        token = _wanted("token", auth.identity.methods, auth.identity.token)
        program = _wanted("application_credential", auth.identity.methods, auth.identity.application_credential)
        if password is None and token is None and program is None:
            raise BadRequest("identity.methods names no method.")
        scope = _scope(auth.scope)
        if program is not None and scope != ScopeWish():
            raise Unauthorized("Application credentials cannot request a scope.")
        return Credentials(password.user if password else None, token.id if token else None, program, scope)


def _wanted(method: str, methods: tuple[str, ...], given: attributes.T | None) -> attributes.T | None:
    if method not in methods:
        return None
    if given is None:
        raise BadRequest(f"Expecting to find {method} in identity, because methods names it.")
    return given


def _scope(scope: _Scope | str | None) -> ScopeWish:
    if scope is None:
        return ScopeWish()
    if isinstance(scope, str):
        if scope != "unscoped":
            raise BadRequest("scope is 'unscoped' or an object.")
        return ScopeWish(explicitly_none=True)
    if sum(part is not None for part in (scope.project, scope.domain, scope.system)) != 1:
        raise BadRequest("scope names exactly one of project, domain and system.")
    if scope.system is not None and not scope.system.all:
        raise BadRequest("The only system scope is {'all': true}.")
    if scope.project is not None:
        return ScopeWish(ScopeKind.PROJECT, project=scope.project)
    return ScopeWish(ScopeKind.DOMAIN if scope.domain else ScopeKind.SYSTEM, domain=scope.domain)


_USER = select(users.c.id).where(users.c.name == bindparam("name"), users.c.domain_id == bindparam("domain"))
_PROJECT = select(projects.c.id).where(
    projects.c.name == bindparam("name"), projects.c.domain_id == bindparam("domain")
)
_DOMAIN = select(domains.c.id).where(domains.c.name == bindparam("name"))


def find_user(tx: Transaction, wanted: PasswordUser) -> Standing | None:
    """The user that a login names; None where there is none. BadRequest where it names neither id nor name."""
    user_id = wanted.id
    if user_id is None:
        if wanted.name is None or wanted.domain is None:
            raise BadRequest("Expecting to find id, or name and domain, in user.")
        domain_id = _domain_id_or_none(tx, wanted.domain)
        user_id = tx.execute(_USER, {"name": wanted.name, "domain": domain_id}).scalar_one_or_none()
    return user_standing(tx, user_id) if user_id is not None else None


def named_domain(tx: Transaction, wanted: PasswordUser) -> str:
    """The id of the domain in which a login looks for its user; empty where there is none."""
    return (_domain_id_or_none(tx, wanted.domain) or "") if wanted.domain is not None else ""


def find_project(tx: Transaction, scope: ScopeWish) -> str:
    """The id of the project that a scope names. Unauthorized where there is none: a login does not tell which exist."""
    wanted = scope.project or _Project()
    if wanted.id is not None:
        return wanted.id
    if wanted.name is None or wanted.domain is None:
        raise BadRequest("Expecting to find id, or name and domain, in scope.project.")
    domain_id = _domain_id(tx, wanted.domain)
    project_id = tx.execute(_PROJECT, {"name": wanted.name, "domain": domain_id}).scalar_one_or_none()
    if project_id is None:
        raise Unauthorized(f"Could not find project: {wanted.name}.")
    return str(project_id)


def _domain_id(tx: Transaction, wanted: DomainName | None) -> str:
    found = _domain_id_or_none(tx, wanted)
    if found is None:
        raise Unauthorized("Could not find the domain.")
    return found


def _domain_id_or_none(tx: Transaction, wanted: DomainName | None) -> str | None:
    if wanted is None or (wanted.id is None and wanted.name is None):
        raise BadRequest("Expecting to find id or name in domain.")
    if wanted.id is not None:
        return wanted.id
    return tx.execute(_DOMAIN, {"name": wanted.name}).scalar_one_or_none()
