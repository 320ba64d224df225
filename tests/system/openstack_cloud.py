"""A real ``nebula-controller`` on 127.0.0.1, and the real ``openstack`` client against it.

Effects: one process, a temporary folder, a free port; forks of a loaded client (``tests/forked.py``).
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests import forked

BIN = Path(sys.executable).parent
PASSWORD = "system-test-password"
_START_S = 20
_STOP_S = 10


def program(name: str) -> list[str]:
    """The installed program, or its module where the project is not installed."""
    script = BIN / name
    return [str(script)] if script.exists() else [sys.executable, "-m", "nebula_controller.main"]


class Controller:
    """A controller with a fresh database in ``folder``; ``admin`` has ``PASSWORD``.

    ``client_forked``: the client is a fork of one that is loaded, else the installed program, which starts in 1.4 s.
    """

    client_forked = True

    def __init__(self, folder: Path, *flags: str) -> None:
        self.folder = folder
        self.pid_file = folder / "controller.pid"
        self.log = folder / "controller.log"
        for name in ("admin-password", "node-secret"):
            path = folder / name
            path.write_text(PASSWORD + "\n")
            path.chmod(0o600)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            os.set_inheritable(listener.fileno(), True)
            argv = [
                *program("nebula-controller"),
                f"--state-dir={folder / 'state'}",
                f"--listen-fd={listener.fileno()}",
                f"--admin-password-file={folder / 'admin-password'}",
                f"--node-secret-file={folder / 'node-secret'}",
                f"--pid-file={self.pid_file}",
                *flags,
            ]
            with self.log.open("wb") as log:
                self.process = subprocess.Popen(argv, stderr=log, stdout=log, pass_fds=[listener.fileno()])
        deadline = time.monotonic() + _START_S
        while not self.pid_file.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(f"the controller did not start:\n{self.log.read_text()}")
            time.sleep(0.02)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def environment(self, **changes: str) -> dict[str, str]:
        """What the client needs to be the administrator; ``changes`` are OS_* variables without the prefix."""
        variables = {
            "AUTH_URL": f"{self.url}/identity",
            "IDENTITY_API_VERSION": "3",
            "USERNAME": "admin",
            "PASSWORD": PASSWORD,
            "PROJECT_NAME": "admin",
            "USER_DOMAIN_NAME": "Default",
            "PROJECT_DOMAIN_NAME": "Default",
            "CLIENT_CONFIG_FILE": os.devnull,  # whatever clouds.yaml the person has
            **changes,
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        return {**kept, **{f"OS_{name}": value for name, value in variables.items()}}

    def openstack(self, *lines: str, **changes: str) -> list[Any]:
        """Run commands in one client; the JSON that those print which end with ``-f json``, in their order.

        AssertionError where the client says anything on standard error.
        """
        done = self._client(lines, changes)
        assert done.stderr.strip() == "", done.stderr + done.stdout + self.log.read_text()
        return _documents(done.stdout)

    def complaints(self, *lines: str, **changes: str) -> list[str]:
        """Run commands in one client that shall fail; the lines of standard error."""
        return [line for line in self._client(lines, changes).stderr.splitlines() if line.strip()]

    def _client(self, lines: tuple[str, ...], changes: dict[str, str]) -> subprocess.CompletedProcess[str]:
        typed, environment = "\n".join(lines) + "\n", self.environment(**changes)
        if self.client_forked:
            return forked.run("openstack", [], environment, typed=typed)
        return subprocess.run(
            [str(BIN / "openstack")],
            input=typed,
            env=environment,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )


def _documents(text: str) -> list[Any]:
    decoder = json.JSONDecoder()
    found = []
    place = 0
    while (start := min((at for at in (text.find("{", place), text.find("[", place)) if at >= 0), default=-1)) >= 0:
        document, place = decoder.raw_decode(text, start)
        found.append(document)
    return found
