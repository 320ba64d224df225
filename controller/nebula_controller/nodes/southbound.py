"""All that serves the agents, put together. Effects: hooks into the database; one background task."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from nebula.view.report import Receipt
from nebula_controller import scheduler
from nebula_controller.api.endpoint import Service
from nebula_controller.nodes.agents_api import AgentsApi
from nebula_controller.nodes.asking_api import AskingApi
from nebula_controller.nodes.beyond import BeyondTheAnswer
from nebula_controller.nodes.captures import Captures
from nebula_controller.nodes.captures_api import CapturesApi
from nebula_controller.nodes.gate import Gate
from nebula_controller.nodes.joining_api import Joining, JoiningApi
from nebula_controller.nodes.nodes_api import NodesListApi
from nebula_controller.nodes.plugs import Plugs
from nebula_controller.nodes.questions import Questions
from nebula_controller.nodes.realised import Realised
from nebula_controller.nodes.receipts import Receipts
from nebula_controller.nodes.registry import Registry
from nebula_controller.nodes.service import NodesApi
from nebula_controller.store.database import Database
from nebula_controller.trace.api import TraceApi
from nebula_controller.watch import Views

log = logging.getLogger(__name__)

SWEEP_S = 1.0


class Southbound:
    """Made once per database. ``monotonic_s`` and ``wall_s`` are clocks in seconds, for tests.

    ``node_secret`` None: nodes are believed by their certificates alone. ``joining`` None: none can join.
    ``took`` is told of each receipt.
    """

    def __init__(
        self,
        database: Database,
        *,
        node_secret: bytes | None,
        joining: Joining | None = None,
        took: Callable[[Receipt], None] = lambda _receipt: None,
        monotonic_s: Callable[[], float] = time.monotonic,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        database.before_commit(scheduler.before_commit)
        self.views = Views(database)
        self.registry = Registry(database, Plugs(), monotonic_s=monotonic_s, wall_s=wall_s)
        receipts = Receipts(database, self.views.snapshot)
        self.realised = Realised(database, self.views)
        self._questions = Questions()
        authorities = joining.authorities if joining is not None else None
        gate = Gate(database, node_secret, authorities.trusts if authorities is not None else _nobody, wall_s)
        self._captures = Captures(monotonic_s)
        self._api = NodesApi(
            database,
            self.registry,
            self.views,
            receipts,
            realised=self.realised,
            questions=self._questions,
            captures=self._captures,
            gate=gate,
            authorities=authorities,
            took=took,
            wall_s=wall_s,
        )
        self._list = NodesListApi(database, self.realised, wall_s)
        self._joining = JoiningApi(database, gate, joining, wall_s)
        self.beyond = BeyondTheAnswer(database, self.views, self.realised, self._questions)
        self._asking = AskingApi(database, self.views, self._questions)
        self._traces = TraceApi(database, self.views, self._questions)
        self._capturing = CapturesApi(database, self.views, self._questions, self._captures)
        self._agents = AgentsApi(database)
        self._sweeping: asyncio.Task[None] | None = None

    def services(self) -> list[Service]:
        """``/nebula/v1``, and Neutron's ``agents`` below ``/network``."""
        people = (self._list, self._asking, self._traces, self._capturing, self._agents)
        apis = (self._api, self._joining, *people)
        return [api.service() for api in apis]

    async def start(self) -> None:
        """Begin to watch the heartbeats."""
        self._sweeping = asyncio.create_task(self._sweep(), name="heartbeats")

    def release(self) -> None:
        """Let all long polls end now."""
        self.views.stop()
        self.realised.stop()
        self._api.stop()
        self._questions.stop()
        self._captures.stop()

    async def stop(self) -> None:
        """End the background task; long polls too, if ``release`` was not called."""
        self.release()
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
            self._sweeping = None

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self._captures.sweep()
            try:
                self.registry.sweep()
            except Exception:
                log.exception("the heartbeats could not be looked at; trying again")


def _nobody(_key_id: str) -> bool:
    return False
