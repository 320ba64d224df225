"""The ways to show who one is: password, token, application credential.

Effects: the database, password threads. Whatever is wrong (no such user, wrong password, disabled) gets the same
``Unauthorized``, and a secret is checked in the same time for somebody who does not exist.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import select

from nebula.errors import Unauthorized
from nebula_controller.identity.appcreds import find_application_credential
from nebula_controller.identity.authenticator import Principal, user_standing
from nebula_controller.identity.credentials import ApplicationCredential, PasswordUser, find_user
from nebula_controller.identity.site import Site
from nebula_controller.identity.token import ScopeKind
from nebula_controller.store.tables.identity import application_credentials

REFUSED = "The request you have made requires authentication."


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What a login has shown: who it is, how, and for a token method what it hands on.

    ``only_project_id``: the proof is good on this project alone (an application credential's).
    """

    user_id: str
    methods: tuple[str, ...]
    expires_at: float
    chain_audit_id: str = ""
    default_project_id: str | None = None
    only_project_id: str = ""
    application_credential_id: str = ""


async def by_password(site: Site, wanted: PasswordUser, now: float) -> Proof:
    """Unauthorized unless the password is the user's, now and after it was checked."""
    with site.database.read() as tx:
        standing = find_user(tx, wanted)
    right = await site.passwords.check(wanted.password, standing.password_hash if standing else None)
    if not right or standing is None:
        raise Unauthorized(REFUSED)
    with site.database.read() as tx:
        after = user_standing(tx, standing.party.id)
    if after is None or not after.enabled or after.password_hash != standing.password_hash:
        raise Unauthorized(REFUSED)
    return Proof(
        user_id=after.party.id,
        methods=("password",),
        expires_at=now + site.token_lifetime_s,
        default_project_id=after.default_project_id,
    )


def by_token(site: Site, token: str) -> Proof:
    """A valid token proves what it says, for as long as it lives; one of an application credential on its project."""
    principal = site.authenticator.principal(token)
    content = principal.content
    with site.database.read() as tx:
        standing = user_standing(tx, content.user_id)
    return Proof(
        user_id=content.user_id,
        methods=("token", *content.methods),
        expires_at=content.expires_at,
        chain_audit_id=content.audit_ids[-1],
        default_project_id=standing.default_project_id if standing else None,
        only_project_id=_only_project(principal),
        application_credential_id=content.application_credential_id,
    )


async def by_application_credential(site: Site, wanted: ApplicationCredential, now: float) -> Proof:
    """Unauthorized unless the secret is the credential's and it has not expired."""
    with site.database.read() as tx:
        found = find_application_credential(tx, wanted)
    right = await site.passwords.check(wanted.secret, found.secret_hash if found is not None else None)
    if not right or found is None:
        raise Unauthorized(REFUSED)
    with site.database.read() as tx:
        still = select(application_credentials.c.id).where(application_credentials.c.id == found.id)
        standing = user_standing(tx, found.user_id) if tx.execute(still).first() is not None else None
    expires_at = min(now + site.token_lifetime_s, found.expires_at or float("inf"))
    if standing is None or not standing.enabled or expires_at <= now:
        raise Unauthorized(REFUSED)
    return Proof(
        user_id=found.user_id,
        methods=("application_credential",),
        expires_at=expires_at,
        only_project_id=found.project_id,
        application_credential_id=found.id,
    )


def _only_project(principal: Principal) -> str:
    content = principal.content
    return content.scope_id if content.application_credential_id and content.scope is ScopeKind.PROJECT else ""
