"""A daemon's life: pid file, readiness, clean stop.

Effects: one locked file, one datagram to systemd, signal handlers. Does not fork: systemd or a shell does.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from nebula.errors import ConfigError


@contextlib.contextmanager
def pid_file(path: Path) -> Iterator[None]:
    """Hold ``path``, locked and with our pid in it, while the daemon runs; removed afterwards.

    The lock goes with the process, so a file left by a ``kill -9`` does not stand in the way. Raises ConfigError
    where another process holds it or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ConfigError(f"cannot write the pid file {path}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(descriptor, 32).decode(errors="replace").strip()
        os.close(descriptor)
        raise ConfigError(f"already running as process {holder or '?'} (pid file {path})") from error
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def watchdog_s() -> float:
    """How often systemd is to hear ``WATCHDOG=1`` from this process: half of its patience (sd_watchdog_enabled(3)).

    0 where it does not watch.
    """
    text = os.environ.get("WATCHDOG_USEC", "")
    mine = os.environ.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
    return int(text) / 2_000_000 if mine and text.isascii() and text.isdigit() else 0.0


def notify(state: str) -> None:
    """Tell systemd (sd_notify(3)): ``READY=1``, ``STOPPING=1``, ``WATCHDOG=1``, ``STATUS=...``. No systemd: nothing."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.sendto(state.encode(), address)
