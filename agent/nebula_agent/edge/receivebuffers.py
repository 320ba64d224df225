"""How much may wait in the packet sockets of ovs-vswitchd's userspace datapath, set from outside.

Effects: borrows descriptors of another process (pidfd_getfd(2)) and sets SO_RCVBUF on them (socket(7)); reads /proc.
Open vSwitch 3.1 has no setting for it, and net.core.rmem_default is the whole machine's.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Collection, Iterator
from pathlib import Path

from nebula_agent.edge import libc

_SO_RCVBUFFORCE = 33


def enlarge(pid: int, devices: Collection[str], size_bytes: int) -> int:
    """Set the receive buffer of each packet socket of process ``pid`` that is bound to one of ``devices``.

    Returns how many there are. The kernel doubles the size for its own book-keeping. Sockets of other devices stay
    as they are. Raises OSError where the process is gone (ESRCH), may not be looked into (EPERM), or where some got
    less: without privilege on the machine itself, net.core.rmem_max is the most (EPERM).
    """
    found, least = 0, 2 * size_bytes
    pidfd = os.pidfd_open(pid)
    try:
        for fd in _sockets(pid):
            with contextlib.suppress(FileNotFoundError), _borrowed(pidfd, fd) as packets:
                if packets.family == socket.AF_PACKET and packets.getsockname()[0] in devices:
                    least = min(least, _enlarge(packets, size_bytes))
                    found += 1
    finally:
        os.close(pidfd)
    if least < 2 * size_bytes:
        raise PermissionError(errno.EPERM, f"net.core.rmem_max allows {least // 2} bytes")
    return found


def _enlarge(packets: socket.socket, size_bytes: int) -> int:
    try:
        packets.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size_bytes)
    except PermissionError:
        packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size_bytes)
    return packets.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def _sockets(pid: int) -> Iterator[int]:
    for entry in os.scandir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            if str(Path(entry).readlink()).startswith("socket:"):
                yield int(entry.name)


@contextlib.contextmanager
def _borrowed(pidfd: int, fd: int) -> Iterator[socket.socket]:
    try:
        number = libc.pidfd_getfd(pidfd, fd)
    except OSError as error:
        if error.errno == errno.EBADF:  # closed since
            raise FileNotFoundError(fd) from error
        raise
    with socket.socket(fileno=number) as borrowed:
        yield borrowed
