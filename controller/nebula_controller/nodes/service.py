"""``/nebula/v1``: what the agents talk to, and what people read of it. Effects: HTTP answers, the nodes' tables.

The agents' operations are each for the node itself (``gate``), the people's for an administrator's token.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from nebula.errors import BadRequest, Forbidden, InvalidAttribute, NotFound
from nebula.ids import Host
from nebula.view.question import NodeAnswer
from nebula.view.report import NodeReport, Reason, Receipt
from nebula_controller import status
from nebula_controller.api.context import NodeCertificate
from nebula_controller.api.endpoint import BODY_LIMIT_BYTES, Answer, Call, Handler, Operation, Service
from nebula_controller.nodes import explanations, membership
from nebula_controller.nodes.bodies import decode
from nebula_controller.nodes.captures import CHUNK_LIMIT_BYTES, Captures
from nebula_controller.nodes.gate import Gate
from nebula_controller.nodes.gate import host_of as _host
from nebula_controller.nodes.questions import Questions
from nebula_controller.nodes.realised import Realised
from nebula_controller.nodes.receipts import Receipts
from nebula_controller.nodes.registry import HEARTBEAT_S, Registry
from nebula_controller.nodes.report import check
from nebula_controller.store.database import Database
from nebula_controller.store.tables.nodes import nodes
from nebula_controller.watch import Views

if TYPE_CHECKING:
    from nebula_controller.tls.authorities import Authorities

MOST_WAIT_S = 60.0
RECEIPT_LIMIT_BYTES = 16 * 1024 * 1024
"""A node of 1,000 ports makes some 15,000 changes in its first pass, half a kilobyte each."""
MOST_RECEIPTS = 1000
RECEIPTS = "nebula:get_receipts"
"""The policy's rule for all that says what calls did to the nodes."""


