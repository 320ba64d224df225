"""Runs tests marked ``sandbox`` in user, network, mount and PID namespaces of their own, as any user.

Each such test is run by a pytest of its own inside ``unshare``; when that ends, everything that the test started is
gone with its PID namespace. ``NEBULA_SANDBOX=1`` in the environment says that this already is the inside.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

_SETUP = """
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 sandbox /run
mkdir -p /run/netns /run/openvswitch
ip link set lo up
"$@"
"""
_TIMEOUT_S = 90


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "sandbox: runs inside namespaces of its own, with real packets")


@functools.cache
def _missing() -> str:
    """Why there can be no sandbox here, or ''."""
    for program in ("unshare", "nsenter", "ovs-vswitchd", "dnsmasq", "udhcpc", "iptables-restore"):
        if shutil.which(program) is None and not Path("/usr/sbin", program).exists():
            return f"{program} is not installed"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "/dev/net/tun is closed to this user (chmod 0666 /dev/net/tun, as udev does)"
    tried = subprocess.run([*_unshare(), "true"], capture_output=True, text=True, check=False, timeout=20)
    return "" if tried.returncode == 0 else f"no user namespaces: {tried.stderr.strip()}"


def _unshare() -> list[str]:
    return [
        "unshare",
        "--user",
        "--map-root-user",
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
    ]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    if item.get_closest_marker("sandbox") is None or os.environ.get("NEBULA_SANDBOX"):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    began = time.time()
    outcome, text = _run_inside(item)
    longrepr = text if outcome == "failed" else (str(item.path), item.location[1] or 0, text)
    report = pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords={},
        outcome=outcome,
        longrepr=None if outcome == "passed" else longrepr,
        when="call",
        duration=time.time() - began,
    )
    item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _run_inside(item: pytest.Item) -> tuple[str, str]:
    if _missing():
        return "skipped", f"Skipped: {_missing()}"
    name = item.nodeid.partition("::")[2]
    plugins = ["-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:hypothesispytest", "-o", "addopts="]
    pytest_argv = [sys.executable, "-m", "pytest", "-q", "--tb=short", *plugins, f"{item.path}::{name}"]
    argv = [*_unshare(), "sh", "-c", _SETUP, "sh", *pytest_argv]
    environment = {**os.environ, "NEBULA_SANDBOX": "1", "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S, env=environment, errors="replace"
        )
    except subprocess.TimeoutExpired as error:
        output = error.stdout if isinstance(error.stdout, str) else (error.stdout or b"").decode(errors="replace")
        return "failed", f"no end after {_TIMEOUT_S} s in the sandbox\n{output}"
    return ("passed", "") if done.returncode == 0 else ("failed", done.stdout + done.stderr)
