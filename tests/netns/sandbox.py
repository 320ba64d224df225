"""One test in user, network, mount and PID namespaces of its own, as any user.

Effects: a process that forks a pytest for each test, in a PID namespace of its own; when that ends, everything
that the test started is gone. ``NEBULA_SANDBOX`` in its environment says that it is the inside. Imports no pytest: who
asks for a sandbox need not have it.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SETUP = """
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 sandbox /run
mkdir -p /run/netns /run/openvswitch
ip link set lo up
"$@"
"""
_INIT = ("--fork", "--kill-child")
_UNSHARE = ("unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--mount-proc", *_INIT)
_PROGRAMS = ("unshare", "nsenter", "ovs-vswitchd", "dnsmasq", "udhcpc", "iptables-restore")
_TIMEOUT_S = 90 * float(os.environ.get("NEBULA_TEST_PATIENCE", "1"))
_SETTINGS = ("-o", "addopts=", "-o", "timeout=0")
PYTEST_FLAGS = ("-q", "--tb=short", "-p", "no:cacheprovider", "-p", "pytest_timeout", *_SETTINGS)


@functools.cache
def missing() -> str:
    """Why there can be no sandbox here, or ''."""
    for program in _PROGRAMS:
        if shutil.which(program) is None and not Path("/usr/sbin", program).exists():
            return f"{program} is not installed"
    if os.environ.get("NEBULA_TEST_DATAPATH") != "system" and not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "/dev/net/tun is closed to this user (chmod 0666 /dev/net/tun, as udev does)"
    tried = subprocess.run([*_UNSHARE, "true"], capture_output=True, text=True, check=False, timeout=20)
    return "" if tried.returncode == 0 else f"no user namespaces: {tried.stderr.strip()}"


def environment() -> dict[str, str]:
    """What the inside has in its environment besides the outside's."""
    return {
        "NEBULA_SANDBOX": "1",
        "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }


def argv(*command: str) -> list[str]:
    """The command line that runs a command inside; it needs :func:`environment` too."""
    return [*_UNSHARE, "sh", "-c", SETUP, "sh", *command]


class _Forks:
    """The process that ``sandbox_forks.py`` is, from its first test on."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="nebula-sandbox-")
        self._output = Path(self._folder.name, "output")
        argv = [sys.executable, str(Path(__file__).with_name("sandbox_forks.py"))]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def run(self, test: str) -> tuple[int | None, str]:
        """Exit code, None where there was none in time, and output."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._output.write_bytes(b"")
        self._process.stdin.write(f"{json.dumps([test, str(self._output)])}\n")
        ready, _, _ = select.select([self._process.stdout], [], [], _TIMEOUT_S)
        code = self._process.stdout.readline() if ready else ""
        return int(code) if code else None, self._output.read_text(errors="replace")

    def close(self) -> None:
        """Whatever runs in it ends."""
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()


@functools.cache
def _forks() -> _Forks:
    made = _Forks()
    atexit.register(made.close)
    return made


def run(test: str) -> tuple[str, str]:
    """Outcome (``passed``, ``failed`` or ``skipped``) and its text of one test, ``PATH::NAME``."""
    code, output = _forks().run(test)
    if code is None:
        _forks().close()
        _forks.cache_clear()
        return "failed", f"no end after {_TIMEOUT_S:.0f} s in the sandbox\n{output}"
    if code == 0 and output.rpartition("\n1 ")[2].startswith("skipped"):
        return "skipped", output
    return ("passed", "") if code == 0 else ("failed", f"{output}\nexit code {code}")
