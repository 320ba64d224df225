"""Interface ioctls: an interface's index by its name, and what it lets senders leave to it.

Effects: the interface of that name in the namespace that the given socket was opened in (netdevice(7),
linux/ethtool.h). Raises KernelRefused (``ENODEV``...).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import socket
import struct
from collections.abc import Mapping

from nebula.errors import KernelRefused

_SIOCGIFINDEX = 0x8933
_SIOCETHTOOL = 0x8946
_ETHTOOL_GTXCSUM, _ETHTOOL_STXCSUM = 0x16, 0x17
_ETHTOOL_GSTRINGS, _ETHTOOL_GSSET_INFO = 0x1B, 0x37
_ETHTOOL_GFEATURES, _ETHTOOL_SFEATURES = 0x3A, 0x3B
_ETH_SS_FEATURES = 4
_STRING_BYTES = 32


def interface_index(socket_fd: int, device: str) -> int:
    """The kernel's number of the interface."""
    answer = _call(socket_fd, _SIOCGIFINDEX, device, struct.pack("16s24x", device.encode()))
    return int(struct.unpack_from("=i", answer, 16)[0])


def tx_checksum(socket_fd: int, device: str) -> bool:
    """True when the kernel leaves checksums to the device."""
    return _ethtool(socket_fd, device, _ETHTOOL_GTXCSUM, 0) != 0


def set_tx_checksum(socket_fd: int, device: str, on: bool) -> None:
    """Leave checksums to the device, or not (``ethtool -K DEVICE tx on|off``)."""
    _ethtool(socket_fd, device, _ETHTOOL_STXCSUM, int(on))


def features(socket_fd: int, device: str) -> frozenset[str]:
    """The offloads that are on, by the names that ``ethtool -k`` shows."""
    names = _feature_names(socket_fd, device)
    words = -(-len(names) // 32)
    data = ctypes.create_string_buffer(struct.pack("=II", _ETHTOOL_GFEATURES, words), 8 + 16 * words)
    _ethtool_call(socket_fd, device, data)
    active = [struct.unpack_from("=4I", data.raw, 8 + 16 * word)[2] for word in range(words)]
    return frozenset(name for bit, name in enumerate(names) if active[bit // 32] >> bit % 32 & 1)


def set_features(socket_fd: int, device: str, wanted: Mapping[str, bool]) -> None:
    """Turn offloads on or off by name; names that the kernel does not know are left out."""
    names = _feature_names(socket_fd, device)
    words = -(-len(names) // 32)
    valid, requested = [0] * words, [0] * words
    for bit, name in enumerate(names):
        if name in wanted:
            valid[bit // 32] |= 1 << bit % 32
            requested[bit // 32] |= int(wanted[name]) << bit % 32
    blocks = b"".join(struct.pack("=II", *pair) for pair in zip(valid, requested, strict=True))
    data = ctypes.create_string_buffer(struct.pack("=II", _ETHTOOL_SFEATURES, words) + blocks, 8 + 8 * words)
    _ethtool_call(socket_fd, device, data)


_names: list[str] = []


def _feature_names(socket_fd: int, device: str) -> list[str]:
    """The kernel's names of the offloads, by bit: the same for all devices, so read once."""
    if not _names:
        question = struct.pack("=IIQI", _ETHTOOL_GSSET_INFO, 0, 1 << _ETH_SS_FEATURES, 0)
        data = ctypes.create_string_buffer(question, len(question))
        _ethtool_call(socket_fd, device, data)
        count = struct.unpack_from("=I", data.raw, 16)[0]
        question = struct.pack("=III", _ETHTOOL_GSTRINGS, _ETH_SS_FEATURES, count)
        data = ctypes.create_string_buffer(question, len(question) + _STRING_BYTES * count)
        _ethtool_call(socket_fd, device, data)
        starts = range(12, 12 + _STRING_BYTES * count, _STRING_BYTES)
        _names.extend(data.raw[start : start + _STRING_BYTES].split(b"\0")[0].decode() for start in starts)
    return _names


def _ethtool(socket_fd: int, device: str, command: int, value: int) -> int:
    data = ctypes.create_string_buffer(struct.pack("=II", command, value), 8)
    _ethtool_call(socket_fd, device, data)
    return int(struct.unpack("=II", data.raw)[1])


def _ethtool_call(socket_fd: int, device: str, data: ctypes.Array[ctypes.c_char]) -> None:
    """Question and answer are in the same memory."""
    _call(socket_fd, _SIOCETHTOOL, device, struct.pack("16sP16x", device.encode(), ctypes.addressof(data)))


def _call(socket_fd: int, request: int, device: str, argument: bytes) -> bytes:
    try:
        return fcntl.ioctl(socket_fd, request, argument)
    except OSError as error:
        raise KernelRefused(f"{device}: {error.strerror}", errno.errorcode.get(error.errno or 0, "")) from error


def link_exists(name: str) -> bool:
    """Whether the calling thread's network namespace has a link of that name."""
    try:
        return socket.if_nametoindex(name) > 0
    except OSError:
        return False
