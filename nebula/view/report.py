"""What an agent tells the controller: who it is, and the receipt of each pass.

Pure. Every change names its owner, so that the controller can answer which call caused it.
"""

from __future__ import annotations

import enum

import msgspec

from nebula.ids import Host, Owner, PortId


class Role(enum.StrEnum):
    """What the scheduler may place on a node."""

    NETWORK = "network"
    COMPUTE = "compute"


class Plug(msgspec.Struct, frozen=True, order=True):
    """An interface on br-int whose ``external_ids:iface-id`` names a port, whoever put it there."""

    port_id: PortId
    device: str


class NodeReport(msgspec.Struct, frozen=True):
    """Sent at start, at each heartbeat, and when something in it changes.

    ``bridge_mappings`` are names of physical networks to bridges; ``started_at`` is RFC 3339 in UTC.
    """

    host: Host
    version: str
    started_at: str
    datapath_type: str
    vtep_ip: str
    underlay_mtu_bytes: int
    roles: tuple[Role, ...]
    bridge_mappings: dict[str, str] = {}
    plugged: tuple[Plug, ...] = ()
    capabilities: tuple[str, ...] = ()


class Action(enum.StrEnum):
    """What a change does to one object."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"


class Result(enum.StrEnum):
    """How a change ended. ``blocked``: not tried, because something that it needs failed."""

    DONE = "done"
    FAILED = "failed"
    BLOCKED = "blocked"


class Reason(enum.StrEnum):
    """Why a pass ran."""

    START = "start"
    VIEW = "view"
    DRIFT = "drift"
    RETRY = "retry"


class ChangeRecord(msgspec.Struct, frozen=True):
    """One change of one object. ``command`` is what a person would type for it; ``at_s`` is after the pass began."""

    action: Action
    kind: str
    name: str
    owner: Owner
    command: str
    result: Result
    at_s: float
    error: str = ""


class PortStatus(msgspec.Struct, frozen=True):
    """``ACTIVE`` when all that the port needs on this node is in; else ``DOWN``, or ``ERROR`` with the reason."""

    port_id: PortId
    status: str
    error: str = ""


class Receipt(msgspec.Struct, frozen=True):
    """One pass of one agent: the kernel changes between two revisions of the view.

    ``status`` holds only ports whose status changed since the last receipt that the controller took, or all
    of them when ``complete`` (after a start).
    """

    host: Host
    epoch: str
    from_revision: int
    to_revision: int
    reason: Reason
    started_at: str
    duration_s: float
    changes: tuple[ChangeRecord, ...] = ()
    status: tuple[PortStatus, ...] = ()
    complete: bool = False
    alarm: str = ""
