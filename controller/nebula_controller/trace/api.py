"""``POST /nebula/v1/traces``: the way of a packet, worked out by the nodes. Effects: waits for the nodes, reads.

    {"from": "web", "to": "db", "protocol": "tcp", "port": 80}

For administrators alone: the way leads through what is of all projects. The answer is a ``Document``.
"""

from __future__ import annotations

import random
import time

import msgspec
from sqlalchemy import select

from nebula.errors import BadRequest, Forbidden
from nebula.ids import Host, Owner, OwnerKind
from nebula.model.snapshot import PortRow
from nebula.trace.packet import UNKNOWN_MAC, Packet, answer_to
from nebula.trace.probe import Ends, Enters, Probe
from nebula_controller.api.endpoint import Answer, Call, Operation, Service
from nebula_controller.nodes.questions import Questions
from nebula_controller.store.database import Database
from nebula_controller.store.tables.nodes import nodes
from nebula_controller.trace import advice as advices
from nebula_controller.trace import ends, plan
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
from nebula_controller.trace.journey import Course, Journey, Leg
from nebula_controller.trace.live import Live, LiveOut, Outcome
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
        wanted = plan.Wanted(
            asked.protocol, asked.port or 0, random.randint(*_OWN_PORTS), asked.ip_version, asked.size_bytes
        )
        chosen = plan.dhcp(snapshot, start) if asked.protocol == "dhcp" else plan.plan(snapshot, start, goal, wanted)
        journey = Journey(snapshot, self._questions, down, asked.wait_s)
        there = await self._there(journey, chosen)
        back = await self._back(journey, chosen, there) if there.ends is Ends.DELIVERED else None
        live = Outcome(LiveOut(False, "", ""), {})
        if asked.live:
            real = Live(snapshot, self._questions, down, asked.wait_s)
            live = await real.run(chosen, goal.ports, _sent(chosen.packet, there), there, back)
        astray = _astray(goal, there)
        if astray:
            there = msgspec.structs.replace(there, ends=Ends.DROPPED, text=astray)
        verdict = verdict_of(there, back)
        lost = there if back is None or verdict is Verdict.DROPPED else back
        dropped = advices.dropped(lost)
        with self._database.read() as tx:
            concerned = advices.sender_and_receiver(snapshot, dropped.packet)
            named = {owner for port in concerned if port is not None for owner in _of(port)}
            names = ends.names(tx, owners_of(there, back) | named)
        is_lost = verdict in (Verdict.DROPPED, Verdict.UNANSWERED)
        owner = dropped.owner(snapshot) if is_lost else None
        advice = advices.advise(snapshot, dropped, lambda item: _named(item, dict(names))) if is_lost else []
        return Document(
            verdict=verdict,
            text=dropped.why() if verdict is not Verdict.REACHED else _arrived(lost),
            start=end_out(start, chosen.packet.source),
            goal=end_out(goal, chosen.packet.destination),
            packet=words(chosen.packet),
            there=course_out(there, names, live.marks, answer=False),
            back=course_out(back, names, live.marks, answer=True) if back is not None else None,
            owner=owner_out(owner, names),
            advice=tuple(advice),
            live=live.out if asked.live else None,
            duration_s=round(time.monotonic() - began, 6),
            questions=journey.asked,
        )

    async def _there(self, journey: Journey, chosen: plan.Plan) -> Course:
        if chosen.port is not None:
            return await journey.travel(chosen.port.host, Probe(Enters.INSIDE, chosen.packet, port=chosen.port.id))
        network = chosen.segment
        assert network is not None
        segment, hosts = network.physical_network or "", plan.hosts(self._views.snapshot, network)
        asked = plan.question(chosen.packet.source, chosen.hop)
        answer = await journey.from_segment(segment, hosts, asked)
        mac = answer.packet.mac_source if answer.packet.answer else ""
        if not mac:
            text = f"nobody on {network.name} answers for {chosen.hop}"
            if answer.ends is Ends.FAILED:
                text = answer.text
            missing = Ends.FAILED if answer.ends is Ends.FAILED else Ends.DROPPED
            return Course((Leg(Host(""), ()),), missing, text, Host(""), chosen.packet)
        packet = msgspec.structs.replace(chosen.packet, mac_source=UNKNOWN_MAC, mac_destination=mac)
        return await journey.from_segment(segment, hosts, packet)

    async def _back(self, journey: Journey, chosen: plan.Plan, there: Course) -> Course | None:
        packet = there.packet
        answer = packet if packet.is_dhcp and packet.answer else answer_to(packet)
        if answer is None:
            return None
        if there.outside:
            addressed = _turned(answer, packet)
            hosts = journey.on_segment(there.device)
            back = await journey.from_segment(there.device, hosts, addressed)
        elif there.place:
            probe = Probe(Enters.INSIDE, answer, place=there.place, device=there.device)
            back = await journey.travel(there.host, probe)
        else:
            holder = self._views.snapshot.ports_of_host(there.host)
            port = next(
                (key for key in holder if self._views.snapshot.ports[key].mac_address == packet.mac_destination), ""
            )
            back = await journey.travel(there.host, Probe(Enters.INSIDE, _turned(answer, packet), port=port))
        return _as_an_answer(back, chosen.packet)


def _astray(goal: ends.End, there: Course) -> str:
    """What to say of a packet that somebody else took than the port that it was for; '' where all is well."""
    if there.ends is not Ends.DELIVERED or there.packet.answer or not goal.ports:
        return ""
    devices = [step.owner for leg in there.legs for step in leg.steps if step.kind == "device" and step.owner]
    if there.outside or (devices and devices[-1].id not in {port.id for port in goal.ports}):
        return f"{there.place or 'somebody outside'} takes it, and not {goal.words}"
    return ""


def _sent(packet: Packet, there: Course) -> Packet:
    """With the hardware addresses that it is predicted to begin with, where it comes so far."""
    steps = (step for leg in there.legs for step in leg.steps)
    first = next((step.packet for step in steps if step.packet is not None), packet)
    return msgspec.structs.replace(packet, mac_source=first.mac_source, mac_destination=first.mac_destination)


def _turned(answer: Packet, question: Packet) -> Packet:
    """The answer goes back to the hardware address that the question came from."""
    return msgspec.structs.replace(
        answer, mac_source=question.mac_destination or UNKNOWN_MAC, mac_destination=question.mac_source
    )


def _as_an_answer(back: Course, question: Packet) -> Course:
    """Who asked takes it as an answer only from whom was asked."""
    if back.ends is Ends.DELIVERED and not question.is_dhcp and back.packet.source != question.destination:
        text = f"the answer comes from {back.packet.source}, but {question.destination} was asked"
        return msgspec.structs.replace(back, ends=Ends.DROPPED, text=text)
    return back


def _of(port: PortRow) -> list[Owner]:
    """What advice about the port may name."""
    groups = (Owner(OwnerKind.SECURITY_GROUP, group) for group in port.security_groups)
    return [Owner(OwnerKind.PORT, port.id), Owner(OwnerKind.NETWORK, port.network_id), *groups]


def _named(owner: Owner, names: dict[Owner, str]) -> str:
    kind = owner.kind.value.replace("_", " ")
    return f"{kind} {names.get(owner) or owner.id}"


def _arrived(course: Course) -> str:
    return "it arrives, and its answer does" if course.packet.answer else "it arrives"
