"""ovs-vswitchd's control socket: what ``ovs-appctl`` asks there, without a process of its own.

Effects: one request and answer, JSON-RPC 1.0 over a unix socket (unixctl of OVS). Always with a time limit.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path

from nebula.errors import CommandFailed

_TIMEOUT_S = 5.0


def appctl(run_folder: Path, command: str, *arguments: str) -> str:
    """What the command prints. Raises CommandFailed, with ovs-vswitchd's own words."""
    argv = ["ovs-appctl", command, *arguments]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as link:
            link.settimeout(_TIMEOUT_S)
            link.connect(str(_control_socket(run_folder)))
            link.sendall(json.dumps({"id": 0, "method": command, "params": list(arguments)}).encode())
            answer = _answer(link)
    except (OSError, ValueError) as error:
        raise CommandFailed(argv, None, f"ovs-vswitchd does not answer: {error}") from error
    if answer.get("error") is not None:
        raise CommandFailed(argv, 2, str(answer["error"]))
    return str(answer.get("result"))


def _control_socket(folder: Path) -> Path:
    """As ovs-appctl finds it: by the pid file. Raises OSError."""
    pid = (folder / "ovs-vswitchd.pid").read_text(encoding="ascii").strip()
    return folder / f"ovs-vswitchd.{pid}.ctl"


def _answer(link: socket.socket) -> dict[str, object]:
    """One JSON object: all of it came when it can be read. Raises OSError, ValueError."""
    data = b""
    while True:
        piece = link.recv(1 << 18)
        if not piece:
            raise ConnectionError("the connection ended")
        data += piece
        if data.endswith(b"}"):
            try:
                found: dict[str, object] = json.loads(data)
            except ValueError:
                continue
            return found
