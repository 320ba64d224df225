"""The real packet of a trace: listening for it, sending it, and saying where it was seen.

Effects: AF_PACKET sockets, a thread for each trace that is listened for, one packet. Sockets are opened by the loop's
thread, which alone enters namespaces; whoever asks what was seen is answered by the trace's own thread.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from nebula_runtime.log import event

from nebula.errors import CommandFailed, KernelRefused, NebulaError
from nebula.ids import Owner, OwnerKind
from nebula.trace import wire
from nebula.trace.live import LiveOrder, Sighting, Sightings, Spot
from nebula.trace.packet import Packet
from nebula.trace.probe import Point
from nebula_agent.drivers.kernel import Space
from nebula_agent.edge import netns
from nebula_agent.edge.ofctl import packet_out
from nebula_agent.edge.packets import LEAST_BUFFER_BYTES, PacketSocket
from nebula_agent.tracing.site import Site

_log = logging.getLogger(__name__)

MOST_POINTS = 200
MOST_TRACES = 8
_LONGEST = 15
"""Who is never asked what it has seen listens no longer than so many times the time for which it would be waited."""
_POLL_MS = 20

Told = Callable[[Sightings], None]


class Live:
    """All traces that this node listens for, by tag. Used by the loop's thread."""

    def __init__(self) -> None:
        self._ears: dict[int, _Ear] = {}
        self._sent: collections.deque[int] = collections.deque(maxlen=MOST_TRACES)

    def listen(self, site: Site, order: LiveOrder) -> Sightings:
        """From now on. Points that cannot be listened at are told. Raises NebulaError where there are too many."""
        self._ears = {tag: ear for tag, ear in self._ears.items() if ear.is_alive()}
        if order.tag in self._ears:  # asked again: the answer did not get through
            return Sightings()
        if len(self._ears) >= MOST_TRACES:
            raise NebulaError(f"{MOST_TRACES} traces are listened for on this node already")
        points = dict.fromkeys((*order.points, *_points_of(site, order.ports)))
        sockets: dict[tuple[str, str], PacketSocket] = {}
        deaf: list[tuple[Point, str]] = []
        program = wire.program(order.packet, order.tag)
        for point in list(points)[:MOST_POINTS]:
            if (point.place, point.device) in sockets:
                continue
            space = site.spaces.get(point.place) if point.place else None
            try:
                if point.place and space is None:
                    raise KernelRefused(f"there is no namespace {point.place}")
                fd = space.fd if space is not None else None
                made = PacketSocket(point.device, fd, program, buffer_bytes=LEAST_BUFFER_BYTES)
                sockets[point.place, point.device] = made
            except KernelRefused as error:
                deaf.append((point, error.message))
        ear = self._ears[order.tag] = _Ear(order, sockets)
        ear.start()
        return Sightings(deaf=tuple(deaf))

    def send(self, site: Site, order: LiveOrder) -> Sightings:
        """One packet, however often it is asked for. What the kernel refuses is an answer, too."""
        if order.tag in self._sent:
            return Sightings()
        self._sent.append(order.tag)
        try:
            _send(site, order)
        except OSError as error:
            return Sightings(refused=error.strerror or str(error))
        except CommandFailed as error:
            return Sightings(refused=error.message)
        return Sightings()

    def seen(self, order: LiveOrder, told: Told) -> None:
        """``told`` is called from another thread once it is known."""
        ear = self._ears.pop(order.tag, None)
        if ear is None or not ear.is_alive():
            told(Sightings())
        else:
            ear.ask(order, told)


def _points_of(site: Site, ports: Iterable[str]) -> Iterable[Point]:
    """Both ends of the devices of ports here, in both directions."""
    for port in ports:
        found = site.device_of_port(Owner(OwnerKind.PORT, port).mark)
        row = site.plugged(port)
        if found is not None:
            space, link = found
            yield from (Point(space.name, link.name, outward) for outward in (False, True))
        if row is not None:
            yield from (Point("", row.name, outward) for outward in (False, True))


