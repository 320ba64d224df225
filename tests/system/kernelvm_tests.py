"""Runs packet tests inside the virtual machine: two jobs at a time, a line of JSON for each test.

Effects: what ``tests/netns/sandbox_forks.py`` makes, in forks of this process. A sandbox is a job of one test; tests
in labs (``test_lab_...``) are one job, on the machine itself, in one lab. ``python kernelvm_tests.py TEST...`` with
tests as ``PATH::NAME``.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "netns"))
import sandbox
from sandbox_forks import fork, inside

_AT_ONCE = 2
_LONGEST_TEXT = 3000


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

    def run() -> int:
        return int(pytest.main([*sandbox.PYTEST_FLAGS, *tests], plugins=[Outcomes(told)]))

    def on_the_machine() -> int:
        os.environ.update({"NEBULA_TEST_MACHINE": "whole", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
        return run()

    return fork(on_the_machine if "/test_lab_" in tests[0] else lambda: inside(run), output)


if __name__ == "__main__":
    main()
