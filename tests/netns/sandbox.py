"""One test in user, network, mount and PID namespaces of its own, as any user.

Effects: a pytest inside ``unshare(1)``; when that ends, everything that the test started is gone with its PID
namespace. ``NEBULA_SANDBOX`` in its environment says that it is the inside. Imports no pytest: where all runs by
emulation its start takes longer than many a test.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
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


def run(test: str) -> tuple[str, str]:
    """Outcome (``passed``, ``failed`` or ``skipped``) and its text of one test, ``PATH::NAME``."""
    try:
        done = subprocess.run(
            argv(sys.executable, "-m", "pytest", *PYTEST_FLAGS, test),
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
            env={**os.environ, **environment()},
            errors="replace",
        )
    except subprocess.TimeoutExpired as error:
        output = error.stdout if isinstance(error.stdout, str) else (error.stdout or b"").decode(errors="replace")
        return "failed", f"no end after {_TIMEOUT_S:.0f} s in the sandbox\n{output}"
    if done.returncode == 0 and " skipped in " in done.stdout:
        return "skipped", done.stdout
    return ("passed", "") if done.returncode == 0 else ("failed", done.stdout + done.stderr)
