"""``ofproto/trace``: a packet as the text it takes, and what it prints, read.

Pure. The text is Open vSwitch's own account (ovs-vswitchd(8)) of what its tables do with a packet; nothing here knows
what any table means. Each ``recirc`` (after conntrack) begins a new stage.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from nebula.compile.pipeline.text import port_text
from nebula.trace.packet import ADVERTISEMENT, SOLICITATION, Packet, solicited

_BRIDGE = re.compile(r'^bridge\("(.+)"\)$')
_STAGE = re.compile(r"^recirc\((0x[0-9a-f]+)\) - resume (\w+)")
_TABLE = re.compile(r"^(\s*)(\d+)\. (.*)$")
_FLOW = re.compile(r"^(?:(.*), )?priority (\d+)(?:, cookie (0x[0-9a-f]+))?$")
_COMES_BACK = re.compile(r"^ct\(.*\btable=")
_MISSES = ("No match.", "reg0=0x1", "reg0=0x2")
"""No flow of the table matches. On the bridge where the packet began the command says so; on another one it prints the
flows that stand for that inside Open vSwitch: ``reg0=0x1`` hands the packet to the OpenFlow controller, ``0x2`` drops
it (ofproto-dpif.c: add_internal_flows). Ours are bridges without a controller, so either is a drop."""
_TO_NO_CONTROLLER = "controller(reason=)"
NO_MATCH = "no flow matches"
_ACTIONS = "Datapath actions: "
_OUTPUT = "output:"


class Entry(msgspec.Struct):
    """A table's look at the packet. ``depth``: inside how many resubmits (columns). ``actions`` as they are printed.

    ``bridge`` is '' after a recirculation: the command then names the bridge where the packet began, not this one.
    ``match`` is NO_MATCH where the table has no flow for the packet.
    """

    bridge: str
    table: int
    depth: int
    match: str
    priority: int
    cookie: int
    actions: list[str]
    before: Entry | None = None
    """The entry that led here: by ``goto_table``, or the one whose resubmit this is in."""


class Stage(msgspec.Struct):
    """``recirculation``: its id, '' for the first. ``why``: ``conntrack`` or another reason to come back."""

    recirculation: str
    why: str
    entries: list[Entry]
    datapath_actions: str = ""

    def way_to(self, index: int) -> list[Entry]:
        """The entries that lead to the one with that number, in order; -1: all of the outermost level."""
        if index < 0:
            return [entry for entry in self.entries if entry.depth == 0]
        way: list[Entry] = []
        entry: Entry | None = self.entries[index]
        while entry is not None:
            way.append(entry)
            entry = entry.before
        return way[::-1]

    def outputs(self) -> Mapping[str, int]:
        """Which entry sends the packet out of a port, by the port's name; ``NORMAL`` names none."""
        found: dict[str, int] = {}
        for index, entry in enumerate(self.entries):
            if not any(action.startswith(">> skipping output") for action in entry.actions):
                for action in entry.actions:
                    if action.startswith(_OUTPUT):
                        found.setdefault(action.removeprefix(_OUTPUT).strip('"'), index)
        return found

    def tracking(self) -> list[int]:
        """Which entries send the packet to conntrack to come back, in order."""
        return [index for index, entry in enumerate(self.entries) if any(map(_COMES_BACK.match, entry.actions))]


def stages(text: str) -> list[Stage]:
    """What the command printed. Never raises: what is not understood is left out."""
    found = [Stage("", "", [])]
    bridge = ""
    open_entries: list[Entry] = []
    for line in text.splitlines():
        if (stage := _STAGE.match(line)) is not None:
            found.append(Stage(stage[1], stage[2], []))
            open_entries.clear()
        elif (named := _BRIDGE.match(line)) is not None:
            bridge = named[1]
        elif line.strip() == "thaw":
            bridge = ""
        elif (table := _TABLE.match(line)) is not None:
            entry = _entry(bridge, table)
            entry.before = _before(open_entries, entry)
            _close(open_entries, entry.depth)
            open_entries.append(entry)
            found[-1].entries.append(entry)
        elif line.startswith(_ACTIONS):
            found[-1].datapath_actions = line[len(_ACTIONS) :]
            open_entries.clear()
        elif open_entries and line.startswith(" "):
            _close(open_entries, len(line) - len(line.lstrip()))
            if line.strip() != _TO_NO_CONTROLLER:
                open_entries[-1].actions.append(line.strip())
    return found


def _before(entries: list[Entry], entry: Entry) -> Entry | None:
    """Of those that are open: on the outermost level one follows the other, further in by ``goto_table`` alone."""
    goes_here = f"goto_table:{entry.table}"
    for other in reversed(entries):
        if other.depth < entry.depth or (
            other.depth == entry.depth and (entry.depth == 0 or goes_here in other.actions)
        ):
            return other
    return None


def _close(entries: list[Entry], column: int) -> None:
    """Leave those that what begins in this column is not inside of; the outermost stays."""
    while len(entries) > 1 and entries[-1].depth >= column:
        entries.pop()


def _entry(bridge: str, table: re.Match[str]) -> Entry:
    flow = _FLOW.match(table[3])
    match, priority, cookie = (flow[1] or "", int(flow[2]), int(flow[3] or "0", 16)) if flow else (table[3], 0, 0)
    if match in _MISSES and priority == cookie == 0:
        match = NO_MATCH
    depth = len(table[1]) + len(table[2]) - 2
    return Entry(bridge, int(table[2]), max(0, depth), match, priority, cookie, [])


def flow_text(packet: Packet, in_port: str, **more: str) -> str:
    """The packet as ovs-fields(7) text; ``more`` are fields of a tunnel."""
    return ",".join(
        [f"in_port={port_text(in_port)}", *(f"{name}={value}" for name, value in more.items()), *_fields(packet)]
    )


def _fields(packet: Packet) -> Iterator[str]:
    six = packet.version == 6
    word = packet.protocol if packet.protocol in ("arp", "icmp", "icmp6") or not six else f"{packet.protocol}6"
    yield word
    yield f"dl_src={packet.mac_source}"
    yield f"dl_dst={packet.mac_destination}"
    if packet.protocol == "arp":
        yield f"arp_op={packet.type}"
        yield f"arp_spa={packet.source}"
        yield f"arp_tpa={packet.destination}"
        yield f"arp_sha={packet.mac_source}"
        yield f"arp_tha={packet.mac_destination if packet.answer else '00:00:00:00:00:00'}"
        return
    target = packet.destination
    if packet.protocol == "icmp6" and packet.type == SOLICITATION:
        target = solicited(packet.destination)
    yield f"{'ipv6_src' if six else 'nw_src'}={packet.source}"
    yield f"{'ipv6_dst' if six else 'nw_dst'}={target}"
    yield f"nw_ttl={packet.ttl}"
    if packet.protocol in ("tcp", "udp"):
        yield f"{packet.protocol}_src={packet.source_port}"  # tp_src is refused for broadcasts
        yield f"{packet.protocol}_dst={packet.destination_port}"
        if packet.protocol == "tcp":
            yield f"tcp_flags={0x12 if packet.answer else 0x02:#x}"
        return
    yield f"{'icmpv6' if six else 'icmp'}_type={packet.type}"
    yield f"{'icmpv6' if six else 'icmp'}_code=0"
    if packet.type == SOLICITATION:
        yield f"nd_target={packet.destination}"
        yield f"nd_sll={packet.mac_source}"
    elif packet.type == ADVERTISEMENT:
        yield f"nd_target={packet.source}"
        yield f"nd_tll={packet.mac_source}"
