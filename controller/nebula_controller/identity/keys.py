"""The key repository of Fernet tokens: a folder with one key in each file, named by number, as Keystone's.

Not here: tokens. Effects: reads and writes files in that folder (mode 0700, files 0600); a rotation locks it.

``0`` is the staged key (the next primary: nodes that share the folder can already read what it will sign), the
highest number is the primary (signs), those between are secondary (still read). A rotation makes the staged
key primary, stages a new one, and drops the oldest secondary beyond ``max_active_keys``.
"""

from __future__ import annotations

import time
from pathlib import Path

from cryptography.fernet import Fernet, MultiFernet

from nebula.errors import ConfigError
from nebula_controller.state import locked, write_private

STAGED = 0
DEFAULT_MAX_ACTIVE_KEYS = 3

_SETTLED_NS = 50_000_000
"""A folder's time stamp is as coarse as the kernel's tick (10 ms at most): a younger one may hide a later change."""


class KeyRepository:
    """The folder, and the cipher of the keys in it, read again when the folder has changed."""

    def __init__(self, folder: Path, max_active_keys: int = DEFAULT_MAX_ACTIVE_KEYS) -> None:
        self.folder = folder
        self._max_active_keys = max(2, max_active_keys)
        self._cipher: MultiFernet | None = None
        self._keys: list[bytes] = []
        self._seen = -1
        self._generation = 0

    def make_if_absent(self) -> None:
        """Make the folder with a primary and a staged key where there is none. ConfigError if that is refused."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._numbers():
                self._write(STAGED)
                self._write(1)
        except OSError as error:
            raise ConfigError(f"Key repository {self.folder}: {error.strerror}. Make it writable for us.") from error

    def rotate(self) -> int:
        """Promote the staged key and stage a new one; returns the number of the new primary."""
        self.make_if_absent()
        with locked(self.folder):
            primary = max(self._numbers()) + 1
            staged = self.folder / str(STAGED)
            if not staged.exists():
                self._write(STAGED)
            staged.rename(self.folder / str(primary))
            self._write(STAGED)
            secondary = [number for number in self._numbers() if number not in {STAGED, primary}]
            for number in secondary[: max(0, len(secondary) - (self._max_active_keys - 2))]:
                (self.folder / str(number)).unlink()
        return primary

    def cipher(self) -> MultiFernet:
        """Encrypts with the primary, decrypts with any key. ConfigError when there is no usable key."""
        self.generation()
        if self._cipher is None:
            raise ConfigError(f"Key repository {self.folder} cannot be read: it holds no key.")
        return self._cipher

    def generation(self) -> int:
        """Counts how often other keys were found; reads the folder again if it has changed, or so lately that its
        stamp does not tell."""
        try:
            stamp = self.folder.stat().st_mtime_ns
            if self._cipher is None or stamp != self._seen:
                keys = self._read()
                if keys != self._keys:
                    self._cipher = MultiFernet([Fernet(key) for key in keys])
                    self._keys = keys
                    self._generation += 1
                self._seen = stamp if time.time_ns() - stamp > _SETTLED_NS else -1
        except (OSError, ValueError) as error:
            raise ConfigError(f"Key repository {self.folder} cannot be read: {error}.") from error
        return self._generation

    def _read(self) -> list[bytes]:
        numbers = sorted(self._numbers(), reverse=True)
        keys = []
        for number in numbers:
            try:
                keys.append((self.folder / str(number)).read_bytes().strip())
            except FileNotFoundError:
                continue  # rotated away since the folder was listed
        if not keys:
            raise ValueError("it holds no key")
        return keys

    def _numbers(self) -> list[int]:
        return sorted(int(path.name) for path in self.folder.iterdir() if path.name.isdigit())

    def _write(self, number: int) -> None:
        write_private(self.folder / str(number), Fernet.generate_key())
