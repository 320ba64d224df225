"""The driver of daemons with real processes: what was started a moment ago is known when it is to be stopped."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from nebula_agent.drivers.kernel import Kernel
from nebula_agent.drivers.process import NAME, ProcessDriver, before_restart
from nebula_agent.edge import processes
from nebula_agent.edge.watch import Watch

from nebula.desired.diff import Change
from nebula.desired.kinds import Process
from nebula.ids import Owner, OwnerKind
from nebula.view.report import Action

_OWNER = Owner(OwnerKind.NETWORK, "10000000-0000-4000-8000-000000000000")


class _Daemon:
    """One daemon of a name of this test's own, in the namespace of the test itself."""

    def __init__(self, folder: Path) -> None:
        space = SimpleNamespace(name="", fd=None)
        kernel = SimpleNamespace(spaces={}, space=lambda _name: space, link_index=lambda _name: 0)
        self.driver = ProcessDriver(cast(Kernel, kernel), Watch())
        name = f"sleep:{os.getpid()}-{time.monotonic_ns()}"
        self.process = Process(name, "", ("sleep", "60"), str(folder / "pid"), _OWNER)
        self.start = Change(Action.ADD, None, self.process)
        self.restart = Change(Action.CHANGE, before_restart(self.process), self.process)
        self.stop = Change(Action.REMOVE, self.process, None)

    def pids(self) -> list[int]:
        return [running.pid for running in processes.scan(NAME) if running.environment[NAME] == self.process.name]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[_Daemon]:
    made = _Daemon(tmp_path)
    yield made
    for pid in made.pids():
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_process_that_was_not_seen_yet_is_stopped(daemon: _Daemon) -> None:
    """A network that goes right after it came: nothing stays for a later look to find."""
    assert daemon.driver.apply([daemon.start]) == {}
    assert len(daemon.pids()) == 1
    assert daemon.driver.apply([daemon.stop]) == {}
    assert daemon.pids() == []


def test_process_is_seen_as_soon_as_it_is_started(daemon: _Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of execve(2) the old environment is gone and the new one not there; a start waits for that."""
    read, looks = processes._read, []

    def suspended(folder: str, name: str) -> bytes:
        if name == "environ" and len(looks) < 3:
            looks.append(folder)
            return b""
        return read(folder, name)

    monkeypatch.setattr(processes, "_read", suspended)
    assert daemon.driver.apply([daemon.start]) == {}
    assert len(daemon.pids()) == 1
    assert len(looks) == 3
    assert len(set(looks)) == 1


def test_two_restarts_without_a_look_leave_one_process(daemon: _Daemon) -> None:
    """Two views in a row that take a host from dnsmasq: one dnsmasq, started by the second."""
    daemon.driver.apply([daemon.start])
    (first,) = daemon.pids()
    daemon.driver.apply([daemon.restart])
    daemon.driver.apply([daemon.restart])
    assert len(daemon.pids()) == 1
    assert first not in daemon.pids()
