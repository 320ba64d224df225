"""A real packet beside the predicted one: the nodes listen on the whole way, one sends, and all say what they saw.

Effects: questions to the nodes. Three rounds: all listen, one sends, all are asked; who has seen all that was predicted
answers at once.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Set

import msgspec

from nebula.ids import Host
from nebula.model.snapshot import PortRow, Snapshot
from nebula.trace.live import LiveOrder, Sighting, Spot
from nebula.trace.packet import Packet, described
from nebula.trace.probe import Ends, Point
from nebula.view.question import Ask, NodeAnswer
from nebula_controller.nodes.questions import Questions
from nebula_controller.trace.journey import Course
from nebula_controller.trace.plan import Plan

_LISTEN_SHARE = 0.2
"""A packet is waited for this share of the time that a node's answer is: 1 s of 5. Slow nodes' packets are slow too."""
_QUIET_SHARE = 0.3
"""Where it is to be dropped nothing more shall come after all that was predicted: that is waited for, as a share."""


class Mark(msgspec.Struct, frozen=True):
    """What became of a predicted point. ``state``: ``seen``, ``missed``, or ``deaf``: nobody could listen (``why``).

    ``after_ms``: since the packet, or its answer, was first seen on the same node; ``packet`` as it was seen.
    """

    state: str
    after_ms: float | None = None
    packet: str = ""
    why: str = ""


class BesideOut(msgspec.Struct, frozen=True):
    """A point where the packet was seen and is not predicted to be."""

    host: str
    point: Point
    answer: bool
    packet: str


class LiveOut(msgspec.Struct, frozen=True):
    """``agrees``: all predicted points saw it, and no other. ``divergence``: the first that differs, in words.

    ``refused``: why the packet could not be sent. ``gaps``: nodes that did not answer. ``errors``: ICMP messages that
    told the sender that it could not be delivered, as they were first seen on each node.
    """

    agrees: bool
    divergence: str
    refused: str
    beside: tuple[BesideOut, ...] = ()
    gaps: tuple[str, ...] = ()
    errors: tuple[BesideOut, ...] = ()


Ways = tuple[Course, Course | None, Set[tuple[Host, Spot]]]
"""There, back, and where copies come by."""
Marks = Mapping[tuple[Host, Spot], Mark]


class Outcome(msgspec.Struct, frozen=True):
    """For the document as a whole, and for each predicted point."""

    out: LiveOut
    marks: Marks


class Predicted(msgspec.Struct, frozen=True):
    """A point of the predicted way."""

    host: Host
    spot: Spot


class Expected:
    """What is predicted to be seen where."""

    def __init__(self, there: Course, back: Course | None, passed: Set[tuple[Host, Spot]]) -> None:
        """``passed``: where copies of the packet come by, beside the way that is told."""
        self.passed = passed
        self.lost = there.ends is not Ends.DELIVERED or (back is not None and back.ends is not Ends.DELIVERED)
        self.is_open = Ends.FAILED in (there.ends, back.ends if back is not None else None)
        """Where the way goes on nobody could tell: what is seen there is no surprise."""
        self.spots = list(_spots(there, answer=False))
        # What a program answers to UDP, if at all, is its own affair.
        unanswered = there.packet.protocol == "udp" and there.text.startswith("somebody listens")
        if back is not None and not _is_round_trip(there) and not unanswered:
            self.spots += _spots(back, answer=True)

    def of(self, host: Host) -> tuple[Spot, ...]:
        return tuple(item.spot for item in self.spots if item.host == host)


def _is_round_trip(there: Course) -> bool:
    """ARP's answer is part of the one way."""
    return there.packet.protocol == "arp" or there.packet.is_neighbour_answer


def _spots(course: Course, *, answer: bool) -> Iterator[Predicted]:
    """The devices on the way. What is put into a bridge has not come in by the device that it is taken to come from."""
    spots = [
        Predicted(leg.host, Spot(step.point, step.packet.answer if step.packet is not None else answer))
        for leg in course.legs
        for step in leg.steps
        if step.point is not None and leg.host
    ]
    is_injected = bool(spots) and not answer and not spots[0].spot.point.place
    yield from spots[is_injected:]


