"""A frame in one line for people: Ethernet, ARP, IPv4 and IPv6, ICMP, UDP, DHCP, TCP, VXLAN and what is in it.

Pure. Formats: IPv4 (RFC 791), IPv6 (RFC 8200), VXLAN (RFC 7348), DHCP (RFC 2131). The rest is Wireshark's business.
"""

from __future__ import annotations

import ipaddress
import struct

import msgspec

VXLAN_PORT = 4789
_SNAP_BYTES = 1500
"""A length and no type in the frame's header (IEEE 802.3): STP, LLDP's elder kin."""
_OTHERS = {0x88CC: "LLDP"}
_TCP_FLAGS = ((0x02, "SYN"), (0x10, "ACK"), (0x08, "PSH"), (0x01, "FIN"), (0x04, "RST"))
_DHCP = {1: "DISCOVER", 2: "OFFER", 3: "REQUEST", 4: "DECLINE", 5: "ACK", 6: "NAK", 7: "RELEASE", 8: "INFORM"}
_ICMPV6 = {
    1: "unreachable", 2: "packet too big", 3: "time exceeded", 128: "echo request", 129: "echo reply",
    130: "MLD query", 131: "MLD report", 132: "MLD done", 133: "router solicitation", 134: "router advertisement",
    135: "neighbour solicitation", 136: "neighbour advertisement", 143: "MLDv2 report",
}  # fmt: skip
_ICMP = {0: "echo reply", 3: "unreachable", 8: "echo request", 11: "time exceeded"}


class Packet(msgspec.Struct, frozen=True):
    """One frame. ``source`` and ``target`` are IP addresses (of an ARP: asked by, asked for), empty for others.

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


def read_frame(frame: bytes) -> Packet:
    """One Ethernet frame."""
    if len(frame) < 14:
        return Packet("", "", "short frame")
    (kind,) = struct.unpack_from("!H", frame, 12)
    return _payload(kind, frame[14:], frame)


def _payload(kind: int, rest: bytes, frame: bytes) -> Packet:
    if kind == 0x0806 and len(rest) >= 28:
        return _arp(rest)
    if kind == 0x0800 and len(rest) >= 20:
        return _ipv4(rest)
    if kind == 0x86DD and len(rest) >= 40:
        return _ipv6(rest)
    if kind == 0x8100 and len(rest) >= 4:
        inner = read_frame(frame[:12] + rest[2:])
        return msgspec.structs.replace(inner, text=f"VLAN {int.from_bytes(rest[:2], 'big') & 0xFFF} {inner.text}")
    name = "IEEE 802.3" if kind <= _SNAP_BYTES else _OTHERS.get(kind, f"Ethernet type 0x{kind:04x}")
    return Packet("", "", name)


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
    fragment = int.from_bytes(data[6:8], "big") & 0x1FFF
    if fragment:
        return Packet(source, target, f"fragment from byte {fragment * 8}")
    return _segment(source, target, protocol, body)


def _ipv6(data: bytes) -> Packet:
    (length,) = struct.unpack_from("!H", data, 4)
    source, target = _address(data[8:24]), _address(data[24:40])
    protocol, body = data[6], data[40 : 40 + length]
    if protocol == 0 and len(body) >= 8:  # hop-by-hop options: MLD's router alert
        protocol, body = body[0], body[(body[1] + 1) * 8 :]
    if protocol == 58 and len(body) >= 8:
        (sequence,) = struct.unpack_from("!H", body, 6)
        kind = _ICMPV6.get(body[0], f"type {body[0]}")
        return Packet(source, target, f"ICMPv6 {kind}" + (f" {sequence}" if body[0] in (128, 129) else ""))
    return _segment(source, target, protocol, body)


def _segment(source: str, target: str, protocol: int, body: bytes) -> Packet:
    if protocol == 6 and len(body) >= 20:
        return Packet(source, target, _tcp(body))
    if protocol == 17 and len(body) >= 8:
        from_port, to_port = struct.unpack_from("!HH", body)
        if to_port == VXLAN_PORT and len(body) >= 16:
            return Packet(source, target, "VXLAN", int.from_bytes(body[12:15], "big"), read_frame(body[16:]))
        if {from_port, to_port} == {67, 68}:
            return Packet(source, target, _dhcp(body[8:]))
        return Packet(source, target, f"UDP {from_port} > {to_port}, {len(body) - 8} bytes")
    return Packet(source, target, f"IP protocol {protocol}")


def _dhcp(message: bytes) -> str:
    """Option 53 says what it is (RFC 2132)."""
    at = 240
    while at + 2 < len(message) and message[at] != 255:
        if message[at] == 53:
            return f"DHCP {_DHCP.get(message[at + 2], message[at + 2])} for {message[28:34].hex(':')}"
        at += 1 if message[at] == 0 else 2 + message[at + 1]
    return "BOOTP"


def _tcp(body: bytes) -> str:
    from_port, to_port = struct.unpack_from("!HH", body)
    flags = " ".join(name for bit, name in _TCP_FLAGS if body[13] & bit)
    size = len(body) - (body[12] >> 4) * 4
    return f"TCP {from_port} > {to_port} {flags}" + (f", {size} bytes" if size else "")


def _address(data: bytes) -> str:
    return str(ipaddress.ip_address(data))
