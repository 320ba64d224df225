"""Connections whose translation is gone: which lines of a ruleset went, and what conntrack still does for them.

Effects: deletes connections of the calling thread's network namespace. iptables looks at the first packet of a
connection only: without this a removed floating IP would go on to work for whoever is connected.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address

from nebula_agent.edge import conntrack
from nebula_agent.edge.conntrack import Connection

_DNAT = re.compile(r"-A PREROUTING -d (\S+)/32(?: -p (\w+) -m \w+ --dport (\d+)(?::(\d+))?)? .*-j DNAT ")
_SNAT = re.compile(r"-A POSTROUTING (?:-s (\S+)/32 )?-o \S+ .*-j SNAT --to-source (\S+)")
_NUMBERS = {"tcp": 6, "udp": 17, "sctp": 132, "dccp": 33}


def end_gone(before: str, after: str) -> None:
    """End the connections that only lines of ``before`` translate. Raises OSError."""
    kept = set(after.splitlines())
    gone = [test for line in before.splitlines() if line not in kept and (test := _test(line)) is not None]
    if gone:
        conntrack.end(lambda connection: any(test(connection) for test in gone))


def _test(line: str) -> Callable[[Connection], bool] | None:
    found = _DNAT.match(line)
    if found is not None:
        return _to(IPv4Address(found[1]).packed, found[2], int(found[3] or 0), int(found[4] or found[3] or 0))
    found = _SNAT.match(line)
    if found is not None:
        return _from(IPv4Address(found[1]).packed if found[1] else None, IPv4Address(found[2]).packed)
    return None


def _to(public: bytes, protocol: str | None, first: int, last: int) -> Callable[[Connection], bool]:
    def matches(connection: Connection) -> bool:
        if connection.destination != public or connection.answer_source == public:
            return False
        in_range = first <= connection.destination_port <= last
        return protocol is None or (connection.protocol == _NUMBERS.get(protocol) and in_range)

    return matches


def _from(private: bytes | None, public: bytes) -> Callable[[Connection], bool]:
    def matches(connection: Connection) -> bool:
        translated = connection.answer_destination == public and connection.source != public
        return translated and private in (None, connection.source)

    return matches
