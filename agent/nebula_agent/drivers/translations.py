"""Connections and the rules that translate them: which of the ones that conntrack knows a ruleset no longer makes so.

Effects: reads and deletes connections of the calling thread's network namespace. iptables looks at the first packet of
a connection only: without this a removed floating IP would go on to work for whoever is connected, and one that comes
would not for whoever has been sending already. What is stale follows from the rules and the connections alone, so
that an agent that died between the two finishes the work at its next start.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network

import msgspec

from nebula_agent.edge import conntrack
from nebula_agent.edge.conntrack import Connection

_DNAT = re.compile(
    r"-A PREROUTING -d (\S+)/32(?: -p (\w+) -m \w+ --dport (\d+)(?::(\d+))?)? .*"
    r"-j DNAT --to-destination ([\d.]+)(?::(\d+)(?:-(\d+))?)?"
)
_SNAT = re.compile(r"-A POSTROUTING (?:-s (\S+) )?(?:! )?-o \S+ .*-j SNAT --to-source (\S+)")
_ALL_THAT_LEAVES = re.compile(r"-A POSTROUTING -o (\S+) .*-j SNAT ")
_NUMBERS = {"tcp": 6, "udp": 17, "sctp": 132, "dccp": 33}
_ALL_PORTS = (0, 0xFFFF)
_EVERYBODY = IPv4Address("255.255.255.255")

Way = Callable[[bytes], str]
"""The device by which packets to an address leave, '' for none."""


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
    """What a ruleset translates: DNAT by public address, SNAT by public address (from which networks).

    ``leaving``: the devices by which all that leaves is translated.
    """

    inwards: Mapping[bytes, tuple[_Inwards, ...]]
    outwards: Mapping[bytes, tuple[IPv4Network, ...]]
    leaving: frozenset[str]

    def contradict(self, connection: Connection, way: Way) -> bool:
        """True for what is translated as no rule does, or is not translated though a rule would."""
        rules = self.inwards.get(connection.destination, ())
        if connection.answer_source != connection.destination:
            if not any(rule.takes(connection) and rule.makes(connection) for rule in rules):
                return True
        elif any(rule.takes(connection) for rule in rules):
            return True
        if connection.answer_destination == connection.source:
            return not connection.translated and self._leaves(connection, way)
        source = IPv4Address(connection.source)
        return not any(source in network for network in self.outwards.get(connection.answer_destination, ()))

    def _leaves(self, connection: Connection, way: Way) -> bool:
        """From inside, and through a device behind which all is translated."""
        inside = way(connection.source) if self.leaving else ""
        return bool(inside) and inside not in self.leaving and way(connection.destination) in self.leaving


def translations(rules: str) -> Translations:
    """Of a ruleset as we write it."""
    inwards: dict[bytes, tuple[_Inwards, ...]] = {}
    outwards: dict[bytes, tuple[IPv4Network, ...]] = {}
    leaving: set[str] = set()
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
            if (all_of_it := _ALL_THAT_LEAVES.match(line)) is not None:
                leaving.add(all_of_it[1])
    return Translations(inwards, outwards, frozenset(leaving))


def ways(routes: Iterable[tuple[str, str]], own: Collection[str]) -> Way:
    """The way by routes: (destination, device), of IPv4 and the main table; the longest prefix counts.

    There is none to the namespace's ``own`` addresses, nor for multicast and broadcast.
    """
    table = [(IPv4Network(destination), device) for destination, device in routes]
    table.sort(key=lambda item: -item[0].prefixlen)

    @functools.cache
    def device(destination: bytes) -> str:
        address = IPv4Address(destination)
        if str(address) in own or address.is_multicast or address == _EVERYBODY:
            return ""
        return next((name for network, name in table if address in network), "")

    return device


def has_stale(rules: str, way: Way) -> bool:
    """True where a connection contradicts the rules. Raises OSError."""
    wanted = translations(rules)
    return conntrack.any_of(lambda item: wanted.contradict(item, way))


def end_stale(rules: str, way: Way) -> None:
    """End the connections that contradict the rules. Raises OSError."""
    wanted = translations(rules)
    conntrack.end(lambda item: wanted.contradict(item, way))
