"""Probes as frames and back, made and read with scapy.

Pure. Every probe bears its number where no translation touches it: in TCP's sequence number, else in the payload.
"""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address

import msgspec
from scapy.layers.inet import ICMP as Icmp
from scapy.layers.inet import IP
from scapy.layers.inet import TCP as Tcp
from scapy.layers.inet import UDP as Udp
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import ARP, Ether
from scapy.layers.sctp import SCTP as Sctp
from scapy.layers.sctp import SCTPChunkInit
from scapy.packet import Packet as Frame
from scapy.packet import Raw
from scapy.pton_ntop import inet_pton
from scapy.utils6 import in6_getnsma, in6_getnsmac

from tests.reachability.packet import ICMP, ICMPV6, SCTP, TCP, UDP, Packet
from tests.reachability.topology import Address

_WORD = b"nebula"
_SEQUENCE = 0x4E << 24
BROADCAST = "ff:ff:ff:ff:ff:ff"


class Seen(msgspec.Struct, frozen=True):
    """A probe, or an answer to one, as it comes in."""

    number: int
    is_answer: bool
    packet: Packet


def probe(number: int, packet: Packet, macs: tuple[str, str], *, is_answer: bool = False) -> bytes:
    """A frame from one MAC to another."""
    ether = Ether(src=macs[0], dst=macs[1])
    four = packet.source.version == 4
    text = _WORD + struct.pack("!IB", number, is_answer)
    ports = {"sport": packet.source_port, "dport": packet.destination_port}
    over: Frame
    if packet.protocol == TCP:
        sequence = _SEQUENCE | number
        flags = {"flags": "SA", "ack": sequence + 1} if is_answer else {"flags": "S"}
        over = Tcp(seq=sequence, **ports, **flags)
    elif packet.protocol == UDP:
        over = Udp(**ports) / Raw(text)
    elif packet.protocol == SCTP:
        over = Sctp(**ports, tag=0) / SCTPChunkInit(init_tag=_SEQUENCE | number, n_out_streams=1, n_in_streams=1)
    elif packet.protocol == ICMP:
        kind = packet.icmp[0] if packet.icmp else 8
        over = Icmp(type=kind, code=0, id=packet.source_port, seq=1) / Raw(text)
    elif packet.protocol == ICMPV6:
        echo = ICMPv6EchoReply if is_answer else ICMPv6EchoRequest
        over = echo(id=packet.source_port, seq=1, data=text)
    else:
        over = Raw(bytes(4) + text)
    ends = {"src": str(packet.source), "dst": str(packet.destination)}
    return bytes(ether / (IP(**ends, proto=packet.protocol) if four else IPv6(**ends, nh=packet.protocol)) / over)


def read(frame: bytes) -> Seen | None:
    """What a frame is, or None where it is no probe."""
    if _WORD not in frame and b"\x4e" not in frame[34:]:
        return None
    ether = Ether(frame)
    inner = ether.getlayer(IP) or ether.getlayer(IPv6)
    if inner is None:
        return None
    reader = _READERS.get(inner.proto if inner.version == 4 else inner.nh, _read_other)
    return reader(frame, ether, (ip_address(inner.src), ip_address(inner.dst)))


def _read_tcp(_frame: bytes, ether: Ether, ends: tuple[Address, Address]) -> Seen | None:
    tcp = ether[Tcp]
    if tcp.seq >> 24 != _SEQUENCE >> 24 or tcp.flags.R:
        return None
    is_answer = bool(tcp.flags.A)
    return Seen(tcp.seq & 0xFFFFFF, is_answer, Packet(TCP, *ends, tcp.sport, tcp.dport, None, not is_answer))


def _read_sctp(_frame: bytes, ether: Ether, ends: tuple[Address, Address]) -> Seen | None:
    if SCTPChunkInit not in ether:
        return None
    sctp = ether[Sctp]
    return Seen(ether[SCTPChunkInit].init_tag & 0xFFFFFF, False, Packet(SCTP, *ends, sctp.sport, sctp.dport))


def _read_udp(frame: bytes, ether: Ether, ends: tuple[Address, Address]) -> Seen | None:
    mark = _mark(frame)
    return None if mark is None else Seen(*mark, Packet(UDP, *ends, ether[Udp].sport, ether[Udp].dport))


