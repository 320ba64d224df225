"""The same packet seen at many points: through tunnels and NAT, lost on its way, sent again."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror, UDPerror
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

from nebula.capture.follow import LOOK_AHEAD_NS, Follower, Seen
from nebula.capture.frames import look

MS = 1_000_000
ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
"""Has a destination, as scapy would ask the machine's network for that of each address."""
ETH0, UNDERLAY_A, UNDERLAY_B, QR, QG = range(5)


def tunnel(inner: Packet, vni: int = 7) -> Packet:
    return ETHER / IP(src="10.0.0.1", dst="10.0.0.2", id=99) / UDP(sport=5, dport=4789) / VXLAN(vni=vni) / inner


def follow(*sightings: tuple[int, int, bool, Packet], whole: bool = True, cut: int | None = None) -> list[str]:
    """Comments of (point, ms, outgoing, frame), in that order."""
    follower = Follower(whole=whole)
    seen = []
    for point, ms, outgoing, frame in sightings:
        data = bytes(frame)
        seen.append(Seen(point, ms * MS, data[:cut], len(data), outgoing))
    follower.take(seen)
    return [item.comment for item in follower.give(1 << 62)]


def natted(inner: Packet, **layer: dict[str, object]) -> Packet:
    """As it leaves a router with SNAT: TTL, addresses, ports and checksums change."""
    packet = inner.copy()
    packet[Ether].src = "02:00:00:00:00:09"
    packet[IP].ttl -= 1
    for name, values in layer.items():
        for field, value in values.items():
            setattr(packet[name], field, value)
    del packet[IP].chksum
    for kind in (TCP, UDP, ICMP):
        if kind in packet:
            del packet[kind].chksum
    return packet


INSIDE = IP(src="192.168.50.3", dst="198.51.100.10", id=4711, flags="DF")
PUBLIC = {"src": "203.0.113.10"}


@pytest.mark.parametrize(
    ("sent", "after", "before_text", "after_text"),
    [
        (
            ETHER / INSIDE / TCP(sport=40000, dport=80, seq=17, flags="PA") / Raw(b"GET /"),
            {"TCP": {"sport": 1025}},
            "192.168.50.3:40000 > 198.51.100.10:80",
            "203.0.113.10:1025 > 198.51.100.10:80",
        ),
        (
            ETHER / INSIDE / UDP(sport=40000, dport=53) / Raw(b"question"),
            {"UDP": {"sport": 1025}},
            "192.168.50.3:40000 > 198.51.100.10:53",
            "203.0.113.10:1025 > 198.51.100.10:53",
        ),
        (
            ETHER / INSIDE / ICMP(id=5, seq=1) / Raw(b"ping"),
            {"ICMP": {"id": 61}},
            "192.168.50.3:5 > 198.51.100.10:5",
            "203.0.113.10:61 > 198.51.100.10:61",
        ),
    ],
)
def test_through_a_tunnel_and_nat(
    sent: Packet, after: dict[str, dict[str, object]], before_text: str, after_text: str
) -> None:
    """One packet at five points: its number and hop, the VNI where there is one, its addresses on the other side."""
    out = natted(sent, IP=PUBLIC, **after)
    comments = follow(
        (ETH0, 0, True, sent),
        (UNDERLAY_A, 1, True, tunnel(sent)),
        (UNDERLAY_B, 2, False, tunnel(sent)),
        (QR, 3, False, sent),
        (QG, 4, True, out),
    )
    assert comments == [
        f"packet 1, hop 1 of 5, after NAT {after_text}",
        f"packet 1, hop 2 of 5, VNI 7, after NAT {after_text}",
        f"packet 1, hop 3 of 5, VNI 7, after NAT {after_text}",
        f"packet 1, hop 4 of 5, after NAT {after_text}",
        f"packet 1, hop 5 of 5, before NAT {before_text}",
    ]