def _send(site: Site, order: LiveOrder) -> None:
    """Raises OSError, CommandFailed, NebulaError."""
    packet = order.packet
    if order.physical_network:
        bridge = site.provider_bridge(order.physical_network)
        packet_out(site.run_folder, bridge, site.number_of(site.wire_of(bridge)), wire.frame(packet, order.tag))
        return
    found = site.device_of_port(Owner(OwnerKind.PORT, order.port).mark)
    if found is None:
        row = site.plugged(order.port)
        if row is None or row.ofport is None:
            raise NebulaError("nothing is plugged in for the port that the packet is to come from")
        packet_out(site.run_folder, row.bridge, row.ofport, wire.frame(packet, order.tag))
        return
    space, link = found
    if not order.routed:
        _send_frame(space, link.name, wire.frame(packet, order.tag))
    else:
        _send_routed(space, packet, order.tag)


def _send_frame(space: Space, device: str, data: bytes) -> None:
    with _socket(space, socket.AF_PACKET, 0) as link:
        link.bind((device, 0))
        link.send(data)


def _send_routed(space: Space, packet: Packet, tag: int) -> None:
    """By the kernel's own routes, rules and neighbours: the header is ours, the way its."""
    family = socket.AF_INET if packet.version == 4 else socket.AF_INET6
    with _socket(space, family, socket.IPPROTO_RAW) as link:
        link.bind((packet.source, 0))
        link.sendto(wire.ip_packet(packet, tag), (packet.destination, 0))


@contextlib.contextmanager
def _socket(space: Space, family: socket.AddressFamily, protocol: int) -> Iterator[socket.socket]:
    with netns.inside(space.fd) if space.fd is not None else contextlib.nullcontext():
        made = socket.socket(family, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
    with made:
        yield made


class _Ear(threading.Thread):
    """Listens for one trace."""

    def __init__(self, order: LiveOrder, sockets: dict[tuple[str, str], PacketSocket]) -> None:
        super().__init__(name="trace", daemon=True)
        self._order = order
        self._sockets = sockets
        self._seen: dict[Spot, Sighting] = {}
        self._asked: tuple[LiveOrder, Told, float] | None = None

    def ask(self, order: LiveOrder, told: Told) -> None:
        """From the loop's thread."""
        self._asked = (order, told, time.monotonic())

    def run(self) -> None:
        began = time.monotonic()
        try:
            while self._asked is None and time.monotonic() - began < _LONGEST * self._order.listen_s:
                self._hear()
            if self._asked is not None:
                order, _told, asked_at = self._asked
                while not self._is_enough(order, time.monotonic() - asked_at):
                    self._hear()
        except (NebulaError, OSError, ValueError) as error:
            event(_log, logging.WARNING, "a trace is not listened for any more", error=str(error))
        finally:
            for listening in self._sockets.values():
                listening.close()
            if self._asked is not None:
                self._asked[1](Sightings(tuple(sorted(self._seen.values(), key=lambda item: item.time_ns))))

    def _is_enough(self, order: LiveOrder, waited_s: float) -> bool:
        complete = all(spot in self._seen for spot in order.expected)
        return waited_s >= order.listen_s or (complete and waited_s >= order.quiet_s)

    def _hear(self) -> None:
        poller = select.poll()
        for listening in self._sockets.values():
            poller.register(listening, select.POLLIN)
        poller.poll(_POLL_MS)
        for (place, device), listening in list(self._sockets.items()):
            try:
                frames = listening.read()
            except KernelRefused:
                listening.close()
                del self._sockets[place, device]
                continue
            for frame in frames:
                found = wire.read(frame.data, self._order.packet, self._order.tag)
                if found is None:
                    continue
                point = Point(place, device, frame.outgoing, encapsulated=found.vni is not None)
                spot = Spot(point, found.packet.answer)
                self._seen.setdefault(spot, Sighting(point, frame.time_ns, found.packet, found.vni))