class NodesApi:
    """The operations. ``gate`` says who may speak as a node; ``authorities`` None: none can join."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        views: Views,
        receipts: Receipts,
        *,
        realised: Realised,
        questions: Questions,
        captures: Captures,
        gate: Gate,
        authorities: Authorities | None,
        took: Callable[[Receipt], None] = lambda _receipt: None,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._registry = registry
        self._views = views
        self._receipts = receipts
        self._realised = realised
        self._questions = questions
        self._captures = captures
        self._news = asyncio.Event()
        self._stopped = False
        self._gate = gate
        self._authorities = authorities
        self._signed_by: dict[Host, str] = {}
        """By which authority what each node shows is signed, as it was written down."""
        self._took = took
        self._wall_s = wall_s

    def service(self) -> Service:
        """To be given to ``create_application``."""
        node = "/v1/nodes/{host}"
        return Service(
            "/nebula",
            [
                self._nodes("PUT", node, self._report),
                self._nodes("GET", f"{node}/view", self._view),
                self._nodes("POST", f"{node}/receipts", self._receipt, RECEIPT_LIMIT_BYTES),
                self._nodes("GET", f"{node}/questions", self._fetch_questions),
                self._nodes("POST", f"{node}/answers", self._answer, RECEIPT_LIMIT_BYTES),
                self._nodes("POST", f"{node}/captures/{{id}}", self._take_frames, CHUNK_LIMIT_BYTES),
                self._nodes("GET", f"{node}/clock", self._clock),
                Operation("GET", "/v1/receipts", self._list_receipts),
                Operation("GET", "/v1/receipts/{request_id}", self._show_receipts),
                Operation("GET", "/v1/calls", self._list_calls),
            ],
            rules={RECEIPTS: "role:admin"},
        )

    def _nodes(self, method: str, path: str, handler: Handler, limit_bytes: int = BODY_LIMIT_BYTES) -> Operation:
        """Only for the node itself."""
        return Operation(method, path, handler, open=True, limit_bytes=limit_bytes, admits=self._gate.admit)

    def _report(self, call: Call) -> Answer:
        report = decode(call.raw, NodeReport)
        check(report, call.path["host"])
        self._registry.report(call.context, report)
        answer = {"epoch": self._database.epoch, "heartbeat_s": HEARTBEAT_S}
        if call.node is not None and self._authorities is not None:
            self._note_authority(call, call.node)
            answer["renew"] = self._wall_s() >= call.node.renew_at_s
            answer["authorities"] = self._authorities.digest
        return Answer(200, answer)

    def _note_authority(self, call: Call, node: NodeCertificate) -> None:
        if self._signed_by.get(node.host) != node.signed_by:
            with self._database.write(call.context) as tx:
                membership.shows(tx, node.host, node.signed_by)
            self._signed_by[node.host] = node.signed_by

    async def _view(self, call: Call) -> Answer:
        host = _host(call)
        view = None
        self._realised.has(host, call.headers.get("if-none-match", ""))
        try:
            view = await self._views.changed(host, call.headers.get("if-none-match", ""), wait_s_of(call))
        except LookupError:
            raise _unregistered(host) from None
        if view is None:
            return Answer(304)
        return Answer(200, view.body, {"etag": view.etag, "cache-control": "no-store"})

    def _receipt(self, call: Call) -> Answer:
        host = _host(call)
        receipt = decode(call.raw, Receipt)
        if receipt.host != host:
            raise InvalidAttribute("host", f"the receipt is of another node than {host}, whose path it was sent to")
        self._views.refresh()
        with self._database.write(call.context, status=204) as tx:
            down = tx.execute(nodes.select().with_only_columns(nodes.c.down).where(nodes.c.host == host)).scalar()
            if down is None:
                raise _unregistered(host)
            self._receipts.keep(tx, receipt, after=self._views.held_until(host, receipt.from_revision))
            if receipt.epoch == self._database.epoch:
                status.take(tx, host, receipt.status, complete=receipt.complete, node_is_up=not down)
        if receipt.epoch == self._database.epoch:
            self._realised.take(receipt)
        self._took(receipt)
        self._tell_news()
        return Answer(204)

    async def _fetch_questions(self, call: Call) -> Answer:
        return Answer(200, await self._questions.fetch(_host(call), wait_s_of(call)))

    def _answer(self, call: Call) -> Answer:
        self._questions.take(_host(call), decode(call.raw, NodeAnswer))
        return Answer(204)

    async def _take_frames(self, call: Call) -> Answer:
        """A chunk of a capture, taken when its reader has room; 404 when nobody wants more of it."""
        return Answer(204 if await self._captures.put(call.path["id"], _host(call), call.raw) else 404)

    def _clock(self, _call: Call) -> Answer:
        """The controller's clock, for nodes to compare theirs with."""
        return Answer(200, {"time_ns": time.time_ns()}, {"cache-control": "no-store"})

    def stop(self) -> None:
        """Let all who wait for receipts go."""
        self._stopped = True
        self._tell_news()

    def _tell_news(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _list_receipts(self, call: Call) -> Answer:
        _require_admin(call)
        query = _query(call, "Receipts", {"host", "reason", "limit", "after", "wait"})
        limit = _limit(query.get("limit", "100"))
        if "after" in query:
            return await self._newer(_after(query["after"]), limit, wait_s_of(call))
        with self._database.read() as tx:
            found = explanations.listing(tx, host=query.get("host"), reason=_reason(query.get("reason")), limit=limit)
            return Answer(200, {"receipts": found, "newest": explanations.newest_id(tx)})

    async def _newer(self, after: int, limit: int, wait_s: float) -> Answer:
        """The receipts after this one, or none once ``wait_s`` are over."""
        deadline = asyncio.get_running_loop().time() + wait_s
        while True:
            news = self._news
            with self._database.read() as tx:
                found = explanations.newer(tx, after, limit)
            newest = found[-1]["id"] if found else after
            if found or self._stopped:
                return Answer(200, {"receipts": found, "newest": newest})
            try:
                async with asyncio.timeout_at(deadline):
                    await news.wait()
            except TimeoutError:
                return Answer(200, {"receipts": [], "newest": newest})

    def _show_receipts(self, call: Call) -> Answer:
        _require_admin(call)
        with self._database.read() as tx:
            found = explanations.of_request(tx, call.path["request_id"])
        return Answer(200, {**found, "waiting": sorted(self._realised.lacking())})

    def _list_calls(self, call: Call) -> Answer:
        _require_admin(call)
        query = _query(call, "Calls", {"object", "limit"})
        if not query.get("object"):
            raise InvalidAttribute("object", "give the id of a network, port, instance...")
        with self._database.read() as tx:
            return Answer(
                200, {"calls": explanations.of_object(tx, query["object"], _limit(query.get("limit", "100")))}
            )


def _query(call: Call, what: str, known: set[str]) -> dict[str, str]:
    query = dict(call.query)
    unknown = query.keys() - known
    if unknown:
        raise BadRequest(f"{what} cannot be asked for by {', '.join(sorted(unknown))}.")
    return query


def _after(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise InvalidAttribute("after", "not the id of a receipt")
    return int(text)


def _unregistered(host: str) -> NotFound:
    return NotFound(f"Node {host} is not registered. PUT its report to /nebula/v1/nodes/{host} first.")


def wait_s_of(call: Call) -> float:
    """How long a call waits for something to come. Raises InvalidAttribute."""
    text = dict(call.query).get("wait", "0")
    try:
        wait_s = float(text)
    except ValueError:
        wait_s = -1.0
    if not 0 <= wait_s <= MOST_WAIT_S:
        raise InvalidAttribute("wait", f"not a number of seconds in 0..{MOST_WAIT_S:.0f}")
    return wait_s


def _reason(text: str | None) -> Reason | None:
    if text is None:
        return None
    try:
        return Reason(text)
    except ValueError:
        raise InvalidAttribute("reason", f"not one of {', '.join(Reason)}") from None


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= MOST_RECEIPTS:
        raise InvalidAttribute("limit", f"not in 1..{MOST_RECEIPTS}")
    return int(text)


def _require_admin(call: Call) -> None:
    if not call.context.allows(RECEIPTS, {}):
        raise Forbidden("Receipts name objects of all projects: they are for administrators.")
