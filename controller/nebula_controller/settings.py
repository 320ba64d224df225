"""Everything that can be set about the controller: one record, from a TOML file and flags.

Pure. The keys of the file are the flags with underscores.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from nebula.errors import ConfigError

DEFAULT_PORT = 9696
"""Neutron's; all services answer on it."""

Listen = Annotated[str, Meta(min_length=1)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``listen`` are ``HOST:PORT`` (IPv6 in brackets), ``listen_fd`` inherited listening sockets.

    ``public_url`` (``http://host:port``) stands in the catalogue; empty: the host that each client used.
    ``password_hash_rounds`` is bcrypt's cost, the logarithm of its iterations.
    """

    state_dir: str = "/var/lib/nebula-controller"
    listen: tuple[Listen, ...] = ()
    listen_fd: tuple[Annotated[int, Meta(ge=3)], ...] = ()
    public_url: Annotated[str, Meta(pattern=r"^(https?://[^/\s]+/?)?$")] = ""
    node_secret_file: str | None = None
    admin_password_file: str | None = None
    pid_file: str | None = None
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    token_lifetime_s: Annotated[int, Meta(ge=1)] = 3600
    max_active_keys: Annotated[int, Meta(ge=2)] = 3
    password_hash_rounds: Annotated[int, Meta(ge=4, le=20)] = 10

    def addresses(self) -> list[tuple[str, int]]:
        """Where to listen; without any flag on 127.0.0.1:9696. ConfigError for what is not ``HOST:PORT``."""
        if not self.listen and not self.listen_fd:
            return [("127.0.0.1", DEFAULT_PORT)]
        return [_address(text) for text in self.listen]


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ConfigError(f"listen {text!r}: put an IPv6 address into brackets, as in [::1]:{DEFAULT_PORT}")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"listen {text!r} is not HOST:PORT, as in 127.0.0.1:{DEFAULT_PORT}")
    return host, int(port)
