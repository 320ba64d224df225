"""From the bytes of a capture to a line per packet: Ethernet, ARP, IPv4, ICMP, UDP, TCP, VXLAN and what is in it.

Pure. Formats: pcap (draft-ietf-opsawg-pcap), IPv4 (RFC 791), VXLAN (RFC 7348). No more than the demo shows.
"""

from __future__ import annotations

import ipaddress
import struct

import msgspec

VXLAN_PORT = 4789
_TCP_FLAGS = ((0x02, "SYN"), (0x10, "ACK"), (0x08, "PSH"), (0x01, "FIN"), (0x04, "RST"))
_ICMP = {0: "echo reply", 3: "unreachable", 8: "echo request", 11: "time exceeded"}


class Packet(msgspec.Struct, frozen=True):
    """One frame. ``source`` and ``target`` are IPv4 addresses (of an ARP: asked by, asked for), empty for others.

    ``inner`` is the frame that a VXLAN packet carries, in the network with this ``vni``.
    """

    source: str
    target: str
    text: str
    vni: int | None = None
    inner: Packet | None = None

    @property
    def line(self) -> str:
        """The packet in one line."""
        if self.inner is not None:
            return f"{self.source} > {self.target}  VXLAN VNI {self.vni} [ {self.inner.line} ]"
        if not self.source:
            return self.text
        return f"{self.source} > {self.target}  {self.text}"


def read_capture(content: bytes) -> list[Packet]:
    """All packets of a pcap file of Ethernet frames; a last one that was cut off is left out. Raises ValueError."""
    if len(content) < 24:
        return []
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">"}.get(content[:4])
    if order is None:
        raise ValueError("this is no pcap file")
    packets, at = [], 24
    while at + 16 <= len(content):
        (length,) = struct.unpack_from(f"{order}I", content, at + 8)
        frame = content[at + 16 : at + 16 + length]
        if len(frame) < length:
            break
        packets.append(read_frame(frame))
        at += 16 + length
    return packets


def read_frame(frame: bytes) -> Packet:
    """One Ethernet frame."""
    if len(frame) < 14:
        return Packet("", "", "short frame")
    (kind,) = struct.unpack_from("!H", frame, 12)
    rest = frame[14:]
    if kind == 0x0806 and len(rest) >= 28:
        return _arp(rest)
    if kind == 0x0800 and len(rest) >= 20:
        return _ipv4(rest)
    return Packet("", "", f"Ethernet type 0x{kind:04x}")


def _arp(data: bytes) -> Packet:
    (operation,) = struct.unpack_from("!H", data, 6)
    sender, target = _address(data[14:18]), _address(data[24:28])
    if operation == 1:
        return Packet(sender, target, f"ARP who has {target}?")
    return Packet(sender, target, f"ARP {sender} is at {data[8:14].hex(':')}")


def _ipv4(data: bytes) -> Packet:
    header, protocol = (data[0] & 15) * 4, data[9]
    (length,) = struct.unpack_from("!H", data, 2)
    source, target = _address(data[12:16]), _address(data[16:20])
    body = data[header:length]
    if protocol == 1 and len(body) >= 8:
        kind = _ICMP.get(body[0], f"type {body[0]}")
        (sequence,) = struct.unpack_from("!H", body, 6)
        return Packet(source, target, f"ICMP {kind}" + (f" {sequence}" if body[0] in (0, 8) else ""))
    if protocol == 6 and len(body) >= 20:
        return Packet(source, target, _tcp(body))
    if protocol == 17 and len(body) >= 8:
        from_port, to_port = struct.unpack_from("!HH", body)
        if to_port == VXLAN_PORT and len(body) >= 16:
            return Packet(source, target, "VXLAN", int.from_bytes(body[12:15], "big"), read_frame(body[16:]))
        return Packet(source, target, f"UDP {from_port} > {to_port}")
    return Packet(source, target, f"IP protocol {protocol}")


def _tcp(body: bytes) -> str:
    from_port, to_port = struct.unpack_from("!HH", body)
    flags = " ".join(name for bit, name in _TCP_FLAGS if body[13] & bit)
    size = len(body) - (body[12] >> 4) * 4
    return f"TCP {from_port} > {to_port} {flags}" + (f", {size} bytes" if size else "")


def _address(data: bytes) -> str:
    return str(ipaddress.IPv4Address(data))
