"""The bytes of the packet that a trace sends, the filter that finds it again anywhere, and what a frame says of it.

Pure. A packet is recognised by 32 bits that nobody on the way changes: TCP's sequence number (acknowledged by the
answer), the first bytes of ICMP's and UDP's payload, DHCP's transaction id; ARP and neighbour questions by their
addresses. In VXLAN it is 50 bytes further on (RFC 7348 over IPv4 without options).
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

import msgspec

from nebula.capture.bpf import Instruction, Program
from nebula.trace.packet import ADVERTISEMENT, ARP_ANSWER, NUMBERS, SOLICITATION, Packet, solicited

_NEVER_CUT_BYTES = 262_144
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_VXLAN_BYTES = 50
_VXLAN_PORT = (4789).to_bytes(2, "big")
_IPV4, _IPV6, _ARP, _VLAN = 0x0800, 0x86DD, 0x0806, 0x8100
_SYN = 0x02
_REDIRECTS = (5, 137)
"""A router's hint for later, no answer."""
_FILLING = b"nebula trace "
_LEAST_BYTES = 64
_COOKIE = bytes.fromhex("63825363")
"""Of DHCP (RFC 2131, 3)."""


def ip_packet(packet: Packet, tag: int) -> bytes:
    """From the IP header on; never to be fragmented."""
    number = NUMBERS[packet.protocol]
    six = packet.version == 6
    head_bytes = 40 if six else 20
    size = max(packet.size_bytes, _LEAST_BYTES)
    source, destination = ip_address(packet.source), _destination(packet)
    body = _body(packet, tag, size - head_bytes)
    pseudo = struct.pack("!IxxxB", len(body), number) if six else struct.pack("!xBH", number, len(body))
    body = _checked(packet, body, b"" if packet.protocol == "icmp" else source.packed + destination.packed + pseudo)
    if six:
        return struct.pack("!IHBB", 6 << 28, len(body), number, packet.ttl) + source.packed + destination.packed + body
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), tag & 0xFFFF or 1, 0x4000, packet.ttl, number, 0)
    head += source.packed + destination.packed
    return head[:10] + struct.pack("!H", _checksum(head)) + head[12:] + body


def frame(packet: Packet, tag: int) -> bytes:
    """With its Ethernet header; ``packet`` has its hardware addresses."""
    macs = _mac(packet.mac_destination) + _mac(packet.mac_source)
    if packet.protocol != "arp":
        return macs + struct.pack("!H", _IPV6 if packet.version == 6 else _IPV4) + ip_packet(packet, tag)
    body = struct.pack("!HHBBH", 1, _IPV4, 6, 4, packet.type) + _mac(packet.mac_source)
    body += ip_address(packet.source).packed + bytes(6) + ip_address(packet.destination).packed
    return macs + struct.pack("!H", _ARP) + body


def _destination(packet: Packet) -> IPv4Address | IPv6Address:
    is_question = packet.protocol == "icmp6" and packet.type == SOLICITATION
    return ip_address(solicited(packet.destination) if is_question else packet.destination)


