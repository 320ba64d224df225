"""What a trace asks one node, and what the node answers: the packet's ways through it.

Pure records. A packet is inside one node until it leaves by a tunnel or to a provider's segment; the controller then
asks the next node. Where a packet is copied there are several ways; those that matter to nobody are left out.
"""

from __future__ import annotations

import enum

import msgspec

from nebula.ids import Owner
from nebula.trace.packet import Connection, Packet


class Enters(enum.StrEnum):
    """Where the packet comes from: the namespace of ``Probe.place`` (or, without one, the port ``Probe.port``), a
    tunnel, or a provider's segment."""

    INSIDE = "inside"
    TUNNEL = "tunnel"
    PROVIDER = "provider"


class Neighbour(msgspec.Struct, frozen=True):
    """What an address's hardware address was found to be, by whom it was asked for: a namespace ('': a guest)."""

    place: str
    address: str
    mac_address: str


class Probe(msgspec.Struct, frozen=True):
    """``connections``: what conntrack on this node knows already of this trace. ``neighbours``: whose
    hardware address has been asked for by now. ``device``: INSIDE, of ARP and DHCP, the device that it leaves by.
    """

    enters: Enters
    packet: Packet
    port: str = ""
    place: str = ""
    device: str = ""
    vtep_ip: str = ""
    vni: int = 0
    physical_network: str = ""
    connections: tuple[Connection, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()


class Point(msgspec.Struct, frozen=True):
    """A device that the packet passes, where it can be captured. ``place``: its namespace, '' for the node's own.

    ``encapsulated``: the packet is inside VXLAN there. ``outward``: it leaves by the device, else it comes in.
    """

    place: str
    device: str
    outward: bool
    encapsulated: bool = False


class Step(msgspec.Struct, frozen=True):
    """One thing that looks at the packet, in order.

    ``kind``: ``route``, ``neighbour``, ``rule``, ``conntrack``, ``table``, ``device``, ``fdb``, ``underlay``, ``mtu``
    or ``process``.
    ``place``: a namespace, a bridge, or '' for the node. ``name``: which one (a table's, a chain's, a device's name).
    ``text``: what it says of this packet; ``effect``: what it does. ``packet`` is how it looks afterwards.
    """

    kind: str
    place: str
    name: str
    text: str
    effect: str = ""
    owner: Owner | None = None
    point: Point | None = None
    packet: Packet | None = None
    match: str = ""
    """Of a table: the flow, as ovs-ofctl prints it."""
    cookie: int = 0
    table: int = 0


class Ends(enum.StrEnum):
    """How a way through a node ends.

    ``resolve``: nobody here knows the neighbour; the ARP question in ``Way.packet`` is to be asked elsewhere too.
    ``ignored``: a copy of a flood that its receiver does not care for.
    """

    DELIVERED = "delivered"
    DROPPED = "dropped"
    TUNNEL = "tunnel"
    PROVIDER = "provider"
    RESOLVE = "resolve"
    IGNORED = "ignored"
    FAILED = "failed"


class Way(msgspec.Struct, frozen=True):
    """``packet``: as it is at the end. ``text``: why it ends here, for people.

    DELIVERED has the namespace in ``place``; TUNNEL the next node in ``vtep_ip`` and ``vni``; PROVIDER the segment.
    """

    steps: tuple[Step, ...]
    ends: Ends
    packet: Packet
    text: str = ""
    place: str = ""
    device: str = ""
    vtep_ip: str = ""
    vni: int = 0
    physical_network: str = ""
    connections: tuple[Connection, ...] = ()
