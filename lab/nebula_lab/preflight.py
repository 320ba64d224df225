"""Whether this machine can carry a lab: programs, namespaces, the TUN device, room on disk.

Effects: looks at the machine and changes nothing. Every refusal is one line with what to do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from nebula.errors import ConfigError
from nebula_lab.command import environment, search_path

_PACKAGES = {
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setsid": "util-linux",
    "mount": "mount",
    "hostname": "hostname",
    "sysctl": "procps",
    "tini": "tini",
    "ip": "iproute2",
    "ethtool": "ethtool",
    "ovs-vswitchd": "openvswitch-switch",
    "ovsdb-server": "openvswitch-switch",
    "ovsdb-tool": "openvswitch-common",
    "ovs-vsctl": "openvswitch-common",
    "dnsmasq": "dnsmasq-base",
    "udhcpc": "udhcpc",
    "iptables-restore": "iptables",
}
_USER_NAMESPACE_SYSCTLS = (
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
    ("user.max_user_namespaces", "0", "10000"),
)
_ROOM_BYTES = 64 * 1024 * 1024
_TUN = Path("/dev/net/tun")
KERNEL_DATAPATH = Path("/sys/module/openvswitch")


def check(labs: Path, datapath_type: str) -> None:
    """Raises ConfigError naming all missing packages, or the first other obstacle."""
    path = search_path()
    missing = sorted({package for name, package in _PACKAGES.items() if shutil.which(name, path=path) is None})
    if missing:
        raise ConfigError(
            f"not installed: {', '.join(missing)}. Run 'make setup', or: sudo apt install {' '.join(missing)}"
        )
    if datapath_type == "netdev":
        _check_tun()
    elif not KERNEL_DATAPATH.is_dir():
        raise ConfigError(
            "the kernel's openvswitch module is not loaded: run 'sudo modprobe openvswitch', or say --datapath netdev"
        )
    if os.geteuid() == 0:
        _try_namespaces(["--mount", "--pid", "--net", "--uts", "--ipc"])
    else:
        _check_user_namespaces()
        if os.statvfs(labs).f_flag & os.ST_NOEXEC:
            raise ConfigError(
                f"{labs} is on a file system mounted noexec: set XDG_RUNTIME_DIR to a folder of yours elsewhere"
            )
    room = shutil.disk_usage(labs).free
    if room < _ROOM_BYTES:
        raise ConfigError(
            f"only {room // 1024 // 1024} MiB are free in {labs}: a lab needs {_ROOM_BYTES // 1024 // 1024}"
        )


def _check_tun() -> None:
    try:
        os.close(os.open(_TUN, os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        raise ConfigError(f"{_TUN} does not exist: run 'sudo modprobe tun'") from None
    except PermissionError:
        raise ConfigError(
            f"{_TUN} is closed to you, and Open vSwitch without its kernel module needs it: "
            f"run 'sudo chmod 0666 {_TUN}'"
        ) from None
    except OSError as error:
        raise ConfigError(f"{_TUN} cannot be opened ({error.strerror}): run 'sudo modprobe tun'") from error


def _check_user_namespaces() -> None:
    for name, forbidding, allowing in _USER_NAMESPACE_SYSCTLS:
        try:
            value = Path("/proc/sys", *name.split(".")).read_text().strip()
        except OSError:
            continue
        if value == forbidding and not _namespaces_work(["--user", "--map-root-user", "--net"]):
            raise ConfigError(
                f"this machine forbids user namespaces ({name} = {value}): run 'sudo sysctl -w {name}={allowing}', "
                "or use the lab as root (sudo)"
            )
    _try_namespaces(["--user", "--map-root-user", "--mount", "--pid", "--net", "--uts", "--ipc"])


def _namespaces_work(flags: list[str]) -> bool:
    return _unshare(flags).returncode == 0


def _try_namespaces(flags: list[str]) -> None:
    ended = _unshare(flags)
    if ended.returncode != 0:
        line = (ended.stderr.strip().splitlines() or ["no message"])[0]
        hint = "use the lab as root (sudo)" if os.geteuid() else "a container needs CAP_SYS_ADMIN and CAP_NET_ADMIN"
        raise ConfigError(f"this machine does not let you make namespaces ({line}): {hint}")


def _unshare(flags: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["unshare", *flags, "--fork", "--", "true"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=30,
        env=environment(),
        check=False,
    )
