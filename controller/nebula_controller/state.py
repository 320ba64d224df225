"""The controller's state folder: database, key repository, node secret, the lock that keeps it to one process.

Effects: makes the folder (mode 0700); everything in it is for us only.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from nebula_runtime.config import read_secret

from nebula.errors import ConfigError

DATABASE = "nebula.sqlite"
KEYS = "fernet-keys"
CREDENTIAL_KEYS = "credential-keys"
LOCK = "lock"
NODE_SECRET = "node-secret"


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


def node_secret(folder: Path, file: str | None) -> str:
    """The secret that agents show: in ``file``, else in the folder, made there the first time."""
    if file is not None:
        return read_secret(Path(file))
    path = folder / NODE_SECRET
    if not path.exists():
        try:
            path.write_text(secrets.token_urlsafe(32) + "\n", encoding="ascii")
        except OSError as error:
            raise ConfigError(f"cannot write the nodes' secret to {path}: {error.strerror}") from error
    return read_secret(path)
