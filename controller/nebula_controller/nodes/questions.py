"""Questions of people on their way to the nodes, and the answers on their way back. Effects: timers of the event loop.

Kept in memory alone: a question whose asker has gone is forgotten, and so are all at a restart. An agent answers what
it has fetched before it fetches again; so what is not answered by then did not reach it, and is given again: the wait
of an agent that was killed still stands here, and takes what is asked next.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping

from nebula.capture.order import CaptureOrder
from nebula.ids import Host
from nebula.trace.live import LiveOrder
from nebula.trace.probe import Probe
from nebula.view.question import Ask, NodeAnswer, Question
from nebula.view.records import NodeView


class Questions:
    """All methods are called on the event loop's thread."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._asked: dict[int, tuple[Host, Question, asyncio.Future[NodeAnswer]]] = {}
        self._bells: defaultdict[Host, asyncio.Event] = defaultdict(asyncio.Event)
        self._stopped = False

    async def ask(
        self,
        hosts: Iterable[Host],
        ask: Ask,
        wait_s: float,
        *,
        thing: str = "",
        views: Mapping[Host, NodeView] = {},
        probes: Mapping[Host, Probe] = {},
        lives: Mapping[Host, LiveOrder] = {},
        captures: Mapping[Host, CaptureOrder] = {},
    ) -> list[NodeAnswer]:
        """The answers of these nodes that came within ``wait_s``, in the nodes' order.

        ``views`` are for a plan, ``probes`` and ``lives`` for a trace, ``captures`` for a
        capture.
        """
        futures: dict[int, asyncio.Future[NodeAnswer]] = {}
        for host in hosts:
            own = (views.get(host), probes.get(host), lives.get(host), captures.get(host))
            question = Question(next(self._ids), ask, thing, *own)
            futures[question.id] = asyncio.get_running_loop().create_future()
            self._asked[question.id] = (host, question, futures[question.id])
            self._bells[host].set()
        try:
            if futures and not self._stopped:
                await asyncio.wait(futures.values(), timeout=wait_s)
        finally:
            for identity in futures:
                del self._asked[identity]
        return [future.result() for future in futures.values() if future.done() and not future.cancelled()]

    async def fetch(self, host: Host, wait_s: float) -> list[Question]:
        """What the node has been asked and has not answered; waits for something to be asked."""
        bell = self._bells[host]
        if not self._open(host) and not self._stopped:
            try:
                async with asyncio.timeout(wait_s):
                    await bell.wait()
            except TimeoutError:
                pass
        bell.clear()
        return self._open(host)

    def _open(self, host: Host) -> list[Question]:
        return [question for asked, question, future in self._asked.values() if asked == host and not future.done()]

    def take(self, host: Host, answer: NodeAnswer) -> None:
        """A node's answer; one that nobody waits for, or that another node was asked for, is dropped."""
        asked, _question, future = self._asked.get(answer.question, (None, None, None))
        if future is not None and asked == host and not future.done():
            future.set_result(answer)

    def stop(self) -> None:
        """Let everybody who waits go."""
        self._stopped = True
        for bell in self._bells.values():
            bell.set()
        for _host, _question, future in self._asked.values():
            future.cancel()
