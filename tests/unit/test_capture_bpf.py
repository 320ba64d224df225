"""Filters put together: what they take, decided by a small machine that runs them as the kernel does."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

from nebula.capture.bpf import Program, both, either, everything, inside_vxlan, neither, parse, vxlan_of

ICMP_FILTER = parse("6\n40 0 0 12\n21 0 3 2048\n48 0 0 23\n21 0 1 1\n6 0 0 96\n6 0 0 0\n")
"""``tcpdump -y EN10MB -s 96 -ddd icmp``."""
PORT_80 = parse(
    "20\n40 0 0 12\n21 0 6 34525\n48 0 0 20\n21 0 15 6\n40 0 0 54\n21 12 0 80\n40 0 0 56\n21 10 11 80\n21 0 10 2048\n"
    "48 0 0 23\n21 0 8 6\n40 0 0 20\n69 6 0 8191\n177 0 0 14\n72 0 0 14\n21 2 0 80\n72 0 0 16\n21 0 1 80\n6 0 0 96\n"
    "6 0 0 0\n"
)
"""``tcpdump -y EN10MB -s 96 -ddd tcp port 80``: header lengths, indexed loads."""


def run(program: Program, frame: bytes) -> int:
    """How many bytes the kernel would keep (bpf(4)); a load beyond the end refuses the frame."""
    a = x = at = 0

    def load(offset: int, size: int) -> int:
        if offset + size > len(frame):
            raise IndexError
        return int.from_bytes(frame[offset : offset + size], "big")

    try:
        while True:
            code, jt, jf, k = program[at]
            at += 1
            if code == 0x06:
                return k
            if code in (0x20, 0x28, 0x30):
                a = load(k, {0x20: 4, 0x28: 2, 0x30: 1}[code])
            elif code in (0x40, 0x48, 0x50):
                a = load(x + k, {0x40: 4, 0x48: 2, 0x50: 1}[code])
            elif code == 0xB1:
                x = 4 * (load(k, 1) & 15)
            elif code == 0x74:
                a >>= k
            elif code == 0x05:
                at += k
            elif code in (0x15, 0x45):
                at += jt if (a == k if code == 0x15 else a & k) else jf
            else:
                raise AssertionError(f"what is {code:#x}?")
    except IndexError:
        return 0


def tunnel(inner: Packet, vni: int = 7, *, ipv6: bool = False) -> Packet:
    outer = IPv6(src="fd00::1", dst="fd00::2") if ipv6 else IP(src="10.0.0.1", dst="10.0.0.2")
    # scapy would ask the machine's network for a destination.
    return Ether(dst="02:00:00:00:00:02") / outer / UDP(sport=5, dport=4789) / VXLAN(vni=vni) / inner


PING = Ether() / IP(src="192.168.50.3", dst="192.168.50.4") / ICMP()
WEB = Ether() / IP(src="192.168.50.3", dst="198.51.100.10", options=[b"\x01\x01\x01\x01"]) / TCP(dport=80)
DNS = Ether() / IP(src="192.168.50.3", dst="192.168.50.2") / UDP(dport=53)


@pytest.mark.parametrize(
    ("frame", "kept"),
    [(PING, 0), (tunnel(PING), 96), (tunnel(PING, ipv6=True), 96), (tunnel(DNS), 0), (tunnel(WEB), 0), (ARP(), 0)],
)
def test_a_filter_speaks_of_the_packet_in_the_tunnel(frame: Packet, kept: int) -> None:
    """Over IPv4 and IPv6; what is outside of a tunnel is not looked at."""
    assert run(inside_vxlan(ICMP_FILTER), bytes(frame)) == kept


def test_header_lengths_are_read_where_the_inner_header_is() -> None:
    """An IP header with options in the tunnel: the port is found behind it."""
    assert run(PORT_80, bytes(WEB)) == 96
    assert run(inside_vxlan(PORT_80), bytes(tunnel(WEB))) == 96
    assert run(inside_vxlan(PORT_80), bytes(tunnel(DNS))) == 0


@pytest.mark.parametrize(("frame", "kept"), [(PING, 96), (WEB, 96), (DNS, 0), (tunnel(PING), 0)])
def test_either(frame: Packet, kept: int) -> None:
    """What one of two takes."""
    assert run(either(ICMP_FILTER, PORT_80), bytes(frame)) == run(either(PORT_80, ICMP_FILTER), bytes(frame)) == kept


@pytest.mark.parametrize(("frame", "kept"), [(PING, 60), (WEB, 0), (DNS, 60), (Ether() / ARP(), 60)])
def test_both_and_neither(frame: Packet, kept: int) -> None:
    """What one refuses and the other takes, cut as the second says."""
    assert run(both(neither(PORT_80, 1000), everything(60)), bytes(frame)) == kept
    assert run(both(everything(60), neither(PORT_80, 60)), bytes(frame)) == kept


@pytest.mark.parametrize("ipv6", [False, True])
@pytest.mark.parametrize(("vni", "kept"), [(7, 96), (8, 0), (9, 96), (0x700, 0), (2**24 - 1, 0)])
def test_only_these_networks(vni: int, kept: int, ipv6: bool) -> None:
    """A project's own VNIs, and no bit of another's."""
    program = both(vxlan_of((7, 9)), inside_vxlan(ICMP_FILTER))
    assert run(program, bytes(tunnel(PING, vni, ipv6=ipv6))) == kept


def test_what_only_looks_like_a_tunnel_is_none() -> None:
    """Another UDP port, another protocol, a later fragment of something, and nothing at all."""
    port = Ether() / IP() / UDP(dport=4790) / VXLAN(vni=7) / PING
    fragment = Ether() / IP(proto=17, frag=3) / Raw(bytes(tunnel(PING))[34:])
    program = vxlan_of(None)
    assert run(program, bytes(tunnel(DNS))) > 0
    assert [run(program, bytes(frame)) for frame in (port, fragment, PING, Ether() / ARP())] == [0, 0, 0, 0]
    assert run(program, b"") == 0
    assert run(vxlan_of(()), bytes(tunnel(PING))) == 0


def test_what_is_too_long_for_the_kernel_is_refused() -> None:
    """A project with thousands of networks is told, not cut."""
    with pytest.raises(ValueError, match="the kernel takes 4096"):
        vxlan_of(tuple(range(1, 3000)))


def test_output_that_is_not_tcpdumps() -> None:
    """A line too few is no program."""
    with pytest.raises(ValueError, match="1 instructions instead of 2"):
        parse("2\n6 0 0 96\n")
