"""``POST /nebula/v1/questions``: what people ask the nodes. Effects: waits for the nodes, reads in a transaction.

    {"ask": "audit", "hosts": ["compute1"], "wait_s": 10}      all nodes where ``hosts`` is left out
    {"ask": "owner", "thing": "tap47e27c85-75"}
    {"ask": "inventory", "object": "<id>"}                     what exists because of this object alone

The answer names the nodes that are down, and those that were silent until the time was over.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from sqlalchemy import select

from nebula.errors import BadRequest, Forbidden, NotFound
from nebula.ids import Host, Owner
from nebula.view.question import Ask, NodeAnswer
from nebula_controller.api.endpoint import Answer, Call, Operation, Service
from nebula_controller.nodes.questions import Questions
from nebula_controller.nodes.receipts import wholes
from nebula_controller.store.database import Database
from nebula_controller.store.tables.nodes import nodes
from nebula_controller.watch import Views

MOST_WAIT_S = 60.0
RULE = "nebula:ask_nodes"
_NODES = select(nodes.c.host, nodes.c.down).order_by(nodes.c.host)


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of the call."""

    ask: Ask
    hosts: tuple[str, ...] | None = None
    thing: str = ""
    object: str = ""
    wait_s: float = 10.0


class AskingApi:
    """One operation, for administrators: the answers name objects of all projects."""

    def __init__(self, database: Database, views: Views, questions: Questions) -> None:
        self._database = database
        self._views = views
        self._questions = questions

    def service(self) -> Service:
        return Service("/nebula", [Operation("POST", "/v1/questions", self._ask)], rules={RULE: "role:admin"})

    async def _ask(self, call: Call) -> Answer:
        if not call.context.allows(RULE, {}):
            raise Forbidden("The nodes are the administrators': they hold what is of all projects.")
        try:
            asked = msgspec.json.decode(call.raw, type=Asked)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadRequest(f"The body is not a question: {error}") from None
        if asked.ask is Ask.PLAN:
            raise BadRequest("A plan is asked for with the call that it is for: X-Nebula-Plan.")
        if asked.ask in (Ask.TRACE, Ask.LISTEN, Ask.SEND, Ask.SEEN):
            raise BadRequest("A trace is asked for at /nebula/v1/traces.")
        if asked.ask is Ask.CAPTURE:
            raise BadRequest("A capture is begun with POST /nebula/v1/captures.")
        if not 0 <= asked.wait_s <= MOST_WAIT_S:
            raise BadRequest(f"wait_s is not in 0..{MOST_WAIT_S:.0f}.")
        up, down = self._hosts(asked.hosts)
        answers = await self._questions.ask(up, asked.ask, asked.wait_s, thing=asked.thing)
        if asked.object:
            self._views.refresh()
            answers = [self._only(answer, asked.object) for answer in answers]
        silent = sorted(set(up) - {answer.host for answer in answers})
        return Answer(200, {"answers": answers, "silent": silent, "down": down})

    def _hosts(self, wanted: tuple[str, ...] | None) -> tuple[list[Host], list[Host]]:
        """Nodes that are up, and those that are down. Raises NotFound for one that there is not."""
        with self._database.read() as tx:
            known = {Host(host): down for host, down in tx.execute(_NODES)}
        for host in wanted or ():
            if host not in known:
                raise NotFound(f"Node {host} could not be found. There are: {', '.join(known) or 'none'}.")
        chosen = [host for host in known if wanted is None or host in wanted]
        return [host for host in chosen if not known[host]], [host for host in chosen if known[host]]

    def _only(self, answer: NodeAnswer, identity: str) -> NodeAnswer:
        """The items that exist because of the object: its own, and those of what is part of it."""
        items = tuple(item for item in answer.items if any(owner.id == identity for owner in self._because(item.owner)))
        return msgspec.structs.replace(answer, items=items)

    def _because(self, owner: Owner) -> Iterator[Owner]:
        yield owner
        yield from wholes(self._views.snapshot, owner)
