"""The far ends of the nodes' ports: every station's frames, sent and received by one process.

Effects: AF_PACKET sockets on devices of this network namespace. A guest's kernel has no part in it: stations answer ARP
and neighbour discovery for their addresses, and probes with what a host would answer.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Iterable, Mapping

import msgspec

from tests.reachability import frames
from tests.reachability.frames import Asked, Seen
from tests.reachability.topology import Station

_ALL = socket.htons(3)


class Arrival(msgspec.Struct, frozen=True):
    """Something that came in, where."""

    station: str
    what: Seen | Asked


class Wire:
    """Devices, and who is on which."""

    def __init__(self, devices: Iterable[str]) -> None:
        self._selector = selectors.DefaultSelector()
        self._sockets: dict[str, socket.socket] = {}
        for device in devices:
            made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, _ALL)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            made.bind((device, 0))
            made.setblocking(False)
            self._sockets[device] = made
            self._selector.register(made, selectors.EVENT_READ, device)
        self._stations: dict[str, Station] = {}
        self._devices: dict[str, str] = {}
        self.arrived: list[Arrival] = []
        self.answer: Callable[[Station, Seen], bytes | None] = lambda station, seen: None

    def occupy(self, places: Mapping[str, str], stations: Mapping[str, Station]) -> None:
        """Which station is on which device from now on; what came in before is forgotten."""
        self.pump(0)
        self._devices = dict(places)
        self._stations = {device: stations[name] for name, device in places.items()}
        self.arrived = []

    def send(self, station: Station, frame: bytes) -> None:
        """Out of a station's device."""
        self._sockets[self._devices[station.name]].send(frame)

    def pump(self, seconds: float) -> None:
        """Take in what is there, wait no longer than this for the first of it."""
        for key, _ in self._selector.select(seconds):
            for _ in range(256):
                try:
                    frame, where = self._sockets[key.data].recvfrom(4096)
                except BlockingIOError:
                    break
                if where[2] != socket.PACKET_OUTGOING:
                    self._take(key.data, frame)

    def pump_until(self, reached: Callable[[], bool], timeout_s: float) -> bool:
        """Take in until the condition holds."""
        end = time.monotonic() + timeout_s
        while not reached():
            if time.monotonic() > end:
                return False
            self.pump(0.02)
        return True

    def _takes(self, station: Station, mac: str) -> bool:
        """What a network card lets in. Of guests all else is looked at, for it should not have come: but a pair's MAC,
        which goes to all who may use it; outside the provider's switch floods what it has not learned."""
        if mac == station.mac_address or mac in station.other_macs.values():
            return True
        pairs = station.port.allowed_address_pairs if station.port is not None else ()
        return station.port is not None and mac not in {pair.mac_address for pair in pairs}

    def _take(self, device: str, frame: bytes) -> None:
        station = self._stations.get(device)
        if station is None:
            return
        if not frame[0] & 1 and not self._takes(station, frame[:6].hex(":")):
            return
        question = frames.asked(frame)
        if question is not None:
            self.arrived.append(Arrival(station.name, question))
            if not question.is_answer and str(question.wanted) in station.addresses and int(question.source):
                found = frames.here_it_is(
                    station.mac_of(question.wanted), question.wanted, question.mac, question.source
                )
                self.send(station, found)
            return
        seen = frames.read(frame)
        if seen is not None:
            self.arrived.append(Arrival(station.name, seen))
            answer = None if seen.is_answer else self.answer(station, seen)
            if answer is not None:
                self.send(station, answer)
