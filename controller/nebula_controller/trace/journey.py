"""A packet from node to node: each is asked for its part of the way, until the packet has arrived or is gone.

Effects: questions to the nodes. What a node says is all that is known; here is only which node comes next: the one with
the tunnel's address, or those that are on the same provider segment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec

from nebula.ids import Host
from nebula.model.snapshot import Snapshot
from nebula.trace.live import Spot
from nebula.trace.packet import UNKNOWN_MAC, Connection, Packet
from nebula.trace.probe import Ends, Enters, Neighbour, Probe, Step, Way
from nebula.view.question import Ask
from nebula_controller.nodes.questions import Questions
from nebula_controller.trace.ends import host_of_vtep

MOST_ROUNDS = 24
"""A packet that visits more nodes, one after the other, goes round in circles."""
OUTSIDE = ""
"""In place of a node's name: what is beyond a provider's segment."""


class Leg(msgspec.Struct, frozen=True):
    """The packet's way through one node; ``OUTSIDE``: it has left."""

    host: Host
    steps: tuple[Step, ...]


class Course(msgspec.Struct, frozen=True):
    """A packet's whole way: through these nodes, and how it ends. ``host``: where.

    ``ends`` is DELIVERED, DROPPED, or FAILED where nobody could tell; ``outside``: it was delivered there.
    """

    legs: tuple[Leg, ...]
    ends: Ends
    text: str
    host: Host
    packet: Packet
    place: str = ""
    device: str = ""
    outside: bool = False


_NOWHERE = Course((), Ends.DROPPED, "", Host(OUTSIDE), Packet("", "", ""))


class _Front(msgspec.Struct, frozen=True):
    """A copy of the packet before the next node."""

    host: Host
    probe: Probe
    legs: tuple[Leg, ...]


