"""``POST /nebula/v1/traces``: the way of a packet, worked out by the nodes. Effects: waits for the nodes, reads.

    {"from": "web", "to": "db", "protocol": "tcp", "port": 80}

For administrators alone: the way leads through what is of all projects. The answer is a ``Document``.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping

import msgspec
from sqlalchemy import select

from nebula.errors import BadRequest, Forbidden
from nebula.ids import Host, Owner, OwnerKind
from nebula.model.snapshot import PortRow
from nebula.trace.probe import Ends
from nebula_controller.api.endpoint import Answer, Call, Operation, Service
from nebula_controller.nodes.questions import Questions
from nebula_controller.store.database import Database
from nebula_controller.store.tables.nodes import nodes
from nebula_controller.trace import advice as advices
from nebula_controller.trace import ends, plan
from nebula_controller.trace.advice import Advice
from nebula_controller.trace.document import (
    Document,
    Verdict,
    course_out,
    end_out,
    owner_out,
    owners_of,
    verdict_of,
    words,
)
from nebula_controller.trace.journey import Course, Journey
from nebula_controller.trace.live import Live
from nebula_controller.trace.trip import Trip, sent, where_meant
from nebula_controller.watch import Views

RULE = "nebula:trace"
MOST_WAIT_S = 60.0
_DOWN = select(nodes.c.host).where(nodes.c.down)
_OWN_PORTS = (49152, 65535)


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of the call. ``to`` is left out for DHCP. ``wait_s``: for each node's answer."""

    start: str = msgspec.field(name="from")
    to: str = ""
    protocol: str = "icmp"
    port: int | None = None
    ip_version: int = 0
    size_bytes: int = 0
    live: bool = False
    wait_s: float = 5.0


class TraceApi:
    """One operation."""

    def __init__(self, database: Database, views: Views, questions: Questions) -> None:
        self._database = database
        self._views = views
        self._questions = questions

    def service(self) -> Service:
        return Service("/nebula", [Operation("POST", "/v1/traces", self._trace)], rules={RULE: "role:admin"})

    async def _trace(self, call: Call) -> Answer:
        if not call.context.allows(RULE, {}):
            raise Forbidden("A trace leads through what is of all projects: it is for administrators.")
        try:
            asked = msgspec.json.decode(call.raw, type=Asked)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadRequest(f"The body is not a trace: {error}") from None
        plan.check(asked.protocol, asked.port, asked.ip_version, asked.size_bytes)
        if not 0 < asked.wait_s <= MOST_WAIT_S:
            raise BadRequest(f"wait_s is not in 0..{MOST_WAIT_S:.0f}.")
        if not asked.to and asked.protocol != "dhcp":
            raise BadRequest("Where to? An instance, a port, a router, a floating IP or an address.")
        if asked.to and asked.protocol == "dhcp":
            raise BadRequest("DHCP goes to whoever serves the network: it takes no TO.")
        return Answer(200, await self._document(asked))

    async def _document(self, asked: Asked) -> Document:
        began = time.monotonic()
        self._views.refresh()
        snapshot = self._views.snapshot
        with self._database.read() as tx:
            start = ends.find(tx, snapshot, asked.start, start=True)
            goal = ends.find(tx, snapshot, asked.to, start=False) if asked.to else ends.DHCP_SERVERS
            down = {Host(host) for host in tx.execute(_DOWN).scalars()}
        own_port = random.randint(*_OWN_PORTS)
        wanted = plan.Wanted(asked.protocol, asked.port or 0, own_port, asked.ip_version, asked.size_bytes)
        chosen = plan.dhcp(snapshot, start) if asked.protocol == "dhcp" else plan.plan(snapshot, start, goal, wanted)
        journey = Journey(snapshot, self._questions, down, asked.wait_s)
        trip = Trip(snapshot, journey, chosen)
        there = await trip.there()
        back = await trip.back(there) if there.ends is Ends.DELIVERED else None
        live = None
        if asked.live:
            real = Live(snapshot, self._questions, down, asked.wait_s)
            live = await real.run(chosen, goal.ports, sent(chosen.packet, there), (there, back, journey.passed))
        there = where_meant(goal, there)
        verdict, reason = verdict_of(there, back), self._reason(there, back)
        marks = live.marks if live is not None else {}
        return Document(
            verdict=verdict,
            text=reason.text,
            start=end_out(start, chosen.packet.source),
            goal=end_out(goal, chosen.packet.destination),
            packet=words(chosen.packet),
            there=course_out(there, reason.names, marks, answer=False),
            back=course_out(back, reason.names, marks, answer=True) if back is not None else None,
            owner=owner_out(reason.owner, reason.names),
            advice=reason.advice,
            live=live.out if live is not None else None,
            duration_s=round(time.monotonic() - began, 6),
            questions=journey.asked,
        )

    def _reason(self, there: Course, back: Course | None) -> _Reason:
        """Why it ends as it does, and what would help."""
        snapshot, verdict = self._views.snapshot, verdict_of(there, back)
        lost = there if back is None or verdict is Verdict.DROPPED else back
        dropped = advices.dropped(lost)
        with self._database.read() as tx:
            concerned = advices.sender_and_receiver(snapshot, dropped.packet)
            named = {owner for port in concerned if port is not None for owner in _of(port)}
            names = ends.names(tx, owners_of(there, back) | named)
        if verdict is Verdict.REACHED:
            return _Reason("it arrives, and its answer does" if lost.packet.answer else "it arrives", names)
        if verdict is Verdict.UNKNOWN:
            return _Reason(dropped.why(), names)
        advice = advices.advise(snapshot, dropped, lambda owner: _named(owner, names))
        return _Reason(dropped.why(), names, dropped.owner(snapshot), tuple(advice))


class _Reason(msgspec.Struct, frozen=True):
    """``names`` of all owners that the document names."""

    text: str
    names: Mapping[Owner, str]
    owner: Owner | None = None
    advice: tuple[Advice, ...] = ()


def _of(port: PortRow) -> list[Owner]:
    """What advice about the port may name."""
    groups = (Owner(OwnerKind.SECURITY_GROUP, group) for group in port.security_groups)
    return [Owner(OwnerKind.PORT, port.id), Owner(OwnerKind.NETWORK, port.network_id), *groups]


def _named(owner: Owner, names: Mapping[Owner, str]) -> str:
    kind = owner.kind.value.replace("_", " ")
    return f"{kind} {names.get(owner) or owner.id}"
