"""Guests of one node with ports under port security, and frames made by hand between them.

Effects: AF_PACKET sockets inside the guests' namespaces, each in a thread that ends with its capture.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
from agent_node import DATAPATH, AgentNode, underlay
from agent_views import many
from nebula_agent.edge import libc
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw

from nebula.compile.features.security import link_local
from nebula.view.records import AddressSet, NodeView, PortView, SecurityGroupView, SecurityRule

GROUP, OTHER_GROUP = "4be5f3c8-50f1-4b9e-9d3a-2f6a7c8b9d10", "9c0d1e2f-3a4b-4c5d-8e6f-708192a3b4c5"
"""A group with rules, and one that is only a remote side."""
_MARKER = b"all has been sent"


def mac(number: int) -> str:
    """The MAC of guest ``number``, as ``agent_views.many`` gives it."""
    return f"fa:16:3e:01:00:{number:02x}"


def ip(number: int) -> str:
    """Its address."""
    return f"192.168.48.{number}"


def space(number: int) -> str:
    """Its namespace."""
    return f"instance-{number:08x}-2222-4222-8222-222222222222"


def rule(number: int, direction: str = "ingress", ip_version: int = 4, **rest: object) -> SecurityRule:
    """A rule; ``rest`` are its fields."""
    fields = {"id": f"{number:08x}-aaaa-4aaa-8aaa-aaaaaaaaaaaa", "direction": direction, "ip_version": ip_version}
    return msgspec.convert({**fields, **rest}, SecurityRule)


ALL_OUT = (rule(1, "egress"), rule(2, "egress", 6))


def view(
    revision: int,
    groups: dict[str, Sequence[SecurityRule]],
    ports: Sequence[Sequence[str] | None],
    *,
    stateful: bool = True,
    members: Sequence[int] = (),
    **first: object,
) -> NodeView:
    """A node with a guest for each of ``ports``: its groups, or None without port security.

    ``members`` are the guests of OTHER_GROUP; ``first`` are fields of the first guest's port.
    """
    whole = many(len(ports), revision)
    made: list[PortView] = []
    for port, ids in zip(whole.ports, ports, strict=True):
        fields = {"secured": ids is not None, "security_groups": tuple(ids or ())}
        made.append(msgspec.structs.replace(port, **{**fields, **(first if not made else {})}))
    addresses = [ip(number) for number in members]
    addresses += [str(link_local(mac(number)).network_address) for number in members]
    return msgspec.structs.replace(
        whole,
        ports=tuple(made),
        security_groups=tuple(SecurityGroupView(group, stateful, tuple(rules)) for group, rules in groups.items()),
        address_sets=(AddressSet(OTHER_GROUP, tuple(sorted(addresses))),),
    )


@contextmanager
def secured_node(first: NodeView, guests: int | None = None) -> Iterator[AgentNode]:
    """A node with that view in force. The first ``guests`` know each other's hardware addresses; None: all."""
    node = AgentNode("compute1", "10.0.0.11")
    underlay(node)
    node.start_ovs()
    node.show(first)
    node.start_agent()
    node.wait_sync(first.revision)
    count = len(first.ports) if guests is None else guests
    for number in range(count):  # neighbours are known: ARP is no part of these tests
        for other in range(count):
            if other != number:
                entry = ("ip", "neigh", "replace", ip(other), "lladdr", mac(other), "dev", "eth0")
                node.run(*entry, namespace=space(number))
    yield node


def change(node: AgentNode, new: NodeView) -> None:
    """Put the view in force, also for kinds of packet that the datapath has an answer for from before.

    ovs-vswitchd goes through those answers after a change of flows by itself, but in the background.
    """
    since = len(node.passes())
    node.show(new)
    node.wait_sync(new.revision, since)
    node.run("ovs-appctl", "dpctl/del-flows", f"{DATAPATH}@ovs-{DATAPATH}")


class Tap:
    """Frames into and out of a guest's device, by hand."""

    def __init__(self, node: AgentNode, number: int) -> None:
        self.number = number
        self.frames: list[bytes] = []
        self._path = f"/proc/{node.pid}/root/run/netns/{space(number)}"
        self._ready = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(5)

    def _run(self) -> None:
        with open(self._path, "rb") as inside:  # noqa: PTH123
            libc.setns(inside.fileno())  # only this thread
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.bind(("eth0", 0))
        self._socket.settimeout(0.05)
        self._ready.set()
        while not self._stopped:
            try:
                frame, where = self._socket.recvfrom(2048)
            except TimeoutError:
                continue
            if where[2] != socket.PACKET_OUTGOING:
                self.frames.append(frame)

    def send(self, *frames: Packet | bytes) -> None:
        """Out of the guest, one after the other."""
        for frame in frames:
            self._socket.send(bytes(frame))

    def up_to_marker(self, timeout_s: float = 10.0) -> list[bytes]:
        """What has come in by the time that the marker has, which is left out."""
        end = time.monotonic() + timeout_s
        while not any(_MARKER in frame for frame in self.frames):
            assert time.monotonic() < end, f"the marker has not arrived, but {self.frames}"
            time.sleep(0.01)
        found, self.frames = self.frames, []
        return [frame for frame in found if _MARKER not in frame]

    def stop(self) -> None:
        """No more."""
        self._stopped = True
        self._thread.join(2)


def heard(sender: Tap, receiver: Tap, *frames: Packet | bytes) -> list[Packet]:
    """What comes in of the frames that are sent.

    A marker, an ARP answer, is sent after them, and once more when it has arrived: within a batch ovs-vswitchd sends on
    first what it has to look up, so that the first marker may overtake.
    """
    one, other = sender.number, receiver.number
    answer = ARP(op=2, hwsrc=mac(one), psrc=ip(one), pdst=ip(other))
    marker = Ether(src=mac(one), dst=mac(other)) / answer / Raw(_MARKER)
    sender.send(*frames, marker)
    found = receiver.up_to_marker()
    sender.send(marker)
    return [Ether(frame) for frame in (*found, *receiver.up_to_marker())]
