"""From a line of ``ovs-ofctl -O OpenFlow14 --names --no-stats dump-flows BRIDGE`` back to a Flow.

Pure. Table names (``table=TRANSIENT``, ``goto_table:"BASE_EGRESS"``) become numbers, so that a dump says the same
before and after a bridge's tables got their names. Statistics, where a line has them, are skipped.

A cookie holds the owner's kind and 48 bits of its id, not the owner: ``observed_flow`` looks the owner up among those
that the caller knows (of the desired flows, first of all), so that an unchanged flow equals the desired one. An owner
that nobody knows any more becomes one whose id is a UUID of the cookie's 12 digits and zeros: kind and cookie are
right, the name of the flow's key does not depend on it, and such a flow is on its way out anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from nebula.compile.pipeline.tables import table_names
from nebula.compile.pipeline.text import port_names
from nebula.desired.kinds import Flow
from nebula.ids import Owner, cookie_is_ours, owner_kind_of

_HEAD = re.compile(
    r"\s*cookie=(0x[0-9a-f]+),\s*(?:duration=[^,]*,\s*)?"
    r'(?:table=("[^"]*"|[^,\s]+),\s*)?'
    r"(?:(?:n_packets|n_bytes|idle_age|hard_age)=\d+,\s*)*"
)
_PRIORITY = re.compile(r"priority=(\d+)(?:,|$)")
_TABLE_IN_ACTIONS = re.compile(r'(goto_table:|resubmit\(,|ct\(table=)("[^"]*"|[A-Za-z_][^,)]*)')
_DEFAULT_PRIORITY = 32768


class DumpedFlow(msgspec.Struct, frozen=True):
    """What one line of a dump says; ``match`` and ``actions`` in the form of ``Flow``."""

    cookie: int
    table: int
    priority: int
    match: str
    actions: str


def parse_flow(line: str, names: Mapping[int, str]) -> DumpedFlow | None:
    """One line of a dump, or None for a line that is no flow (``OFPST_FLOW reply ...``) or has no cookie.

    ``names`` are the names of the bridge's tables by number (``tables.table_names``). Raises ``ValueError`` for a
    table's name that is not among them.
    """
    head = _HEAD.match(line)
    if head is None:
        return None
    before, separator, actions = line[head.end() :].rstrip("\n").partition("actions=")
    if not separator:
        return None
    numbers = {name: number for number, name in names.items()}
    match = before.strip()
    priority = _PRIORITY.match(match)
    if '"' in actions or ":" in actions or "(" in actions:
        actions = _TABLE_IN_ACTIONS.sub(lambda found: f"{found[1]}{_number(found[2], numbers)}", actions)
    return DumpedFlow(
        cookie=int(head[1], 16),
        table=_number(head[2] or "0", numbers),
        priority=int(priority[1]) if priority else _DEFAULT_PRIORITY,
        match=match[priority.end() :] if priority else match,
        actions=actions,
    )


def owners_by_cookie(flows: Iterable[Flow]) -> dict[int, Owner]:
    """Owners of desired flows by cookie, for ``observed_flow``; equal cookies (2^-48) go to the first in order."""
    owners: dict[int, Owner] = {}
    for owner in sorted({flow.owner for flow in flows}):
        owners.setdefault(owner.cookie, owner)
    return owners


def observed_flow(bridge: str, dumped: DumpedFlow, owners: Mapping[int, Owner]) -> Flow | None:
    """The dumped flow with its owner, or None where its cookie is not ours."""
    if not cookie_is_ours(dumped.cookie):
        return None
    owner = owners.get(dumped.cookie) or _owner_from_cookie(dumped.cookie)
    ports = port_names(f"{dumped.match} {dumped.actions}")
    return Flow(bridge, dumped.table, dumped.priority, dumped.match, dumped.actions, owner, ports)


def observed_flows(bridge: str, dump: str, owners: Mapping[int, Owner]) -> list[Flow]:
    """All our flows of a whole dump of ``bridge``."""
    names = table_names(bridge)
    dumped = (parse_flow(line, names) for line in dump.splitlines())
    flows = (observed_flow(bridge, item, owners) for item in dumped if item is not None)
    return [flow for flow in flows if flow is not None]


def _number(text: str, numbers: Mapping[str, int]) -> int:
    name = text.strip('"')
    if name.isdigit():
        return int(name)
    if name not in numbers:
        raise ValueError(f"no OpenFlow table here is called {name!r}")
    return numbers[name]


def _owner_from_cookie(cookie: int) -> Owner:
    digits = f"{cookie & (1 << 48) - 1:012x}"
    return Owner(owner_kind_of(cookie), f"{digits[:8]}-{digits[8:]}-0000-0000-000000000000")
