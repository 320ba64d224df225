"""Two nodes with real agents: what a guest sees."""

from __future__ import annotations

import pytest
from agent_node import DATAPATH, eventually, two_nodes
from agent_views import NS1, NS2, VM1_IP, VM2_IP, compute1, net1

pytestmark = pytest.mark.sandbox


@pytest.mark.skipif(DATAPATH == "system", reason="the kernel's datapath has one overlay")
def test_ping_through_tunnels_of_ovs() -> None:
    """The same with OVS's own userspace tunnels in place of the kernel's VXLAN devices."""
    _ping_after_dhcp("ovs")


def test_ping_between_nodes_after_dhcp() -> None:
    """Two instances on two nodes get their addresses and MTU by DHCP, and reach each other through VXLAN."""
    _ping_after_dhcp("auto")


def _ping_after_dhcp(overlay: str) -> None:
    with two_nodes(overlay) as (first, second):
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
