"""Processes of the machine by pid and start time, so that a pid that was given to another process is never touched.

Effects: reads /proc, sends signals.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

_PROC = Path("/proc")


class Process(msgspec.Struct, frozen=True, order=True):
    """``started_ticks`` is field 22 of /proc/PID/stat: clock ticks after the machine's start (proc(5))."""

    pid: int
    started_ticks: int


def start_time(stat_line: str) -> tuple[str, int]:
    """State letter and start time in ticks from /proc/PID/stat. The command in brackets may hold anything."""
    fields = stat_line.rpartition(")")[2].split()
    return fields[0], int(fields[19])


def find(pid: int) -> Process | None:
    """The process that has this pid now; None where there is none, or only a zombie."""
    try:
        state, started_ticks = start_time((_PROC / str(pid) / "stat").read_text(errors="replace"))
    except (OSError, IndexError, ValueError):
        return None
    return None if state in "ZX" else Process(pid, started_ticks)


def is_alive(process: Process | None) -> bool:
    """True while this very process runs."""
    return process is not None and find(process.pid) == process


def kill(process: Process, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to this very process; it may be gone. Raises PermissionError where it is somebody else's."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        if find(process.pid) == process:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, number)
    finally:
        os.close(descriptor)


def wait_gone(process: Process, timeout_s: float) -> bool:
    """True once the process has ended (a zombie has), False after ``timeout_s``."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        end = time.monotonic() + timeout_s
        while is_alive(process):
            left = end - time.monotonic()
            if left <= 0:
                return False
            select.select([descriptor], [], [], min(left, 1.0))
        return True
    finally:
        os.close(descriptor)


def bearing(marks: Mapping[str, str]) -> list[Process]:
    """Every process that was started with all of these environment variables."""
    wanted = [f"{name}={value}".encode() for name, value in marks.items()]
    found = []
    for folder in _folders():
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if all(mark in variables for mark in wanted) and (process := find(int(folder.name))):
            found.append(process)
    return found


def command_name(pid: int) -> str:
    """The kernel's short name of the program (15 bytes), empty where the process is gone."""
    try:
        return (_PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""


def inhabitants(init: Process) -> dict[int, Process]:
    """All processes in the PID namespace of ``init``, by the pid that they have in it (not in nested ones)."""
    try:
        namespace = (_PROC / str(init.pid) / "ns/pid").stat().st_ino
    except OSError:
        return {}
    found = {}
    for folder in _folders():
        try:
            if (folder / "ns/pid").stat().st_ino != namespace:
                continue
            lines = (folder / "status").read_text(errors="replace").splitlines()
        except OSError:
            continue
        inner = next((line.split()[-1] for line in lines if line.startswith("NSpid:")), None)
        process = find(int(folder.name))
        if inner is not None and process is not None:
            found[int(inner)] = process
    return found


def _folders() -> Iterator[Path]:
    for name in os.listdir(_PROC):  # noqa: PTH208  a Path per process of the machine costs more than the listing
        if name.isdecimal():
            yield _PROC / name
