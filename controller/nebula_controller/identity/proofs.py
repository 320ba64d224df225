"""The ways to show who one is: password, token, application credential.

Effects: the database, password threads. Whatever is wrong (no such user, wrong password, disabled) gets the same
``Unauthorized``, and a secret is checked in the same time for somebody who does not exist.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import literal, select, update

from nebula.errors import Unauthorized
from nebula_controller.api.context import internal
from nebula_controller.identity.appcreds_api import find_application_credential
from nebula_controller.identity.authenticator import Principal, Standing, user_standing
from nebula_controller.identity.credentials import ApplicationCredential, PasswordUser, find_user, named_domain
from nebula_controller.identity.passwordrules import has_expired, is_locked, lock_has_ended
from nebula_controller.identity.site import Site
from nebula_controller.identity.token import ScopeKind
from nebula_controller.store.tables.identity import application_credentials, users

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


async def by_password(site: Site, wanted: PasswordUser, now: float, source: str) -> Proof:
    """Unauthorized unless the password is the user's, now and after it was checked, and has not expired.

    ``source`` is where the request comes from.
    """
    with site.database.read() as tx:
        standing = find_user(tx, wanted)
        domain_id = standing.party.domain_id if standing is not None else named_domain(tx, wanted)
        directory = site.directories.domain_name(tx, domain_id)
    if directory is not None:
        return await _by_directory(site, directory, wanted, now)
    after = await checked_password(site, standing, wanted.password, source, wanted.id or wanted.name or "")
    if has_expired(after.password, now):
        raise Unauthorized(f"The password is expired and needs to be changed for user: {after.party.id}.")
    return Proof(
        user_id=after.party.id,
        methods=("password",),
        expires_at=now + site.token_lifetime_s,
        default_project_id=after.default_project_id,
    )


async def _by_directory(site: Site, domain: str, wanted: PasswordUser, now: float) -> Proof:
    """Unauthorized unless the domain's directory takes the password. Unavailable where it does not answer."""
    user_id = await site.directories.check_password(domain, wanted.id, wanted.name, wanted.password)
    with site.database.read() as tx:
        standing = user_standing(tx, user_id) if user_id is not None else None
    if standing is None or not standing.enabled:
        raise Unauthorized(REFUSED)
    return Proof(
        user_id=standing.party.id,
        methods=("password",),
        expires_at=now + site.token_lifetime_s,
        default_project_id=standing.default_project_id,
    )


async def checked_password(site: Site, standing: Standing | None, password: str, source: str, name: str) -> Standing:
    """The user as it is after the check. Unauthorized for a wrong password, a locked or disabled user, and for None.

    Whatever it is, the same work is done: the time does not tell either.
    """
    hashed = standing.password.hash if standing else None
    right = await site.passwords.check(password, hashed, source=source, name=name)
    now = site.clock()
    user_id = standing.party.id if standing is not None else ""
    with site.database.read() as tx:
        after = user_standing(tx, user_id)
    locked = after is not None and is_locked(site.rules, after.password, now)
    if site.rules.lockout_failure_attempts and not locked:
        again = after is not None and lock_has_ended(site.rules, after.password, now)
        _count(site, user_id, None if right else now, anew=again or right)
    if not right or standing is None or after is None or locked:
        raise Unauthorized(REFUSED)
    if not after.enabled or after.password.hash != standing.password.hash:
        raise Unauthorized(REFUSED)
    return after


def _count(site: Site, user_id: str, failed_at: float | None, *, anew: bool) -> None:
    """Count a failure at that time, or none. Tokens are as valid after it as before."""
    base = literal(0) if anew else users.c.failed_logins
    values = {"failed_logins": base + (1 if failed_at is not None else 0), "failed_at": failed_at}
    with site.database.write(internal("login")) as tx:
        tx.execute(update(users).where(users.c.id == user_id).values(**values))


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


async def by_application_credential(site: Site, wanted: ApplicationCredential, now: float, source: str) -> Proof:
    """Unauthorized unless the secret is the credential's and it has not expired."""
    with site.database.read() as tx:
        found = find_application_credential(tx, wanted)
    hashed = found.secret_hash if found is not None else None
    right = await site.passwords.check(wanted.secret, hashed, source=source, name=wanted.id or wanted.name or "")
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
