"""An agent that is started before its node joins: a real process, real signals, systemd's socket, TLS on loopback."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from nebula_agent.join import join
from tls_controller import TlsController

_PROGRAM = """
import sys
from nebula_agent.settings import Settings
from nebula_agent.unjoined import access_once_joined
from nebula_runtime import log
log.configure("text", "info")
print("goes on with", access_once_joined(Settings(host="a1", state_dir=sys.argv[1])).url)
"""


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """Hears what the process says of itself (sd_notify(3))."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(30)
        yield heard


@pytest.fixture
def waiting(tmp_path: Path, systemd: socket.socket) -> Iterator[subprocess.Popen[str]]:
    """One that has told systemd that it is ready and what it waits for."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")},
    )
    try:
        assert systemd.recv(1000) == b"READY=1\nSTATUS=Waits for 'nebula-agent join URL TOKEN'"
        yield process
    finally:
        process.kill()
        process.wait()


def test_it_goes_on_by_itself_once_the_node_has_joined(
    waiting: subprocess.Popen[str], systemd: socket.socket, tmp_path: Path
) -> None:
    """It says what to do, keeps systemd's watchdog quiet, and neither "read again" nor "confirm" ends it."""
    for number in (signal.SIGHUP, signal.SIGUSR1):
        waiting.send_signal(number)
    assert systemd.recv(1000) == systemd.recv(1000) == b"WATCHDOG=1"
    controller = TlsController(tmp_path / "controller")
    try:
        join(controller.url, controller.token(), "a1", tmp_path / "identity")
    finally:
        controller.stop()
    out, error = waiting.communicate(timeout=30)
    assert (waiting.returncode, out) == (0, f"goes on with {controller.url}\n")
    assert error.count("this node has not joined: make a token at the controller") == 1


def test_it_is_stopped_as_any_service(waiting: subprocess.Popen[str]) -> None:
    """Exit code 0: systemd's unit has not failed."""
    waiting.terminate()
    out, error = waiting.communicate(timeout=30)
    assert (waiting.returncode, out, "Traceback" in error) == (0, "", False)
