"""What leaves through a router's gateway bears the gateway's address, in every moment."""

from __future__ import annotations

import pytest
from agent_node import AgentNode, eventually, underlay
from agent_outside import WEB, Capture, Outside, sources
from agent_views import GATEWAY_IP, NS2, OTHER_GATEWAY_IP, VM2_IP, net1

pytestmark = pytest.mark.sandbox

_FLOOD = """
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
end = time.time() + {seconds}
while time.time() < end:
    try: s.sendto(b"x", ("{target}", 53))
    except OSError: pass
    time.sleep(0.001)
"""


def _net1() -> tuple[AgentNode, Outside]:
    node = AgentNode("net1", "10.0.0.1")
    underlay(node)
    outside = Outside(node)
    node.start_ovs()
    return node, outside


def _flood(node: AgentNode, seconds: float) -> object:
    return node.start("python3", "-c", _FLOOD.format(seconds=seconds, target=WEB), namespace=NS2)


def test_outside_sees_only_the_gateway() -> None:
    """An instance reaches a server outside, which sees the router's address; the segment carries no other source."""
    node, outside = _net1()
    capture = Capture(outside)
    node.show(net1())
    node.start_agent()
    node.wait_sync(1)
    ping = ("ping", "-c", "2", "-i", "0.1", "-W", "1", WEB)
    eventually(lambda: node.status(*ping, namespace=NS2) == 0, "ping to the web server")
    frames = capture.stop()
    assert sources(frames) == {GATEWAY_IP}


def test_no_private_source_in_any_window() -> None:
    """While a flood runs the router gets, changes, loses and regains its gateway: no private source ever leaves."""
    node, outside = _net1()
    node.show(net1(1, gateway=None))
    node.start_agent()
    node.wait_sync(1)
    eventually(lambda: VM2_IP in node.run("ip", "-4", "address", namespace=NS2), "lease")
    capture = Capture(outside)
    _flood(node, 4.0)
    steps = [GATEWAY_IP, OTHER_GATEWAY_IP, None, OTHER_GATEWAY_IP, GATEWAY_IP]
    for revision, gateway in enumerate(steps, start=2):
        since = len(node.passes())
        node.show(net1(revision, gateway=gateway))
        node.wait_sync(revision, since)
    ping = ("ping", "-c", "1", "-W", "1", WEB)
    eventually(lambda: node.status(*ping, namespace=NS2) == 0, "ping after all changes")
    frames = capture.stop()
    assert sources(frames) == {GATEWAY_IP, OTHER_GATEWAY_IP}


def test_gateway_changes_without_losing_routes() -> None:
    """When the gateway gets another address in its subnet, the way out is there after one pass."""
    node, outside = _net1()
    node.show(net1(1))
    node.start_agent()
    node.wait_sync(1)
    ping = ("ping", "-c", "1", "-W", "1", WEB)
    eventually(lambda: node.status(*ping, namespace=NS2) == 0, "ping before")
    since = len(node.passes())
    node.show(net1(2, gateway=OTHER_GATEWAY_IP))
    node.wait_sync(2, since)
    capture = Capture(outside)
    eventually(lambda: node.status(*ping, namespace=NS2) == 0, "ping after", timeout_s=3)
    assert sources(capture.stop()) == {OTHER_GATEWAY_IP}
    assert "0 changes" in node.agent("plan")


def test_a_provider_device_that_is_plugged_in_again_is_used_again() -> None:
    """It goes and another of its name comes, as a network card does that is reset: packets flow again by themselves."""
    node, outside = _net1()
    node.show(net1())
    node.start_agent()
    node.wait_sync(1)
    ping = ("ping", "-c", "1", "-W", "1", WEB)
    eventually(lambda: node.status(*ping, namespace=NS2) == 0, "ping before")
    for _time in range(2):
        node.run("ip", "link", "del", "inet0")
        eventually(lambda: node.status(*ping, namespace=NS2) != 0, "nothing without the device")
        outside.plug(node)
        eventually(lambda: node.status(*ping, namespace=NS2) == 0, "ping with the new one")
    assert "0 changes" in node.agent("plan")
