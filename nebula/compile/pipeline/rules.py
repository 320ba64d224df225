"""What tables 72 and 82 have in common: connections, and the flows that stand for rules of security groups.

Pure. Rules only see packets of the one who began a connection (or all, of ports without conntrack), new or not: a rule
that is gone lets nothing more through. One flow for a rule without a remote group; for remote groups the conjunctions
of ovs-fields(7), so that n ports and m addresses cost n + m flows and not their product.

Fragments, where conntrack leaves them such (the userspace datapath): the first one has the ports, so the rules decide
about it; the later ones pass, and end in the next ``ct`` unless the first has come there too (``commit``). Multicast
may meet that ``ct`` for several receivers, whose fragments it would mix up: there the later ones need a rule as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

import msgspec

from nebula.compile.pipeline import registers, tables, text
from nebula.compile.pipeline.tables import Table
from nebula.desired.kinds import Flow
from nebula.ids import Owner

IP_FAMILIES = ("ip", "ipv6")
_WORDS = {
    4: {1: "icmp", 6: "tcp", 17: "udp", 132: "sctp"},
    6: {58: "icmp6", 6: "tcp6", 17: "udp6", 132: "sctp6"},
}
_WITH_PORTS = (6, 17, 132)
_ICMP = {4: 1, 6: 58}
RULE, CONJUNCTION = 77, 70
"""Priorities."""
ENDED = 1
"""Connection mark: a rule that let it through is gone."""


def follow(table: Table, onward: Table, owner: Owner) -> Iterator[Flow]:
    """Conntrack before the rules, and the mark after them. STATELESS ports see nothing of it."""
    stateful = text.match_register(registers.PROTECTION, registers.STATEFUL)
    dropped = text.goto(tables.DROPPED_TRAFFIC)
    if table is tables.RULES_EGRESS:
        for family in IP_FAMILIES:
            yield text.flow(table, 90, f"ct_state=-trk,{family},{stateful}", text.track(table), owner)
    yield text.flow(table, 80, f"ct_state=+inv+trk,{stateful}", dropped, owner)
    for state in ("+est+rpl+trk", "-new+rel-inv+trk"):
        yield text.flow(table, 80, f"ct_state={state},ct_mark=0,{stateful}", text.goto(onward), owner)
    for state in ("+rpl+trk", "+rel+trk"):
        yield text.flow(table, 79, f"ct_state={state},ct_mark={ENDED:#x},{stateful}", dropped, owner)
    for family in IP_FAMILIES:
        later = f"ct_state=-inv+trk,{family},{stateful},{text.UNICAST},{text.LATER_FRAGMENT}"
        yield text.flow(table, 75, later, text.goto(onward), owner)
    for family in IP_FAMILIES:
        yield text.flow(table, 40, f"ct_state=+est+trk,{family},{stateful}", text.commit(ENDED), owner)
    yield text.flow(table, 0, "", dropped, owner)


def commit(table: Table, onward: Table, owner: Owner) -> Iterator[Flow]:
    """What both ends let through: conntrack remembers a new connection, and forgets that one had been ended.

    All fragments go through it, also of connections that it knows.
    """
    for family in IP_FAMILIES:
        yield text.flow(table, 100, f"ct_state=+new+trk,{family}", f"{text.commit()},{text.goto(onward)}", owner)
        match = f"ct_state=+est-rpl+trk,ct_mark={ENDED:#x},{family}"
        yield text.flow(table, 100, match, f"{text.commit(0)},{text.goto(onward)}", owner)
        pieces = f"ct_state=+trk,{family},{text.FRAGMENT}"
        yield text.flow(table, 90, pieces, f"{text.complete()},{text.goto(onward)}", owner)
    yield text.flow(table, 0, "", text.goto(onward), owner)


def port_masks(first: int, last: int) -> Iterator[tuple[int, int]]:
    """The fewest (value, mask) of 16 bits that are together the ports from first to last; () where that is none."""
    while first <= last:
        size = first & -first or 1 << 16
        while size > last - first + 1:
            size >>= 1
        yield first, 0xFFFF & ~(size - 1)
        first += size


class Traffic(msgspec.Struct, frozen=True):
    """What a rule describes: family 4 or 6, protocol and ports (ICMP: type and code; None: all), and the match on the
    other end ('': anybody)."""

    ip_version: int
    protocol: int | None
    ports: tuple[int | None, int | None]
    remote: str


class Match(NamedTuple):
    """A rule's match for whatever port: what stands before the port's register, and after it."""

    family: str
    rest: str

    def of(self, key: int) -> str:
        """For the port with this key."""
        return text.join(self.family, text.match_register(registers.PORT, key), self.rest)


def matches(traffic: Traffic) -> Iterator[Match]:
    """A rule as matches.

    Nothing where OVS cannot match what the rule says (port numbers of DCCP or UDP-Lite): it then lets nothing through.
    """
    protocol, (low, high) = traffic.protocol, traffic.ports
    word = _WORDS[traffic.ip_version].get(protocol or 0)
    number = f"nw_proto={protocol}" if protocol is not None and word is None else ""
    family = word or IP_FAMILIES[traffic.ip_version == 6]
    head = text.join(traffic.remote, number)
    if low is None:
        yield Match(family, head)
    elif protocol == _ICMP[traffic.ip_version]:
        yield Match(family, text.join(head, f"icmp_type={low}", "" if high is None else f"icmp_code={high}"))
    elif protocol in _WITH_PORTS:
        for value, mask in port_masks(low, low if high is None else high):
            yield Match(family, text.join(head, _port_text(value, mask)))


def _port_text(value: int, mask: int) -> str:
    if mask == 0:
        return ""
    return f"tp_dst={value}" if mask == 0xFFFF else f"tp_dst={value:#x}/{mask:#x}" if value else f"tp_dst=0/{mask:#x}"


def accept(table: Table, match: str, owner: Owner) -> Flow:
    """A rule without a remote group."""
    return text.flow(table, RULE, match, text.goto(_ONWARD[table]), owner)


def one_of_two(table: Table, match: str, clauses: Iterable[tuple[int, int]], owner: Owner) -> Flow:
    """Half of conjunctions; ``clauses`` are (id, 1 for the address or 2 for the port and protocol), sorted."""
    actions = ",".join(f"conjunction({identity},{clause}/2)" for identity, clause in clauses)
    return text.flow(table, CONJUNCTION, match, actions, owner)


def both(table: Table, identity: int, owner: Owner) -> Flow:
    """Where both halves match."""
    return text.flow(table, CONJUNCTION, f"conj_id={identity}", text.goto(_ONWARD[table]), owner)


def member(table: Table, network: IPv4Network | IPv6Network) -> str:
    """Match: the other end is this address."""
    end = "dst" if table is tables.RULES_EGRESS else "src"
    return text.join("ip" if network.version == 4 else "ipv6", text.address(end, network))


_ONWARD = {
    tables.RULES_EGRESS: tables.ACCEPT_OR_INGRESS,
    tables.RULES_INGRESS: tables.INGRESS_COMMIT,
}
