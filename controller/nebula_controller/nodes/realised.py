"""Which revisions the nodes have made true, and calls that wait for it. Effects: timers of the event loop.

A call that waits is answered when every node whose view it reached has reported the pass in which it acted on that
view: ``net1;ms=43, compute1;ms=61``, the milliseconds from the end of the call's transaction to the node's report.
``failed=2`` counts changes that failed, ``down`` and ``waiting`` say that a node is down, or was not done in time.
"""

from __future__ import annotations

import asyncio

import msgspec
from sqlalchemy import select

from nebula.ids import Host
from nebula.view.report import Receipt, Result
from nebula_controller.store.database import Database
from nebula_controller.store.tables.nodes import nodes
from nebula_controller.watch import Views

_DOWN = select(nodes.c.host).where(nodes.c.down)


class _Acted(msgspec.Struct, frozen=True):
    """``at_s`` is the loop's time at which the node's report came. ``etag`` is that of the view, empty where the
    node has fetched another one since, or where it is not known."""

    revision: int
    at_s: float
    failed: int
    etag: str


class Realised:
    """What each node last acted on. All methods are called on the event loop's thread."""

    def __init__(self, database: Database, views: Views) -> None:
        self._database = database
        self._views = views
        self._acted: dict[Host, _Acted] = {}
        self._waiters: set[asyncio.Future[None]] = set()
        self._stopped = False

    def take(self, receipt: Receipt) -> None:
        """A node has acted on the view of ``receipt.to_revision``."""
        failed = sum(1 for change in receipt.changes if change.result is not Result.DONE)
        before = self._acted.get(receipt.host)
        if before is None or receipt.to_revision >= before.revision:
            view = self._views.current(receipt.host)
            etag = view.etag if view is not None and view.revision == receipt.to_revision else ""
            self._acted[receipt.host] = _Acted(receipt.to_revision, asyncio.get_running_loop().time(), failed, etag)
            self._wake()

    def has(self, host: Host, etag: str) -> None:
        """A node asks for what is newer than ``etag``. What it had before this controller started it has acted on; and
        what it acted on last is the newest again where it was out of the cloud meanwhile (revoked): it is not told."""
        if not etag:
            return
        acted, view = self._acted.get(host), self._views.current(host)
        if acted is not None and acted.etag != etag:
            self._acted[host] = msgspec.structs.replace(acted, etag="")
        elif view is not None and view.etag == etag and (acted is None or acted.revision < view.revision):
            failed = acted.failed if acted is not None else 0
            self._acted[host] = _Acted(view.revision, asyncio.get_running_loop().time(), failed, etag)
            self._wake()

    async def settled(self, wait_s: float) -> str:
        """Until all nodes have made true what is committed now, or the time is over: a line on each that had to act."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        waiting = self.lacking()
        done: dict[Host, str] = {}
        while True:
            for host, revision in list(waiting.items()):
                if not self._lacks(host, revision):
                    acted = self._acted[host]
                    failed = f";failed={acted.failed}" if acted.failed else ""
                    done[host] = f"{host};ms={(acted.at_s - began) * 1000:.0f}{failed}"
                    del waiting[host]
            down = self._down() & waiting.keys()
            if not waiting.keys() - down or self._stopped or not await self._woken(began + wait_s):
                break
        for host in waiting:
            done[host] = f"{host};{'down' if host in down else 'waiting'}"
        return ", ".join(done[host] for host in sorted(done))

    def lacking(self) -> dict[Host, int]:
        """The nodes that have not acted on what is committed now, with the revision of the view that they lack."""
        self._views.refresh()
        views = {host: self._views.current(host) for host in sorted(self._views.snapshot.nodes)}
        aims = {host: view.revision for host, view in views.items() if view is not None}
        return {host: revision for host, revision in aims.items() if self._lacks(host, revision)}

    def lag_s(self, host: Host) -> float:
        """How long the node's newest view has waited to be acted on; 0 where it has been, or nobody asked for it."""
        newest = self._views.newest(host)
        return newest[1] if newest is not None and self._lacks(host, newest[0]) else 0.0

    def stop(self) -> None:
        """Let all waiters go with what is known."""
        self._stopped = True
        self._wake()

    def _lacks(self, host: Host, revision: int) -> bool:
        acted = self._acted.get(host)
        return acted is None or acted.revision < revision

    def _down(self) -> set[Host]:
        with self._database.read() as tx:
            return {Host(host) for host in tx.execute(_DOWN).scalars()}

    async def _woken(self, deadline: float) -> bool:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(future)
        try:
            async with asyncio.timeout_at(deadline):
                await future
        except TimeoutError:
            return False
        finally:
            self._waiters.discard(future)
        return True

    def _wake(self) -> None:
        for future in self._waiters:
            if not future.done():
                future.set_result(None)
