"""Connections that the kernel tracks in a namespace: listed and deleted by ctnetlink.

Effects: a netlink socket in the calling thread's network namespace. IPv4 only, as NAT is here.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator

import msgspec

_NETLINK_NETFILTER = 12
_GET, _DELETE, _STATISTICS = 0x0101, 0x0102, 0x0104
"""NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, _DELETE, _GET_STATS_CPU."""
_REQUEST, _DUMP = 0x1, 0x300
_DONE, _ERROR = 3, 2
_ORIGINAL, _REPLY, _ZONE = 1, 2, 18
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")


class Connection(msgspec.Struct, frozen=True):
    """One connection: where it began to go, and where answers come from and go to; equal without NAT."""

    source: bytes
    destination: bytes
    protocol: int
    destination_port: int
    answer_source: bytes
    answer_source_port: int
    answer_destination: bytes
    identity: bytes
    """The attributes that name it to the kernel."""

    @property
    def translated(self) -> bool:
        """True where NAT has its hands in it."""
        return (self.source, self.destination) != (self.answer_destination, self.answer_source)


def end(wanted: Callable[[Connection], bool]) -> int:
    """Delete the connections of this namespace that are wanted gone; how many. What is gone already is no error."""
    with _link() as link:
        link.send(_message(_GET, _REQUEST | _DUMP, b""))
        found = [item for item in _dump(link) if wanted(item)]
        for item in found:
            link.send(_message(_DELETE, _REQUEST, item.identity))
    return len(found)


def any_of(wanted: Callable[[Connection], bool]) -> bool:
    """True where a connection of this namespace is such. Raises OSError."""
    with _link() as link:
        link.send(_message(_GET, _REQUEST | _DUMP, b""))
        return any(wanted(item) for item in _dump(link))


def is_there() -> bool:
    """True where the kernel has ctnetlink."""
    try:
        with _link() as link:
            link.send(_message(_STATISTICS, _REQUEST | _DUMP, b""))
            kind: int = _HEADER.unpack_from(link.recv(1 << 16))[1]
    except OSError:
        return False
    return kind != _ERROR


def _link() -> socket.socket:
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
    link.settimeout(5)
    return link


def _message(kind: int, flags: int, attributes: bytes) -> bytes:
    body = struct.pack("=BBH", socket.AF_INET, 0, 0) + attributes
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body


def _dump(link: socket.socket) -> Iterator[Connection]:
    while True:
        data = link.recv(1 << 16)
        start = 0
        while start < len(data):
            length, kind, *_ = _HEADER.unpack_from(data, start)
            if kind in (_DONE, _ERROR):
                return
            connection = _connection(data[start + _HEADER.size + 4 : start + length])
            if connection is not None:
                yield connection
            start += length + 3 & ~3


def _connection(data: bytes) -> Connection | None:
    attributes = dict(_attributes(data))
    if _ORIGINAL not in attributes or _REPLY not in attributes:
        return None
    source, destination, protocol, _, port = _tuple(attributes[_ORIGINAL])
    answer_source, answer_destination, _, answer_port, _ = _tuple(attributes[_REPLY])
    identity = _attribute(_ORIGINAL | 0x8000, attributes[_ORIGINAL])
    if _ZONE in attributes:
        identity += _attribute(_ZONE, attributes[_ZONE])
    return Connection(
        source, destination, protocol, port, answer_source, answer_port, answer_destination, identity=identity
    )


def _tuple(data: bytes) -> tuple[bytes, bytes, int, int, int]:
    """Source, destination, protocol, source port, destination port."""
    parts = dict(_attributes(data))
    addresses, protocol = dict(_attributes(parts.get(1, b""))), dict(_attributes(parts.get(2, b"")))
    source_port, destination_port = (int.from_bytes(protocol.get(number, b""), "big") for number in (2, 3))
    number = int.from_bytes(protocol.get(1, b"")[:1], "big")
    return addresses.get(1, b""), addresses.get(2, b""), number, source_port, destination_port


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    start = 0
    while start + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, start)
        if length < _ATTRIBUTE.size:
            return
        yield kind & 0x3FFF, data[start + _ATTRIBUTE.size : start + length]
        start += length + 3 & ~3


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)
