"""One blocking wait, in the shape that ``ovs.db.idl`` registers with.

Effects: poll(2). Used in place of ``ovs.poller.Poller``, which calls select(2) and so fails with more than 1,024 open
descriptors.
"""

from __future__ import annotations

import select
import time
from typing import Protocol


class HasFileno(Protocol):
    """A socket, or the like."""

    def fileno(self) -> int:
        """The descriptor."""


class Waiter:
    """Registers what to wait for, then waits once. Times are in milliseconds, as in ``ovs.poller``."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._timeout_ms: float | None = None

    def fd_wait(self, fd: int | HasFileno, events: int) -> None:
        """Wake when the descriptor is ready; ``events`` as of poll(2)."""
        self._poll.register(fd, events)

    def timer_wait(self, ms: float) -> None:
        """Wake after so long at the latest."""
        if ms >= 0 and (self._timeout_ms is None or ms < self._timeout_ms):
            self._timeout_ms = ms

    def timer_wait_until(self, ms: float) -> None:
        """Wake at that time (milliseconds since the epoch) at the latest."""
        self.timer_wait(max(0.0, ms - time.time() * 1000))

    def immediate_wake(self) -> None:
        """Do not wait at all."""
        self._timeout_ms = 0

    def block(self) -> None:
        """Wait."""
        self._poll.poll(self._timeout_ms)
