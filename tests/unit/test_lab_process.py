"""Processes are known by pid and start time."""

import os
import signal
import subprocess
from collections.abc import Iterator

import msgspec
import pytest
from nebula_lab import process
from nebula_lab.process import Process


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(["sleep", "60"], env={**os.environ, "NEBULA_TEST_MARK": f"m{os.getpid()}"})
    yield child
    child.kill()
    child.wait()


def found(child: subprocess.Popen[bytes]) -> Process:
    one = process.find(child.pid)
    assert one is not None
    return one


def test_start_time_is_read_behind_any_command_name() -> None:
    """A program may call itself ``a) R 1``: fields are counted from the last bracket (proc(5))."""
    fields = " ".join(str(number) for number in range(4, 53))
    assert process.start_time(f"7 (a) R 1 (b) S {fields}") == ("S", 22)


def test_a_reused_pid_is_never_killed(sleeper: subprocess.Popen[bytes]) -> None:
    """A process with our pid and another start time is not ours: it stays."""
    one = found(sleeper)
    stranger = msgspec.structs.replace(one, started_ticks=one.started_ticks - 1)
    process.kill(stranger)
    assert (process.is_alive(stranger), process.wait_gone(stranger, 1.0), sleeper.poll()) == (False, True, None)


def test_kill_and_wait(sleeper: subprocess.Popen[bytes]) -> None:
    """A killed process counts as gone as soon as it is a zombie, reaped or not."""
    one = found(sleeper)
    assert not process.wait_gone(one, 0.05)
    process.kill(one)
    assert process.wait_gone(one, 5.0)
    assert not process.is_alive(one)
    assert sleeper.wait() == -signal.SIGKILL
    process.kill(one)
    assert process.wait_gone(one, 5.0)


def test_processes_are_found_by_all_of_their_marks(sleeper: subprocess.Popen[bytes]) -> None:
    """The environment that a process was started with tells whose it is; every mark must be there, whole."""
    mark = f"m{os.getpid()}"
    assert process.bearing({"NEBULA_TEST_MARK": mark}) == [found(sleeper)]
    assert process.bearing({"NEBULA_TEST_MARK": mark, "OTHER": "x"}) == []
    assert process.bearing({"NEBULA_TEST_MARK": mark[:-1]}) == []


def test_nobody_is_nobody() -> None:
    """No process, no life."""
    assert process.find(2**22 + 1) is None
    assert not process.is_alive(None)
    assert process.inhabitants(Process(2**22 + 1, 1)) == {}
