"""Who may check a password next, of those who wait: one of each caller in turn, so that no flood keeps others out.

No I/O, one event loop. A caller is where a request comes from and what name it gives, whether there is such a user or
not: waiting must not tell. Names fall into ``SHARES`` groups, so that a source has so many turns with made-up ones.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nebula.errors import Unavailable

SHARES = 16
"""Of one source: at 75 ms a check and two at a time, the last of so many waits 0.6 s."""

MOST_WAITING = 64
"""Of one share; the last of them waits 2.4 s where nobody else comes, longer than people do for the next try."""

Share = tuple[str, int]


class Turns:
    """So many at a time; who comes while all places are taken waits for a turn of its share."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: dict[Share, deque[asyncio.Future[None]]] = {}
        """The share whose turn is next first."""

    @asynccontextmanager
    async def turn(self, source: str, name: str) -> AsyncIterator[None]:
        """A place, for as long as the block lasts. Unavailable where too many of this share wait already."""
        if self._free:
            self._free -= 1
        else:
            await self._wait((source, zlib.crc32(name.encode("utf-8", "surrogatepass")) % SHARES))
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, share: Share) -> None:
        queue = self._waiting.setdefault(share, deque())
        if len(queue) >= MOST_WAITING:
            raise Unavailable("Too many logins are waiting; try again in some seconds.")
        mine = asyncio.get_running_loop().create_future()
        queue.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if not mine.cancelled():  # its turn had come
                self._pass_on()
            elif mine in queue:
                queue.remove(mine)
                if not queue:
                    del self._waiting[share]
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            share = next(iter(self._waiting))
            queue = self._waiting.pop(share)
            mine = queue.popleft()
            if queue:
                self._waiting[share] = queue
            if not mine.cancelled():
                mine.set_result(None)
                return
        self._free += 1
