"""Two nodes with real agents: what a guest sees."""

from __future__ import annotations

import pytest
from agent_node import eventually, two_nodes
from agent_views import NS1, NS2, VM1_IP, VM2_IP, compute1, net1

pytestmark = pytest.mark.sandbox


def test_ping_between_nodes_after_dhcp() -> None:
    """Two instances on two nodes get their addresses and MTU by DHCP, and reach each other through VXLAN."""
    with two_nodes() as (first, second):
        for node, view in ((first, net1(gateway=None)), (second, compute1())):
            node.show(view)
            node.start_agent()
        first.wait_sync(1)
        second.wait_sync(1)
        eventually(lambda: VM2_IP in first.run("ip", "-4", "address", namespace=NS2), "lease on net1")
        eventually(lambda: VM1_IP in second.run("ip", "-4", "address", namespace=NS1), "lease on compute1")
        assert "mtu 1450" in second.run("ip", "link", "show", "eth0", namespace=NS1)
        assert "default via 192.168.50.1 dev eth0" in second.run("ip", "route", namespace=NS1)
        assert second.status("ping", "-c", "3", "-i", "0.1", "-W", "1", VM2_IP, namespace=NS1) == 0
        assert second.status("ping", "-c", "1", "-s", "1422", "-M", "do", "-W", "1", VM2_IP, namespace=NS1) == 0
