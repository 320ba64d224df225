"""A packet as the oracle sees it, and what becomes of it. Pure records."""

from __future__ import annotations

import msgspec

from tests.reachability.topology import Address

TCP, UDP, ICMP, ICMPV6, SCTP = 6, 17, 1, 58, 132
ANY_PORT = -1
"""A source port that a router has taken at random (``--random-fully``)."""
_ANSWERED = {8: 0, 128: 129, 13: 14}
"""Echo and timestamp, each with its answer."""


class Packet(msgspec.Struct, frozen=True):
    """What decides about a packet. ``source_port`` of ICMP is the identifier; ``icmp`` is type and code.

    ``begins``: it may be the first of a connection; False for the second of a TCP handshake and answers of ICMP.
    """

    protocol: int
    source: Address
    destination: Address
    source_port: int = 0
    destination_port: int = 0
    icmp: tuple[int, int] | None = None
    begins: bool = True

    def answer(self) -> Packet:
        """What the receiver sends back."""
        icmp = None if self.icmp is None else (_ANSWERED.get(self.icmp[0], self.icmp[0]), self.icmp[1])
        ports = (self.source_port, 0) if icmp else (self.destination_port, self.source_port)
        begins = self.protocol not in (TCP, ICMP, ICMPV6)
        return Packet(self.protocol, self.destination, self.source, *ports, icmp, begins)

    def with_port(self, number: int) -> Packet:
        """Where the port that was taken at random has become known."""
        source = number if self.source_port == ANY_PORT else self.source_port
        destination = number if self.destination_port == ANY_PORT else self.destination_port
        return msgspec.structs.replace(self, source_port=source, destination_port=destination)


class Passed(msgspec.Struct, frozen=True):
    """What has been met on the way and is remembered there: a port's conntrack (``place`` is the port's id) or a
    router's; ``before`` and ``after`` its translation."""

    place: str
    before: Packet
    after: Packet


Memory = tuple[Passed, ...]


class Journey(msgspec.Struct, frozen=True):
    """A packet's way so far. ``known`` is what the packet that this one answers has left behind."""

    known: Memory = ()
    memory: Memory = ()

    def past(self, place: str, before: Packet, after: Packet) -> Journey:
        """One place further."""
        return Journey(self.known, (*self.memory, Passed(place, before, after)))


class Fate(msgspec.Struct, frozen=True):
    """Where a packet ends, as what it comes there, and what remembers it. ``at``: a station, a router, or None: lost
    for the reason ``why``."""

    at: str | None
    packet: Packet
    memory: Memory = ()
    why: str = ""

    def with_port(self, number: int) -> Fate:
        """The same, once the port that was taken at random is known."""
        memory = tuple(
            Passed(one.place, one.before.with_port(number), one.after.with_port(number)) for one in self.memory
        )
        return Fate(self.at, self.packet.with_port(number), memory, self.why)
