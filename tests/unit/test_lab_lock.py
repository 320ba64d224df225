"""One command at a time per lab."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from nebula_lab.lock import hold

from nebula.errors import Conflict

HOLDER = """
import sys, time
from pathlib import Path
from nebula_lab.lock import hold
with hold(Path(sys.argv[1]), sys.argv[2], report=print, interrupt=False, timeout_s=5):
    print("held", flush=True)
    time.sleep(float(sys.argv[3]))
"""


def start(folder: Path, command: str, seconds: float) -> "subprocess.Popen[str]":
    argv = [sys.executable, "-c", HOLDER, str(folder), command, str(seconds)]
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": ":".join(sys.path)})
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def test_second_command_waits_and_says_for_whom(tmp_path: Path) -> None:
    """The second ``up`` tells which process it waits for, and goes on when that ends; no file stays."""
    child, said = start(tmp_path / "x", "up", 0.4), list[str]()
    with hold(tmp_path / "x", "up", report=said.append, interrupt=False, timeout_s=10):
        assert child.wait(5) == 0
    assert said == [f"'lab up' of 'x' is running (process {child.pid}): 'lab up' waits"]
    assert list(tmp_path.iterdir()) == []


def test_down_interrupts_up(tmp_path: Path) -> None:
    """``down`` does not wait for ``up``: it stops it with SIGTERM, which cleans up, and says so."""
    child, said, began_s = start(tmp_path / "x", "up", 30), list[str](), time.monotonic()
    with hold(tmp_path / "x", "down", report=said.append, interrupt=True, timeout_s=10):
        assert child.wait(5) != 0
    assert said == [f"'lab up' of 'x' is running (process {child.pid}): interrupting it"]
    assert time.monotonic() - began_s < 10


def test_a_lock_of_a_killed_command_does_not_stand_in_the_way(tmp_path: Path) -> None:
    """The lock goes with the process, even by ``kill -9``."""
    child = start(tmp_path / "x", "up", 30)
    child.kill()
    child.wait()
    with hold(tmp_path / "x", "up", report=print, interrupt=False, timeout_s=1):
        pass
    assert list(tmp_path.iterdir()) == []


def test_waiting_has_an_end(tmp_path: Path) -> None:
    """A command that never ends is named, and not waited for for ever."""
    child = start(tmp_path / "x", "down", 30)
    with (
        pytest.raises(Conflict, match=f"process {child.pid} .'lab down'. works on this lab"),
        hold(tmp_path / "x", "up", report=lambda _text: None, interrupt=False, timeout_s=0.2),
    ):
        pass
    child.kill()
    child.wait()


INTERRUPTED = """
import os, signal, sys
from pathlib import Path
from nebula_lab import lock
same_file = lock._is_same_file
def interrupted(descriptor, path):
    os.kill(os.getpid(), signal.SIGINT)
    return same_file(descriptor, path)
lock._is_same_file = interrupted
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    with lock.hold(Path(sys.argv[1]), "up", report=print, interrupt=False, timeout_s=1):
        print("held")
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interrupt_in_the_moment_of_taking_leaves_no_lock(tmp_path: Path) -> None:
    """A Ctrl-C that comes when the lock is just taken is raised where the lock is known, and given back.

    In a process of its own: a signal is held back for one thread, and the runner of the tests has several and
    ignores SIGINT.
    """
    argv = [sys.executable, "-c", INTERRUPTED, str(tmp_path / "lab")]
    environment = {"PYTHONPATH": ":".join(sys.path)}
    ended = subprocess.run(argv, capture_output=True, text=True, env=environment, timeout=30, check=False)
    assert (ended.stdout, list(tmp_path.iterdir())) == ("interrupted\n", [])
