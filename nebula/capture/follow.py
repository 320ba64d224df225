"""Following packets from point to point: which frames are the same packet, in which order it passed, what NAT did.

Pure. Frames of all points come in the order of their times; what is said of one takes in what came after it within
``LOOK_AHEAD_NS``, so it is given out that much later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable

from nebula.capture.cut import Longer
from nebula.capture.frames import Flow, flow_text, look

LOOK_AHEAD_NS = 100_000_000
_ALIVE_NS = 500_000_000
"""A packet that was not seen for so long is not on its way any more: the same bytes again are another one (ARP and DHCP
ask again after a second)."""


class Seen:
    """A frame at a point. ``flow``, ``vni``, ``at`` (see ``frames.Look``) and ``packet`` are set by ``Follower``."""

    __slots__ = ("at", "data", "flow", "length_bytes", "outgoing", "packet", "point", "time_ns", "vni")

    def __init__(self, point: int, time_ns: int, data: bytes, length_bytes: int, outgoing: bool) -> None:
        self.point = point
        self.time_ns = time_ns
        self.data = data
        self.length_bytes = length_bytes
        self.outgoing = outgoing
        self.vni: int | None = None
        self.flow: Flow | None = None
        self.at = 0
        self.packet: Packet

    @property
    def hop(self) -> int:
        """Where on its way the packet is, from 1."""
        return self.packet.seen.index(self) + 1

    @property
    def comment(self) -> str:
        """``packet 12, hop 3 of 4, cut from packet 9, VNI 7, before NAT 192.0.2.1:4000 > 198.51.100.1:80``."""
        packet = self.packet
        seen = packet.seen
        here = seen.index(self) if len(seen) > 1 else 0
        text = f"packet {packet.number}, hop {here + 1} of {len(seen)}"
        if packet.cut_from:
            text += f", cut from packet {packet.cut_from}"
        if self.vni is not None:
            text += f", VNI {self.vni}"
        if packet.translated:
            text += _other(", before NAT ", self.flow, reversed(seen[:here]))
            text += _other(", after NAT ", self.flow, seen[here + 1 :])
        return text


def _other(words: str, flow: Flow | None, others: Iterable[Seen]) -> str:
    """The nearest of the others whose addresses are not the same."""
    for other in others:
        if other.flow != flow and other.flow is not None:
            return words + flow_text(other.flow)
    return ""


class Packet:
    """One packet, wherever it was seen, in the order of time. ``cut_from``: the number of a longer one, 0 for none."""

    __slots__ = ("cut_from", "number", "places", "seen", "translated")

    def __init__(self, number: int) -> None:
        self.number = number
        self.cut_from = 0
        self.seen: list[Seen] = []
        self.places: set[tuple[int, bool]] = set()
        self.translated = False

    def add(self, seen: Seen, place: tuple[int, bool]) -> None:
        """Seen here too."""
        self.places.add(place)
        found = self.seen
        if found and seen.flow != found[0].flow:
            self.translated = True
        found.append(seen)
        if len(found) > 1 and seen.time_ns < found[-2].time_ns:
            found.sort(key=_time)
        seen.packet = self


class Follower:
    """``whole``: frames are not cut."""

    def __init__(self, *, whole: bool = True) -> None:
        self._whole = whole
        self._alive: dict[Hashable, list[Packet]] = {}
        self._swept_ns = 0
        self._numbers = 0
        self._longer = Longer()
        self._held: deque[Seen] = deque()

    def take(self, frames: list[Seen]) -> None:
        """Frames in order of time; none is much earlier than those that were taken before."""
        whole, alive, longer = self._whole, self._alive, self._longer
        for seen in frames:
            seen.vni, key, seen.flow, seen.at = look(seen.data, whole=whole)
            place = (seen.point, seen.outgoing)
            packets = alive.get(key)
            if packets is None:
                packets = alive[key] = []
            since_ns = seen.time_ns - _ALIVE_NS
            for packet in packets:
                if place not in packet.places and packet.seen[-1].time_ns > since_ns:
                    break
            else:
                self._numbers += 1
                packet = Packet(self._numbers)
                packets.append(packet)
                if whole:
                    packet.cut_from = longer.source(seen.data, seen.at, packet.number)
            packet.add(seen, place)
        self._held.extend(frames)
        if frames and frames[-1].time_ns - self._swept_ns > _ALIVE_NS:
            self._sweep(frames[-1].time_ns)

    def _sweep(self, now_ns: int) -> None:
        self._swept_ns, since_ns = now_ns, now_ns - _ALIVE_NS
        kept: dict[Hashable, list[Packet]] = {}
        for key, packets in self._alive.items():
            young = [packet for packet in packets if packet.seen[-1].time_ns > since_ns]
            if young:
                kept[key] = young
        self._alive = kept
        self._longer.forget(min((packet.number for packets in kept.values() for packet in packets), default=1 << 62))

    def give(self, until_ns: int) -> list[Seen]:
        """Those up to this time, of which all is said."""
        held, given = self._held, []
        while held and held[0].time_ns <= until_ns:
            given.append(held.popleft())
        return given


def _time(seen: Seen) -> int:
    return seen.time_ns
