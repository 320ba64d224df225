"""Which connections a router's rules contradict: what is ended when addresses, forwardings and SNAT come and go."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from nebula_agent.drivers.translations import translations, ways
from nebula_agent.edge.conntrack import Connection

_FORWARDED = """-A PREROUTING -d 203.0.113.77/32 -m comment --comment "x" -j DNAT --to-destination 10.0.0.7
-A PREROUTING -d 203.0.113.78/32 -p tcp -m tcp --dport 2222 -m comment --comment x -j DNAT --to-destination 10.0.0.8:22
-A PREROUTING -d 203.0.113.78/32 -p udp -m udp --dport 80:89 -j DNAT --to-destination 10.0.0.8:180-189/80
-A POSTROUTING -s 10.0.0.7/32 -o qg-1 -m comment --comment "x" -j SNAT --to-source 203.0.113.77 --random-fully
-A POSTROUTING -s 10.0.0.0/24 ! -o qg-1 -m conntrack --ctstate DNAT -j SNAT --to-source 203.0.113.2 --random-fully
"""
_SNAT = '-A POSTROUTING -o qg-1 -m comment --comment "x" -j SNAT --to-source 203.0.113.2 --random-fully\n'
_WAY = ways(
    [("0.0.0.0/0", "qg-1"), ("203.0.113.0/24", "qg-1"), ("10.0.0.0/24", "qr-1"), ("10.1.0.0/24", "qr-2")],
    {"203.0.113.2", "10.0.0.1"},
)
TCP, UDP, ICMP = 6, 17, 1


def _connection(text: str, protocol: int = TCP) -> Connection:
    """``SOURCE > DESTINATION:PORT`` as it began, ``|``, ``ANSWERING:PORT > ANSWERED``; without the latter, as it is."""
    there, _, back = text.partition(" | ")
    source, destination, port = _ends(there)
    answering, answered, answering_port = destination, source, port
    if back:
        (answering, answering_port), answered = _split(back.partition(" > ")[0]), _ends(back)[1]
    return Connection(source, destination, protocol, port, answering, answering_port, answered, b"")


def _split(text: str) -> tuple[bytes, int]:
    address, _, port = text.partition(":")
    return IPv4Address(address).packed, int(port or 0)


def _ends(text: str) -> tuple[bytes, bytes, int]:
    first, _, second = text.partition(" > ")
    return _split(first)[0], *_split(second)


@pytest.mark.parametrize(
    ("connection", "protocol", "ended"),
    [
        ("198.51.100.1 > 203.0.113.77:22 | 10.0.0.7:22 > 198.51.100.1", TCP, False),
        ("198.51.100.1 > 203.0.113.77:22 | 10.0.0.9:22 > 198.51.100.1", TCP, True),
        ("198.51.100.1 > 203.0.113.79:22 | 10.0.0.7:22 > 198.51.100.1", TCP, True),
        ("198.51.100.1 > 203.0.113.78:2222 | 10.0.0.8:22 > 198.51.100.1", TCP, False),
        ("198.51.100.1 > 203.0.113.78:2222 | 10.0.0.8:23 > 198.51.100.1", TCP, True),
        ("198.51.100.1 > 203.0.113.78:2222 | 10.0.0.8:22 > 198.51.100.1", UDP, True),
        ("198.51.100.1 > 203.0.113.78:83 | 10.0.0.8:183 > 198.51.100.1", UDP, False),
        ("198.51.100.1 > 203.0.113.78:90 | 10.0.0.8:190 > 198.51.100.1", UDP, True),
        ("198.51.100.1 > 203.0.113.78:83", UDP, True),
        ("198.51.100.1 > 203.0.113.78:99", UDP, False),
        ("10.0.0.9 > 203.0.113.77:80 | 10.0.0.7:80 > 203.0.113.2", TCP, False),
        ("10.0.0.7 > 198.51.100.1:80 | 198.51.100.1:80 > 203.0.113.77", TCP, False),
        ("10.0.0.8 > 198.51.100.1:80 | 198.51.100.1:80 > 203.0.113.77", TCP, True),
        ("10.0.0.9 > 198.51.100.1:80 | 198.51.100.1:80 > 203.0.113.9", TCP, True),
    ],
)
@pytest.mark.parametrize("snat", [False, True])
def test_translated_as_the_rules_say(connection: str, protocol: int, *, ended: bool, snat: bool) -> None:
    """What no rule leads to, or lets leave under its address, is ended; and what a rule would take and did not."""
    found = translations(_FORWARDED + (_SNAT if snat else "")).contradict(_connection(connection, protocol), _WAY)
    assert found == ended


@pytest.mark.parametrize(
    ("connection", "ended"),
    [
        ("10.0.0.9 > 198.51.100.1", True),
        ("10.0.0.9 > 203.0.113.1", True),
        ("10.0.0.9 > 198.51.100.1 | 198.51.100.1 > 203.0.113.2", False),
        ("10.0.0.9 > 10.1.0.9", False),
        ("10.0.0.9 > 203.0.113.2", False),
        ("10.0.0.9 > 10.0.0.1", False),
        ("10.0.0.9 > 224.0.0.251", False),
        ("10.0.0.9 > 255.255.255.255", False),
        ("0.0.0.0 > 255.255.255.255", False),
        ("203.0.113.2 > 203.0.113.1", False),
        ("198.51.100.1 > 203.0.113.2", False),
        ("198.51.100.1 > 10.0.0.9", False),
    ],
)
def test_what_leaves_is_translated(connection: str, *, ended: bool) -> None:
    """With SNAT for all that leaves, what goes from inside to the outside as it is, is ended; nothing that stays
    inside, goes to the router itself or comes from outside. Without it, nothing."""
    assert translations(_SNAT).contradict(_connection(connection, ICMP), _WAY) == ended
    without = translations(_FORWARDED).contradict(_connection("10.0.0.9 > 198.51.100.1", ICMP), _WAY)
    assert without is False
