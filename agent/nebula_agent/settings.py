"""The agent's settings: what the configuration file and the flags may say.

Pure records and their checks.
"""

from __future__ import annotations

import ipaddress

import msgspec
from nebula_runtime.config import host_and_port

from nebula.compile.facts import BridgeMapping
from nebula.errors import ConfigError
from nebula.view.report import Role


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Keys of the TOML file, and the flags with hyphens for underscores."""

    host: str = ""
    controller: str = ""
    node_secret_file: str = ""
    datapath_type: str = "auto"
    overlay: str = "auto"
    vtep_ip: str = ""
    role: tuple[str, ...] = (Role.COMPUTE.value,)
    bridge_mapping: tuple[str, ...] = ()
    ovs_db: str = "unix:/run/openvswitch/db.sock"
    run_dir: str = "/run/nebula"
    state_dir: str = "/var/lib/nebula"
    view_file: str = ""
    pid_file: str = ""
    metrics_listen: str = ""
    log_format: str = "text"
    log_level: str = "info"

    def roles(self) -> tuple[Role, ...]:
        """Raises ConfigError for a role that there is not."""
        try:
            return tuple(sorted({Role(item) for item in self.role}))
        except ValueError as error:
            raise ConfigError(f"--role: {error}: give network, compute or both") from error

    def mappings(self) -> tuple[BridgeMapping, ...]:
        """Raises ConfigError for a mapping that is not PHYSNET:BRIDGE[:INTERFACE]."""
        return tuple(sorted(_mapping(item) for item in self.bridge_mapping))

    def socket_path(self) -> str:
        """The path of OVSDB's unix socket. Raises ConfigError."""
        scheme, _, path = self.ovs_db.partition(":")
        if scheme != "unix" or not path.startswith("/"):
            raise ConfigError(f"--ovs-db {self.ovs_db!r}: give unix:/PATH/OF/SOCKET")
        return path


def check(settings: Settings) -> None:
    """Raises ConfigError for what is wrong whatever the machine is like."""
    settings.roles()
    settings.mappings()
    settings.socket_path()
    if settings.datapath_type not in ("auto", "system", "netdev"):
        raise ConfigError(f"--datapath-type {settings.datapath_type!r}: give auto, system or netdev")
    if settings.overlay not in ("auto", "kernel", "ovs"):
        raise ConfigError(f"--overlay {settings.overlay!r}: give auto, kernel or ovs")
    if settings.log_format not in ("text", "json"):
        raise ConfigError(f"--log-format {settings.log_format!r}: give text or json")
    if settings.log_level.lower() not in ("debug", "info", "warning", "error"):
        raise ConfigError(f"--log-level {settings.log_level!r}: give debug, info, warning or error")
    if settings.metrics_listen:
        host_and_port("--metrics-listen", settings.metrics_listen)
    for name, path in (("--run-dir", settings.run_dir), ("--state-dir", settings.state_dir)):
        if not path.startswith("/"):
            raise ConfigError(f"{name} {path!r}: give an absolute path")


def check_running(settings: Settings) -> None:
    """Raises ConfigError for what is missing for a running agent."""
    if not settings.vtep_ip:
        raise ConfigError("--vtep-ip is missing: give this node's address on the underlay network")
    try:
        ipaddress.ip_address(settings.vtep_ip)
    except ValueError as error:
        raise ConfigError(f"--vtep-ip {settings.vtep_ip!r} is not an IP address") from error


def _mapping(text: str) -> BridgeMapping:
    parts = text.split(":")
    if len(parts) not in (2, 3) or not all(parts):
        raise ConfigError(f"--bridge-mapping {text!r}: give PHYSNET:BRIDGE or PHYSNET:BRIDGE:INTERFACE")
    if any(len(name.encode()) > 15 for name in parts[1:]):
        raise ConfigError(f"--bridge-mapping {text!r}: the name of a bridge or interface has at most 15 bytes")
    return BridgeMapping(parts[0], parts[1], parts[2] if len(parts) == 3 else None)
