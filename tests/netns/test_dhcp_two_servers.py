"""A network with a DHCP server on each of two nodes, as an administrator may have it: each serves by itself."""

from __future__ import annotations

import msgspec
import pytest
from agent_node import eventually, two_nodes
from agent_views import COMPUTE1_IP, DHCP_IP, NET, NS1, NS2, VM1_IP, VM2_IP, compute1, net1, port

from nebula.ids import PortId
from nebula.view.records import NodeView, RemotePort

pytestmark = pytest.mark.sandbox

SECOND, SECOND_MAC, SECOND_IP = PortId("4e8a05d4-d6e3-4d2f-8a4b-7c2e3f9a8ba1"), "fa:16:3e:2a:f3:55", "192.168.50.3"


def both() -> tuple[NodeView, NodeView]:
    """``net1`` and ``compute1`` with a server each, from one list of hosts."""
    first, second = net1(gateway=None), compute1()
    far = RemotePort(SECOND, SECOND_MAC, (SECOND_IP,), COMPUTE1_IP)
    (network,) = first.networks
    remote = tuple(sorted((*network.remote_ports, far), key=lambda item: item.id))
    first = msgspec.structs.replace(first, networks=(msgspec.structs.replace(network, remote_ports=remote),))
    own = port(SECOND, SECOND_MAC, SECOND_IP, "network:dhcp", f"dhcp-{NET}")
    ports = tuple(sorted((*second.ports, own), key=lambda item: item.id))
    dhcp = msgspec.structs.replace(first.dhcp[0], port_id=SECOND)
    return first, msgspec.structs.replace(second, ports=ports, dhcp=(dhcp,))


def test_each_server_serves_alone_and_beside_the_other() -> None:
    """While only the second node is up, its guest has its lease; then the first node's guest has its own too."""
    with two_nodes() as (first, second):
        views = both()
        second.show(views[1])
        second.start_agent()
        second.wait_sync(1)
        eventually(lambda: VM1_IP in second.run("ip", "-4", "address", namespace=NS1), "lease by the second server")
        first.show(views[0])
        first.start_agent()
        first.wait_sync(1)
        eventually(lambda: VM2_IP in first.run("ip", "-4", "address", namespace=NS2), "lease beside both servers")
        for node, server in ((first, SECOND_IP), (second, DHCP_IP)):
            namespace = NS2 if node is first else NS1
            assert node.status("ping", "-c", "1", "-W", "2", server, namespace=namespace) == 0
