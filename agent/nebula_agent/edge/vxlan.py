"""rtnetlink messages for VXLAN devices and their forwarding databases, to bytes and back.

Pure. In the layouts of linux/if_link.h and linux/neighbour.h (ip-link(8), bridge(8)); the envelope is
:mod:`nebula_agent.edge.rtnl`'s.
"""

from __future__ import annotations

import ipaddress
import struct

import msgspec

from nebula_agent.edge.rtnl import (
    NLM_F_CREATE,
    NLM_F_DUMP,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    RTM_NEWLINK,
    Message,
    attribute,
    attributes,
    link_body,
)

RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH = 28, 29, 30
RTMGRP_NEIGH = 0x4
AF_BRIDGE = 7
UDP_PORT = 4789
NLM_F_APPEND = 0x800
_NDA_DST, _NDA_LLADDR = 1, 2
_NTF_SELF = 2
_NUD_NOARP, _NUD_PERMANENT = 0x40, 0x80
_VXLAN_ID, _VXLAN_LOCAL, _VXLAN_LEARNING, _VXLAN_PORT = 1, 4, 7, 15
_TUN_VNET_HDR = 5
_NDMSG = struct.Struct("=BxxxiHBB")


class Tunnel(msgspec.Struct, frozen=True):
    """What a VXLAN device was made with. ``vtep_ip`` is '' where it has no IPv4 address of its own."""

    vni: int
    vtep_ip: str
    udp_port: int
    learning: bool


class Forwarding(msgspec.Struct, frozen=True):
    """An entry of a VXLAN device's FDB."""

    mac_address: str
    vtep_ip: str


def new_vxlan(name: str, vni: int, vtep_ip: str, mtu_bytes: int) -> Message:
    """A device without a default destination, down, that learns nothing."""
    data = (
        attribute(_VXLAN_ID, struct.pack("=I", vni))
        + attribute(_VXLAN_LOCAL, ipaddress.IPv4Address(vtep_ip).packed)
        + attribute(_VXLAN_LEARNING, b"\0")
        + attribute(_VXLAN_PORT, struct.pack(">H", UDP_PORT))
    )
    return Message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, link_body(name, mtu_bytes, "vxlan", data))


def parse_tunnel(info: bytes) -> Tunnel:
    """From a link's ``info``."""
    found = dict(attributes(info))
    local = found.get(_VXLAN_LOCAL, b"")
    return Tunnel(
        vni=struct.unpack("=I", found.get(_VXLAN_ID, b"\0\0\0\0"))[0],
        vtep_ip=str(ipaddress.IPv4Address(local)) if len(local) == 4 else "",
        udp_port=struct.unpack(">H", found.get(_VXLAN_PORT, b"\0\0"))[0],
        learning=found.get(_VXLAN_LEARNING, b"\0") != b"\0",
    )


def takes_unsegmented(info: bytes) -> bool:
    """From the ``info`` of a TUN or TAP device: whoever reads it gets TCP before it is cut up (IFF_VNET_HDR)."""
    return dict(attributes(info)).get(_TUN_VNET_HDR, b"\0") != b"\0"


def forward(index: int, entry: Forwarding, *, append: bool = False) -> Message:
    """Send what is for the MAC to that address, and nowhere else; or ``append``: there too."""
    flags = NLM_F_CREATE | (NLM_F_APPEND if append else NLM_F_REPLACE)
    return Message(RTM_NEWNEIGH, flags, _entry(index, entry))


def stop_forwarding(index: int, entry: Forwarding) -> Message:
    """No longer to that address."""
    return Message(RTM_DELNEIGH, 0, _entry(index, entry))


def dump_forwarding(index: int) -> Message:
    """All entries of one device."""
    return Message(RTM_GETNEIGH, NLM_F_DUMP, _NDMSG.pack(AF_BRIDGE, index, 0, 0, 0))


def parse_forwarding(body: bytes, index: int) -> Forwarding | None:
    """An entry from the body of RTM_NEWNEIGH; None for another device's, or without an IPv4 destination."""
    _family, found_index, _state, _flags, _type = _NDMSG.unpack_from(body)
    found = dict(attributes(body, _NDMSG.size))
    destination = found.get(_NDA_DST, b"")
    if found_index != index or len(destination) != 4:
        return None
    return Forwarding(found.get(_NDA_LLADDR, b"").hex(":"), str(ipaddress.IPv4Address(destination)))


def _entry(index: int, entry: Forwarding) -> bytes:
    mac_address = bytes.fromhex(entry.mac_address.replace(":", ""))
    return (
        _NDMSG.pack(AF_BRIDGE, index, _NUD_NOARP | _NUD_PERMANENT, _NTF_SELF, 0)
        + attribute(_NDA_LLADDR, mac_address)
        + attribute(_NDA_DST, ipaddress.IPv4Address(entry.vtep_ip).packed)
    )