def test_an_icmp_error_is_followed_though_nat_translates_what_it_quotes() -> None:
    """The quoted header changes with the packet's own."""
    quoted = IPerror(src="203.0.113.10", dst="198.51.100.10", id=4711) / UDPerror(sport=1025, dport=53)
    outside = ETHER / IP(src="203.0.113.1", dst="203.0.113.10", id=8) / ICMP(type=3, code=1) / quoted
    quoted = IPerror(src="192.168.50.3", dst="198.51.100.10", id=4711) / UDPerror(sport=40000, dport=53)
    inside = ETHER / IP(src="203.0.113.1", dst="192.168.50.3", id=8, ttl=63) / ICMP(type=3, code=1) / quoted
    assert [text.split(", ")[0] for text in follow((QG, 0, False, outside), (QR, 1, True, inside))] == ["packet 1"] * 2


def test_a_retransmission_is_another_packet() -> None:
    """The same segment with a new identification; and the very same bytes a second later."""
    first = ETHER / IP(id=1) / TCP(seq=9, flags="S")
    again = ETHER / IP(id=2) / TCP(seq=9, flags="S")
    arp = ETHER / ARP(psrc="10.0.0.1", pdst="10.0.0.2")
    assert follow((ETH0, 0, True, first), (ETH0, 1, True, again)) == ["packet 1, hop 1 of 1", "packet 2, hop 1 of 1"]
    assert follow((ETH0, 0, True, arp), (ETH0, 1000, True, arp), (QR, 1001, False, arp)) == [
        "packet 1, hop 1 of 1",
        "packet 2, hop 1 of 2",
        "packet 2, hop 2 of 2",
    ]


def test_equal_packets_in_a_row_keep_their_order() -> None:
    """Datagrams without identification and with the same content: the first to leave is the first to arrive."""
    same = ETHER / IP(id=0, flags="DF") / UDP(sport=1, dport=2) / Raw(b"same")
    comments = follow((ETH0, 0, True, same), (ETH0, 1, True, same), (QR, 2, False, same), (QR, 3, False, same))
    assert [text.partition(",")[0] for text in comments] == ["packet 1", "packet 2", "packet 1", "packet 2"]


def test_a_packet_that_turns_round_is_seen_twice_at_one_point() -> None:
    """A router with one leg: in and out of the same device."""
    frame = ETHER / IP(id=3) / ICMP(seq=1)
    assert follow((QR, 0, False, frame), (QR, 1, True, frame)) == ["packet 1, hop 1 of 2", "packet 1, hop 2 of 2"]


LONG = bytes(number * number % 251 for number in range(4000))


def stream(seq: int, payload: bytes, number: int = 1, ack: int = 77) -> Packet:
    """A segment of one connection."""
    inside = IP(src="192.168.50.3", dst="192.168.50.4", id=number, flags="DF")
    return ETHER / inside / TCP(sport=40000, dport=80, seq=seq, ack=ack, flags="A") / Raw(payload)


@pytest.mark.parametrize("first", [1000, (1 << 16) - 2000, (1 << 32) - 2000])
def test_a_segment_that_is_cut_on_its_way(first: int) -> None:
    """Each part is a packet of its own from there on, and says which one it was; also where numbers begin anew."""
    at = [(first + offset) % (1 << 32) for offset in (0, 1400, 2800)]
    parts = [stream(at[part], LONG[part * 1400 : part * 1400 + 1400], part + 1) for part in range(3)]
    comments = follow(
        (ETH0, 0, True, stream(first, LONG)),
        *((UNDERLAY_A, 1, True, tunnel(part)) for part in parts),
        (UNDERLAY_B, 2, False, tunnel(parts[2])),
        (QR, 3, False, stream(first, LONG)),  # put together again
    )
    assert comments == [
        "packet 1, hop 1 of 2",
        "packet 2, hop 1 of 1, cut from packet 1, VNI 7",
        "packet 3, hop 1 of 1, cut from packet 1, VNI 7",
        "packet 4, hop 1 of 2, cut from packet 1, VNI 7",
        "packet 4, hop 2 of 2, cut from packet 1, VNI 7",
        "packet 1, hop 2 of 2",
    ]


@pytest.mark.parametrize(
    "other",
    [
        stream(2400, b"x" * 1400),  # other bytes
        stream(2400, LONG[1400:2800], ack=78),  # at another time, or of another connection
        stream(4600, LONG[:1400]),  # beyond its end
        stream(900, LONG[:1400]),  # before its beginning
    ],
)
def test_what_only_looks_like_a_part_is_none(other: Packet) -> None:
    """Nothing is guessed."""
    assert follow((ETH0, 0, True, stream(1000, LONG)), (QR, 1, False, other))[1] == "packet 2, hop 1 of 1"


