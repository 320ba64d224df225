"""Where the kernel would send a packet: its own answer to ``ip route get``, and its neighbour table.

Pure messages in the layouts of linux/rtnetlink.h and linux/neighbour.h, and the requests with them; effects: reads by
the Netlink socket that is given, so of its namespace.
"""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address

import msgspec

from nebula.errors import KernelRefused
from nebula.trace.packet import NUMBERS, Packet
from nebula_agent.edge.netlink import Netlink
from nebula_agent.edge.rtnl import NLM_F_ACK, RTM_GETROUTE, Message, attribute, attributes

_RTM_GETNEIGH = 30
_RTMSG = struct.Struct("=BBBBBBBBI")
_NDMSG = struct.Struct("=BxxxiHBB")
_RTA_DST, _RTA_SRC, _RTA_IIF, _RTA_OIF, _RTA_GATEWAY, _RTA_PREFSRC = 1, 2, 3, 4, 5, 7
_RTA_TABLE, _RTA_IP_PROTO, _RTA_SPORT, _RTA_DPORT = 15, 27, 28, 29
_RTM_F_FIB_MATCH = 0x2000
_NDA_DST, _NDA_LLADDR = 1, 2
_NUD_USABLE = 0x02 | 0x04 | 0x08 | 0x10 | 0x80
"""REACHABLE, STALE, DELAY, PROBE, PERMANENT: the kernel sends to what it has."""
_NUD_IN_VAIN = 0x20
"""FAILED: the kernel has asked and nobody answered."""
_TYPES = {1: "unicast", 2: "local", 3: "broadcast", 5: "multicast", 6: "blackhole", 7: "unreachable", 8: "prohibit"}


class Found(msgspec.Struct, frozen=True):
    """``type`` as in ip-route(8); ``index`` of the device; ``via`` '' where the destination is on the link.

    ``matched`` is the route's own destination, ``default`` for all; ``source`` what the kernel would take as source.
    """

    type: str
    index: int
    via: str
    source: str
    matched: str


def route(netlink: Netlink, packet: Packet, in_index: int = 0) -> Found:
    """``ip route get``; with ``in_index`` for a packet that came in by that device.

    Raises KernelRefused: ``ENETUNREACH`` (no route), ``EHOSTUNREACH``, ``EXDEV`` (reverse path filter), ``EINVAL``...
    """
    found = _get(netlink, packet, in_index, 0)
    try:
        matched = _get(netlink, packet, in_index, _RTM_F_FIB_MATCH).matched
    except KernelRefused:
        matched = ""
    return msgspec.structs.replace(found, matched=matched)


def _get(netlink: Netlink, packet: Packet, in_index: int, flags: int) -> Found:
    destination = ip_address(packet.destination)
    family = socket.AF_INET if destination.version == 4 else socket.AF_INET6
    bits = destination.max_prefixlen
    body = _RTMSG.pack(family, bits, bits if packet.source else 0, 0, 0, 0, 0, 0, flags)
    body += attribute(_RTA_DST, destination.packed)
    if packet.source:
        body += attribute(_RTA_SRC, ip_address(packet.source).packed)
    if in_index:
        body += attribute(_RTA_IIF, struct.pack("=I", in_index))
    if packet.protocol in ("tcp", "udp"):
        body += attribute(_RTA_IP_PROTO, bytes([NUMBERS[packet.protocol]]))
        body += attribute(_RTA_SPORT, struct.pack(">H", packet.source_port))
        body += attribute(_RTA_DPORT, struct.pack(">H", packet.destination_port))
    answers = netlink.dump(Message(RTM_GETROUTE, NLM_F_ACK, body))
    if not answers:
        raise KernelRefused(f"no route to {packet.destination}", "ENETUNREACH")
    return _found(answers[0])


def _found(body: bytes) -> Found:
    _family, bits, _src, _tos, _table, _protocol, _scope, kind, _flags = _RTMSG.unpack_from(body)
    found = dict(attributes(body, _RTMSG.size))
    destination = found.get(_RTA_DST)
    matched = f"{ip_address(destination)}/{bits}" if destination and bits else "default"
    return Found(
        type=_TYPES.get(kind, f"type {kind}"),
        index=struct.unpack("=I", found.get(_RTA_OIF, b"\0\0\0\0"))[0],
        via=_text(found.get(_RTA_GATEWAY)),
        source=_text(found.get(_RTA_PREFSRC)),
        matched=matched,
    )


def _text(value: bytes | None) -> str:
    return str(ip_address(value)) if value else ""


class Known(msgspec.Struct, frozen=True):
    """``mac_address``: what the kernel would send to, '' where it would ask first; ``in_vain``: it asked before."""

    mac_address: str = ""
    in_vain: bool = False


def neighbour(netlink: Netlink, address: str, index: int) -> Known:
    """What the kernel's neighbour table has for the address."""
    parsed = ip_address(address)
    family = socket.AF_INET if parsed.version == 4 else socket.AF_INET6
    body = _NDMSG.pack(family, index, 0, 0, 0) + attribute(_NDA_DST, parsed.packed)
    try:
        answers = netlink.dump(Message(_RTM_GETNEIGH, NLM_F_ACK, body))
    except KernelRefused:
        return Known()
    for answer in answers:
        state = _NDMSG.unpack_from(answer)[2]
        address_bytes = dict(attributes(answer, _NDMSG.size)).get(_NDA_LLADDR)
        if state & _NUD_USABLE and address_bytes:
            return Known(address_bytes.hex(":"))
        if state & _NUD_IN_VAIN:
            return Known(in_vain=True)
    return Known()
