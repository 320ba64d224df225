"""Packets that wait for the userspace datapath have room, so that a fast stream loses none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from agent_node import DATAPATH, AgentNode, eventually, underlay
from agent_views import VNI, many
from nebula_agent.backlog import ROOM_BYTES

pytestmark = pytest.mark.sandbox

_ROOM_BYTES = 2 * min(ROOM_BYTES, int(Path("/proc/sys/net/core/rmem_max").read_text()))
"""As the kernel counts it; in a sandbox rmem_max is the most."""
_OURS = {"tap00000000-11", "tap00000001-11", f"vxlan-{VNI}"}


def _buffers(node: AgentNode) -> dict[str, int]:
    """Bytes of the receive buffers of the node's packet sockets by their devices, as ss(8) shows them."""
    shown = node.run("ss", "--packet", "--all", "--memory", "--no-header")
    return {device: int(size) for device, size in re.findall(r"\*:(\S+) .*skmem:\(r\d+,rb(\d+),", shown)}


def _have_room(node: AgentNode) -> bool:
    found = _buffers(node)
    return all(found.get(device, 0) >= _ROOM_BYTES for device in _OURS)


@pytest.mark.skipif(DATAPATH != "netdev", reason="the kernel datapath has no sockets")
def test_our_devices_have_room_and_others_are_left_alone() -> None:
    """Each of our devices gets the room, also from the next ovs-vswitchd; somebody else's port keeps what it has."""
    node = AgentNode("compute1", "10.0.0.11")
    underlay(node)
    node.start_ovs()
    node.run("ip", "link", "add", "other0", "type", "veth", "peer", "name", "other1")
    bridge = ("set", "bridge", "br-other", "datapath_type=netdev")
    node.run("ovs-vsctl", "add-br", "br-other", "--", *bridge, "--", "add-port", "br-other", "other0")
    before = _buffers(node)["other0"]
    node.show(many(2))
    node.start_agent()
    node.wait_sync(1)
    eventually(lambda: _have_room(node), "our devices have room")
    assert _buffers(node)["other0"] == before
    node.kill_vswitchd()
    node.start_vswitchd()
    eventually(lambda: _have_room(node), "our devices have room again")
    assert _buffers(node)["other0"] == before