def test_two_networks_with_the_same_addresses() -> None:
    """Two packets that differ in their VNI and nothing else were sent by two machines: each has its own number."""
    frame = ETHER / INSIDE / ICMP(id=5, seq=1) / Raw(b"ping")
    other = ETHER / INSIDE.copy() / ICMP(id=6, seq=1) / Raw(b"pong")
    comments = follow((UNDERLAY_A, 0, True, tunnel(frame, 7)), (UNDERLAY_A, 0, True, tunnel(other, 8)))
    assert comments == ["packet 1, hop 1 of 1, VNI 7", "packet 2, hop 1 of 1, VNI 8"]


def test_cut_frames_are_followed_too() -> None:
    """A tunnel's cut frames lack bytes that others still have: what was cut does not count."""
    sent = ETHER / INSIDE / UDP(sport=40000, dport=53) / Raw(bytes(range(200)))
    comments = follow((ETH0, 0, True, sent), (UNDERLAY_A, 1, True, tunnel(sent)), whole=False, cut=96)
    assert comments == ["packet 1, hop 1 of 2", "packet 1, hop 2 of 2, VNI 7"]


def test_ipv6_and_tags() -> None:
    """No identification, no NAT: addresses and content tell packets apart; a VLAN tag does not."""
    first = ETHER / IPv6(src="fd00::1", dst="fd00::2", hlim=64) / ICMPv6EchoRequest(seq=1)
    hop = ETHER / Dot1Q(vlan=5) / IPv6(src="fd00::1", dst="fd00::2", hlim=63) / ICMPv6EchoRequest(seq=1)
    other = ETHER / IPv6(src="fd00::1", dst="fd00::3", hlim=63) / ICMPv6EchoRequest(seq=1)
    comments = follow((ETH0, 0, True, first), (QR, 1, False, hop), (QG, 2, True, other))
    assert [text.partition(",")[0] for text in comments] == ["packet 1", "packet 1", "packet 2"]


def test_nothing_is_said_before_all_is_known() -> None:
    """A packet is given out once what follows it has come; late frames still find their place."""
    frame = ETHER / IP(id=3) / ICMP(seq=1)
    data = bytes(frame)
    follower = Follower()
    follower.take([Seen(ETH0, 5 * MS, data, len(data), True)])
    assert follower.give(5 * MS - 1) == []
    follower.take([Seen(QR, 4 * MS, data, len(data), False)])
    found = follower.give(5 * MS + LOOK_AHEAD_NS)
    assert [(seen.point, seen.hop) for seen in found] == [(ETH0, 2), (QR, 1)]


def test_what_has_long_passed_is_forgotten() -> None:
    """Memory follows the packets under way, not those seen."""
    follower = Follower()
    datagram, segment = bytes(ETHER / IP()), bytes(stream(0, LONG))
    for number in range(3000):
        word = number.to_bytes(4, "big")
        data = datagram[:18] + word[2:] + datagram[20:] + word  # the identification, and bytes after it
        follower.take([Seen(ETH0, number * MS, data, len(data), True)])
        follower.give(number * MS)
        data = segment[:18] + word[2:] + segment[20:38] + word + segment[42:]  # and the sequence number
        follower.take([Seen(QR, number * MS, data, len(data), True)])
        follower.give(number * MS)
    assert len(follower._alive) < 2200
    assert sum(map(len, follower._longer._known.values())) < 1100


@given(st.binary(max_size=120), st.sampled_from([b"\x08\x00\x45", b"\x86\xdd\x60", b"\x08\x06\x00", b"\x81\x00\x00"]))
def test_any_bytes_are_a_packet(data: bytes, kind: bytes) -> None:
    """Broken and cut frames are looked at without an error."""
    frames: Sequence[bytes] = (data, data[:12].ljust(12, b"\0") + kind + data)
    for frame in frames:
        assert look(frame, whole=True) == look(frame, whole=True)
