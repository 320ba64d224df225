"""Where a node is to listen, and what it says of that: the records that go with a question to a node. Pure."""

from __future__ import annotations

import msgspec

from nebula.ids import PortId


class ListenAt(msgspec.Struct, frozen=True):
    """A point: where a port ends (its instance, router or DHCP server), or the node's underlay device.

    ``index`` numbers the points of the whole capture. ``port_id`` is empty for the underlay; ``vnis``: of the tunnels'
    packets only those of these networks (None: everything but the node's own talk with the controller).
    """

    index: int
    port_id: PortId | None = None
    vnis: tuple[int, ...] | None = None


class CaptureOrder(msgspec.Struct, frozen=True):
    """What a node is to send to the controller, under ``capture_id``, until the controller wants no more of it.

    ``filter`` is pcap-filter(7)'s, of each packet in or out of a tunnel; ``buffer_bytes``: of each point's ring.
    """

    capture_id: str
    points: tuple[ListenAt, ...]
    filter: str
    snaplen_bytes: int
    buffer_bytes: int


class Listening(msgspec.Struct, frozen=True):
    """A point that is listened at: a device, in a namespace (empty: the node's own); or ``error``: why it is not."""

    index: int
    namespace: str = ""
    device: str = ""
    error: str = ""
