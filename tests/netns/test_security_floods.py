"""No window: floods of what is forbidden and of what is allowed, while everything about the rules changes."""

from __future__ import annotations

import random
import signal
from collections.abc import Sequence

import msgspec
import pytest
from agent_node import AgentNode
from agent_views import many
from security_guests import ALL_OUT, GROUP, OTHER_GROUP, ip, mac, rule, secured_node, space, view

from nebula.view.records import AddressSet, NodeView, SecurityRule

pytestmark = pytest.mark.sandbox

ALLOWED, FORBIDDEN = 9000, 7777
CHANGES, EVERY_KILL = 200, 25
PLUGGED = 3
"""The guest that somebody else plugs: its device is there, and talks, also while its port is not."""
_FLOOD = """
import signal, socket, sys, time
stopped = []
signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
where = [(host, int(port)) for host, port in (item.split(":") for item in sys.argv[1:])]
sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in where]
print("up", flush=True)
count = 0
while not stopped:
    for sock, there in zip(sockets, where):
        try: sock.sendto(b"x", there)
        except OSError: pass
    count += 1
    time.sleep(0.003)
print(count, flush=True)
"""
_COUNT = """
import select, signal, socket, sys, time
count = {}
for port in sys.argv[1:]:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); sock.bind(("", int(port))); count[sock] = 0
stopped = []
signal.signal(signal.SIGTERM, lambda *_: stopped.append(time.monotonic() + 0.5))
print("up", flush=True)
while not stopped or time.monotonic() < stopped[0]:
    for ready in select.select(list(count), [], [], 0.1)[0]:
        ready.recv(100); count[ready] += 1
print(*count.values(), flush=True)
"""


class Counting:
    """A program in a guest that prints numbers when it is told to stop."""

    def __init__(self, node: AgentNode, namespace: str, program: str, *arguments: str) -> None:
        self._process = node.start("python3", "-c", program, *arguments, namespace=namespace)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "up\n"

    def stop(self) -> list[int]:
        """What it counted."""
        self._process.send_signal(signal.SIGTERM)
        output, _ = self._process.communicate(timeout=20)
        return [int(number) for number in output.split()]


def _plug(node: AgentNode) -> str:
    """Put a guest on br-int as libvirt would, without the agent; its namespace."""
    port = many(PLUGGED + 1).ports[PLUGGED]
    node.run("ip", "netns", "add", "plugged")
    node.run("ip", "link", "add", "vnet3", "type", "veth", "peer", "eth0", "address", mac(PLUGGED), "netns", "plugged")
    node.run("ethtool", "-K", "eth0", "tx", "off", namespace="plugged")
    node.run("ip", "address", "add", f"{ip(PLUGGED)}/20", "dev", "eth0", namespace="plugged")
    node.run("ip", "link", "set", "eth0", "up", namespace="plugged")
    for number in range(2):
        entry = ("ip", "neigh", "replace", ip(number), "lladdr", mac(number), "dev", "eth0")
        node.run(*entry, namespace="plugged")
    node.run("ip", "link", "set", "vnet3", "up")
    named = ("set", "Interface", "vnet3", f"external_ids:iface-id={port.id}")
    node.run("ovs-vsctl", "add-port", "br-int", "vnet3", "--", *named)
    entry = ("ip", "neigh", "replace", ip(PLUGGED), "lladdr", mac(PLUGGED), "dev", "eth0")
    node.run(*entry, namespace=space(0))
    return "plugged"


def _random_view(chance: random.Random, revision: int, always: SecurityRule) -> NodeView:
    """Rules, members, protection and ports at random: ALLOWED is always let in, FORBIDDEN never."""
    rules = [always, *ALL_OUT]
    for number in range(chance.randrange(6)):
        low = chance.randrange(1, 7000)
        remotes: Sequence[dict[str, object]] = (
            {},
            {"remote_group_id": OTHER_GROUP},
            {"remote_group_id": GROUP},
            {"remote_ip_prefix": f"{ip(0)}/32"},
        )
        high = chance.choice((low, min(low + 700, FORBIDDEN - 1)))
        rules.append(rule(100 + number, protocol=17, port_min=low, port_max=high, **chance.choice(remotes)))
    ports: list[list[str] | None] = [[GROUP], [GROUP], [GROUP] if chance.random() < 0.5 else None, [GROUP]]
    members = [number for number in range(1, 3) if chance.random() < 0.5]
    return _plugged_by_others(view(revision, {GROUP: rules}, ports, members=[0, *members]), there=chance.random() < 0.5)


def _plugged_by_others(whole: NodeView, *, there: bool) -> NodeView:
    sets = (*whole.address_sets, AddressSet(GROUP, (ip(1),)))
    ports = whole.ports if there else whole.ports[:PLUGGED]
    return msgspec.structs.replace(whole, instances=whole.instances[:PLUGGED], ports=ports, address_sets=sets)


def test_no_window_in_two_hundred_changes_and_kills() -> None:
    """Rules, members, protection and ports change at random 200 times, and the agent is killed in between.

    Of what no rule allows nothing arrives: not from a port that comes and goes while it talks, not at it, not while the
    agent is dead. Of what a remote-group rule allows nothing is lost, all in the one connection that it let in.
    """
    chance = random.Random(6)
    always = rule(9, protocol=17, port_min=ALLOWED, port_max=ALLOWED, remote_group_id=OTHER_GROUP)
    first = view(1, {GROUP: (always, *ALL_OUT)}, [[GROUP]] * (PLUGGED + 1), members=[0])
    with secured_node(_plugged_by_others(first, there=False), guests=PLUGGED) as node:
        plugged = _plug(node)
        guest = Counting(node, space(1), _COUNT, str(ALLOWED), str(FORBIDDEN))
        other = Counting(node, plugged, _COUNT, str(FORBIDDEN))
        flood = Counting(
            node, space(0), _FLOOD, f"{ip(1)}:{ALLOWED}", f"{ip(1)}:{FORBIDDEN}", f"{ip(PLUGGED)}:{FORBIDDEN}"
        )
        talker = Counting(node, plugged, _FLOOD, f"{ip(1)}:{FORBIDDEN}")
        for number in range(CHANGES):
            since = len(node.passes())
            node.show(_random_view(chance, number + 2, always))
            if number % EVERY_KILL == EVERY_KILL // 2:
                node.stop_agent(signal.SIGKILL)
                node.start_agent()
            node.wait_sync(number + 2, since)
        (sent,), (talked,) = flood.stop(), talker.stop()
        assert [guest.stop(), other.stop()] == [[sent, 0], [0]]
        assert min(sent, talked) > CHANGES
