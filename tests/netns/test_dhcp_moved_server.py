"""A DHCP server gets another address of its subnet: it goes on with that, and a guest that comes then is served."""

from __future__ import annotations

import msgspec
import pytest
from agent_node import eventually, two_nodes
from agent_views import DHCP_IP, DHCP_PORT, MACS, NET, NS2, QDHCP, VM2_IP, net1, port

from nebula.view.records import NodeView

pytestmark = pytest.mark.sandbox

MOVED_IP = "192.168.50.253"


def moved(view: NodeView) -> NodeView:
    """The view with the server at its new address."""
    own = port(DHCP_PORT, MACS[DHCP_PORT], MOVED_IP, "network:dhcp", f"dhcp-{NET}")
    return msgspec.structs.replace(view, ports=tuple(own if p.id == DHCP_PORT else p for p in view.ports))


def test_a_server_that_moved_serves() -> None:
    """The old address is gone, and the lease comes from the new one."""
    with two_nodes() as (node, _):
        node.show(net1(gateway=None, vm2=False))
        node.start_agent()
        node.wait_sync(1)
        node.show(moved(net1(2, gateway=None, vm2=False)))
        node.wait_sync(2)
        here = node.run("ip", "-4", "address", namespace=QDHCP)
        assert (MOVED_IP in here, f"{DHCP_IP}/" in here) == (True, False)
        node.show(moved(net1(3, gateway=None)))
        node.wait_sync(3)
        eventually(lambda: VM2_IP in node.run("ip", "-4", "address", namespace=NS2), "lease by the moved server")
        assert node.status("ping", "-c", "1", "-W", "2", MOVED_IP, namespace=NS2) == 0
