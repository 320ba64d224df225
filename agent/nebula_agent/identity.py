"""What this node is for its controller: key and certificate, got when it joined, and the authorities that it trusts.

Effects: the files of one folder (0600). Read again when they change, so that a node that joined anew, or renewed, goes
on without a restart. Each certificate has a key of its own.
"""

from __future__ import annotations

import os
import ssl
import threading
import time
from pathlib import Path

import msgspec

from nebula.errors import ConfigError
from nebula.view.joining import CONTROLLER_NAME, digest_of
from nebula_agent.edge import files

JOINED, CERTIFICATE, AUTHORITIES = "joined.json", "node.pem", "authority.pem"
"""``node.pem`` has the key, then the certificate: both change at once."""


class Joined(msgspec.Struct, frozen=True):
    """Where and as whom. ``expires_at_s`` of the certificate: seconds since the epoch, by the controller's clock."""

    url: str
    host: str
    expires_at_s: float


class Identity:
    """A node that has joined; what ``nebula_runtime.http`` calls a ``Tls``. For use by several threads.

    Raises ConfigError where the files cannot be used.
    """

    server_name = CONTROLLER_NAME

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._context: ssl.SSLContext | None = None
        self.joined = self._read()

    def context(self) -> ssl.SSLContext:
        """Both ends are authenticated: it trusts the node's authorities alone, and shows the node's certificate."""
        with self._lock:
            try:
                found = (self._folder / CERTIFICATE).stat()
                stamp = (found.st_mtime_ns, found.st_ino)
                if self._context is None or stamp != self._stamp:
                    trusted = (self._folder / AUTHORITIES).read_text(encoding="ascii")
                    self._context = _context(trusted, self._folder / CERTIFICATE)
                    self.joined = self._read()
                    self._stamp = stamp
            except (OSError, ValueError) as error:
                raise ConfigError(f"cannot use this node's certificate in {self._folder}: {_why(error)}") from error
            return self._context

    def trusts(self, digest: str) -> bool:
        """Whether the node's authorities are those with this digest. Raises ConfigError."""
        try:
            return digest_of((self._folder / AUTHORITIES).read_text(encoding="ascii")) == digest
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot read {self._folder / AUTHORITIES} ({error}): join again") from error

    def renewed(self, key: str, certificate: str, authorities: str, expires_at_s: float) -> None:
        """Keep a newer certificate, its key and what to trust. Raises ConfigError where they do not fit, and keeps the
        old ones."""
        new = self._folder / f"{CERTIFICATE}.renewed"
        try:
            files.write(new, (key + certificate).encode(), durable=True, mode=0o600)
            _context(authorities, new)
            files.write(self._folder / AUTHORITIES, authorities.encode(), durable=True, mode=0o600)
            kept = msgspec.structs.replace(self.joined, expires_at_s=expires_at_s)
            files.write(self._folder / JOINED, msgspec.json.encode(kept), durable=True, mode=0o600)
            new.rename(self._folder / CERTIFICATE)
        except (OSError, ValueError) as error:
            new.unlink(missing_ok=True)
            raise ConfigError(f"cannot keep the renewed certificate in {self._folder}: {_why(error)}") from error

    def trouble(self) -> str:
        """What a person has to do before the controller can believe this node; empty where nothing."""
        expires_at_s = self.joined.expires_at_s
        if time.time() < expires_at_s:
            return ""
        ended = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(expires_at_s))
        return (
            f"this node's certificate has expired at {ended} (if the clock is right). To have the node back: "
            f"'nebulactl node token create --host {self.joined.host}' at the controller, then "
            "'nebula-agent join URL TOKEN' here"
        )

    def _read(self) -> Joined:
        try:
            return msgspec.json.decode((self._folder / JOINED).read_bytes(), type=Joined)
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot read {self._folder / JOINED} ({error}): join again") from error


def keep(folder: Path, joined: Joined, *, key: str, certificate: str, authorities: str) -> None:
    """What a node has once it joined; the key and its certificate are written last. Raises ConfigError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        content = (
            (AUTHORITIES, authorities.encode()),
            (JOINED, msgspec.json.encode(joined)),
            (CERTIFICATE, (key + certificate).encode()),
        )
        for name, text in content:
            files.write(folder / name, text, durable=True, mode=0o600)
    except OSError as error:
        raise ConfigError(f"cannot write {folder}: {error.strerror} (run it as root, or with --state-dir)") from error


def check_writable(folder: Path) -> None:
    """Before a token is used up. Raises ConfigError."""
    place = folder
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK):
        raise ConfigError(f"cannot write {folder}: run it as root, or with --state-dir")


def find(folder: Path) -> Identity | None:
    """None where the node has not joined. Raises ConfigError."""
    return Identity(folder) if (folder / CERTIFICATE).exists() else None


def _context(authorities: str, certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=authorities)
    context.load_cert_chain(certificate)
    return context


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
        return error.strerror or str(error)
    return "certificate, key and authorities do not fit together"
