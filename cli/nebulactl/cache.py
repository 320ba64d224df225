"""What nebulactl remembers between calls: tokens, and the id of the last changing request.

Effects: files of mode 0600 under ``$XDG_CACHE_HOME/nebula`` (folder 0700). A cache that cannot be read or written
is no error: the next call only costs a login more. The password is never written; a salted scrypt digest tells
whether it is still the one that the token was given for.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import tempfile
import time
from pathlib import Path

import msgspec

from nebulactl.credentials import Credentials

_SPARE_S = 60.0
"""A token with less life than this left is not used."""

_FORGOTTEN_S = 7 * 86_400.0
"""What was written so long ago is removed at the next login: every lab has a port, and so a name here, of its own."""


class Grant(msgspec.Struct, frozen=True):
    """A token, what it is for and until when (seconds since 1970). ``endpoints`` maps service types to URLs."""

    token: str
    expires_at_s: float
    expires: str
    user_id: str
    project_id: str
    endpoints: dict[str, str]


class _Entry(msgspec.Struct, frozen=True):
    salt: str
    digest: str
    grant: Grant


def cache_folder() -> Path | None:
    """``$XDG_CACHE_HOME/nebula``, else ``~/.cache/nebula``; None for a user without a home."""
    if home := os.environ.get("XDG_CACHE_HOME"):
        return Path(home) / "nebula"
    try:
        return Path.home() / ".cache" / "nebula"
    except RuntimeError:
        return None


class Cache:
    """The remembered things of one caller: auth URL, user and project."""

    def __init__(self, credentials: Credentials, folder: Path | None = None) -> None:
        who = (
            credentials.identity_url,
            credentials.username,
            repr(credentials.user_domain),
            credentials.project_name,
            credentials.project_id,
            repr(credentials.project_domain),
        )
        name = hashlib.sha256("\0".join(who).encode()).hexdigest()[:32]
        folder = folder or cache_folder() or Path("/dev/null")  # which can hold nothing
        self._token_file = folder / f"token-{name}.json"
        self._request_file = folder / f"request-{name}"
        self._secret = credentials.password.encode()

    def grant(self) -> Grant | None:
        """The token that is still good, for this password."""
        try:
            entry = msgspec.json.decode(self._token_file.read_bytes(), type=_Entry)
            digest = self._digest(bytes.fromhex(entry.salt))
        except (OSError, ValueError):
            return None
        if not hmac.compare_digest(digest, entry.digest) or entry.grant.expires_at_s - _SPARE_S < time.time():
            return None
        return entry.grant

    def keep(self, grant: Grant) -> None:
        self._forget_old()
        salt = os.urandom(16)
        _write(self._token_file, msgspec.json.encode(_Entry(salt.hex(), self._digest(salt), grant)))

    def _forget_old(self) -> None:
        """Remove the files that nobody has written for long."""
        before = time.time() - _FORGOTTEN_S
        with contextlib.suppress(OSError):
            for path in self._token_file.parent.iterdir():
                if path.name.startswith(("token-", "request-", ".new-")) and path.stat().st_mtime < before:
                    path.unlink(missing_ok=True)

    def drop(self) -> None:
        with contextlib.suppress(OSError):
            self._token_file.unlink(missing_ok=True)

    def last_request(self) -> str | None:
        """The id of the last changing request of this caller."""
        try:
            return self._request_file.read_text().strip() or None
        except (OSError, UnicodeDecodeError):
            return None

    def keep_request(self, request_id: str) -> None:
        _write(self._request_file, request_id.encode())

    def _digest(self, salt: bytes) -> str:
        return hashlib.scrypt(self._secret, salt=salt, n=1024, r=8, p=1).hex()


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, readable by the user alone."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
