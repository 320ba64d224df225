"""A controller and nodes that join it by tokens, as real hosts do: real daemons in a lab, TLS between them.

The lab lends its nodes: its own agents are stopped and cleaned, a controller with short certificates runs on net1.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import IO

from tests.netns.lab_machine import Machine

LIFETIME_S = 20
NUMBERS = {"net1": 10, "compute1": 11}
URL = "https://10.200.0.10:9697"
AGENT, CONTROLLER = "from nebula_agent.main import main", "from nebula_controller.main import main"


class Site:
    """Two nodes and their controller."""

    def __init__(self, machine: Machine, lifetime_s: int = LIFETIME_S) -> None:
        self.machine = machine
        machine.nebulactl("lab", "up", "--nodes", "2")
        for node in ("net1", "compute1"):
            self.on(
                node,
                "sh",
                "-c",
                "kill $(cat /run/nebula/agent.pid); while [ -e /run/nebula/agent.pid ]; do sleep 0.02; done",
            )
            self.on(node, *python(AGENT), "clean", "--config=/run/nebula-agent.toml")
        self.on("net1", "sh", "-c", "umask 077; mkdir /var/lib/c; echo sesame > /var/lib/c/password")
        argv = [*python(CONTROLLER), "--state-dir=/var/lib/c/state", "--listen-tls=10.200.0.10:9697"]
        argv += ["--metrics-listen=127.0.0.1:9699"]
        argv += ["--admin-password-file=/var/lib/c/password", f"--certificate-lifetime-s={lifetime_s}"]
        self.on("net1", "sh", "-c", 'setsid --fork "$@" > /var/log/controller.log 2>&1', "sh", *argv)
        self.until(lambda: "listening" in self.on("net1", "cat", "/var/log/controller.log"))

    def stop(self, node: str, config: str) -> None:
        """End the agent, and take away all that it made."""
        pid = "/run/nebula/agent.pid"
        self.on(node, "sh", "-c", f"kill $(cat {pid}); while [ -e {pid} ]; do sleep 0.02; done")
        self.on(node, *python(AGENT), "clean", f"--config={config}")

    def on(self, node: str, *argv: str) -> str:
        """Output of a program on a node, which must succeed."""
        return self.machine.good("lab", "exec", node, "--", *argv)

    @staticmethod
    def ctl_line(*argv: str) -> list[str]:
        """nebulactl over TLS, for a node that joined: it trusts the authority that the node got then."""
        variables = {
            "OS_AUTH_URL": f"{URL}/identity",
            "OS_CACERT": "/var/lib/nebula/identity/authority.pem",
            "OS_USERNAME": "admin",
            "OS_PASSWORD": "sesame",
            "OS_PROJECT_NAME": "admin",
        }
        line = ["env", *(f"{name}={value}" for name, value in variables.items()), sys.executable, "-m", "nebulactl"]
        return [*line, *argv]

    def ctl(self, *argv: str) -> str:
        """Output of nebulactl at compute1."""
        return self.on("compute1", *self.ctl_line(*argv)).strip()

    def capture(self, *argv: str) -> subprocess.Popen[str]:
        """A capture that is begun at compute1, and listens when this returns."""
        line = [sys.executable, "-m", "nebulactl", "lab", "exec", "compute1", "--", *self.ctl_line("capture", *argv)]
        process = self.machine.start(*line)
        said_until(process.stderr, "capturing at")
        return process

    def first_token(self) -> str:
        """Made where the controller runs, before any node knows its authority."""
        script = "import sys; from nebulactl.main import main; main()"
        line = ["env", "OS_AUTH_URL=http://127.0.0.1:9696/identity", "OS_USERNAME=admin", "OS_PASSWORD=sesame"]
        line += ["OS_PROJECT_NAME=admin", sys.executable, "-c", script]
        return self.on("net1", *line, "node", "token", "create", "-f", "value", "-c", "token").strip()

    def join(self, node: str, token: str, *roles: str, started: bool = False) -> None:
        """Join and start the agent, as an administrator does with the package; ``started``: the other way round."""
        settings = {
            "host": node,
            "vtep_ip": f"10.201.0.{NUMBERS[node]}",
            "role": list(roles),
            "metrics_listen": metrics_of(node),
            "bridge_mapping": ["provider:br-ex:provider0"] if "network" in roles else [],
        }
        text = "\n".join(f"{key} = {json.dumps(value)}" for key, value in settings.items())
        self.on(node, "sh", "-c", 'echo "$1" > /run/joined.toml', "sh", text)
        if started:
            self._start(node)
            self.until(lambda: "the agent waits for that" in self.log(node))
        self.on(node, *python(AGENT), "join", URL, token, "--config=/run/joined.toml")
        if not started:
            self._start(node)

    def _start(self, node: str) -> None:
        start = 'setsid --fork "$@" > /var/log/agent.log 2>&1'
        self.on(node, "sh", "-c", start, "sh", *python(AGENT), "--config=/run/joined.toml")

    def log(self, node: str) -> str:
        return self.on(node, "cat", "/var/log/agent.log")

    def alive(self, host: str) -> set[str]:
        return set(self.ctl("agent", "list", "--host", host, "-f", "value", "-c", "Alive").split())

    @staticmethod
    def until(reached: Callable[[], bool], timeout_s: float = 40) -> None:
        end = time.monotonic() + timeout_s
        while not reached():
            assert time.monotonic() < end
            time.sleep(0.1)


def said_until(stream: IO[str] | None, words: str) -> list[str]:
    """The lines up to the one with these words."""
    assert stream is not None
    lines = [""]
    while words not in lines[-1]:
        lines.append(stream.readline())
        assert lines[-1], lines
    return lines[1:]


def metrics_of(node: str) -> str:
    """Where its agent gives them."""
    return f"10.200.0.{NUMBERS[node]}:9698"


def python(program: str) -> list[str]:
    return [sys.executable, "-c", f"import sys; {program}; sys.exit(main())"]
