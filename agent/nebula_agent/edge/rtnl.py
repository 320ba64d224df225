"""rtnetlink messages to bytes and back: links, addresses, routes.

Pure. Only what the agent needs, in the layouts of linux/rtnetlink.h, if_link.h, if_addr.h (see rtnetlink(7)).
Not a general codec: no nexthop objects, no qdiscs. Tunnels are in :mod:`nebula_agent.edge.vxlan`.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence

import msgspec

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x1, 0x4, 0x300
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x100, 0x200, 0x400
RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE = 0x1, 0x10, 0x40
RTMGRP_IPV6_IFADDR, RTMGRP_IPV6_ROUTE = 0x100, 0x400
EVENTS = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE

IFF_UP = 1
RTPROT_STATIC = 4
RT_TABLE_MAIN = 254
_RT_SCOPE_UNIVERSE, _RT_SCOPE_LINK = 0, 253
_RTN_UNICAST = 1
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINK = 1, 3, 4, 5
_IFLA_LINKINFO, _IFLA_IFALIAS, _IFLA_AF_SPEC, _IFLA_GROUP = 18, 20, 26, 27
_IFLA_NET_NS_FD, _IFLA_EXT_MASK = 28, 29
_IFLA_INFO_KIND, _IFLA_INFO_DATA = 1, 2
_IFLA_INET6_ADDR_GEN_MODE = 8
_VETH_INFO_PEER = 1
_ADDR_GEN_MODE_NONE = 1
_RTEXT_FILTER_SKIP_STATS = 1 << 3
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST, _IFA_PROTO = 1, 2, 4, 11
ADDRESS_MARK = 0x4E
"""Our protocol number of addresses ('N'), kept by the kernel since Linux 5.18."""
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_MULTIPATH, _RTA_TABLE = 1, 4, 5, 9, 15
_TYPE_MASK = 0x3FFF
_IFINFO = struct.Struct("=BxHiII")
_IFADDR = struct.Struct("=BBBBI")
_RTMSG = struct.Struct("=BBBBBBBBI")
_RTNEXTHOP = struct.Struct("=HBBI")
_ATTR = struct.Struct("=HH")
_U32 = struct.Struct("=I")


class Link(msgspec.Struct, frozen=True):
    """A link. ``peer_index`` is the other end's index, in the other end's namespace; 0 where there is none.

    ``info`` is what its kind alone says of it, unread (IFLA_INFO_DATA).
    """

    index: int
    name: str
    kind: str
    mac_address: str
    mtu_bytes: int
    alias: str
    up: bool
    peer_index: int
    group: int
    ipv6_autoconfigured: bool
    info: bytes = b""


class LinkAddress(msgspec.Struct, frozen=True):
    """An address of a link; ``scope`` 0 is global; ``protocol`` says who set it, 0 where the kernel keeps none."""

    index: int
    cidr: str
    scope: int
    protocol: int


class LinkRoute(msgspec.Struct, frozen=True):
    """A unicast route; ``protocol`` 4 is static. ``hops``: the neighbour (None: on link) and the link's index."""

    destination: str
    hops: tuple[tuple[str | None, int], ...]
    protocol: int
    table: int


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return _ATTR.pack(4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def attributes(body: bytes, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """Type (without flags) and value of each attribute from ``offset`` on."""
    end = len(body)
    while offset + 4 <= end:
        length, kind = _ATTR.unpack_from(body, offset)
        if length < 4:
            return
        yield kind & _TYPE_MASK, body[offset + 4 : offset + length]
        offset += (length + 3) & ~3


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "replace")


def _u32(value: int) -> bytes:
    return _U32.pack(value)


def _mac(value: str) -> bytes:
    return bytes.fromhex(value.replace(":", ""))


class Message(msgspec.Struct, frozen=True):
    """A request without its header: type, flags beside REQUEST and ACK, body."""

    type: int
    flags: int
    body: bytes


def new_veth(name: str, mtu_bytes: int, peer_name: str, peer_mac: str, peer_namespace_fd: int) -> Message:
    """A veth pair, both ends down, the peer born inside another namespace."""
    peer = (
        _IFINFO.pack(0, 0, 0, 0, 0)
        + attribute(_IFLA_IFNAME, peer_name.encode() + b"\0")
        + attribute(_IFLA_ADDRESS, _mac(peer_mac))
        + attribute(_IFLA_MTU, _u32(mtu_bytes))
        + attribute(_IFLA_NET_NS_FD, _u32(peer_namespace_fd))
    )
    body = link_body(name, mtu_bytes, "veth", attribute(_VETH_INFO_PEER, peer))
    return Message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body)


