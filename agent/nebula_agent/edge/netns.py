"""Named network namespaces under /run/netns, as ``ip netns`` makes and lists them.

Effects: mounts, and the calling thread's network namespace for the length of a ``with inside(...)``. Only the
loop's thread may enter namespaces: what a thread opens or starts there stays in that namespace.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from nebula.errors import KernelRefused
from nebula_agent.edge import libc

FOLDER = Path("/run/netns")


@functools.cache
def home() -> int:
    """A descriptor of the namespace that the program was started in: the node's own."""
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


@contextlib.contextmanager
def inside(fd: int) -> Iterator[None]:
    """Run the block in the namespace that ``fd`` refers to, and come back whatever happens."""
    back = home()
    libc.setns(fd)
    try:
        yield
    finally:
        libc.setns(back)


def identity(fd: int) -> int:
    """The namespace's inode: the number in ``net:[...]`` of ``/proc/PID/ns/net``."""
    return os.fstat(fd).st_ino


def home_identity() -> int:
    """The inode of the node's own namespace: what tells this node's processes from another node's."""
    return identity(home())


def identity_of_process(pid: int) -> int | None:
    """The inode of the network namespace of a process, or None when the process is gone or not ours to see."""
    try:
        return Path(f"/proc/{pid}/ns/net").stat().st_ino
    except OSError:
        return None


def names() -> list[str]:
    """Names under /run/netns, whether or not a namespace is mounted there."""
    try:
        return sorted(path.name for path in FOLDER.iterdir())
    except FileNotFoundError:
        return []


def open_namespace(name: str) -> int | None:
    """A descriptor of the named namespace; None where the name is gone or is only an empty file."""
    try:
        fd = os.open(FOLDER / name, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return None
    if os.fstat(fd).st_dev != os.fstat(home()).st_dev:
        os.close(fd)
        return None
    return fd


@contextlib.contextmanager
def opened(name: str) -> Iterator[int]:
    """A descriptor of the named namespace for the length of the block. Raises KernelRefused where there is none."""
    fd = open_namespace(name)
    if fd is None:
        raise KernelRefused(f"network namespace {name} is not there", "ENOENT")
    try:
        yield fd
    finally:
        os.close(fd)


def ensure_folder() -> None:
    """Make /run/netns a shared mount point, as ``ip netns add`` does, so that other mount namespaces see it."""
    FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
    if not os.path.ismount(FOLDER) and not _mounted(FOLDER):
        libc.mount(str(FOLDER), str(FOLDER), libc.MS_BIND | libc.MS_REC)
    with contextlib.suppress(OSError):
        libc.mount("", str(FOLDER), libc.MS_SHARED | libc.MS_REC)


def _mounted(folder: Path) -> bool:
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return any(line.split()[4] == str(folder) for line in lines)


def create(name: str, prepare: Callable[[], None]) -> None:
    """Make the namespace; ``prepare`` runs inside it before its name exists, so that it appears whole or not at all.

    An empty file of that name (left by a crash between the two steps) is used. Raises KernelRefused.
    """
    path = FOLDER / name
    try:
        libc.unshare_network()
        try:
            prepare()
            os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0))
            libc.mount("/proc/thread-self/ns/net", str(path), libc.MS_BIND)
        finally:
            libc.setns(home())
    except OSError as error:
        raise KernelRefused(f"network namespace {name}: {error.strerror}", _errno_name(error)) from error


def delete(name: str) -> None:
    """Take the name away; the kernel frees the namespace when nothing uses it. What is gone is no error."""
    path = FOLDER / name
    try:
        with contextlib.suppress(OSError):
            libc.unmount(str(path))
        path.unlink(missing_ok=True)
    except OSError as error:
        raise KernelRefused(f"network namespace {name}: {error.strerror}", _errno_name(error)) from error


def _errno_name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, "")