def _body(packet: Packet, tag: int, size: int) -> bytes:
    """TCP, UDP or ICMP with zeros for the checksum."""
    ports = struct.pack("!HH", packet.source_port, packet.destination_port)
    if packet.protocol == "tcp":
        return ports + struct.pack("!IIBBHHH", tag, 0, 5 << 4, _SYN, 64240, 0, 0) + _padding(packet, size - 20)
    if packet.is_dhcp:
        payload = _dhcp(packet, tag)
        return ports + struct.pack("!HH", 8 + len(payload), 0) + payload
    payload = (struct.pack("!I", tag) + _FILLING * (size // len(_FILLING) + 1))[: max(8, size - 8)]
    if packet.protocol == "udp":
        return ports + struct.pack("!HH", 8 + len(payload), 0) + payload
    if packet.type == SOLICITATION:
        target = ip_address(packet.destination).packed
        return struct.pack("!BBHI", SOLICITATION, 0, 0, 0) + target + b"\1\1" + _mac(packet.mac_source)
    return struct.pack("!BBHHH", packet.type, 0, 0, packet.source_port, 1) + payload


def _padding(packet: Packet, size: int) -> bytes:
    """A SYN carries no data, unless its size is asked for."""
    return b"\0" * size if packet.size_bytes else b""


def _checked(packet: Packet, body: bytes, pseudo: bytes) -> bytes:
    at = {"tcp": 16, "udp": 6}.get(packet.protocol, 2)
    value = _checksum(pseudo + body)
    return body[:at] + struct.pack("!H", value or 0xFFFF) + body[at + 2 :]


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _dhcp(packet: Packet, tag: int) -> bytes:
    """A DISCOVER (RFC 2131)."""
    head = struct.pack("!BBBBIHH", 1, 1, 6, 0, tag, 0, 0) + bytes(16) + _mac(packet.mac_source) + bytes(10 + 192)
    return head + _COOKIE + bytes([53, 1, 1, 55, 2, 1, 3, 255]) + bytes(48)


def program(packet: Packet, tag: int) -> Program:
    """Takes the packet's own frames and its answer's, in a tunnel or not, and nothing else."""
    plain = _signs(packet, tag)
    wanted = [*plain, *(tuple((at + _VXLAN_BYTES, value) for at, value in sign) for sign in plain)]
    wanted.sort(key=lambda sign: sign[-1][0])  # a load behind the frame's end ends the program
    code: list[Instruction] = []
    for sign in wanted:
        for number, (at, value) in enumerate(sign):
            left = 2 * (len(sign) - number - 1)
            code += [Instruction(_LOAD, 0, 0, at), Instruction(_EQUAL, 0, left + 1, value)]
        code.append(Instruction(_RETURN, 0, 0, _NEVER_CUT_BYTES))
    return (*code, Instruction(_RETURN, 0, 0, 0))


def _signs(packet: Packet, tag: int) -> list[tuple[tuple[int, int], ...]]:
    """Where which 32 bits stand in a frame, each a sign by itself: the packet's, its answer's, an error about it."""
    body = 14 + (40 if packet.version == 6 else 20)
    if packet.protocol == "arp":
        source, target = (int(ip_address(item)) for item in (packet.source, packet.destination))
        head = (12, _ARP << 16 | 1)
        return [(head, (28, a), (38, b)) for a, b in ((source, target), (target, source))]
    if packet.protocol == "icmp6" and packet.type == SOLICITATION:
        packed = ip_address(packet.destination).packed
        return [tuple((body + 8 + at, int.from_bytes(packed[at : at + 4], "big")) for at in range(0, 16, 4))]
    if packet.is_dhcp:
        return [((body + 12, tag),)]
    inner = body + 8 + (40 if packet.version == 6 else 20)
    if packet.protocol == "tcp":
        return [((body + 4, tag),), ((body + 8, tag + 1 & 0xFFFFFFFF),), ((inner + 4, tag),)]
    return [((body + 8, tag),), ((inner + 8, tag),)]


class Found(msgspec.Struct, frozen=True):
    """A frame of the trace's: ``packet`` as it is there, whether it is the answer, and the VNI of its tunnel."""

    packet: Packet
    vni: int | None = None


def read(data: bytes, asked: Packet, tag: int) -> Found | None:
    """What the frame says; ``asked`` is the packet that was sent. None for what is none of the trace's."""
    try:
        vni, data = _unwrapped(data)
        found = _read(data, asked, tag)
    except (IndexError, struct.error, ValueError):
        return None
    return Found(found, vni) if found is not None else None


def _unwrapped(data: bytes) -> tuple[int | None, bytes]:
    if data[12:15] == b"\x08\x00\x45" and data[23] == NUMBERS["udp"] and data[36:38] == _VXLAN_PORT:
        return int.from_bytes(data[46:49], "big"), data[_VXLAN_BYTES:]
    return None, data


def _read(data: bytes, asked: Packet, tag: int) -> Packet | None:
    macs = data[6:12].hex(":"), data[0:6].hex(":")
    kind, at = int.from_bytes(data[12:14], "big"), 14
    if kind == _VLAN:
        kind, at = int.from_bytes(data[16:18], "big"), 18
    if kind == _ARP:
        operation = int.from_bytes(data[at + 6 : at + 8], "big")
        source, target = (str(IPv4Address(data[at + start : at + start + 4])) for start in (14, 24))
        return Packet("arp", source, target, *macs, type=operation, answer=operation == ARP_ANSWER)
    six = kind == _IPV6
    if six:
        number, ttl, body = data[at + 6], data[at + 7], at + 40
        source, target = (str(IPv6Address(data[at + start : at + start + 16])) for start in (8, 24))
    else:
        number, ttl, body = data[at + 9], data[at + 8], at + 4 * (data[at] & 15)
        source, target = (str(IPv4Address(data[at + start : at + start + 4])) for start in (12, 16))
    word = next((name for name, value in NUMBERS.items() if value == number), "")
    packet = Packet(word, source, target, *macs, ttl=ttl)
    if word in ("icmp", "icmp6"):
        return _icmp(packet, data[body:])
    ports = struct.unpack_from("!HH", data, body)
    packet = msgspec.structs.replace(packet, source_port=ports[0], destination_port=ports[1])
    answer = packet.is_dhcp and data[body + 8] == 2
    if word == "tcp":
        answer = struct.unpack_from("!I", data, body + 8)[0] == tag + 1 & 0xFFFFFFFF
    return msgspec.structs.replace(packet, answer=answer)


def _icmp(packet: Packet, body: bytes) -> Packet | None:
    kind = body[0]
    if kind in _REDIRECTS:
        return None
    answer = kind in (0, 129, ADVERTISEMENT, 1, 2, 3, 4, 11, 12)
    identity = struct.unpack_from("!H", body, 4)[0] if kind in (0, 8, 128, 129) else 0
    if kind in (SOLICITATION, ADVERTISEMENT):
        target = str(IPv6Address(body[8:24]))
        change = {"source": target} if answer else {"destination": target}
        return msgspec.structs.replace(packet, type=kind, answer=answer, **change)
    return msgspec.structs.replace(packet, type=kind, answer=answer, source_port=identity, destination_port=identity)


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))
