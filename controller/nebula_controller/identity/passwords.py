"""Password hashing: bcrypt over a salted HMAC-SHA-256, in threads of its own.

Not here: who may change a password, what a good one is, whose turn it is. Effects: CPU time in at most two threads, so
that a burst of logins never blocks the event loop (bcrypt frees the interpreter's lock).

bcrypt reads at most 72 bytes and stops at a NUL; the HMAC in front lifts both limits, and its key, the salt,
keeps a stolen plain SHA-256 list from being tried directly (the construction of Keystone's ``bcrypt_sha256``).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
from concurrent.futures import ThreadPoolExecutor

import bcrypt

from nebula_controller.identity.turns import Turns

THREADS = 2

MAX_PASSWORD_BYTES = 4096
"""As Keystone's ``max_password_length``; a longer one never matches."""

DEFAULT_ROUNDS = 10
"""log2 of bcrypt's iterations; the least that OWASP's Password Storage Cheat Sheet asks for."""

_SALT = slice(7, 29)
"""Where the salt stands in ``$2b$RR$<22 characters of salt><31 of digest>``."""


def hash_password(password: str, rounds: int = DEFAULT_ROUNDS) -> str:
    """60 ASCII characters in bcrypt's form. Takes some 75 ms with 10 rounds, twice that for each more."""
    salt = bcrypt.gensalt(rounds)
    return bcrypt.hashpw(_stretch(password, salt[_SALT]), salt).decode("ascii")


def password_matches(password: str, hashed: str) -> bool:
    """True when ``hashed`` was made of ``password``; an overlong password costs the same and is never right."""
    stored = hashed.encode("ascii")
    right = bcrypt.checkpw(_stretch(password, stored[_SALT]), stored)
    return right and len(password.encode("utf-8", "surrogatepass")) <= MAX_PASSWORD_BYTES


def random_password() -> str:
    """24 characters from a URL's alphabet: 144 bits."""
    return secrets.token_urlsafe(18)


def _stretch(password: str, salt: bytes) -> bytes:
    data = password.encode("utf-8", "surrogatepass")
    return base64.b64encode(hmac.new(salt, data, hashlib.sha256).digest())


class Passwords:
    """Hashes and checks passwords off the event loop.

    A check against nobody (``hashed`` None) takes as long as one against somebody, so that the time of a 401
    does not tell whether the user exists.
    """

    def __init__(self, rounds: int = DEFAULT_ROUNDS) -> None:
        self._rounds = rounds
        self._threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="password")
        self._turns = Turns(THREADS)
        salt = bcrypt.gensalt(rounds)
        self._nobody = (salt + b"." * 31).decode("ascii")

    async def hash(self, password: str) -> str:
        """As ``hash_password`` with the rounds of the configuration."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, hash_password, password, self._rounds)

    async def check(self, password: str, hashed: str | None, *, source: str = "", name: str = "") -> bool:
        """True when right; False when wrong or when there is no hash, in the same time.

        ``source`` and ``name`` are where the request comes from and whom it names: those who wait take turns by them.
        Unavailable where too many of these wait already.
        """
        loop = asyncio.get_running_loop()
        async with self._turns.turn(source, name):
            right = await loop.run_in_executor(self._threads, password_matches, password, hashed or self._nobody)
        return right and hashed is not None

    def close(self) -> None:
        """Stop the threads; a hash that is under way is left to end by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)
