"""Configuration: a TOML file and flags into one typed record.

Effects: reads one file and the environment. A flag beats the file, the file beats the record's default. Unknown
keys and values of the wrong type are refused by name.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from nebula.errors import ConfigError

T = TypeVar("T", bound=msgspec.Struct)

FOLDER = Path("/etc/nebula")
"""Where a machine's own configuration files are: ``agent.toml``, ``controller.toml``."""


def chosen(given: Path | None, name: str) -> Path | None:
    """The file to read: the one ``given`` by a flag, else by the variable ``NEBULA_<NAME>_CONFIG``, else the machine's.

    None where there is none of them.
    """
    if given is not None:
        return given
    if named := os.environ.get(f"NEBULA_{name.upper()}_CONFIG"):
        return Path(named)
    own = FOLDER / f"{name}.toml"
    return own if own.exists() else None


def load(record: type[T], path: Path | None, flags: Mapping[str, object]) -> T:
    """A ``record`` (a Struct with ``forbid_unknown_fields=True``) from file and flags.

    Flags that are None or an empty tuple were not given. Raises ConfigError naming the file and the key.
    """
    values: dict[str, object] = {}
    if path is not None:
        try:
            values.update(tomllib.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise ConfigError(f"cannot read {path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path} is not UTF-8 text") from error
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path} is not valid TOML: {error}") from error
    source = str(path) if path is not None else "the flags"
    values.update({key: value for key, value in flags.items() if value is not None and value != ()})
    try:
        return msgspec.convert(values, record)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{source}: {error}") from error


def host_and_port(what: str, text: str) -> tuple[str, int]:
    """``HOST:PORT``, an IPv6 address in brackets. ConfigError that begins with ``what``."""
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ConfigError(f"{what} {text!r}: put an IPv6 address into brackets, as in [::1]:9696")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"{what} {text!r} is not HOST:PORT, as in 127.0.0.1:9696")
    return host, int(port)


def read_secret(path: Path) -> str:
    """The first line of a secret's file. Raises ConfigError where it is missing, empty or open to others."""
    try:
        mode = path.stat().st_mode
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(f"cannot read the secret in {path}: {error.strerror}") from error
    if mode & 0o077:
        raise ConfigError(f"{path} holds a secret and is open to other users: run chmod 600 {path}")
    if not lines or not lines[0].strip():
        raise ConfigError(f"{path} is empty: put the secret into its first line")
    return lines[0].strip()
