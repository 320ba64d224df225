"""Captures on their way from the nodes to who asked for them. Effects: memory, bounded; events of the event loop.

Chunks are passed on unread. A node waits while the reader has too much before it; a reader that has not come for
``READER_S`` ends the capture, and the nodes hear so with their next chunk. Nothing of it outlives the controller.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Set

from nebula.capture.stream import Head, pack
from nebula.errors import Conflict, NotFound
from nebula.ids import Host

MOST_CAPTURES = 16
MOST_OF_A_USER = 8
"""So that one user cannot keep the others from capturing."""
MOST_WAITING_BYTES = 8 * 1024 * 1024
"""Before the reader of one capture; then its nodes have to wait."""
MOST_READ_BYTES = 4 * 1024 * 1024
CHUNK_LIMIT_BYTES = 4 * 1024 * 1024
READER_S = 10.0
SILENT_S = 3.0
"""Agents send something four times a second."""


class Capture:
    """One capture. All methods are called on the event loop's thread."""

    def __init__(self, user_id: str | None, hosts: Iterable[Host], monotonic_s: Callable[[], float]) -> None:
        self.id = secrets.token_hex(16)
        self.user_id = user_id
        self._monotonic_s = monotonic_s
        self.read_s = monotonic_s()
        self._heard_s = dict.fromkeys(hosts, self.read_s)
        self._chunks: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._ended = False
        self._readable, self._writable = asyncio.Event(), asyncio.Event()
        self._writable.set()

    async def put(self, host: Host, chunk: bytes) -> bool:
        """A node's chunk, taken when there is room; False when nobody wants it."""
        if host not in self._heard_s:
            return False
        while not self._ended and self._waiting_bytes >= MOST_WAITING_BYTES:
            self._writable.clear()
            await self._writable.wait()
            self._heard_s[host] = self._monotonic_s()
        if self._ended or host not in self._heard_s:
            return False
        self._heard_s[host] = self._monotonic_s()
        self._append(chunk)
        return True

    async def take(self, wait_s: float) -> bytes:
        """What has come since the last time, a part of it where it is much; waits for something to come."""
        self.read_s = self._monotonic_s()
        if not self._chunks and not self._ended:
            self._readable.clear()
            try:
                async with asyncio.timeout(wait_s):
                    await self._readable.wait()
            except TimeoutError:
                pass
        self.read_s = self._monotonic_s()
        taken: list[bytes] = []
        size = 0
        while self._chunks and size < MOST_READ_BYTES:
            taken.append(self._chunks.popleft())
            size += len(taken[-1])
        self._waiting_bytes -= size
        if self._waiting_bytes < MOST_WAITING_BYTES:
            self._writable.set()
        return b"".join(taken)

    def _append(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._waiting_bytes += len(chunk)
        self._readable.set()

    def expect(self, hosts: Set[Host]) -> None:
        """Only these nodes listen; they have just begun."""
        self._heard_s = dict.fromkeys(hosts, self._monotonic_s())

    def leave(self, host: Host, reason: str) -> None:
        """Nothing more comes from the node; the reader is told why."""
        if self._heard_s.pop(host, None) is not None:
            self._append(pack(Head(host, gone=reason)))

    def sweep(self) -> bool:
        """Let the silent nodes go; False when nobody has read for too long."""
        now = self._monotonic_s()
        if self._waiting_bytes < MOST_WAITING_BYTES:
            for host in [host for host, heard_s in self._heard_s.items() if now - heard_s > SILENT_S]:
                self.leave(host, f"nothing has come from the node for {SILENT_S:.0f} s")
        return now - self.read_s <= READER_S

    def end(self) -> None:
        """Let all who wait go."""
        self._ended = True
        self._readable.set()
        self._writable.set()


class Captures:
    """All captures. ``monotonic_s`` is a clock in seconds."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._captures: dict[str, Capture] = {}

    def begin(self, user_id: str | None, hosts: Iterable[Host]) -> Capture:
        """Raises Conflict where too many run."""
        if len(self._captures) >= MOST_CAPTURES:
            raise Conflict(f"{MOST_CAPTURES} captures run; one has to end first.")
        if sum(capture.user_id == user_id for capture in self._captures.values()) >= MOST_OF_A_USER:
            raise Conflict(f"{MOST_OF_A_USER} captures of yours run; end one first.")
        capture = Capture(user_id, hosts, self._monotonic_s)
        self._captures[capture.id] = capture
        return capture

    def find(self, identity: str, user_id: str | None) -> Capture:
        """The user's capture. Raises NotFound for one that has ended, and for another's."""
        capture = self._captures.get(identity)
        if capture is None or capture.user_id != user_id:
            raise NotFound(f"There is no capture {identity}: it has ended.")
        return capture

    async def put(self, identity: str, host: Host, chunk: bytes) -> bool:
        """False when nobody wants it."""
        capture = self._captures.get(identity)
        return capture is not None and await capture.put(host, chunk)

    def end(self, capture: Capture) -> None:
        """The nodes hear of it with their next chunk."""
        capture.end()
        self._captures.pop(capture.id, None)

    def sweep(self) -> None:
        """End those that nobody reads, and note silent nodes."""
        for capture in list(self._captures.values()):
            if not capture.sweep():
                self.end(capture)

    def stop(self) -> None:
        """End all."""
        for capture in list(self._captures.values()):
            self.end(capture)
