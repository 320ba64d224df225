"""UUID tokens: a random text for each, and a row that says what it stands for. What Keystone had before Fernet.

Effects: the database: a write for each token that is made, a look-up for each that is seen the first time. Here for
comparison (``nebulactl bench tokens``). Rows are found by the hash of a token, so that the database gives none away.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable

from sqlalchemy import bindparam, delete, insert, select

from nebula.errors import Unauthorized
from nebula_controller.api.context import internal
from nebula_controller.identity.token import TokenContent, from_bytes, to_bytes
from nebula_controller.store.database import Database
from nebula_controller.store.tables.identity import tokens

_FIND = select(tokens.c.content).where(tokens.c.id == bindparam("key"))
_FORGET = delete(tokens).where(tokens.c.expires_at < bindparam("now"))
_KEEP = insert(tokens)


class UuidTokens:
    """The ``TokenProvider`` with rows. Rows of expired tokens go when the next one is made."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def generation(self) -> int:
        """There are no keys that could change."""
        return 0

    def encode(self, content: TokenContent) -> str:
        """32 hexadecimal digits, as Keystone's; the row is written before they are given away."""
        token = uuid.uuid4().hex
        with self._database.write(internal("tokens")) as tx:
            tx.execute(_FORGET, {"now": self._clock()})
            row = {"id": _key(token), "content": to_bytes(content), "expires_at": content.expires_at}
            tx.execute(_KEEP, row)
        return token

    def decode(self, token: str) -> TokenContent:
        """What the row says. Unauthorized where there is none."""
        if len(token) != 32 or not token.isascii() or not token.isalnum():
            raise Unauthorized("The token is not one of ours.")
        with self._database.read() as tx:
            content = tx.execute(_FIND, {"key": _key(token)}).scalar_one_or_none()
        if content is None:
            raise Unauthorized("The token is not one of ours.")
        return from_bytes(content)


def _key(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
