"""Runs packet tests inside the virtual machine: two jobs at a time, a line of JSON for each test.

Effects: what ``tests/netns/sandbox.py`` makes, but in forks of one process that has pytest loaded: there loading it
takes as long as a test. A sandbox is a job of one test; tests in labs (``test_lab_...``) are one job, on the machine
itself, in one lab. ``python kernelvm_tests.py TEST...`` with tests as ``PATH::NAME``.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / "netns"))
import agent_outside  # noqa: F401 - loads scapy, once
import agent_views  # noqa: F401
import sandbox

_AT_ONCE = 2
_LONGEST_TEXT = 3000
_NEW_NAMESPACES = 0x10000000 | 0x00020000 | 0x40000000 | 0x20000000
"""CLONE_NEWUSER, NEWNS, NEWNET, NEWPID; sched.h."""


class Outcomes:
    """Of pytest: says on ``descriptor`` what became of each test, in one write, as others write there too."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._seconds: dict[str, float] = {}
        self._text: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """After each of set-up, call and tear-down."""
        test = report.nodeid
        self._seconds[test] = self._seconds.get(test, 0.0) + report.duration
        if report.outcome != "passed":
            self._text.setdefault(test, f"{report.when} {report.outcome}: {report.longreprtext}"[-_LONGEST_TEXT:])
        if report.when == "teardown":
            text = self._text.get(test, "")
            line = {"test": test, "outcome": "failed" if text else "passed", "text": text}
            os.write(self._descriptor, f"{json.dumps({**line, 'seconds': self._seconds[test]})}\n".encode())


def main() -> None:
    """Run all; of a job that ended badly what it printed, too."""
    labs = [test for test in sys.argv[1:] if "/test_lab_" in test]
    waiting = [[test] for test in reversed(sys.argv[1:]) if test not in labs] + [labs] * bool(labs)
    running: dict[int, Path] = {}
    told = os.dup(1)
    with tempfile.TemporaryDirectory() as folder:
        while waiting or running:
            while waiting and len(running) < _AT_ONCE:
                output = Path(folder, str(len(waiting)))
                running[_start(waiting.pop(), output, told)] = output
            pid, status = os.wait()
            output = running.pop(pid)
            if status != 0:
                print(output.read_text(errors="replace")[-_LONGEST_TEXT:], flush=True)


def _start(tests: list[str], output: Path, told: int) -> int:
    """Fork a child that is a pytest of these tests; its pid."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        with output.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        if "/test_lab_" in tests[0]:
            os.environ.update({"NEBULA_TEST_MACHINE": "whole", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
            status = _pytest(tests, told)
        else:
            status = _sandboxed(tests, told)
    except Exception:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _pytest(tests: list[str], told: int) -> int:
    return int(pytest.main([*sandbox.PYTEST_FLAGS, *tests], plugins=[Outcomes(told)]))


def _sandboxed(tests: list[str], told: int) -> int:
    """The same in a child in new namespaces; its first process, with whose end all of it ends."""
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_NAMESPACES) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", "0 0 1"), ("gid_map", "0 0 1")):
        Path("/proc/self", name).write_text(text)
    inner = os.fork()
    if inner:
        return os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1]) & 0xFF
    subprocess.run(["sh", "-c", sandbox.SETUP, "sh", "mount", "-t", "proc", "proc", "/proc"], check=True)
    os.environ.update(sandbox.environment())
    return _pytest(tests, told)


if __name__ == "__main__":
    main()
