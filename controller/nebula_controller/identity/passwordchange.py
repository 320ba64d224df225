"""Changing one's own password: ``POST /v3/users/{id}/password``.

Effects: the database, password threads. The original password is the authentication, so that an expired one can be
changed; no token is asked for, as in Keystone.
"""

from __future__ import annotations

from sqlalchemy import delete, insert, select, update

from nebula.errors import BadRequest, Forbidden, Unauthorized
from nebula_controller.api.endpoint import OPEN_LIMIT_BYTES, Answer, Call, Operation
from nebula_controller.identity import attributes
from nebula_controller.identity.attributes import PasswordChange
from nebula_controller.identity.authenticator import Standing, user_standing
from nebula_controller.identity.passwordrules import PasswordRules, check_age, check_strength, expiry
from nebula_controller.identity.proofs import checked_password
from nebula_controller.identity.site import Site
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.identity import password_history, users


class OwnPassword:
    """The one call."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def operations(self) -> list[Operation]:
        """The route."""
        path = "/v3/users/{id}/password"
        return [Operation("POST", path, self.change, open=True, limit_bytes=OPEN_LIMIT_BYTES)]

    async def change(self, call: Call) -> Answer:
        """204, and all tokens of the user are void. 401 for a wrong original password, 400 for a bad new one."""
        wanted = attributes.convert(attributes.read_object(call.raw, "user"), PasswordChange)
        user_id = call.path["id"]
        with self.site.database.read() as tx:
            standing = user_standing(tx, user_id)
        standing = await checked_password(self.site, standing, wanted.original_password, call.source, user_id)
        rules = self.site.rules
        if standing.password.options.get("lock_password"):
            raise Forbidden(f"The password of user {user_id} is locked; an administrator changes it.")
        if wanted.password == wanted.original_password:
            raise BadRequest("The new password cannot be the same as the original one.")
        check_strength(rules, wanted.password)
        check_age(rules, standing.password, self.site.clock())
        await self._check_history(user_id, wanted.password)
        new_hash = await self.site.passwords.hash(wanted.password)
        with self.site.change(call) as tx:
            self._store(tx, user_id, standing, new_hash)
        return Answer(204)

    async def _check_history(self, user_id: str, password: str) -> None:
        """BadRequest where it is one of the last, the present one of which was compared already."""
        count = self.site.rules.unique_last_password_count - 1
        if count <= 0:
            return
        former = select(password_history.c.password_hash).where(password_history.c.user_id == user_id)
        newest = former.order_by(password_history.c.created_at.desc()).limit(count)
        with self.site.database.read() as tx:
            hashes = tx.execute(newest).scalars().all()
        for hashed in hashes:
            if await self.site.passwords.check(password, hashed):
                raise BadRequest(
                    f"The new password cannot be identical to one of the last {count + 1} passwords of the user."
                )

    def _store(self, tx: Transaction, user_id: str, standing: Standing, new_hash: str) -> None:
        now = self.site.clock()
        unchanged = (users.c.id == user_id) & (users.c.password_hash == standing.password.hash)
        values = {
            "password_hash": new_hash,
            "password_changed_at": now,
            "password_expires_at": expiry(self.site.rules, standing.password.options, now, by_administrator=False),
            "tokens_valid_after": now,
        }
        if tx.execute(update(users).where(unchanged).values(**values)).rowcount == 0:
            raise Unauthorized("The password was changed by somebody else at the same time.")
        keep_former(tx, user_id, standing.password.hash, self.site.rules, now)


def keep_former(tx: Transaction, user_id: str, former: str | None, rules: PasswordRules, now: float) -> None:
    """Remember a password that is being replaced, and forget those that no rule asks for any more."""
    mine = password_history.c.user_id == user_id
    keep = max(0, rules.unique_last_password_count - 1)
    if keep and former is not None:
        tx.execute(insert(password_history).values(user_id=user_id, created_at=now, password_hash=former))
    times = select(password_history.c.created_at).where(mine).order_by(password_history.c.created_at.desc())
    newest = tx.execute(times.limit(keep)).scalars().all() if keep else []
    tx.execute(delete(password_history).where(mine, password_history.c.created_at.not_in(newest)))
