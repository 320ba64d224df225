"""Waiting for many descriptors at once, with one function to call for each.

Effects: an epoll descriptor and an eventfd for other threads to wake the loop. Not thread-safe but for ``wake``.
"""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Callable


class Watch:
    """Descriptors and what to call when they can be read."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._callbacks: dict[int, Callable[[], None]] = {}
        self.add(self._wake_fd, self._woken)

    def fileno(self) -> int:
        """An epoll descriptor can itself be polled."""
        return self._epoll.fileno()

    def add(self, fd: int, callback: Callable[[], None]) -> None:
        """Call ``callback`` whenever ``fd`` can be read or has ended."""
        self._epoll.register(fd, select.EPOLLIN)
        self._callbacks[fd] = callback

    def remove(self, fd: int) -> None:
        """Stop watching; before the descriptor is closed."""
        if self._callbacks.pop(fd, None) is not None:
            with contextlib.suppress(OSError):
                self._epoll.unregister(fd)

    def dispatch(self) -> None:
        """Call the functions of all descriptors that are ready now. Never blocks."""
        for fd, _events in self._epoll.poll(0):
            callback = self._callbacks.get(fd)
            if callback is not None:
                callback()

    def wake(self) -> None:
        """From any thread or signal handler: make whoever polls return."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_write(self._wake_fd, 1)

    def _woken(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._wake_fd)