def _read_icmp(frame: bytes, ether: Ether, ends: tuple[Address, Address]) -> Seen | None:
    """None for an error, which quotes the probe."""
    mark, icmp = _mark(frame), ether[Icmp]
    if mark is None or icmp.type not in (0, 8, 13, 14):
        return None
    is_answer = icmp.type in (0, 14)
    return Seen(mark[0], is_answer, Packet(ICMP, *ends, icmp.id, 0, (icmp.type, icmp.code), not is_answer))


def _read_icmpv6(frame: bytes, ether: Ether, ends: tuple[Address, Address]) -> Seen | None:
    mark, echo = _mark(frame), ether.getlayer(ICMPv6EchoRequest) or ether.getlayer(ICMPv6EchoReply)
    if mark is None or echo is None:
        return None
    is_answer = echo.type == 129
    return Seen(mark[0], is_answer, Packet(ICMPV6, *ends, echo.id, 0, (echo.type, echo.code), not is_answer))


def _read_other(frame: bytes, ether: Ether, ends: tuple[Address, Address]) -> Seen | None:
    mark, inner = _mark(frame), ether.getlayer(IP) or ether.getlayer(IPv6)
    return None if mark is None else Seen(*mark, Packet(inner.proto if inner.version == 4 else inner.nh, *ends))


def _mark(frame: bytes) -> tuple[int, bool] | None:
    where = frame.find(_WORD)
    if where < 0:
        return None
    number, is_answer = struct.unpack_from("!IB", frame, where + len(_WORD))
    return number, bool(is_answer)


_READERS = {TCP: _read_tcp, UDP: _read_udp, SCTP: _read_sctp, ICMP: _read_icmp, ICMPV6: _read_icmpv6}


def who_has(mac: str, source: Address, wanted: Address) -> bytes:
    """ARP request (RFC 826) or neighbour solicitation (RFC 4861)."""
    if wanted.version == 4:
        return bytes(Ether(src=mac, dst=BROADCAST) / ARP(op=1, hwsrc=mac, psrc=str(source), pdst=str(wanted)))
    group = in6_getnsma(inet_pton(socket.AF_INET6, str(wanted)))
    head = Ether(src=mac, dst=in6_getnsmac(group)) / IPv6(
        src=str(source), dst=socket.inet_ntop(socket.AF_INET6, group), hlim=255
    )
    return bytes(head / ICMPv6ND_NS(tgt=str(wanted)) / ICMPv6NDOptSrcLLAddr(lladdr=mac))


def here_it_is(mac: str, address: Address, asker_mac: str, asker: Address) -> bytes:
    """The answer to :func:`who_has`."""
    if address.version == 4:
        arp = ARP(op=2, hwsrc=mac, psrc=str(address), hwdst=asker_mac, pdst=str(asker))
        return bytes(Ether(src=mac, dst=asker_mac) / arp)
    head = Ether(src=mac, dst=asker_mac) / IPv6(src=str(address), dst=str(asker), hlim=255)
    return bytes(head / ICMPv6ND_NA(tgt=str(address), R=0, S=1, O=1) / ICMPv6NDOptDstLLAddr(lladdr=mac))


class Asked(msgspec.Struct, frozen=True):
    """Somebody asks who has an address, or says that it is here (``is_answer``)."""

    mac: str
    source: Address
    wanted: Address
    is_answer: bool


def asked(frame: bytes) -> Asked | None:
    """ARP or neighbour discovery in a frame. In an answer ``mac`` is what it says, ``wanted`` the asker."""
    if frame[12:14] == b"\x08\x06":
        mac = frame[22:28].hex(":")
        return Asked(mac, ip_address(frame[28:32]), ip_address(frame[38:42]), frame[21] == 2)
    if frame[12:14] != b"\x86\xdd" or frame[20] != ICMPV6 or frame[54] not in (135, 136):
        return None
    source, target = ip_address(frame[22:38]), ip_address(frame[62:78])
    if frame[54] == 135:
        return Asked(frame[6:12].hex(":"), source, target, False)
    return Asked(frame[80:86].hex(":"), target, ip_address(frame[38:54]), True)
