"""The views of all nodes in memory, and who waits for them. Effects: reads of the database, timers of the event loop.

A commit marks what it touched; nothing is read or projected in the call's own time. A moment later (at once for the
first commit, then no more often than ``PAUSE_S`` and never for more than a share of the time) one *turn* re-reads the
touched rows, projects the nodes that they reach and for which somebody waits, and wakes the waiters of those whose
content changed. A burst of calls is one turn.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict

import msgspec

from nebula.ids import Host, Owner
from nebula.view import codec
from nebula.view.project import project
from nebula_controller.nodes import rows
from nebula_controller.store.database import Database

log = logging.getLogger(__name__)

PAUSE_S = 0.02
"""The least time between the starts of two turns."""

REST_FACTOR = 5
"""After a turn that took t, rest at least ``REST_FACTOR`` times t: projecting takes at most a sixth of the time."""

RETRY_S = 1.0
"""The rest after a turn that failed."""

REMEMBERED_VIEWS = 64
"""Of so many views of each node it is known how long they held; an agent that is further behind is a rare one."""


class View(msgspec.Struct, frozen=True):
    """A node's view as it goes over the wire. ``body`` is JSON; ``etag`` is over the content, not the revision."""

    revision: int
    etag: str
    body: bytes


class Views:
    """One view for each registered node, and long polls on them.

    All methods are called on the event loop's thread. ``stop`` ends every wait; later waits end at once.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        with database.read() as tx:
            self.snapshot = rows.load(tx, database.epoch)
        self._views: dict[Host, View] = {}
        self._stale: set[Host] = set()
        self._held: defaultdict[Host, dict[int, int]] = defaultdict(dict)
        """Revisions of each node's last views to the revision up to which nothing reached them."""
        self._touched: set[Owner] = set()
        self._waiters: defaultdict[Host, dict[asyncio.Future[None], str]] = defaultdict(dict)
        """The futures of those who wait, with the etag that they have."""
        self._changed_s: dict[Host, float] = {}
        """When each node's view last became another, by ``time.monotonic``."""
        self._timer: asyncio.TimerHandle | None = None
        self._not_before = 0.0
        self._stopped = False
        self.projections = 0
        """How many views were projected since the start (a figure for tests and metrics)."""
        database.subscribe(self.on_commit)

    def on_commit(self, _revision: int, touched: frozenset[Owner]) -> None:
        """Remember what changed, and see to it that waiters hear of it."""
        self._touched |= touched
        if self._waiters:
            self._ring()

    def refresh(self) -> None:
        """Bring the snapshot up to date with all commits so far, and mark the views that they reach."""
        if not self._touched:
            return
        touched, self._touched = self._touched, set()
        before = self.snapshot.revision
        try:
            with self._database.read() as tx:
                reached = rows.refresh(tx, self.snapshot, touched)
        except BaseException:
            self._touched |= touched
            raise
        for host in reached - self._stale:
            self._note_held(host, before)
        self._stale |= reached
        for host in self._views.keys() - self.snapshot.nodes.keys():
            del self._views[host]
            self._changed_s.pop(host, None)
            self._held.pop(host, None)

    def held_until(self, host: Host, revision: int) -> int:
        """Up to which revision nothing was done that reached the node's view of ``revision``: that one at least."""
        return max(revision, self._held[host].get(revision, 0)) if host in self._held else revision

    def _note_held(self, host: Host, until: int) -> None:
        known = self._views.get(host)
        if known is not None:
            held = self._held[host]
            held.pop(known.revision, None)
            held[known.revision] = until
            if len(held) > REMEMBERED_VIEWS:
                del held[next(iter(held))]

    def current(self, host: Host) -> View | None:
        """The node's view as of the newest commit; None for a node that is not registered."""
        self.refresh()
        if host not in self.snapshot.nodes:
            return None
        known = self._views.get(host)
        if known is not None and host not in self._stale:
            return known
        view = project(self.snapshot, host)
        self.projections += 1
        self._stale.discard(host)
        etag = codec.etag(view)
        if known is None or known.etag != etag:
            known = self._views[host] = View(view.revision, etag, codec.encode(view))
            self._changed_s[host] = time.monotonic()
        return known

    def newest(self, host: Host) -> tuple[int, float] | None:
        """Revision of the node's view as it was projected last, and how many seconds ago it became that."""
        known = self._views.get(host)
        return (known.revision, time.monotonic() - self._changed_s[host]) if known is not None else None

    async def changed(self, host: Host, etag: str, wait_s: float) -> View | None:
        """The node's view once its etag is another than ``etag``; None when that takes longer than ``wait_s``.

        Raises ``LookupError`` for a node that is not registered (any more).
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_s
        if self._touched and wait_s:
            await self._turn(host, etag, deadline)
        while True:
            view = self.current(host)
            if view is None:
                raise LookupError(host)
            if view.etag != etag:
                return view
            if self._stopped or loop.time() >= deadline:
                return None
            await self._turn(host, etag, deadline)

    def stop(self) -> None:
        """Let all waiters go with what they have."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        for waiting in self._waiters.values():
            for future in waiting:
                _wake(future)

    async def _turn(self, host: Host, etag: str, deadline: float) -> None:
        """Until a turn finds another etag, the deadline has passed, or all is over."""
        if self._stopped:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[host][future] = etag
        if self._touched:
            self._ring()
        try:
            async with asyncio.timeout_at(deadline):
                await future
        except TimeoutError:
            pass
        finally:
            del self._waiters[host][future]
            if not self._waiters[host]:
                del self._waiters[host]

    def _ring(self) -> None:
        if self._timer is None and not self._stopped:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(loop.time(), self._not_before), self._take_turn)

    def _take_turn(self) -> None:
        """uvloop's ``loop.time()`` stands still within a callback, so the turn itself is timed by another clock."""
        self._timer = None
        started, began = asyncio.get_running_loop().time(), time.perf_counter()
        rest_s = RETRY_S
        try:
            for host, waiting in self._waiters.items():
                view = self.current(host)
                for future, etag in waiting.items():
                    if view is None or view.etag != etag:
                        _wake(future)
            rest_s = max(PAUSE_S, (1 + REST_FACTOR) * (time.perf_counter() - began))
        except Exception:
            log.exception("views could not be brought up to date; trying again")
        self._not_before = started + rest_s
        if self._touched or not self._stale.isdisjoint(self._waiters):
            self._ring()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
