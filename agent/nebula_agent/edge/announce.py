"""Gratuitous ARP: tell the neighbours that an address is here now (RFC 5227, 3).

Effects: one broadcast frame out of a device of the calling thread's network namespace.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address

_BROADCAST = b"\xff" * 6


def announce(device: str, address: IPv4Address) -> None:
    """An ARP request of the address for itself; who has an old entry takes this one. Raises OSError."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC) as link:
        link.bind((device, 0))
        mac_address = link.getsockname()[4]
        head = _BROADCAST + mac_address + b"\x08\x06" + b"\x00\x01\x08\x00\x06\x04\x00\x01"
        link.send(head + mac_address + address.packed + bytes(6) + address.packed)