class Live:
    """One packet."""

    def __init__(self, snapshot: Snapshot, questions: Questions, down: Set[Host], wait_s: float) -> None:
        self._snapshot = snapshot
        self._down = down
        self._questions = questions
        self._wait_s = wait_s
        self._tag = random.getrandbits(32)

    async def run(self, chosen: Plan, goal: Iterable[PortRow], sent: Packet, ways: Ways) -> Outcome:
        """``sent``: the packet with what it needs to be made."""
        there, back, passed = ways
        expected = Expected(there, back, passed)
        ports = {port.id: port.host for port in (*goal, *([chosen.port] if chosen.port else [])) if port.host}
        first = next((leg.host for leg in there.legs if leg.host), Host(""))
        if not first:
            return Outcome(
                LiveOut(True, "", "nobody answers for its destination, so there is nobody to send it to"), {}
            )
        hosts = dict.fromkeys([*(item.host for item in expected.spots), *ports.values(), first])
        network, listen_s = chosen.segment, _LISTEN_SHARE * self._wait_s
        orders = {
            host: LiveOrder(
                tag=self._tag,
                packet=sent,
                points=tuple(dict.fromkeys(spot.point for spot in expected.of(host))),
                ports=tuple(port for port, at in ports.items() if at == host),
                expected=expected.of(host),
                listen_s=listen_s,
                quiet_s=_QUIET_SHARE * listen_s if expected.lost else 0.0,
                port=chosen.port.id if chosen.port is not None else "",
                routed=sent.protocol != "arp" and not sent.is_dhcp and not sent.is_neighbour_question,
                physical_network=network.physical_network or "" if network is not None else "",
            )
            for host in hosts
            if host in self._snapshot.nodes and host not in self._down
        }
        gaps = [f"node {host} is down: what it would see is not known" for host in hosts if host in self._down]
        listening = await self._all(orders, Ask.LISTEN, self._wait_s, gaps)
        refused, stopped = "", first not in listening
        if not stopped:
            answers = await self._questions.ask([first], Ask.SEND, self._wait_s, lives=orders)
            if not answers:
                gaps.append(f"node {first} did not answer: nobody knows whether the packet was sent")
            elif answers[0].error:
                refused = answers[0].error
            elif answers[0].sightings is not None:
                refused = answers[0].sightings.refused
        waiting = {host: order for host, order in orders.items() if host in listening}
        seen = await self._all(waiting, Ask.SEEN, self._wait_s, gaps)
        return _compared(expected, refused, listening, seen, tuple(gaps))

    async def _all(
        self, orders: Mapping[Host, LiveOrder], ask: Ask, wait_s: float, gaps: list[str]
    ) -> dict[Host, NodeAnswer]:
        answers = await self._questions.ask(orders, ask, wait_s, lives=orders)
        for host in orders:
            answer = next((item for item in answers if item.host == host), None)
            if answer is None:
                gaps.append(f"node {host} did not answer: what it saw is not known")
            elif answer.error:
                gaps.append(f"node {host}: {answer.error}")
        return {answer.host: answer for answer in answers if not answer.error}


def _compared(
    expected: Expected,
    refused: str,
    listening: Mapping[Host, NodeAnswer],
    seen: Mapping[Host, NodeAnswer],
    gaps: tuple[str, ...],
) -> Outcome:
    deaf = {
        (host, point): why
        for host, answer in listening.items()
        for point, why in (answer.sightings.deaf if answer.sightings is not None else ())
    }
    found = {
        (host, Spot(item.point, item.packet.answer)): item
        for host, answer in seen.items()
        for item in (answer.sightings.seen if answer.sightings is not None else ())
    }
    marks: dict[tuple[Host, Spot], Mark] = {}
    for item in expected.spots:
        key, why = (item.host, item.spot), deaf.get((item.host, item.spot.point), "")
        sighting = found.get(key)
        if sighting is not None:
            marks[key] = Mark("seen", _after_ms(key, sighting, found), described(sighting.packet))
        else:
            marks[key] = Mark("deaf" if why else "missed", why=why)
    others = {key: item for key, item in found.items() if key not in marks and key not in expected.passed}
    errors = tuple(_beside(key, item) for key, item in others.items() if expected.lost and item.packet.is_error)
    beside = tuple(_beside(key, item) for key, item in others.items() if not (expected.lost and item.packet.is_error))
    divergence = _divergence(marks, () if expected.is_open else beside) or (gaps[0] if gaps else "")
    return Outcome(LiveOut(not divergence, divergence, refused, beside, gaps, _first_of_each(errors)), marks)


def _beside(key: tuple[Host, Spot], item: Sighting) -> BesideOut:
    return BesideOut(key[0], key[1].point, key[1].answer, described(item.packet))


def _first_of_each(errors: tuple[BesideOut, ...]) -> tuple[BesideOut, ...]:
    return tuple({item.host: item for item in reversed(errors)}.values())


def _after_ms(key: tuple[Host, Spot], sighting: Sighting, found: Mapping[tuple[Host, Spot], Sighting]) -> float:
    same = [item.time_ns for other, item in found.items() if other[0] == key[0] and other[1].answer == key[1].answer]
    return round((sighting.time_ns - min(same)) / 1e6, 3)


def _divergence(marks: Marks, beside: tuple[BesideOut, ...]) -> str:
    """The first on the predicted way that saw nothing, or what was seen beside it."""
    for (host, spot), mark in marks.items():
        if mark.state == "missed":
            return f"{_what(spot.answer)} was not seen at {_where(host, spot.point)}"
    for item in beside:
        return f"{_what(item.answer)} was seen at {_where(item.host, item.point)}, where it was not predicted"
    for (host, spot), mark in marks.items():
        if mark.state == "deaf":
            return f"nobody could listen at {_where(host, spot.point)}: {mark.why}"
    return ""


def _what(answer: bool) -> str:
    return "the answer" if answer else "the packet"


def _where(host: str, point: Point) -> str:
    return " ".join(word for word in (host, point.place, point.device, "out" if point.outward else "in") if word)
