"""A machine to run labs on, for tests: the real one for an ordinary user, a private set of namespaces for root.

Effects: processes and namespaces; everything ends with ``close``. As root the tests must not touch the machine:
``Machine`` has its own PID, network, mount and host name namespaces, its own /run and its own /dev/net/tun (open to
all, as udev makes it), so that an ordinary user's lab can be tested too. ``inventory`` lists what no lab may change.
With NEBULA_TEST_MACHINE=whole the machine itself is the tests' alone (an emulated one): then they are root on it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests import forked

ROOT = Path(__file__).resolve().parents[2]
USER = 40_000 + os.getpid() % 20_000
"""An ordinary user whom the machine does not know; one for each run of the tests, because /tmp is shared."""
WHOLE = os.environ.get("NEBULA_TEST_MACHINE") == "whole"
_LONGEST_S = 900 if WHOLE else 100
_SOURCES = [str(ROOT / part) for part in (".", "runtime", "controller", "agent", "cli", "lab")]
_PATH = ":".join([*filter(None, [os.environ.get("PYTHONPATH")]), *_SOURCES])
_SETUP = f"""
set -e
mount -t tmpfs -o mode=755,nosuid,nodev,noexec machine /run
mkdir -p -m 755 /run/netns /run/user/{USER} /run/home/{USER} /run/home/0; chown {USER}:{USER} /run/home/{USER}
mount -t tmpfs -o mode=700,uid={USER},gid={USER},nosuid,nodev machine /run/user/{USER}
mount -t tmpfs -o mode=755 machine /dev/net; mknod -m 0666 /dev/net/tun c 10 200
ip link set lo up
if [ -n "$1" ]; then  # the source lies in a folder that is closed to users: show just the source in it
    mkdir /run/source; mount --bind "$2" /run/source; mount -t tmpfs -o mode=755 machine "$1"
    mkdir -p "$2"; mount --bind /run/source "$2"
fi
"""


class Machine:
    """Runs commands as root, or as an ordinary user (``user``: USER, or whoever runs the tests)."""

    def __init__(self) -> None:
        self.private = os.geteuid() == 0 and not WHOLE
        self._init: subprocess.Popen[bytes] | None = None
        self.pid = 0
        self.folder = Path(tempfile.mkdtemp(prefix="nebula-test-"))
        if not self.private:
            return
        flags = ["--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc"]
        self._init = subprocess.Popen(["unshare", *flags, "tini", "-s", "--", "sleep", "infinity"])
        end = time.monotonic() + 10
        while not self.pid and time.monotonic() < end:
            self.pid = next((pid for pid in _children(self._init.pid) if _comm(pid) == "tini"), 0)
            time.sleep(0.005)
        closed = [folder for folder in ROOT.parents if not folder.stat().st_mode & 0o001]
        self.run("sh", "-c", _SETUP, "sh", str(closed[-1]) if closed else "", str(ROOT))

    def close(self) -> None:
        """Everything that ran here is gone afterwards."""
        if self._init is not None:
            self._init.kill()
            self._init.wait()
            while self.pid and Path(f"/proc/{self.pid}").exists() and _state(self.pid) != "Z":
                time.sleep(0.01)
        subprocess.run(["rm", "-rf", str(self.folder)], check=True)

    def _variables(self, user: bool, env: dict[str, str] | None) -> dict[str, str]:
        home = f"/run/home/{USER if user else 0}" if self.private else str(self.folder)
        path = f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin"
        return {"TERM": "dumb", "PYTHONPATH": _PATH, "PATH": path, "HOME": home, **(env or {})}

    def argv(self, *argv: str, user: bool = False, env: dict[str, str] | None = None) -> list[str]:
        """The command line that runs ``argv`` here."""
        line = ["env", "-i", *(f"{k}={v}" for k, v in self._variables(user, env).items()), *argv]
        if not self.private:
            return line
        if user:
            line = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs", *line]
        return ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--net", "--uts", "--ipc", "--", *line]

    def start(self, *argv: str, user: bool = False, **options: Any) -> subprocess.Popen[str]:
        """Start a command and go on."""
        line = self.argv(*argv, user=user, env=options.pop("env", None))
        return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)

    def call(
        self, *argv: str, user: bool = False, stdin: str = "", timeout_s: float = 100, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command, whatever its exit code."""
        line = self.argv(*argv, user=user, env=env)
        return subprocess.run(line, input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False)

    def run(self, *argv: str, user: bool = False, timeout_s: float = 100) -> str:
        """Output of a command that must succeed."""
        ended = self.call(*argv, user=user, timeout_s=timeout_s)
        assert ended.returncode == 0, f"{' '.join(argv)}: exit {ended.returncode}\n{ended.stdout}{ended.stderr}"
        return ended.stdout

    def ctl(
        self, *words: str, user: bool = False, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A nebulactl call, whatever its exit code, in a fork of one that is loaded."""
        return forked.run(
            "nebulactl",
            words,
            self._variables(user, env),
            timeout_s=_LONGEST_S,
            machine=self.pid,
            user=USER if self.private and user else 0,
        )

    def good(self, *words: str, user: bool = False, env: dict[str, str] | None = None) -> str:
        """Output of such a call, which must succeed."""
        ended = self.ctl(*words, user=user, env=env)
        assert ended.returncode == 0, f"{words}: {ended.stdout}{ended.stderr}"
        return ended.stdout

    def nebulactl(self, *argv: str, user: bool = False) -> str:
        """Output of nebulactl itself, which must succeed."""
        return self.run(sys.executable, "-m", "nebulactl", *argv, user=user)

    def inventory(self) -> dict[str, list[str]]:
        """All that a lab must leave as it was, as root of the machine sees it."""
        script = Path(__file__).with_name("lab_inventory.py")
        found: dict[str, list[str]] = json.loads(self.run(sys.executable, str(script)))
        return found

    def settled_inventory(self, wanted: dict[str, list[str]]) -> dict[str, list[str]]:
        """The inventory, once it equals ``wanted`` or ten seconds have gone: zombies are reaped by others."""
        end = time.monotonic() + 10
        while (found := self.inventory()) != wanted and time.monotonic() < end:
            time.sleep(0.05)
        return found

    def pids(self) -> list[int]:
        """Every process on a private machine but its init's two, by the machine's own pids."""
        out = self.run("ps", "-e", "-o", "pid=,comm=")
        return [int(pid) for pid, comm in re.findall(r"(\d+) (\S+)", out) if int(pid) > 2 and comm not in ("ps", "env")]


def _children(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def _comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"
