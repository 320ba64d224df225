"""A Docker engine of the tests' own: in namespaces of its own, with its own folders, gone without a trace at the end.

Effects: processes inside a private Machine (its network, mounts, processes and /run are its own: what dockerd does to
iptables, sysctls and links meets nobody), a temporary folder, a cgroup.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path

from tests.netns.lab_machine import Machine

_PACKAGES = {"dockerd": "docker.io", "docker": "docker.io", "mmdebstrap": "mmdebstrap"}
_CGROUPS = Path("/sys/fs/cgroup")


class NoContainers(Exception):
    """No containers can be had here; the message says why."""


class Engine:
    """dockerd and its containerd, from construction to ``close``."""

    def __init__(self) -> None:
        """Raises NoContainers where something is missing."""
        _check()
        self.machine = Machine()
        self.folder = self.machine.folder
        self.socket = self.folder / "docker.sock"
        self.log = self.folder / "dockerd.log"
        self._cgroup = f"nebula-test-{os.getpid()}"
        data = self.folder / "data"  # in memory: quick, and gone with the machine
        data.mkdir()
        self.machine.run("mount", "-t", "tmpfs", "-o", "mode=711", "docker", str(data))
        argv = (
            "dockerd", f"--host=unix://{self.socket}", f"--data-root={data}",
            "--exec-root=/run/docker", "--pidfile=/run/docker.pid", "--bridge=none", "--iptables=false",
            "--ip-forward=false", f"--cgroup-parent=/{self._cgroup}", "--exec-opt=native.cgroupdriver=cgroupfs",
        )  # fmt: skip
        try:
            with self.log.open("wb") as log:
                self._daemon = subprocess.Popen(self.machine.argv(*argv), stdout=log, stderr=log)
            self._wait_ready()
        except BaseException:
            self.machine.close()
            raise

    def _wait_ready(self) -> None:
        end = time.monotonic() + 30
        while not self.socket.exists() or self.call("version").returncode != 0:
            if self._daemon.poll() is not None or time.monotonic() > end:
                raise NoContainers(f"dockerd does not start here: {_last_line(self.log)}")
            time.sleep(0.1)

    @property
    def environment(self) -> dict[str, str]:
        """What the docker programs need to speak to this engine."""
        return {"DOCKER_HOST": f"unix://{self.socket}", "DOCKER_BUILDKIT": "0", "DOCKER_CONFIG": str(self.folder)}

    def call(self, *words: str, timeout_s: float = 100) -> subprocess.CompletedProcess[str]:
        """``docker WORDS``, whatever its exit code."""
        environment = {**os.environ, **self.environment}
        return subprocess.run(
            ["docker", *words], capture_output=True, text=True, check=False, timeout=timeout_s, env=environment,
            stdin=subprocess.DEVNULL, errors="replace",
        )  # fmt: skip

    def docker(self, *words: str) -> str:
        """Output of ``docker WORDS``, which must succeed."""
        done = self.call(*words)
        assert done.returncode == 0, f"docker {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def close(self) -> None:
        """Everything that ran here is gone afterwards."""
        try:
            # What we started is nsenter(1), whose child dockerd is.
            self.machine.call("sh", "-c", "kill $(cat /run/docker.pid)")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._daemon.wait(20)
        finally:
            self.machine.close()
            _remove_cgroups(self._cgroup)


def _check() -> None:
    if os.geteuid() != 0:
        raise NoContainers("dockerd needs root")
    missing = sorted({package for program, package in _PACKAGES.items() if shutil.which(program) is None})
    if missing:
        raise NoContainers(f"not installed: {', '.join(missing)}. Run 'make containers'")
    compose()


def compose() -> str:
    """``docker compose`` where Docker has the plugin, else ``docker-compose``. Raises NoContainers."""
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False, timeout=30)
    if plugin.returncode == 0:
        return "docker compose"
    if shutil.which("docker-compose"):
        return "docker-compose"
    raise NoContainers("not installed: docker-compose. Run 'make containers'")


def _remove_cgroups(name: str) -> None:
    """The cgroup of our containers, in each hierarchy, with what a killed one left in it."""
    for top in [_CGROUPS / name, *(folder / name for folder in _CGROUPS.glob("*/"))]:
        for folder in [*sorted(top.glob("**/"), reverse=True)] if top.is_dir() else []:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "it says nothing"
