"""Runs packet tests of ``tests/netns`` inside the virtual machine: two at a time, a line of JSON for each.

Effects: what ``tests/netns/sandbox.py`` makes, but in forks of one process that has pytest loaded: there loading it
takes as long as a test. ``python kernelvm_tests.py TEST...`` with tests as ``PATH::NAME``.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / "netns"))
import agent_outside  # noqa: F401 - loads scapy, once
import agent_views  # noqa: F401
import sandbox

_AT_ONCE = 2
_NEW_NAMESPACES = 0x10000000 | 0x00020000 | 0x40000000 | 0x20000000
"""CLONE_NEWUSER, NEWNS, NEWNET, NEWPID; sched.h."""


def main() -> None:
    """Run all; a test's line comes when it has ended."""
    waiting, running = list(reversed(sys.argv[1:])), {}
    with tempfile.TemporaryDirectory() as folder:
        while waiting or running:
            while waiting and len(running) < _AT_ONCE:
                output = Path(folder, str(len(waiting)))
                test = waiting.pop()
                running[_start(test, output)] = (test, output, time.monotonic())
            pid, status = os.wait()
            test, output, began = running.pop(pid)
            text = output.read_text(errors="replace")
            line = {
                "test": test,
                "outcome": "passed" if status == 0 and "1 passed in " in text else "failed",
                "text": text[-6000:],
                "seconds": time.monotonic() - began,
            }
            print(json.dumps(line), flush=True)


def _start(test: str, output: Path) -> int:
    """Fork a child whose own child, in new namespaces, is a pytest of one test; the child's pid."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        with output.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        status = _child(test)
    except Exception:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _child(test: str) -> int:
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_NAMESPACES) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", "0 0 1"), ("gid_map", "0 0 1")):
        Path("/proc/self", name).write_text(text)
    inner = os.fork()
    if inner == 0:
        return _inside(test)
    return os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1]) & 0xFF


def _inside(test: str) -> int:
    """The first process of the sandbox; with its end all of it ends."""
    subprocess.run(["sh", "-c", sandbox.SETUP, "sh", "mount", "-t", "proc", "proc", "/proc"], check=True)
    os.environ.update(sandbox.environment())
    return int(pytest.main([*sandbox.PYTEST_FLAGS, test]))


if __name__ == "__main__":
    main()
