"""One command at a time may make or remove a lab of one name.

Effects: a locked file beside the lab's folder, which says who holds it; signals to the holder on request.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from nebula.errors import Conflict
from nebula_lab import process
from nebula_lab.folders import make_labs_folder
from nebula_lab.process import Process

_STOPS = frozenset({signal.SIGINT, signal.SIGTERM})


class Holder(msgspec.Struct, frozen=True):
    """The command that holds the lock: ``up`` or ``down``."""

    process: Process
    command: str


@contextlib.contextmanager
def hold(
    folder: Path, command: str, *, report: Callable[[str], None], interrupt: bool, timeout_s: float
) -> Iterator[None]:
    """Hold the lock of the lab in ``folder``.

    Where another command has it: wait, or first ask an ``up`` to stop and clean up (``interrupt``). Raises
    Conflict after ``timeout_s``.
    """
    path = folder.with_name(f".{folder.name}.lock")
    descriptor = -1
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)  # no Ctrl-C between taking the lock and knowing it
    try:
        descriptor = _take(path, command, report, interrupt, timeout_s)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        me = process.find(os.getpid())
        if me is not None:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, msgspec.json.encode(Holder(me, command)), 0)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
        if descriptor >= 0:
            path.unlink(missing_ok=True)
            os.close(descriptor)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _take(path: Path, command: str, report: Callable[[str], None], interrupt: bool, timeout_s: float) -> int:
    end = time.monotonic() + timeout_s
    said = False
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except FileNotFoundError:  # another command has just removed the last lab, and the labs' folder with it
            make_labs_folder(path.parent)
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(descriptor)
            os.close(descriptor)
            said = said or _tell(holder, path, command, report, interrupt)
            if time.monotonic() > end:
                who = f"process {holder.process.pid} ('lab {holder.command}')" if holder else "another process"
                raise Conflict(f"{who} works on this lab and does not end: wait for it or stop it") from None
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)  # nothing is held: a wait can be stopped
            time.sleep(0.05)
            signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
            continue
        if _is_same_file(descriptor, path):
            return descriptor
        os.close(descriptor)  # the last holder removed this file while we opened it


def _tell(holder: Holder | None, path: Path, command: str, report: Callable[[str], None], interrupt: bool) -> bool:
    """Say once who is waited for, and interrupt it where asked to. False while the holder is not known yet."""
    if holder is None:
        return False
    name = path.name[1:].removesuffix(".lock")
    if interrupt and holder.command == "up":
        report(f"'lab up' of {name!r} is running (process {holder.process.pid}): interrupting it")
        process.kill(holder.process, signal.SIGTERM)
    else:
        report(f"'lab {holder.command}' of {name!r} is running (process {holder.process.pid}): 'lab {command}' waits")
    return True


def _holder(descriptor: int) -> Holder | None:
    try:
        return msgspec.json.decode(os.pread(descriptor, 1000, 0), type=Holder)
    except msgspec.MsgspecError:
        return None


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    here = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)
