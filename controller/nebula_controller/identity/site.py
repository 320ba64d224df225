"""What all identity handlers share: the database, the tokens, the clock, and the URL that clients reach us at.

Effects: through the database only.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from nebula.errors import BadRequest
from nebula_controller.api.endpoint import Call
from nebula_controller.identity.authenticator import Principal, TokenAuthenticator
from nebula_controller.identity.directories import Directories
from nebula_controller.identity.keys import KeyRepository
from nebula_controller.identity.passwordrules import PasswordRules
from nebula_controller.identity.passwords import Passwords
from nebula_controller.identity.token import TokenProvider
from nebula_controller.store.database import Database, Transaction

PREFIX = "/identity"
_BASE_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]_-]+")


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """``vault`` has the keys of what has to be read back (EC2 secrets); a rotation of the tokens' leaves them alone.

    ``public_url`` is ``http://host:port`` without a path; empty: the Host that each request names."""

    database: Database
    codec: TokenProvider
    vault: KeyRepository
    authenticator: TokenAuthenticator
    passwords: Passwords
    directories: Directories
    rules: PasswordRules = PasswordRules()
    token_lifetime_s: int = 3600
    public_url: str = ""
    clock: Callable[[], float] = time.time

    def principal(self, call: Call) -> Principal:
        """Who calls. Unauthorized where the call has no valid token."""
        principal = self.authenticator.principal(call.headers.get("x-auth-token", ""))
        return msgspec.structs.replace(principal, policy=call.context.policy)

    @contextmanager
    def change(self, call: Call) -> Iterator[Transaction]:
        """A write; afterwards every token is checked anew, so that what was taken away is gone at once."""
        try:
            with self.database.write(call.context) as tx:
                yield tx
        finally:
            self.authenticator.forget()

    def base_url(self, call: Call) -> str:
        """``http://host:port`` under which this client sees the controller."""
        if self.public_url:
            return self.public_url.rstrip("/")
        match = _BASE_URL.match(call.url)
        if match is None:
            raise BadRequest("The Host header is not a host name or address.")
        return match.group()

    def v3_url(self, call: Call) -> str:
        """Where links to identity objects start."""
        return f"{self.base_url(call)}{PREFIX}/v3"
