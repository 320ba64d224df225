"""The agent dies, at whatever moment: traffic goes on, and the next one finishes the work."""

from __future__ import annotations

import random
import re
import signal
import time

import pytest
from agent_node import PATIENCE, AgentNode, eventually, sh, two_nodes, underlay
from agent_views import NS1, NS2, VM1_IP, VM2_IP, compute1, net1, nothing

pytestmark = pytest.mark.sandbox


def test_restart_is_silent() -> None:
    """A restarted agent makes no change, and of 100 pings a second (20 where all is slow) across it none is lost."""
    with two_nodes() as (first, second):
        for node, view in ((first, net1(gateway=None)), (second, compute1())):
            node.show(view)
            node.start_agent()
        first.wait_sync(1)
        second.wait_sync(1)
        eventually(lambda: second.status("ping", "-c", "1", "-W", "1", VM2_IP, namespace=NS1) == 0, "ping")
        # a slow machine is not to be busy with pings
        line = f"exec ping -i {0.01 if PATIENCE == 1 else 0.05} {VM2_IP} > /run/pings"
        ping = second.start("sh", "-c", line, namespace=NS1)
        time.sleep(0.3)
        counts = {}
        for node, number in ((first, signal.SIGTERM), (second, signal.SIGKILL)):
            counts[node.host] = len(node.passes())
            node.stop_agent(number)
            node.start_agent()
        for node in (first, second):
            node.wait_sync(1, counts[node.host])
        time.sleep(0.3)
        ping.send_signal(signal.SIGINT)
        ping.wait(10 * PATIENCE)
        answered = [int(number) for number in re.findall(r"icmp_seq=(\d+) ttl", second.run("cat", "/run/pings"))]
        assert len(answered) > 20
        assert sorted(answered) == list(range(1, max(answered) + 1)), "lost on the way"
        assert [node.changes(counts[node.host]) for node in (first, second)] == [0, 0]


def _alone() -> AgentNode:
    node = AgentNode("net1", "10.0.0.1")
    underlay(node)
    node.start_ovs()
    return node


def _live_and_die(node: AgentNode) -> int:
    """One change per life, until all is done; how many lives it took."""
    node.log.unlink(missing_ok=True)
    node.start_program(module="agent_killed", NEBULA_DIE_AFTER="1", NEBULA_LIVES="1")
    eventually(lambda: node.agent_ended() is not None, "the last life", timeout_s=60)
    line = next(line for line in node.log.read_text().splitlines() if line.startswith("lives="))
    return int(line.removeprefix("lives="))


def test_killed_after_every_change_of_building() -> None:
    """Killed after every single change, with a new agent each time, the node comes to the same as in one go."""
    node = _alone()
    node.show(net1(gateway=None))
    lives = _live_and_die(node)
    assert lives > 20
    assert "0 changes" in node.agent("plan")
    eventually(lambda: VM2_IP in node.run("ip", "-4", "address", namespace=NS2), "lease after many deaths")


def test_killed_after_every_change_of_removal() -> None:
    """Killed after every single removal, nothing of ours stays."""
    node = _alone()
    before = node.objects()
    node.show(net1(gateway=None))
    node.start_agent()
    node.wait_sync(1)
    node.stop_agent()
    node.show(nothing("net1", 2))
    assert _live_and_die(node) > 10
    node.agent("clean")
    assert node.objects() == before
    assert node.run("sh", "-c", "pgrep -x dnsmasq; pgrep -x udhcpc; ls /run/nebula-state 2>/dev/null; true") == ""


def test_killed_at_random_moments() -> None:
    """kill -9 in the middle of bulk work, at random moments, is healed each time."""
    node = _alone()
    node.show(net1())
    node.mappings = ("public:br-ex",)
    chance = random.Random(50)
    for _death in range(6):
        node.start_agent()
        time.sleep(chance.uniform(0.3, 0.9))
        node.stop_agent(signal.SIGKILL)
    since = len(node.passes())
    node.start_agent()
    node.wait_sync(1, since)
    eventually(lambda: VM2_IP in node.run("ip", "-4", "address", namespace=NS2), "lease")
    assert "0 changes" in node.agent("plan")
    assert VM1_IP not in sh("ip", "address")
