"""The controller's state folder: database, keys, certificate authority, the lock that keeps it to one process.

Effects: makes the folder (mode 0700); everything in it is for us only.
"""

from __future__ import annotations

import os
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
