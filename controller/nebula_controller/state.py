"""The controller's state folder: database, keys, certificate authority, the lock that keeps it to one process.

Effects: makes the folder (mode 0700) and writes files; everything in it is for us only.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nebula.errors import ConfigError

DATABASE = "nebula.sqlite"
KEYS = "fernet-keys"
CREDENTIAL_KEYS = "credential-keys"
LOCK = "lock"
TLS = "tls"


def open_folder(path: Path) -> Path:
    """Make the folder where it is missing, and see that files made from now on are 0600. ConfigError if refused."""
    os.umask(0o077)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"cannot make the state folder {path}: {error.strerror}. Choose one with --state-dir."
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise ConfigError(f"the state folder {path} cannot be written. Choose another one with --state-dir.")
    return path


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One program at a time changes what is in the folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_private(path: Path, content: bytes) -> None:
    """Whole or not at all, for the folder's owner only, also where root writes for it. ConfigError."""
    new = path.with_name(f".{path.name}.new")
    try:
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            if os.geteuid() == 0:
                place = path.parent.stat()
                os.fchown(descriptor, place.st_uid, place.st_gid)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.rename(path)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error
