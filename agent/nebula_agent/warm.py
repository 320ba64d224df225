"""Keeps OVS's userspace tunnels warm: each peer's MAC address is known before the first packet needs it.

Effects: one empty UDP datagram to port 4789 of each peer, from the VTEP address. A userspace tunnel drops packets
until it has seen the peer's ARP answer (and forgets it after 15 minutes); the datagram makes the kernel ask, and the
peer drops it without an answer (a VXLAN datagram without a header).
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable

PERIOD_S = 240.0
_VXLAN_PORT = 4789


class Warmth:
    """When which peers were warmed last."""

    def __init__(self, vtep_ip: str) -> None:
        self._vtep_ip = vtep_ip
        self._known: frozenset[str] = frozenset()
        self._due_s = 0.0

    def touch(self, peers: Iterable[str], now_s: float) -> None:
        """Warm new peers at once, and all of them when the period is over."""
        present = frozenset(peers)
        if now_s >= self._due_s:
            self._due_s = now_s + PERIOD_S
            self._known = frozenset()
        _knock(self._vtep_ip, sorted(present - self._known))
        self._known = present

    def forget(self) -> None:
        """ovs-vswitchd has started anew and knows no peer."""
        self._due_s = 0.0


def _knock(vtep_ip: str, peers: Iterable[str]) -> None:
    family = socket.AF_INET6 if ":" in vtep_ip else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.setblocking(False)
        sock.bind((vtep_ip, 0))
        for peer in peers:
            with contextlib.suppress(OSError):
                sock.sendto(b"", (peer, _VXLAN_PORT))
