"""The packet that a trace sends, as bytes; the filter that finds it again; what is read of the frames that it finds."""

from __future__ import annotations

import msgspec
import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet as ScapyPacket

from nebula.capture.bpf import Program
from nebula.trace import wire
from nebula.trace.packet import Packet, answer_to

TAG = 0xC0FFEE42
A, B = "aa:00:00:00:00:01", "aa:00:00:00:00:02"
ALL = "ff:ff:ff:ff:ff:ff"
PACKETS = {
    "tcp": Packet("tcp", "192.168.50.3", "192.168.50.5", A, B, 40000, 80),
    "tcp6": Packet("tcp", "fd00::3", "fd00::5", A, B, 40000, 80),
    "udp": Packet("udp", "192.168.50.3", "192.168.50.5", A, B, 40000, 53, size_bytes=1400),
    "udp6": Packet("udp", "fd00::3", "fd00::5", A, B, 40000, 53),
    "icmp": Packet("icmp", "192.168.50.3", "192.168.50.5", A, B, 7, 7, type=8, ttl=63),
    "icmp6": Packet("icmp6", "fd00::3", "fd00::5", A, B, 7, 7, type=128),
    "arp": Packet("arp", "192.168.50.3", "192.168.50.5", A, ALL, type=1),
    "nd": Packet("icmp6", "fd00::3", "fd00::5", A, "33:33:ff:00:00:05", type=135, ttl=255),
    "dhcp": Packet("udp", "0.0.0.0", "255.255.255.255", A, ALL, 68, 67),
}


def takes(program: Program, data: bytes) -> bool:
    """The kernel's interpreter of what the filter is made of."""
    at = accumulator = 0
    while True:
        code, jt, jf, k = program[at]
        at += 1
        if code == 0x20:
            if k + 4 > len(data):
                return False
            accumulator = int.from_bytes(data[k : k + 4], "big")
        elif code == 0x15:
            at += jt if accumulator == k else jf
        else:
            assert code == 0x06
            return k > 0


def in_vxlan(data: bytes) -> bytes:
    outer = Ether(src=B, dst=A) / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=5000, dport=4789) / VXLAN(vni=7)
    return bytes(outer / Ether(data))


@pytest.mark.parametrize("name", PACKETS)
def test_lengths_and_checksums_are_right(name: str) -> None:
    """As another implementation computes them; the size is the one that was asked for."""
    packet = PACKETS[name]
    made = wire.frame(packet, TAG)
    again = Ether(made)
    layers: list[ScapyPacket] = []
    layer = again
    while layer:
        layers.append(layer)
        for field in ("chksum", "cksum", "len", "plen"):
            if field in layer.fields:
                delattr(layer, field)
        layer = layer.payload
    assert bytes(again) == made
    if packet.size_bytes:
        assert len(made) == 14 + packet.size_bytes


@pytest.mark.parametrize("name", PACKETS)
def test_it_is_found_again_as_it_is(name: str) -> None:
    """In a tunnel too; another tag's, or another pair's, is not."""
    packet = PACKETS[name]
    made, program = wire.frame(packet, TAG), wire.program(packet, TAG)
    assert takes(program, made)
    assert takes(program, in_vxlan(made))
    plain, tunnelled = wire.read(made, packet, TAG), wire.read(in_vxlan(made), packet, TAG)
    assert plain is not None and tunnelled is not None
    assert plain.packet == msgspec.structs.replace(packet, size_bytes=0)
    assert (plain.vni, tunnelled.vni, tunnelled.packet) == (None, 7, plain.packet)
    other = msgspec.structs.replace(packet, destination="192.168.50.6" if packet.version == 4 else "fd00::6")
    stranger = wire.frame(other if name in ("arp", "nd") else packet, TAG + 5)
    assert not takes(program, stranger)
    assert not takes(program, in_vxlan(stranger))


def test_answers_bear_the_sign() -> None:
    """TCP's acknowledgement, an echo's payload, ARP's addresses, an ICMP error's quotation; through NAT as well."""
    head = Ether(src=B, dst=A) / IP(src="203.0.113.10", dst="192.168.50.3")
    syn, ping, datagram = (bytes(wire.ip_packet(PACKETS[name], TAG)) for name in ("tcp", "icmp", "udp"))
    answers = {
        "tcp": bytes(head / TCP(sport=80, dport=40000, flags="RA", ack=TAG + 1)),
        "icmp": bytes(head / ICMP(type=0, id=7) / IP(ping)[ICMP].payload),
        "udp": bytes(head / ICMP(type=3, code=3) / IP(datagram[:64])),
        "arp": bytes(Ether(src=B, dst=A) / ARP(op=2, hwsrc=B, psrc="192.168.50.5", pdst="192.168.50.3")),
    }
    for name, data in answers.items():
        found = wire.read(data, PACKETS[name], TAG)
        assert takes(wire.program(PACKETS[name], TAG), data), name
        assert found is not None and found.packet.answer, name
    quoted = bytes(head / ICMP(type=3, code=4) / IP(syn))
    assert takes(wire.program(PACKETS["tcp"], TAG), quoted)
    error = wire.read(quoted, PACKETS["tcp"], TAG)
    assert error is not None and error.packet.is_error
    six = Ether(src=B, dst=A) / IPv6(src="fd00::5", dst="fd00::3") / ICMPv6DestUnreach(code=4)
    assert takes(wire.program(PACKETS["udp6"], TAG), bytes(six / IPv6(wire.ip_packet(PACKETS["udp6"], TAG))))


def test_what_is_broken_is_nobodys() -> None:
    """Cut frames, and a redirect, which is no answer."""
    made = wire.frame(PACKETS["tcp"], TAG)
    assert [wire.read(made[:length], PACKETS["tcp"], TAG) for length in (0, 12, 20, 35)] == [None] * 4
    redirect = bytes(Ether(src=B, dst=A) / IP(src="192.168.50.1", dst="192.168.50.3") / ICMP(type=5) / IP(made[14:]))
    assert wire.read(redirect, PACKETS["tcp"], TAG) is None


@pytest.mark.parametrize(("name", "answered"), [("tcp", True), ("icmp", True), ("nd", True), ("arp", True)])
def test_who_answers(name: str, answered: bool) -> None:
    """Turned round, with the other type; an answer is not answered."""
    answer = answer_to(PACKETS[name])
    assert (answer is not None) is answered
    assert answer is not None
    assert (answer.source, answer.destination) == (PACKETS[name].destination, PACKETS[name].source)
    assert answer_to(answer) is None
