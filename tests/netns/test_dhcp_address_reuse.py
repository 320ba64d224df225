"""An address changes hands: the DHCP server gives it to its new owner, whether or not the old one gave it back."""

from __future__ import annotations

import msgspec
import pytest
from agent_node import eventually, two_nodes
from agent_views import NS2, SUBNET, VM2, VM2_IP, net1, port

from nebula.ids import PortId
from nebula.view.records import DhcpHost, FixedIp, InstanceView

pytestmark = pytest.mark.sandbox

NEW_PORT, NEW_MAC = PortId("d0d0d0d0-1111-4111-8111-111111111111"), "fa:16:3e:0d:0d:0d"


def test_address_of_a_port_that_vanished_goes_to_a_new_port() -> None:
    """The old client is stopped dead and releases nothing; the new port has the address within the time of a start."""
    with two_nodes() as (node, _):
        node.show(net1(gateway=None))
        node.start_agent()
        node.wait_sync(1)
        eventually(lambda: VM2_IP in node.run("ip", "-4", "address", namespace=NS2), "lease of the first port")
        node.run("sh", "-c", "kill -STOP $(cat /run/nebula-state/udhcpc/*/pid)")
        before = net1(2, gateway=None)
        host = DhcpHost(NEW_PORT, NEW_MAC, "vm2", (FixedIp(SUBNET, VM2_IP),))
        ports = (*before.ports[:-1], port(NEW_PORT, NEW_MAC, VM2_IP, "compute:nova", VM2))
        dhcp = msgspec.structs.replace(before.dhcp[0], hosts=(before.dhcp[0].hosts[0], host))
        instance = InstanceView(VM2, "vm2", "p", (NEW_PORT,))
        node.show(msgspec.structs.replace(before, ports=ports, dhcp=(dhcp,), instances=(instance,)))
        node.wait_sync(2)
        eventually(lambda: NEW_MAC in node.run("ip", "link", namespace=NS2), "the new port's device")
        eventually(lambda: VM2_IP in node.run("ip", "-4", "address", namespace=NS2), "lease of the new port")