def link_body(name: str, mtu_bytes: int, kind: str, data: bytes) -> bytes:
    """The body of RTM_NEWLINK for a new link of that kind, with the attributes of the kind."""
    info = attribute(_IFLA_INFO_KIND, kind.encode()) + attribute(_IFLA_INFO_DATA, data)
    return (
        _IFINFO.pack(0, 0, 0, 0, 0)
        + attribute(_IFLA_IFNAME, name.encode() + b"\0")
        + attribute(_IFLA_MTU, _u32(mtu_bytes))
        + attribute(_IFLA_LINKINFO, info)
    )


def set_link(
    name: str,
    *,
    alias: str | None = None,
    mac_address: str | None = None,
    mtu_bytes: int | None = None,
    group: int | None = None,
    ipv6_silent: bool = False,
    up: bool = False,
) -> Message:
    """Change a link, found by its name. ``ipv6_silent``: makes no link-local address, so sends no RS, MLD or DAD.

    The kernel brings a link up before it reads the rest of the message: to be silent, send that first.
    """
    flags = IFF_UP if up else 0
    body = _IFINFO.pack(0, 0, 0, flags, flags) + attribute(_IFLA_IFNAME, name.encode() + b"\0")
    if alias is not None:
        body += attribute(_IFLA_IFALIAS, alias.encode())
    if mac_address is not None:
        body += attribute(_IFLA_ADDRESS, _mac(mac_address))
    if mtu_bytes is not None:
        body += attribute(_IFLA_MTU, _u32(mtu_bytes))
    if group is not None:
        body += attribute(_IFLA_GROUP, _u32(group))
    if ipv6_silent:
        mode = attribute(_IFLA_INET6_ADDR_GEN_MODE, bytes([_ADDR_GEN_MODE_NONE]))
        body += attribute(_IFLA_AF_SPEC, attribute(socket.AF_INET6, mode))
    return Message(RTM_SETLINK, 0, body)


def delete_link(name: str) -> Message:
    """Delete a link by name (a veth takes its peer along)."""
    return Message(RTM_DELLINK, 0, _IFINFO.pack(0, 0, 0, 0, 0) + attribute(_IFLA_IFNAME, name.encode() + b"\0"))


def delete_group(group: int) -> Message:
    """Delete all links of a group at once: one grace period of the kernel instead of one per link."""
    return Message(RTM_DELLINK, 0, _IFINFO.pack(0, 0, 0, 0, 0) + attribute(_IFLA_GROUP, _u32(group)))


def address(cidr: str, index: int, *, delete: bool = False) -> Message:
    """Add (refused when there) or delete an address of the link with that index."""
    interface = ipaddress.ip_interface(cidr)
    packed = interface.ip.packed
    family = socket.AF_INET if interface.version == 4 else socket.AF_INET6
    prefix = interface.network.prefixlen
    body = _IFADDR.pack(family, prefix, 0, 0, index)
    body += attribute(_IFA_LOCAL, packed) + attribute(_IFA_ADDRESS, packed)
    if not delete:
        body += attribute(_IFA_PROTO, bytes([ADDRESS_MARK]))
    if interface.version == 4 and prefix < 31 and not delete:
        body += attribute(_IFA_BROADCAST, interface.network.broadcast_address.packed)
    return Message(RTM_DELADDR, 0, body) if delete else Message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, body)


def route(
    destination: str, hops: Sequence[tuple[str | None, int]], *, delete: bool = False, replace: bool = False
) -> Message:
    """Add (refused when there), replace or delete a static route of the main table; ``hops`` as in ``LinkRoute``.

    Several next hops have equal weight (``RTA_MULTIPATH``).
    """
    network = ipaddress.ip_network(destination)
    family = socket.AF_INET if network.version == 4 else socket.AF_INET6
    on_link = all(via is None for via, _index in hops)
    scope = _RT_SCOPE_LINK if on_link and network.version == 4 else _RT_SCOPE_UNIVERSE
    body = _RTMSG.pack(family, network.prefixlen, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, scope, _RTN_UNICAST, 0)
    if network.prefixlen:
        body += attribute(_RTA_DST, network.network_address.packed)
    if len(hops) == 1:
        via, index = hops[0]
        body += _gateway(via) + attribute(_RTA_OIF, _u32(index))
    else:
        paths = [(_gateway(via), index) for via, index in hops]
        nexthops = (_RTNEXTHOP.pack(_RTNEXTHOP.size + len(gateway), 0, 0, index) + gateway for gateway, index in paths)
        body += attribute(_RTA_MULTIPATH, b"".join(nexthops))
    if delete:
        return Message(RTM_DELROUTE, 0, body)
    return Message(RTM_NEWROUTE, NLM_F_CREATE | (NLM_F_REPLACE if replace else NLM_F_EXCL), body)


