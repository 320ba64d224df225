"""Everything that can be set about the controller: one record, from a TOML file and flags.

Pure. The keys of the file are the flags with underscores.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from nebula_runtime.config import host_and_port

from nebula.model.network import VNI_FIRST
from nebula_controller.identity.ldap import LdapSettings

DEFAULT_PORT = 9696
"""Neutron's; all services answer on it."""

Vni = Annotated[int, Meta(ge=1, le=2**24 - 1)]
"""RFC 7348: 24 bits."""
Listen = Annotated[str, Meta(min_length=1)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``listen`` are ``HOST:PORT`` (IPv6 in brackets), ``listen_fd`` inherited listening sockets.

    ``public_url`` (``http://host:port``) stands in the catalogue; empty: the host that each client used.
    ``listen_tls`` are those with TLS, where nodes join and show their certificates; ``tls_name`` further names or
    addresses by which clients call them; ``certificate_lifetime_s`` is that of the nodes' certificates and of the
    controller's. ``node_secret_file``: what nodes that never joined show, on a network that nobody else is on; None:
    all join. ``metrics_listen``: where Prometheus finds /metrics; empty: nowhere. ``policy_file``: see
    ``docs/policy.md``. ``token_provider``: ``uuid`` keeps a row for each token. ``max_active_keys`` of Fernet.
    ``password_hash_rounds`` is bcrypt's cost, the logarithm of its iterations. The rules for
    passwords, off by default, are explained in ``identity.passwordrules``. ``ldap`` (in the file only,
    as ``[ldap.NAME]``) gives the domain of that name a directory. ``vni_first``..``vni_last`` are given to
    networks; ``underlay_mtu_bytes`` is the MTU between the nodes, from which the networks' follows.
    """

    state_dir: str = "/var/lib/nebula-controller"
    listen: tuple[Listen, ...] = ()
    listen_fd: tuple[Annotated[int, Meta(ge=3)], ...] = ()
    listen_tls: tuple[Listen, ...] = ()
    tls_name: tuple[str, ...] = ()
    certificate_lifetime_s: Annotated[int, Meta(ge=10, le=5 * 365 * 86_400)] = 90 * 86_400
    public_url: Annotated[str, Meta(pattern=r"^(https?://[^/\s]+/?)?$")] = ""
    node_secret_file: str | None = None
    admin_password_file: str | None = None
    pid_file: str | None = None
    metrics_listen: str = ""
    policy_file: str | None = None
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    token_lifetime_s: Annotated[int, Meta(ge=1)] = 3600
    token_provider: Literal["fernet", "uuid"] = "fernet"
    max_active_keys: Annotated[int, Meta(ge=2)] = 3
    password_hash_rounds: Annotated[int, Meta(ge=4, le=20)] = 10
    lockout_failure_attempts: Annotated[int, Meta(ge=0)] = 0
    lockout_duration_s: Annotated[int, Meta(ge=0)] = 1800
    password_expires_days: Annotated[int, Meta(ge=0)] = 0
    unique_last_password_count: Annotated[int, Meta(ge=0, le=24)] = 0
    minimum_password_age_days: Annotated[int, Meta(ge=0)] = 0
    password_regex: str = ""
    password_regex_description: str = ""
    change_password_upon_first_use: bool = False
    ldap: dict[str, LdapSettings] = {}
    vni_first: Vni = VNI_FIRST
    vni_last: Vni = 65_535
    underlay_mtu_bytes: Annotated[int, Meta(ge=1280, le=65_535)] = 1500

    def addresses(self) -> list[tuple[str, int]]:
        """Where to listen; without any flag on 127.0.0.1:9696. ConfigError for what is not ``HOST:PORT``."""
        if not self.listen and not self.listen_fd:
            return [("127.0.0.1", DEFAULT_PORT)]
        return [host_and_port("listen", text) for text in self.listen]

    def tls_addresses(self) -> list[tuple[str, int]]:
        """Where to listen with TLS. ConfigError."""
        return [host_and_port("listen_tls", text) for text in self.listen_tls]
