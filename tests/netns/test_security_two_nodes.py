"""Security groups between two nodes: each node judges what its own ports send and get, and both know the connection."""

from __future__ import annotations

import signal

import msgspec
import pytest
from agent_node import DATAPATH, AgentNode, eventually, two_nodes
from agent_views import NS1, NS2, VM1_IP, VM1_PORT, VM2_IP, VM2_PORT, compute1, net1
from security_guests import ALL_OUT, GROUP, OTHER_GROUP, rule
from security_talk import BIG, PORT, Talk

from nebula.view.records import AddressSet, NodeView, SecurityGroupView

pytestmark = pytest.mark.sandbox


def _secured(view: NodeView, members: tuple[str, ...]) -> NodeView:
    """The guests in GROUP, which lets UDP to PORT in from OTHER_GROUP, which has these members."""
    ports = tuple(
        msgspec.structs.replace(port, secured=True, security_groups=(GROUP,))
        if port.id in (VM1_PORT, VM2_PORT)
        else port
        for port in view.ports
    )
    rules = (*ALL_OUT, rule(10, protocol=17, port_min=PORT, port_max=PORT, remote_group_id=OTHER_GROUP))
    groups = (SecurityGroupView(GROUP, True, rules),)
    sets = (AddressSet(OTHER_GROUP, tuple(sorted(members))),)
    return msgspec.structs.replace(view, ports=ports, security_groups=groups, address_sets=sets)


def _show(nodes: tuple[AgentNode, AgentNode], revision: int, *members: str) -> None:
    views = (net1(revision, gateway=None), compute1(revision))
    since = [len(node.passes()) for node in nodes]
    for node, view in zip(nodes, views, strict=True):
        node.show(_secured(view, members))
    for node, count in zip(nodes, since, strict=True):
        if count:
            node.wait_sync(revision, count)


def test_a_remote_group_over_the_tunnel() -> None:
    """A remote group lets in its members of the other node, whole datagrams and fragments, on one connection that both
    nodes' conntrack knows; not from another, nor to another port. Killed agents that start again write nothing and
    cut nothing. Who leaves the group is cut off, and goes on when it is back."""
    with two_nodes() as nodes:
        first, second = nodes
        _show(nodes, 1, VM1_IP)
        for node in nodes:
            node.start_agent()
        for node, namespace, address in ((first, NS2, VM2_IP), (second, NS1, VM1_IP)):
            node.wait_sync(1)
            eventually(lambda: address in node.run("ip", "-4", "address", namespace=namespace), "lease")  # noqa: B023
        talk = Talk(second, NS1, first, NS2, VM2_IP)
        assert [talk.say(), talk.say(BIG), talk.say()] == ["answered"] * 3
        tracked = [node.run("ovs-appctl", "dpctl/dump-conntrack") for node in nodes]
        assert [f"dport={PORT}" in text for text in tracked] == [True, True]
        assert second.status("ping", "-c", "1", "-W", "1", VM2_IP, namespace=NS1) != 0
        back = Talk(first, NS2, second, NS1, VM1_IP)
        assert back.say() == "silence"
        if DATAPATH == "netdev":  # the kernel's is emulated, where an agent takes long to start
            _kill_and_start(nodes, talk)
        _show(nodes, 2)
        assert talk.say() == "silence"
        _show(nodes, 3, VM1_IP)
        eventually(lambda: talk.say() == "answered", "the conversation goes on")


def _kill_and_start(nodes: tuple[AgentNode, AgentNode], talk: Talk) -> None:
    counts = [len(node.passes()) for node in nodes]
    for node in nodes:
        node.stop_agent(signal.SIGKILL)
    assert talk.say() == "answered"
    for node, since in zip(nodes, counts, strict=True):
        node.start_agent()
        node.wait_sync(1, since)
    assert [talk.say(), talk.say(BIG)] == ["answered", "answered"]
    assert [node.changes(since) for node, since in zip(nodes, counts, strict=True)] == [0, 0]
