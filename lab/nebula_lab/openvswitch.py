"""Open vSwitch of one node: its database server and its switch.

Effects: starts daemons inside a node, runs ovs-vsctl there. The paths are Debian's defaults, so that
``lab exec NODE -- ovs-vsctl show`` needs no flags.
"""

from __future__ import annotations

import time
from pathlib import Path

from nebula.errors import CommandFailed
from nebula_lab.preflight import KERNEL_DATAPATH
from nebula_lab.space import Space

SOCKET = "unix:/run/openvswitch/db.sock"
DATABASE = "/var/lib/openvswitch/conf.db"
DATABASE_PID_FILE = Path("openvswitch/ovsdb-server.pid")
SWITCH_PID_FILE = Path("openvswitch/ovs-vswitchd.pid")
"""Below the node's /run."""
_CLOCK_S = 10.5
_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


def choose_datapath(wanted: str) -> str:
    """``system`` where the kernel has the openvswitch module, else ``netdev``; or what was asked for."""
    if wanted != "auto":
        return wanted
    return "system" if KERNEL_DATAPATH.is_dir() else "netdev"


def start_database(space: Space, folder: Path) -> None:
    """Start ovsdb-server; the database is made at a node's first start. Raises CommandFailed."""
    for name in ("run/openvswitch", "lib/openvswitch", "log/openvswitch"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    if not (folder / "lib/openvswitch/conf.db").exists():
        space.run(["ovsdb-tool", "create", DATABASE, _SCHEMA])
    _start(
        space,
        folder,
        [
            "ovsdb-server",
            DATABASE,
            f"--remote=p{SOCKET}",
            "--pidfile",
            "--detach",
            "--no-chdir",
            "--log-file=/var/log/openvswitch/ovsdb-server.log",
        ],
    )


def start_switch(space: Space, folder: Path) -> None:
    """Start ovs-vswitchd; returns when it has taken up the database's content. Raises CommandFailed.

    Waits where the machine has only just started: ovs-vswitchd 3.1 counts no processors while the monotonic clock is
    below 10 s ("Overriding n-handler-threads to 0" in its log), and then the kernel datapath passes no packet.
    """
    time.sleep(max(0.0, _CLOCK_S - time.clock_gettime(time.CLOCK_MONOTONIC)))
    _start(
        space,
        folder,
        [
            "ovs-vswitchd",
            SOCKET,
            "--pidfile",
            "--detach",
            "--no-chdir",
            "--log-file=/var/log/openvswitch/ovs-vswitchd.log",
        ],
    )


def configure(space: Space, host: str, datapath_type: str) -> None:
    """Name the system and, for the netdev datapath, let TCP's segments whole. Raises CommandFailed.

    Before ovs-vswitchd starts: it reads the setting of the offload only then.
    """
    argv = ["ovs-vsctl", "--no-wait", "--", "init", "--", "set", "open_vswitch", "."]
    argv += [f"external_ids:system-id={host}", f"external_ids:hostname={host}"]
    if datapath_type == "netdev":
        argv.append("other_config:userspace-tso-enable=true")
    space.run(argv)


def _start(space: Space, folder: Path, argv: list[str]) -> None:
    """Run a daemon that detaches itself. Its last words go to its log, so a failure names that."""
    try:
        space.run(argv)
    except CommandFailed as error:
        raise CommandFailed(argv, error.exit_code, f"{error.stderr.strip()} (log: {folder}/log/openvswitch)") from error
