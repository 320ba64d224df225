"""Sandboxes in forks of one process that has pytest and scapy loaded: loading them takes longer than many a test.

Effects: what ``sandbox.py`` says, in children of this process; they end with it. A request is a line of JSON on
standard input, ``[TEST, FILE]`` with the test as ``PATH::NAME``; the answer is a line with pytest's exit code, and its
output is in the file.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import hypothesis  # noqa: F401 - loaded once, for all forks
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))
import agent_outside  # noqa: F401 - loads scapy
import agent_views  # noqa: F401
import sandbox

from tests.netns import agent_fork

agent_fork.load()

_NEW_NAMESPACES = 0x10000000 | 0x00020000 | 0x40000000 | 0x20000000
"""CLONE_NEWUSER, NEWNS, NEWNET, NEWPID; sched.h."""
_PR_SET_PDEATHSIG = 1


def fork(act: Callable[[], int], output: Path) -> int:
    """A child that ends with what ``act`` returns, 1 where it raises; its pid. What it prints goes into a file."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        _end_with_parent()
        with output.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        status = act()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def inside(act: Callable[[], int]) -> int:
    """What ``act`` returns in new namespaces, with whose first process all of it ends. In a fork only."""
    user, group = os.geteuid(), os.getegid()
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_NAMESPACES) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    _end_with_parent()
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        Path("/proc/self", name).write_text(text)
    inner = os.fork()
    if inner:
        return os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1]) & 0xFF
    _end_with_parent()
    subprocess.run(["sh", "-c", sandbox.SETUP, "sh", "mount", "-t", "proc", "proc", "/proc"], check=True)
    os.environ.update(sandbox.environment())
    child = os.fork()
    if child:
        return _init(child)
    return act()


def _init(child: int) -> int:
    """What the first process of a PID namespace does: buries orphans, until this child has ended."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status) & 0xFF


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _serve() -> None:
    for line in sys.stdin:
        test, output = json.loads(line)
        pid = fork(lambda test=test: inside(lambda: int(pytest.main([*sandbox.PYTEST_FLAGS, test]))), Path(output))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    _end_with_parent()
    _serve()
