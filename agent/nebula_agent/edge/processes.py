"""Daemons: start in a namespace, find by a mark in their environment, signal, wait for the end.

Effects: processes; reads /proc (proc(5)). A program is started by the calling thread from inside the namespace, in
a session of its own, with its streams closed.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from nebula.errors import CommandFailed
from nebula_agent.edge.run import in_namespace

_DAEMONS = ("dnsmasq",)
"""Programs that fork into the background once they serve, and exit with an error where they cannot."""
_SHOWN_S = 1.0
"""At most; it is microseconds where the processor is not taken away just then."""


class Running(msgspec.Struct, frozen=True):
    """A process as /proc shows it."""

    pid: int
    parent: int
    argv: tuple[str, ...]
    environment: dict[str, str]


def scan(variable: str, argvs: Collection[tuple[str, ...]] = ()) -> Iterator[Running]:
    """All processes that have the variable in their environment (as it was when they started).

    Also those without it that run one of ``argvs``, to the letter.
    """
    needle = f"{variable}=".encode()
    commands = {_bytes(argv) for argv in argvs}
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            content = _read(entry.path, "environ")
            marked = content.startswith(needle) or b"\0" + needle in content
            if marked or (commands and _read(entry.path, "cmdline") in commands):
                found = _running(int(entry.name), content)
                if found is not None:
                    yield found


def _running(pid: int, environ: bytes) -> Running | None:
    argv = _argv(pid)
    state, parent = _read(f"/proc/{pid}", "stat").rpartition(b")")[2].split()[:2]
    if not argv or state in (b"Z", b"X"):
        return None
    pairs = (item.decode("utf-8", "replace").partition("=") for item in environ.split(b"\0") if item)
    return Running(pid, int(parent), argv, {name: value for name, _, value in pairs})


def _bytes(argv: Sequence[str]) -> bytes:
    return b"".join(item.encode() + b"\0" for item in argv)


def _read(folder: str, name: str) -> bytes:
    with Path(folder, name).open("rb", buffering=0) as stream:
        return stream.read()


def _argv(pid: int) -> tuple[str, ...]:
    content = _read(f"/proc/{pid}", "cmdline")
    return tuple(item.decode("utf-8", "replace") for item in content.split(b"\0")[:-1])


class Starting:
    """A program just started."""

    def __init__(self, process: subprocess.Popen[bytes], argv: Sequence[str], daemon: bool) -> None:
        self._process = process
        self._argv = argv
        self._daemon = daemon

    @property
    def pid(self) -> int:
        """The first process's."""
        return self._process.pid

    def finish(self, timeout_s: float) -> None:
        """Of a program that goes into the background: wait until it has, or raise CommandFailed with its words."""
        if not self._daemon:
            self._process.returncode = 0  # reaped by reap(), not by subprocess
            return
        try:
            _, errors = self._process.communicate(timeout=max(0.1, timeout_s))
        except subprocess.TimeoutExpired as error:
            self._process.kill()
            self._process.communicate()
            raise CommandFailed(self._argv, None, "does not come up") from error
        if self._process.returncode != 0:
            raise CommandFailed(self._argv, self._process.returncode, errors.decode("utf-8", "replace"))


def start(argv: Sequence[str], environment: Mapping[str, str], namespace_fd: int | None) -> Starting:
    """Start a daemon. Raises CommandFailed where it cannot be started at all."""
    daemon = Path(argv[0]).name in _DAEMONS
    try:
        with in_namespace(namespace_fd):
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE if daemon else subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
                env=dict(environment),
            )
    except OSError as error:
        raise CommandFailed(argv, 127, f"cannot start: {error.strerror}") from error
    _wait_shown(process.pid)
    return Starting(process, argv, daemon)


def _wait_shown(pid: int) -> None:
    """Until /proc shows the environment of a process of ours, or it has ended.

    execve(2) closes the descriptors that it is to close, which is what Popen waits for, before it sets the new
    environment: one that is suspended in between would be seen by nobody, and started a second time.
    """
    end = time.monotonic() + _SHOWN_S
    with contextlib.suppress(OSError):
        while not _read(f"/proc/{pid}", "environ") and time.monotonic() < end:
            if _read(f"/proc/{pid}", "stat").rpartition(b")")[2].split()[0] in (b"Z", b"X"):
                return
            time.sleep(0.001)


def send(running: Running, number: signal.Signals) -> bool:
    """Signal the process if it is still the one that was seen; False where it has gone, which is no error."""
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        descriptor = os.pidfd_open(running.pid)
        try:
            if _argv(running.pid) == running.argv:
                signal.pidfd_send_signal(descriptor, number)
                return True
        finally:
            os.close(descriptor)
    return False


def wait_end(running: Running, timeout_s: float) -> bool:
    """True once the process has ended (and is reaped, where it is our child)."""
    try:
        descriptor = os.pidfd_open(running.pid)
    except ProcessLookupError:
        return True
    try:
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        ended = bool(poller.poll(max(0.0, timeout_s) * 1000))
    finally:
        os.close(descriptor)
    if ended:
        reap(running.pid)
    return ended


def reap(pid: int) -> None:
    """Take a child's exit status, so that no zombie stays; others' processes are none of our business."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