class Journey:
    """All that one trace asks: the connections that conntrack has by now, and whose hardware address is known."""

    def __init__(self, snapshot: Snapshot, questions: Questions, down: Iterable[Host], wait_s: float) -> None:
        self._snapshot = snapshot
        self._questions = questions
        self._down = set(down)
        self._wait_s = wait_s
        self._connections: dict[Host, tuple[Connection, ...]] = {}
        self._neighbours: dict[Host, tuple[Neighbour, ...]] = {}
        self._ignored = _NOWHERE
        self.passed: set[tuple[Host, Spot]] = set()
        """Where the packet or a copy of it comes by, on whichever way."""
        self.asked = 0
        """How many questions went out."""

    async def travel(self, host: Host, probe: Probe) -> Course:
        """From where it begins to the best of its ends: arrived, rather than dropped, rather than not known."""
        return await self._travel([_Front(host, probe, ())])

    async def from_segment(self, physical_network: str, hosts: Iterable[Host], packet: Packet) -> Course:
        """In from a provider's segment: every node on it gets the packet, as on a wire."""
        probe = Probe(Enters.PROVIDER, packet, physical_network=physical_network)
        return await self._travel([_Front(host, probe, (Leg(Host(OUTSIDE), ()),)) for host in hosts])

    async def _travel(self, fronts: list[_Front]) -> Course:
        ended: list[Course] = []
        self._ignored = _NOWHERE
        for _round in range(MOST_ROUNDS):
            if not fronts:
                break
            answers = await asyncio.gather(*(self._ask(front) for front in fronts))
            following: list[_Front] = []
            for front, found in zip(fronts, answers, strict=True):
                for item in found:
                    if isinstance(item, Course):
                        ended.append(item)
                    else:
                        following += await self._onward(front, item, ended)
            if any(course.ends is Ends.DELIVERED for course in ended) and not _is_copied(fronts[0].probe.packet):
                break
            fronts = following
        else:
            ended.append(_course(fronts[0].legs, Ends.DROPPED, fronts[0], "it goes round in circles"))
        return _best(ended) if ended else self._taken_by_nobody()

    async def _ask(self, front: _Front) -> list[Way | Course]:
        host, legs = front.host, front.legs
        if host in self._down:
            return [_course(legs, Ends.FAILED, front, f"node {host} is down: what it would do is not known")]
        probe = msgspec.structs.replace(
            front.probe,
            connections=self._connections.get(host, ()),
            neighbours=self._neighbours.get(host, ()),
        )
        self.asked += 1
        answers = await self._questions.ask([host], Ask.TRACE, self._wait_s, probes={host: probe})
        if not answers:
            text = f"node {host} did not answer within {self._wait_s:g} s: what it would do is not known"
            return [_course(legs, Ends.FAILED, front, text)]
        if answers[0].error:
            return [_course(legs, Ends.FAILED, front, f"node {host}: {answers[0].error}")]
        return list(answers[0].ways)

    async def _onward(self, front: _Front, way: Way, ended: list[Course]) -> list[_Front]:
        """Where the packet goes on; what ends is added to ``ended``."""
        host, legs = front.host, (*front.legs, Leg(front.host, way.steps))
        for step in way.steps:
            if step.point is not None and step.packet is not None:
                self.passed.add((host, Spot(step.point, step.packet.answer)))
        if way.ends is Ends.RESOLVE:  # the packet itself waits, so no conntrack has seen it whole
            return await self._resolved(front, way, ended)
        if way.connections:
            self._connections[host] = tuple(dict.fromkeys((*self._connections.get(host, ()), *way.connections)))
        if way.ends is Ends.TUNNEL:
            return self._through_tunnel(front, way, legs, ended)
        if way.ends is Ends.PROVIDER:
            return self._onto_segment(front, way, legs, ended)
        course = _course(legs, way.ends, front, way.text, way)
        if way.ends is not Ends.IGNORED and not _passed_by(front, way):
            ended.append(course)
        elif len(course.legs) >= len(self._ignored.legs):
            self._ignored = course
        return []

    def _through_tunnel(self, front: _Front, way: Way, legs: tuple[Leg, ...], ended: list[Course]) -> list[_Front]:
        beyond = host_of_vtep(self._snapshot, way.vtep_ip)
        if beyond is None:
            ended.append(_course(legs, Ends.DROPPED, front, f"no node has the tunnel address {way.vtep_ip}", way))
            return []
        sender = self._snapshot.nodes.get(front.host)
        if sender is None:  # gone meanwhile
            ended.append(_course(legs, Ends.FAILED, front, f"node {front.host} is no node any more", way))
            return []
        probe = Probe(Enters.TUNNEL, way.packet, vtep_ip=sender.vtep_ip, vni=way.vni)
        return [_Front(beyond, probe, legs)]

    def _onto_segment(self, front: _Front, way: Way, legs: tuple[Leg, ...], ended: list[Course]) -> list[_Front]:
        """Others of ours on the segment may take it; else it is outside's."""
        outside = (*legs, Leg(Host(OUTSIDE), ()))
        ended.append(
            Course(outside, Ends.IGNORED, "outside", front.host, way.packet, device=way.physical_network, outside=True)
        )
        probe = Probe(Enters.PROVIDER, way.packet, physical_network=way.physical_network)
        return [_Front(host, probe, legs) for host in self.on_segment(way.physical_network) if host != front.host]

    def on_segment(self, physical_network: str) -> list[Host]:
        """The nodes that have a port on the provider network."""
        found: set[Host] = set()
        for network in self._snapshot.networks.values():
            if network.physical_network == physical_network:
                found |= self._snapshot.hosts_of_network(network.id).keys()
        return sorted(found & self._snapshot.nodes.keys())

    def _taken_by_nobody(self) -> Course:
        """Of the copies of a flood that nobody cared for, one that came furthest."""
        course, packet = msgspec.structs.replace(self._ignored, ends=Ends.DROPPED, text=""), self._ignored.packet
        if packet.protocol and packet.is_neighbour_question:
            return msgspec.structs.replace(course, text=f"nobody answers for {packet.destination}")
        if not packet.protocol or not packet.is_dhcp:
            return course
        last = course.legs[-1]
        step = Step("process", "", "DHCP", "no server takes it here")
        legs = (*course.legs[:-1], Leg(last.host, (*last.steps, step)))
        servers = _where_servers_are(self._snapshot, packet.mac_source)
        text = "no DHCP server gets it" + (f": there is one on {servers}" if servers else "")
        return msgspec.structs.replace(course, text=text, host=Host(""), legs=legs)

    async def _resolved(self, front: _Front, way: Way, ended: list[Course]) -> list[_Front]:
        """Ask for the neighbour from node to node; then the same node goes on with what was learnt."""
        question, host = way.packet, front.host
        known = self._neighbours.get(host, ())
        if any((item.place, item.address) == (way.place, question.destination) for item in known):
            ended.append(_course((*front.legs, Leg(host, way.steps)), Ends.FAILED, front, "asked in vain", way))
            return []
        probe = Probe(Enters.INSIDE, question, place=way.place, port=front.probe.port, device=way.device)
        answer = await self.travel(host, probe)
        mac = answer.packet.mac_source if answer.ends is Ends.DELIVERED and not answer.outside else ""
        if not mac and answer.outside:
            mac = UNKNOWN_MAC
        if not mac:
            word = "ARP" if question.version == 4 else "neighbour discovery"
            why = f" ({answer.text})" if answer.ends is Ends.FAILED else ""
            step = Step("neighbour", way.place, way.device, f"who has {question.destination}?", "nobody answers")
            legs = (*front.legs, Leg(host, (*way.steps, step)))
            text = f"{question.destination} does not answer {word}{why}"
            ended.append(_course(legs, Ends.FAILED if answer.ends is Ends.FAILED else Ends.DROPPED, front, text))
            return []
        self._neighbours[host] = (*known, Neighbour(way.place, question.destination, mac))
        return [front]


