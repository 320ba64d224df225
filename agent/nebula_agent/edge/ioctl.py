"""Two interface ioctls: an interface's index by its name, and its transmit checksum offload.

Effects: the interface of that name in the namespace that the given socket was opened in (netdevice(7),
linux/ethtool.h). Raises KernelRefused (``ENODEV``...).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import socket
import struct

from nebula.errors import KernelRefused

_SIOCGIFINDEX = 0x8933
_SIOCETHTOOL = 0x8946
_ETHTOOL_GTXCSUM, _ETHTOOL_STXCSUM = 0x16, 0x17


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


def _ethtool(socket_fd: int, device: str, command: int, value: int) -> int:
    data = ctypes.create_string_buffer(struct.pack("=II", command, value), 8)
    _call(socket_fd, _SIOCETHTOOL, device, struct.pack("16sP16x", device.encode(), ctypes.addressof(data)))
    return int(struct.unpack("=II", data.raw)[1])


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
