"""A real packet for a trace: where nodes listen for it, how one sends it, and what they have seen. Pure records."""

from __future__ import annotations

import msgspec

from nebula.trace.packet import Packet
from nebula.trace.probe import Point


class Spot(msgspec.Struct, frozen=True):
    """A point, and whether the packet (False) or its answer (True) is to be seen there."""

    point: Point
    answer: bool


class LiveOrder(msgspec.Struct, frozen=True):
    """Goes three times to a node: LISTEN with ``points`` and ``ports`` (whose devices are listened at, too), SEND to
    the one where the packet begins, SEEN with what is ``expected``.

    SEEN is answered once all that is expected was seen and ``quiet_s`` passed, or ``listen_s`` after it was asked.
    It is sent from the inside of ``port``, by the kernel's own routes or (``routed`` False) as a frame; or, with
    ``physical_network``, put into the provider bridge as if it had come in from outside.
    """

    tag: int
    packet: Packet
    points: tuple[Point, ...] = ()
    ports: tuple[str, ...] = ()
    expected: tuple[Spot, ...] = ()
    listen_s: float = 1.0
    quiet_s: float = 0.0
    port: str = ""
    routed: bool = True
    physical_network: str = ""


class Sighting(msgspec.Struct, frozen=True):
    """A frame of the trace's at a point. ``time_ns``: the node's clock; ``vni`` of the tunnel that carries it."""

    point: Point
    time_ns: int
    packet: Packet
    vni: int | None = None


class Sightings(msgspec.Struct, frozen=True):
    """``deaf``: points that could not be listened at, and why. ``refused``: why the kernel did not send the packet."""

    seen: tuple[Sighting, ...] = ()
    deaf: tuple[tuple[Point, str], ...] = ()
    refused: str = ""
