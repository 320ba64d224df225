"""Which of our objects a thing names that a person has seen: a cookie, a flow's line, a device, a path, a rule...

Pure. The thing is taken as the tools of the trade print it: ``ovs-ofctl dump-flows``, ``iptables -S``, ``ip``, ``ps``.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping

from nebula.compile.pipeline.dump import parse_flow
from nebula.compile.pipeline.tables import table_names
from nebula.desired.kinds import (
    Address,
    BridgePort,
    ConfigFile,
    Flow,
    KernelObject,
    Key,
    LocalVlan,
    Process,
    Route,
    Ruleset,
    VethPair,
)
from nebula.desired.state import NodeState
from nebula.ids import Owner, parse_mark

_COOKIE = re.compile(r"(?:cookie=)?(0x[0-9a-f]{14,16})\b")
_MARK = re.compile(r"nebula:[a-z_]+:[^\s\"']+")


def named(state: NodeState, thing: str, pids: Mapping[str, int]) -> list[KernelObject]:
    """The objects that ``thing`` names, in order; ``pids`` are the processes' numbers by name.

    The most exact meaning wins: a flow's whole line is that flow, its cookie alone all flows of the owner.
    """
    thing = thing.strip()
    for meaning in (_flow_line, _rule, _name, _cookie, _mark):
        found = [state[key] for key in meaning(state, thing, pids)]
        if found:
            return found
    return []


def _flow_line(state: NodeState, thing: str, _pids: Mapping[str, int]) -> Iterator[Key]:
    """A line of a dump; the same flow may be on several bridges, which the line does not name."""
    flows = [item for item in state.values() if isinstance(item, Flow)]
    for bridge in sorted({flow.bridge for flow in flows}):
        with contextlib.suppress(ValueError):
            line = parse_flow(thing, table_names(bridge))
            if line is None:
                continue
            wanted = (bridge, line.cookie, line.table, line.priority, line.match)
            for flow in flows:
                if (flow.bridge, flow.cookie, flow.table, flow.priority, flow.match) == wanted:
                    yield flow.key


def _rule(state: NodeState, thing: str, _pids: Mapping[str, int]) -> Iterator[Key]:
    """A rule as ``iptables -S`` prints it."""
    if thing.startswith("-"):
        wanted = _words(thing)
        for key, item in state.items():
            if isinstance(item, Ruleset) and any(_words(line) == wanted for line in item.text.splitlines()):
                yield key


def _words(rule: str) -> list[str]:
    return rule.replace('"', "").split()


def _name(state: NodeState, thing: str, pids: Mapping[str, int]) -> Iterator[Key]:
    for key, item in state.items():
        if thing in _names(item) or (isinstance(item, Process) and str(pids.get(item.name)) == thing):
            yield key


def _names(item: KernelObject) -> tuple[str, ...]:  # noqa: PLR0911 - one line per kind
    match item:
        case VethPair():
            return (item.name, item.peer_name, item.peer_mac_address)
        case Address():
            return (item.cidr, item.cidr.partition("/")[0])
        case Route():
            return (item.destination, f"{item.namespace} {item.destination}")
        case BridgePort():
            return (item.name, *((item.iface_id,) if item.iface_id else ()))
        case LocalVlan():
            return (f"vlan {item.tag}",)
        case ConfigFile():
            return (item.path,)
        case Flow():
            return ()
        case _:
            return (item.key.name,)


def _cookie(state: NodeState, thing: str, _pids: Mapping[str, int]) -> Iterator[Key]:
    """All flows with the cookie."""
    found = _COOKIE.search(thing)
    if found is not None:
        wanted = int(found[1], 16)
        yield from (key for key, item in state.items() if isinstance(item, Flow) and item.cookie == wanted)


def _mark(state: NodeState, thing: str, _pids: Mapping[str, int]) -> Iterator[Key]:
    """All objects of the owner whose mark (``nebula:port:<id>``) stands somewhere in the thing."""
    found = _MARK.search(thing)
    owner: Owner | None = parse_mark(found[0]) if found is not None else None
    if owner is not None:
        yield from (key for key, item in state.items() if item.owner == owner)
