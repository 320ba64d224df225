"""The lab's daemons: controller, agents, web server: their command lines, files and whether they run.

Effects: starts them inside their places, reads pid files, makes secrets and a listening socket.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import socket
import sys
from pathlib import Path

import msgspec

from nebula.errors import ConfigError
from nebula_lab import openvswitch
from nebula_lab.fabric import CONTROLLER_IP, PHYSICAL_NETWORK, WEB_IP, underlay_ip
from nebula_lab.process import Process
from nebula_lab.space import Space
from nebula_lab.state import NodePlan

CONTROLLER_PORT = 9696
_LOOPBACK = "127.0.0.1"
AGENT_CONFIG = Path("/run/nebula-agent.toml")
"""The agent's configuration as its node sees it."""


class Daemon(msgspec.Struct, frozen=True):
    """A daemon of a place: ``pid_file`` as the machine sees it, ``word`` stands somewhere in its command line."""

    name: str
    pid_file: Path
    word: str


def controller_folder(folder: Path) -> Path:
    """State, secrets and log of the controller."""
    return folder / "controller"


def node_folder(folder: Path, place: str) -> Path:
    """What the place sees as its /run, /var/lib and /var/log is in here."""
    return folder / "nodes" / place


def controller(folder: Path) -> Daemon:
    return Daemon("controller", controller_folder(folder) / "controller.pid", "controller")


def web(folder: Path) -> Daemon:
    return Daemon("web", node_folder(folder, "web") / "run/web.pid", "nebula_lab.web")


def node_daemons(folder: Path, node: str) -> tuple[Daemon, Daemon, Daemon]:
    """ovsdb-server, ovs-vswitchd and nebula-agent, in the order of their start."""
    run = node_folder(folder, node) / "run"
    return (
        Daemon("ovsdb-server", run / openvswitch.DATABASE_PID_FILE, "ovsdb-server"),
        Daemon("ovs-vswitchd", run / openvswitch.SWITCH_PID_FILE, "ovs-vswitchd"),
        Daemon("nebula-agent", run / "nebula/agent.pid", "agent"),
    )


def running(daemon: Daemon, residents: dict[int, Process]) -> Process | None:
    """The daemon's process among its place's ``residents`` (by their pid inside), None where it does not run."""
    try:
        found = residents.get(int(daemon.pid_file.read_text()))
    except (OSError, ValueError):
        return None
    return found if found is not None and daemon.word.encode() in _command_line(found) else None


def any_runs(daemon: Daemon, residents: dict[int, Process]) -> bool:
    """True while some resident has the daemon's word in its command line, its pid file written or not."""
    return any(daemon.word.encode() in _command_line(found) for found in residents.values())


def listen(port: int) -> socket.socket:
    """A listening socket on the machine's loopback address; port 0 takes a free one.

    Raises ConfigError where the port is taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_LOOPBACK, port))
        listener.listen(256)
    except OSError as error:
        listener.close()
        reason = "is taken by another program" if error.errno == errno.EADDRINUSE else f"({error.strerror})"
        raise ConfigError(f"port {port} of {_LOOPBACK} {reason}") from error
    return listener


def start_controller(fabric: Space, folder: Path, listener: socket.socket) -> None:
    """Start it on the socket and on the management segment. Raises CommandFailed."""
    own = controller_folder(folder)
    own.mkdir(mode=0o700, exist_ok=True)
    argv = [
        *_program("nebula-controller", "nebula_controller.main"),
        f"--state-dir={own}",
        f"--listen-fd={listener.fileno()}",
        f"--listen={CONTROLLER_IP}:{CONTROLLER_PORT}",
        f"--node-secret-file={_secret(own / 'node-secret')}",
        f"--admin-password-file={_secret(own / 'admin-password')}",
        f"--pid-file={controller(folder).pid_file}",
        "--log-format=text",
    ]
    fabric.start(argv, own / "controller.log", pass_fds=[listener.fileno()], own_mounts=False)


def start_agent(space: Space, folder: Path, node: NodePlan, datapath_type: str) -> None:
    """Start a node's agent; it waits by itself for the controller. Raises CommandFailed."""
    own = node_folder(folder, node.name)
    _write_secret(own / "run/nebula-node-secret", read_secret(controller_folder(folder) / "node-secret"))
    (own / "log/nebula").mkdir(parents=True, exist_ok=True)
    settings: dict[str, object] = {
        "host": node.name,
        "controller": f"http://{CONTROLLER_IP}:{CONTROLLER_PORT}",
        "node_secret_file": "/run/nebula-node-secret",
        "datapath_type": datapath_type,
        "vtep_ip": underlay_ip(node),
        "role": list(node.roles),
        "bridge_mapping": [f"{PHYSICAL_NETWORK}:br-ex:provider0"] if "network" in node.roles else [],
        "log_format": "text",
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]  # JSON's strings and arrays are TOML's
    (own / "run" / AGENT_CONFIG.name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    argv = [*_program("nebula-agent", "nebula_agent.main"), f"--config={AGENT_CONFIG}"]
    space.start(argv, own / "log/nebula/agent.log")


def start_web(space: Space, folder: Path) -> None:
    """Start the web server of the outside world. Raises CommandFailed."""
    own = node_folder(folder, "web")
    (own / "log").mkdir(exist_ok=True)
    space.start(
        [sys.executable, "-m", "nebula_lab.web", f"{WEB_IP}:80", "--pid-file=/run/web.pid"], own / "log/web.log"
    )


def read_secret(path: Path) -> str:
    """The first line of a file of ours."""
    return path.read_text(encoding="utf-8").strip()


def last_words(log: Path) -> str:
    """The last line of a log, for an error message; empty where there is none."""
    with contextlib.suppress(OSError):
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else ""
    return ""


def _command_line(found: Process) -> bytes:
    try:
        return Path(f"/proc/{found.pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _program(script: str, module: str) -> list[str]:
    """The installed script beside this Python, else the module run from source."""
    installed = Path(sys.executable).parent / script
    if installed.exists():
        return [str(installed)]
    return [sys.executable, "-c", f"import sys; from {module} import main; sys.exit(main())"]


def _secret(path: Path) -> Path:
    if not path.exists():
        _write_secret(path, secrets.token_urlsafe(24))
    return path


def _write_secret(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{text}\n")