def _where_servers_are(snapshot: Snapshot, sender: str) -> str:
    """The nodes with a DHCP server for who has this hardware address."""
    networks = {row.network_id for row in snapshot.ports.values() if row.mac_address.lower() == sender}
    ports = {port for network in networks for port in snapshot.dhcp_ports_of_network(network)}
    return ", ".join(sorted({snapshot.ports[port].host for port in ports} - {""}))


def _is_copied(packet: Packet) -> bool:
    """Several may get it, and answer: all of its ways are followed."""
    return packet.is_neighbour_question or packet.is_dhcp or packet.flood


def _course(legs: tuple[Leg, ...], ends: Ends, front: _Front, text: str, way: Way | None = None) -> Course:
    if way is None:
        return Course(legs, ends, text, front.host, front.probe.packet)
    return Course(legs, ends, text, front.host, way.packet, way.place, way.device)


def _passed_by(front: _Front, way: Way) -> bool:
    """What a node on the segment drops before any device of its own was not for it; nor is DHCP for a port that has a
    firewall: servers have none."""
    if way.packet.is_dhcp and not way.packet.answer and way.ends is Ends.DROPPED:
        return any(step.kind == "table" and step.name.endswith(" RULES_INGRESS") for step in way.steps)
    inner = [step for step in way.steps if step.kind == "device" and step.place]
    return front.probe.enters is Enters.PROVIDER and way.ends is Ends.DROPPED and not inner


def _unlikely(course: Course) -> bool:
    """Of several copies that were dropped the one that a server should have taken is meant."""
    last = [step for leg in course.legs for step in leg.steps][-1:]
    return not last or last[0].kind != "process"


def _best(ended: list[Course]) -> Course:
    """What is outside's (IGNORED so far) is delivered there, unless it was for one of ours that dropped it.

    Of a flood a copy that is dropped says nothing about the others.
    """
    order = [Ends.DELIVERED, Ends.DROPPED, Ends.IGNORED, Ends.FAILED]
    if any(course.packet.flood for course in ended):
        order = [Ends.DELIVERED, Ends.IGNORED, Ends.DROPPED, Ends.FAILED]
    best = min(ended, key=lambda course: (order.index(course.ends), _unlikely(course)))
    return msgspec.structs.replace(best, ends=Ends.DELIVERED) if best.outside else best
