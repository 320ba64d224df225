"""The world behind a router: a provider segment with a gateway and a web server's address, and a capture on it.

Effects: a namespace, a veth pair, an AF_PACKET socket in a thread.
"""

from __future__ import annotations

import socket
import threading
from pathlib import Path

from agent_node import AgentNode, Space, sh
from nebula_agent.edge import libc
from scapy.layers.inet import IP
from scapy.layers.l2 import ARP, Ether

WEB = "198.51.100.10"
GATEWAY = "203.0.113.1"
_GATEWAY_MAC = "02:4e:00:02:00:01"


class Outside(Space):
    """203.0.113.1/24 on the provider segment of a node, with 198.51.100.10 behind it."""

    def __init__(self, node: AgentNode) -> None:
        super().__init__()
        self.plug(node)
        self.run("ip", "address", "add", f"{WEB}/32", "dev", "lo")
        node.mappings = ("public:br-ex:inet0",)

    def plug(self, node: AgentNode) -> None:
        """The segment's wire: ``inet0`` on the node."""
        far = ("peer", "name", "seg0", "address", _GATEWAY_MAC, "netns", str(self.pid))
        sh("ip", "link", "add", "inet0", "netns", str(node.pid), "type", "veth", *far)
        node.run("ip", "link", "set", "inet0", "up")
        node.run("ethtool", "-K", "inet0", "tx", "off")  # what a network card does: whole frames leave
        self.run("ip", "link", "set", "seg0", "up")
        self.run("ip", "address", "add", f"{GATEWAY}/24", "dev", "seg0")
        self.run("ethtool", "-K", "seg0", "tx", "off")


class Capture:
    """Every frame that comes in on a device of a node (the provider segment's), from the moment of its making."""

    def __init__(self, outside: Space, device: str = "seg0") -> None:
        self._frames: list[bytes] = []
        self._ready = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, args=(outside.pid, device), daemon=True)
        self._thread.start()
        assert self._ready.wait(5)

    def _run(self, pid: int, device: str) -> None:
        with Path(f"/proc/{pid}/ns/net").open("rb") as space:
            libc.setns(space.fileno())  # only this thread
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        sock.bind((device, 0))
        sock.settimeout(0.1)
        self._ready.set()
        while not self._stopped:
            try:
                frame, where = sock.recvfrom(1 << 16)
            except TimeoutError:
                continue
            if where[2] != socket.PACKET_OUTGOING:
                self._frames.append(frame)

    def stop(self) -> list[Ether]:
        """End it; the frames."""
        self._stopped = True
        self._thread.join(2)
        return [Ether(frame) for frame in self._frames]


def sources(frames: list[Ether]) -> set[str]:
    """IPv4 addresses that frames claim to come from, in IP and in ARP."""
    found = {frame[IP].src for frame in frames if IP in frame}
    return found | {frame[ARP].psrc for frame in frames if ARP in frame}