def _gateway(via: str | None) -> bytes:
    return b"" if via is None else attribute(_RTA_GATEWAY, ipaddress.ip_address(via).packed)


def dump_links() -> Message:
    """All links, without their counters."""
    body = _IFINFO.pack(0, 0, 0, 0, 0) + attribute(_IFLA_EXT_MASK, _u32(_RTEXT_FILTER_SKIP_STATS))
    return Message(RTM_GETLINK, NLM_F_DUMP, body)


def dump_addresses() -> Message:
    """All addresses of both families."""
    return Message(RTM_GETADDR, NLM_F_DUMP, _IFADDR.pack(socket.AF_UNSPEC, 0, 0, 0, 0))


def dump_routes() -> Message:
    """All routes of both families and all tables."""
    return Message(RTM_GETROUTE, NLM_F_DUMP, _RTMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0, 0, 0, 0, 0))


def parse_link(body: bytes) -> Link:
    """A link from the body of RTM_NEWLINK."""
    _family, _type, index, flags, _change = _IFINFO.unpack_from(body)
    name = kind = alias = mac = ""
    info = b""
    mtu = peer = group = 0
    autoconfigured = True
    for number, value in attributes(body, _IFINFO.size):
        if number == _IFLA_IFNAME:
            name = _text(value)
        elif number == _IFLA_ADDRESS:
            mac = value.hex(":")
        elif number == _IFLA_MTU:
            mtu = _U32.unpack(value)[0]
        elif number == _IFLA_LINK:
            peer = _U32.unpack(value)[0]
        elif number == _IFLA_IFALIAS:
            alias = _text(value)
        elif number == _IFLA_GROUP:
            group = _U32.unpack(value)[0]
        elif number == _IFLA_LINKINFO:
            found = dict(attributes(value))
            kind, info = _text(found.get(_IFLA_INFO_KIND, b"")), found.get(_IFLA_INFO_DATA, b"")
        elif number == _IFLA_AF_SPEC:
            autoconfigured = not _ipv6_silent(value)
    return Link(index, name, kind, mac, mtu, alias, bool(flags & IFF_UP), peer, group, autoconfigured, info)


def _ipv6_silent(af_spec: bytes) -> bool:
    for family, value in attributes(af_spec):
        if family == socket.AF_INET6:
            return any(
                number == _IFLA_INET6_ADDR_GEN_MODE and mode[0] == _ADDR_GEN_MODE_NONE
                for number, mode in attributes(value)
            )
    return True


def parse_address(body: bytes) -> LinkAddress:
    """An address from the body of RTM_NEWADDR."""
    _family, prefix, _flags, scope, index = _IFADDR.unpack_from(body)
    found = dict(attributes(body, _IFADDR.size))
    packed = found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS, b"\0\0\0\0")
    protocol = found.get(_IFA_PROTO, b"\0")[0]
    return LinkAddress(index, f"{ipaddress.ip_address(packed)}/{prefix}", scope, protocol)


def parse_route(body: bytes) -> LinkRoute | None:
    """A route from the body of RTM_NEWROUTE; None for other than unicast."""
    family, length, _src, _tos, table, protocol, _scope, kind, _flags = _RTMSG.unpack_from(body)
    found = dict(attributes(body, _RTMSG.size))
    if kind != _RTN_UNICAST or not (_RTA_OIF in found or _RTA_MULTIPATH in found):
        return None
    empty = b"\0" * (4 if family == socket.AF_INET else 16)
    destination = f"{ipaddress.ip_address(found.get(_RTA_DST, empty))}/{length}"
    if _RTA_TABLE in found:
        table = _U32.unpack(found[_RTA_TABLE])[0]
    if _RTA_MULTIPATH in found:
        return LinkRoute(destination, tuple(_nexthops(found[_RTA_MULTIPATH])), protocol, table)
    hop = (_via(found), _U32.unpack(found[_RTA_OIF])[0])
    return LinkRoute(destination, (hop,), protocol, table)


def _nexthops(value: bytes) -> Iterator[tuple[str | None, int]]:
    offset = 0
    while offset + _RTNEXTHOP.size <= len(value):
        length, _flags, _weight, index = _RTNEXTHOP.unpack_from(value, offset)
        if length < _RTNEXTHOP.size:
            return
        yield _via(dict(attributes(value[offset : offset + length], _RTNEXTHOP.size))), index
        offset += (length + 3) & ~3


def _via(found: Mapping[int, bytes]) -> str | None:
    return str(ipaddress.ip_address(found[_RTA_GATEWAY])) if _RTA_GATEWAY in found else None
