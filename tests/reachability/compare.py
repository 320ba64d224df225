"""The oracle and the packets beside each other: what each probe came to, and where the two do not agree.

Effects: packets on a cloud's wire. Probes go in small lots. A lot has ended when all that must arrive has arrived;
that no more comes is then shown by a broadcast of every station, sent after the last. What is missing is sent once
more, as every host does (RFC 9293, 3.8): one lost packet is no disagreement, and is counted.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Sequence
from ipaddress import IPv4Address, ip_address

import msgspec

from tests.netns.agent_node import PATIENCE
from tests.reachability import frames, words
from tests.reachability.cloud import Cloud
from tests.reachability.frames import Asked, Seen
from tests.reachability.oracle import Oracle
from tests.reachability.packet import ICMP, ICMPV6, TCP, UDP, Fate, Packet
from tests.reachability.probes import Probe, choose
from tests.reachability.topology import Address, Station, Topology

_LOT = 40
_PATIENCE_S = 3.0 * PATIENCE
_ANSWERED = (TCP, UDP, ICMP, ICMPV6)
_CALM_S = 0.03


class Disagreement(msgspec.Struct, frozen=True):
    """What was asked, what the oracle says, what was seen: one line each."""

    probe: str
    expected: str
    seen: str

    def __str__(self) -> str:
        return f"{self.probe}\n    expected: {self.expected}\n    seen:     {self.seen}"


class Outcome(msgspec.Struct, frozen=True):
    """``asked`` questions of all kinds, ``seconds`` for their packets alone; ``again`` had to be sent twice."""

    asked: int
    reached: int
    again: int
    seconds: float
    disagreements: tuple[Disagreement, ...]


class Comparison:
    """All questions to one topology that is in force on a cloud."""

    def __init__(self, cloud: Cloud, topology: Topology) -> None:
        self.wire = cloud.wire
        self.topology = topology
        self.oracle = Oracle(topology)
        self.found: list[Disagreement] = []
        self.reached = 0
        self.asked = 0
        self.again: set[int] = set()
        self.wire.answer = self._answer

    def name(self, identity: str | None) -> str:
        """For people."""
        return "nobody" if identity is None else self.topology.names.get(identity, identity)

    def run(self, rng: random.Random, first: int, count: int, used: set[Address]) -> Outcome:
        """Who hears whom, who resolves what, then the probes."""
        began = time.monotonic()
        self._broadcasts()
        self._resolutions()
        probes = choose(self.topology, rng, first, count, used)
        self.try_out(probes)
        return Outcome(self.asked, self.reached, len(self.again), time.monotonic() - began, tuple(self.found))

    def _must(self, kind: str, probe: str, expected: str, seen: str) -> None:
        self.asked += 1
        if expected != seen:
            self.found.append(Disagreement(f"{kind}: {probe}", expected, seen))

    # Broadcasts and address resolution

    def _broadcasts(self) -> None:
        """An ARP probe of each station is heard by those, and only those, who live on its network."""
        marks = {
            IPv4Address(f"169.254.0.{number}"): one for number, one in enumerate(self.topology.stations.values(), 1)
        }
        heard = self._mark(marks)
        for mark, station in marks.items():
            expected = self._names(self.oracle.hears(station))
            self._must("broadcast", f"from {self.name(station.name)}", expected, self._names(heard[mark]))

    def _names(self, names: set[str]) -> str:
        return " ".join(sorted(map(self.name, names))) or "nobody"

    def _mark(self, marks: dict[IPv4Address, Station]) -> dict[IPv4Address, set[str]]:
        """Broadcasts; by mark, who has heard it."""
        expected = {(mark, name) for mark, station in marks.items() for name in self.oracle.hears(station)}
        for mark, station in marks.items():
            self.wire.send(station, frames.who_has(station.mac_address, IPv4Address(0), mark))

        def heard() -> set[tuple[Address, str]]:
            return {(one.what.wanted, one.station) for one in self.wire.arrived if isinstance(one.what, Asked)}

        self.wire.pump_until(lambda: expected <= heard(), _PATIENCE_S)
        self.wire.pump(_CALM_S)
        found: dict[IPv4Address, set[str]] = defaultdict(set)
        for address, name in heard():
            if isinstance(address, IPv4Address):
                found[address].add(name)
        return found

    def _settle(self) -> None:
        """All that was sent before has come to its end."""
        for _ in range(2):
            stations = self.topology.stations.values()
            self._mark(
                {IPv4Address(f"169.254.{self.asked % 200 + 1}.{index}"): one for index, one in enumerate(stations, 1)}
            )

    def _resolutions(self) -> None:
        """ARP and neighbour discovery, everybody for everything on its network."""
        expected: dict[tuple[str, Address], set[str]] = {}
        for station in self.topology.stations.values():
            for address in sorted(self._on_network(station), key=int):
                answers = self.oracle.resolves(station, address)
                if answers is not None:
                    expected[station.name, address] = answers
        questions = list(expected)
        for start in range(0, len(questions), _LOT):
            lot = questions[start : start + _LOT]
            for name, address in lot:
                station = self.topology.stations[name]
                source = _source(station, address)
                self.wire.send(station, frames.who_has(station.mac_address, source, address))
            self.wire.pump_until(lambda lot=lot: all(expected[one] <= self._answers(one) for one in lot), _PATIENCE_S)
        self._settle()
        for name, address in questions:
            want, seen = expected[name, address], self._answers((name, address))
            self._must("who has", f"{address}? asks {self.name(name)}", " ".join(sorted(want)), " ".join(sorted(seen)))

    def _on_network(self, station: Station) -> set[Address]:
        own = set(map(ip_address, station.addresses))
        others = {
            ip_address(address)
            for one in self.topology.stations.values()
            if one.network_id == station.network_id
            for address in one.addresses
        }
        others |= {
            ip_address(ip.ip_address)
            for port in self.topology.ports
            if port.network_id == station.network_id
            for ip in port.fixed_ips
        }
        others |= (
            {
                ip_address(one.floating_ip_address)
                for router in self.topology.routers
                for one in (*router.floating_ips, *router.port_forwardings)
            }
            if station.port is None
            else set()
        )
        return {one for one in others - own if _source(station, one) is not None}

    def _answers(self, question: tuple[str, Address]) -> set[str]:
        name, address = question
        return {
            one.what.mac
            for one in self.wire.arrived
            if isinstance(one.what, Asked) and one.what.is_answer and (one.station, one.what.source) == (name, address)
        }

    # Probes

    def try_out(self, probes: Sequence[Probe]) -> None:
        """Send them, and compare what comes of each."""
        self.wire.arrived = []
        fates = {
            one.number: self.oracle.fates(one.sender, (one.source_mac, one.target_mac), one.packet) for one in probes
        }
        answers = {number: self._answers_to(found) for number, found in fates.items()}
        for start in range(0, len(probes), _LOT):
            lot = probes[start : start + _LOT]
            due = {(one.number, False) for one in lot if _certain(fates[one.number], self.topology)}
            due |= {(one.number, True) for one in lot if _certain(answers[one.number], self.topology)}
            self._send(lot)
            if not self.wire.pump_until(lambda due=due: due <= set(self._seen()), _PATIENCE_S):
                missing = {number for number, _ in due - set(self._seen())}
                self.again |= missing
                self._send([one for one in lot if one.number in missing])
                self.wire.pump_until(lambda due=due: due <= set(self._seen()), _PATIENCE_S)
        self._settle()
        seen = self._seen()
        for one in probes:
            self._judge(one, fates[one.number], seen)

    def _send(self, probes: Sequence[Probe]) -> None:
        for one in probes:
            self.wire.send(one.sender, frames.probe(one.number, one.packet, (one.source_mac, one.target_mac)))

    def _seen(self) -> dict[tuple[int, bool], list[tuple[str, Packet]]]:
        found: dict[tuple[int, bool], list[tuple[str, Packet]]] = defaultdict(list)
        for one in self.wire.arrived:
            if not isinstance(one.what, Seen):
                continue
            here, what = found[one.what.number, one.what.is_answer], (one.station, one.what.packet)
            if what not in here or one.what.number not in self.again:
                here.append(what)
        return found

    def _judge(self, probe: Probe, fates: list[Fate], seen: dict[tuple[int, bool], list[tuple[str, Packet]]]) -> None:
        there, back = seen.get((probe.number, False), []), seen.get((probe.number, True), [])
        self.reached += bool(there)
        text = self._text(probe)
        true = [self._known(fate, there) for fate in fates if self._is(fate, there)]
        self._must(
            "packet", text, "as expected" if true else self._say(fates), "as expected" if true else self._tell(there)
        )
        answers = self._answers_to(true)
        ok = not true or any(self._is(answer, back) for answer in answers)
        self._must(
            "answer", text, "as expected" if ok else self._say(answers), "as expected" if ok else self._tell(back)
        )

    def _known(self, fate: Fate, seen: list[tuple[str, Packet]]) -> Fate:
        """With the port that was taken at random, which can be seen now."""
        return fate.with_port(seen[0][1].source_port) if seen else fate

    def _answers_to(self, fates: list[Fate]) -> list[Fate]:
        """What may become of the answers of all who may get the packet."""
        ways = [self._fates_of_answer(fate) or [Fate(None, fate.packet, (), "no answer")] for fate in fates]
        return [answer for way in ways for answer in way]

    def _fates_of_answer(self, fate: Fate) -> list[Fate]:
        if fate.at is None or fate.packet.protocol not in _ANSWERED:
            return []
        if fate.at in self.topology.router:
            is_echo = fate.packet.icmp is not None and fate.packet.icmp[0] == 8
            return self.oracle.answers_of_router(fate.at, fate) if is_echo else []
        station = self.topology.stations[fate.at]
        macs = self._macs_of_answer(station, fate.packet)
        return [] if macs is None else self.oracle.fates(station, macs, fate.packet.answer(), fate.memory)

    def _macs_of_answer(self, station: Station, packet: Packet) -> tuple[str, str] | None:
        if str(packet.destination) not in (*station.addresses, *station.behind):
            return None
        target = self.topology.next_hop(station, packet.source)
        return None if target is None else (station.mac_of(packet.destination), target)

    def _answer(self, station: Station, seen: Seen) -> bytes | None:
        macs = self._macs_of_answer(station, seen.packet) if seen.packet.protocol in _ANSWERED else None
        return None if macs is None else frames.probe(seen.number, seen.packet.answer(), macs, is_answer=True)

    def _is(self, fate: Fate, seen: list[tuple[str, Packet]]) -> bool:
        """True where this is what came true."""
        if fate.at is None or fate.at in self.topology.router:
            return not seen
        return len(seen) == 1 and seen[0][0] == fate.at and _like(seen[0][1], fate.packet)

    # Words

    def _text(self, probe: Probe) -> str:
        return f"{self.name(probe.sender.name)} [{probe.source_mac} > {probe.target_mac}] {words.packet(probe.packet)}"

    def _say(self, fates: list[Fate]) -> str:
        return " or ".join(
            f"lost, {fate.why}" if fate.at is None else f"at {self.name(fate.at)} as {words.packet(fate.packet)}"
            for fate in fates
        )

    def _tell(self, seen: list[tuple[str, Packet]]) -> str:
        return " and ".join(f"at {self.name(name)} as {words.packet(packet)}" for name, packet in seen) or "nothing"


def _certain(fates: list[Fate], topology: Topology) -> bool:
    """It arrives at a station, whichever of them comes true."""
    return bool(fates) and all(fate.at in topology.stations for fate in fates)


def _like(seen: Packet, expected: Packet) -> bool:
    """Equal, but for a port that was taken at random."""
    return seen == expected.with_port(seen.source_port)


def _source(station: Station, wanted: Address) -> Address | None:
    """From which of its addresses a station asks for another."""
    own = [one for one in map(ip_address, station.addresses) if one.version == wanted.version]
    return next((one for one in own if one.is_link_local == wanted.is_link_local), None)
