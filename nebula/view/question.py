"""What people ask the nodes through the controller, and what a node answers.

Pure records. A question changes nothing on a node, but for FIX (a pass now), PAUSE and RESUME; SEND sends one packet,
and CAPTURE only listens.
"""

from __future__ import annotations

import enum

import msgspec

from nebula.capture.order import CaptureOrder, Listening
from nebula.ids import Host, Owner
from nebula.trace.live import LiveOrder, Sightings
from nebula.trace.probe import Probe, Way
from nebula.view.records import NodeView
from nebula.view.report import Action


class Ask(enum.StrEnum):
    """``inventory``: all that is ours. ``audit``: what differs from what shall be, and what is not ours.

    ``owner``: what ``thing`` names. ``plan``: what would change if the node's view were ``view``. ``status``: no more.
    ``trace``: which ways the packet of ``probe`` takes through the node. ``listen``, ``send``, ``seen``: of the real
    packet of ``live``.
    ``capture``: listen as the order says, and send what is heard.
    """

    STATUS = "status"
    INVENTORY = "inventory"
    OWNER = "owner"
    AUDIT = "audit"
    FIX = "fix"
    PLAN = "plan"
    PAUSE = "pause"
    RESUME = "resume"
    TRACE = "trace"
    LISTEN = "listen"
    SEND = "send"
    SEEN = "seen"
    CAPTURE = "capture"


class Question(msgspec.Struct, frozen=True):
    """One question to one node; ``id`` is the controller's."""

    id: int
    ask: Ask
    thing: str = ""
    view: NodeView | None = None
    probe: Probe | None = None
    live: LiveOrder | None = None
    capture: CaptureOrder | None = None


class Item(msgspec.Struct, frozen=True):
    """An object of ours as it is. ``command`` would make it; ``note`` is what else is known (a process's number)."""

    kind: str
    name: str
    owner: Owner
    command: str
    note: str = ""


class Difference(msgspec.Struct, frozen=True):
    """What an audit or a plan would change, and the command for it."""

    action: Action
    kind: str
    name: str
    owner: Owner
    command: str


class Foreign(msgspec.Struct, frozen=True):
    """Something beside ours that is not ours: it is never touched. ``note`` says where or what it is."""

    kind: str
    name: str
    note: str = ""


class NodeAnswer(msgspec.Struct, frozen=True):
    """``error``: why the question could not be answered. ``objects``: how many of ours there are.

    ``revision`` is that of the view that the node acts on, 0 where it has none.
    """

    question: int
    host: Host
    revision: int = 0
    paused: bool = False
    error: str = ""
    objects: int = 0
    duration_s: float = 0.0
    items: tuple[Item, ...] = ()
    differences: tuple[Difference, ...] = ()
    foreign: tuple[Foreign, ...] = ()
    ways: tuple[Way, ...] = ()
    sightings: Sightings | None = None
    listening: tuple[Listening, ...] = ()
