"""The system calls that Python 3.11 has no wrapper for: setns, unshare, mount, umount2, inotify, pidfd_getfd.

Effects: the calling thread's namespaces and mounts. Not a wrapper of all libc: only what the agent calls.
Errors are OSError, with the kernel's errno.
"""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
MS_REC = 0x4000
MS_SHARED = 1 << 20
MNT_DETACH = 2
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_MOVED = 0xC0
IN_CLOSE_WRITE = 0x8
_SYS_PIDFD_GETFD = 438
"""The same number on every architecture that Debian has (Linux 5.6)."""

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def setns(fd: int) -> None:
    """Move the calling thread into the network namespace that ``fd`` refers to (setns(2))."""
    _checked(_libc.setns(fd, CLONE_NEWNET), "setns")


def unshare_network() -> None:
    """Move the calling thread into a new, empty network namespace (unshare(2))."""
    _checked(_libc.unshare(CLONE_NEWNET), "unshare")


def mount(source: str, target: str, flags: int) -> None:
    """mount(2) without a file system type: bind mounts and changes of propagation."""
    _checked(
        _libc.mount(os.fsencode(source), os.fsencode(target), b"none", ctypes.c_ulong(flags), None), f"mount {target}"
    )


def unmount(target: str) -> None:
    """Lazy umount2(2)."""
    _checked(_libc.umount2(os.fsencode(target), MNT_DETACH), f"umount {target}")


def inotify(paths: dict[str, int]) -> int:
    """A non-blocking inotify descriptor that watches folders for the given events."""
    fd = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC), "inotify_init1")
    try:
        for path, mask in paths.items():
            _checked(_libc.inotify_add_watch(fd, os.fsencode(path), mask), f"inotify_add_watch {path}")
    except OSError:
        os.close(fd)
        raise
    return fd


def pidfd_getfd(pidfd: int, fd: int) -> int:
    """A descriptor of our own for what ``fd`` of another process refers to (pidfd_getfd(2): the right to trace it)."""
    return _checked(_libc.syscall(_SYS_PIDFD_GETFD, pidfd, fd, 0), "pidfd_getfd")


def kernel_release() -> tuple[int, int]:
    """Major and minor number of the running kernel (uname(2))."""
    major, minor = os.uname().release.split(".")[:2]
    return int(major), int("".join(digit for digit in minor if digit.isdigit()) or 0)
