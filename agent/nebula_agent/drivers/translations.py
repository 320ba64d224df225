"""Connections and the rules that translate them: which of the ones that conntrack knows a ruleset no longer makes so.

Effects: reads and deletes connections of the calling thread's network namespace. iptables looks at the first packet of
a connection only: without this a removed floating IP would go on to work for whoever is connected, and one that comes
would not for whoever has been sending already. What is stale follows from the rules and the connections alone, so
that an agent that died between the two finishes the work at its next start.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network

import msgspec

from nebula_agent.edge import conntrack
from nebula_agent.edge.conntrack import Connection

_DNAT = re.compile(
    r"-A PREROUTING -d (\S+)/32(?: -p (\w+) -m \w+ --dport (\d+)(?::(\d+))?)? .*"
    r"-j DNAT --to-destination ([\d.]+)(?::(\d+)(?:-(\d+))?)?"
)
_SNAT = re.compile(r"-A POSTROUTING (?:-s (\S+) )?(?:! )?-o \S+ .*-j SNAT --to-source (\S+)")
_ALL_THAT_LEAVES = re.compile(r"^-A POSTROUTING -o \S+ .*-j SNAT .*$", re.MULTILINE)
_NUMBERS = {"tcp": 6, "udp": 17, "sctp": 132, "dccp": 33}
_ALL_PORTS = (0, 0xFFFF)


class _Inwards(msgspec.Struct, frozen=True):
    """A DNAT rule: protocol (None: all) and ports at the public address, the private address and its ports."""

    protocol: int | None
    outer: tuple[int, int]
    private: bytes
    inner: tuple[int, int]

    def takes(self, connection: Connection) -> bool:
        first, last = self.outer
        return self.protocol in (None, connection.protocol) and first <= connection.destination_port <= last

    def makes(self, connection: Connection) -> bool:
        first, last = self.inner
        return connection.answer_source == self.private and first <= connection.answer_source_port <= last


class Translations(msgspec.Struct, frozen=True):
    """What a ruleset translates: DNAT by public address, SNAT by public address (from which networks)."""

    inwards: Mapping[bytes, tuple[_Inwards, ...]]
    outwards: Mapping[bytes, tuple[IPv4Network, ...]]

    def contradict(self, connection: Connection) -> bool:
        """True for what is translated as no rule does, or is not translated though a DNAT rule would."""
        rules = self.inwards.get(connection.destination, ())
        if connection.answer_source != connection.destination:
            if not any(rule.takes(connection) and rule.makes(connection) for rule in rules):
                return True
        elif any(rule.takes(connection) for rule in rules):
            return True
        if connection.answer_destination == connection.source:
            return False
        source = IPv4Address(connection.source)
        return not any(source in network for network in self.outwards.get(connection.answer_destination, ()))


def translations(rules: str) -> Translations:
    """Of a ruleset as we write it."""
    inwards: dict[bytes, tuple[_Inwards, ...]] = {}
    outwards: dict[bytes, tuple[IPv4Network, ...]] = {}
    for line in rules.splitlines():
        if (found := _DNAT.match(line)) is not None:
            public, protocol, first, last, private, inner_first, inner_last = found.groups()
            outer = (int(first), int(last or first)) if first else _ALL_PORTS
            inner = (int(inner_first), int(inner_last or inner_first)) if inner_first else _ALL_PORTS
            number = _NUMBERS.get(protocol, -1) if protocol else None
            rule = _Inwards(number, outer, IPv4Address(private).packed, inner)
            key = IPv4Address(public).packed
            inwards[key] = (*inwards.get(key, ()), rule)
        elif (found := _SNAT.match(line)) is not None:
            key = IPv4Address(found[2]).packed
            outwards[key] = (*outwards.get(key, ()), IPv4Network(found[1] or "0.0.0.0/0"))
    return Translations(inwards, outwards)


def has_stale(rules: str) -> bool:
    """True where a connection contradicts the rules. Raises OSError."""
    return conntrack.any_of(translations(rules).contradict)


def end_stale(rules: str, before: str | None) -> None:
    """End the connections that contradict the rules, which were ``before`` until now. Raises OSError.

    Where all that leaves is to be translated from now on, also those that are not translated at all. Which of them
    leave is not known here; the others are new with their next packet and lose none.
    """
    wanted = translations(rules)
    leaving = set(_ALL_THAT_LEAVES.findall(rules))
    all_anew = before is not None and bool(leaving - set(_ALL_THAT_LEAVES.findall(before)))
    conntrack.end(lambda item: wanted.contradict(item) or (all_anew and not item.translated))
