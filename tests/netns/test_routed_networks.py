"""A router that translates nothing: two subnets of one network and the outside reach each other under their own
addresses."""

from __future__ import annotations

import msgspec
import pytest
from agent_node import AgentNode, eventually, underlay
from agent_outside import WEB, Capture, Outside, sources
from agent_views import (
    DHCP_IP,
    DHCP_PORT,
    GATEWAY_IP,
    MACS,
    NET,
    NS1,
    NS2,
    PROJECT,
    QROUTER,
    ROUTER,
    SUBNET,
    VM1,
    VM1_PORT,
    VM2_IP,
    VM2_PORT,
    net1,
    port,
)

from nebula.ids import PortId, SubnetId
from nebula.view.records import DhcpHost, FixedIp, InstanceView, NodeView, SubnetView

pytestmark = pytest.mark.sandbox

_SECOND = SubnetId("4fc42e16-b9ba-4610-94d6-9c8fe5a60a09")
_ROUTER_PORT = PortId("396f5e5a-6d1c-4c73-9e30-2d0f8b7c6e51")
_VM1_IP, _DHCP_IP, _ROUTER_IP = "192.168.51.7", "192.168.51.2", "192.168.51.1"


def _two_subnets() -> NodeView:
    """The case study's network with a second subnet, an instance in each, and the router on both, without SNAT."""
    view = net1()
    wide, other = view.networks if view.networks[0].id == NET else reversed(view.networks)
    second = SubnetView(_SECOND, "second", "192.168.51.0/24", 4, _ROUTER_IP, True)
    wide = msgspec.structs.replace(wide, subnets=(*wide.subnets, second), remote_ports=(), flood_vteps=())
    inner = port(_ROUTER_PORT, "fa:16:3e:7c:51:a0", _ROUTER_IP, "network:router_interface", ROUTER)
    guest = port(VM1_PORT, MACS[VM1_PORT], _VM1_IP, "compute:nova", VM1)
    new = [
        msgspec.structs.replace(item, fixed_ips=(FixedIp(_SECOND, item.fixed_ips[0].ip_address),))
        for item in (inner, guest)
    ]
    both = (FixedIp(SUBNET, DHCP_IP), FixedIp(_SECOND, _DHCP_IP))
    ports = [msgspec.structs.replace(item, fixed_ips=both) if item.id == DHCP_PORT else item for item in view.ports]
    hosts = (
        DhcpHost(VM1_PORT, MACS[VM1_PORT], "vm1", (FixedIp(_SECOND, _VM1_IP),)),
        DhcpHost(VM2_PORT, MACS[VM2_PORT], "vm2", (FixedIp(SUBNET, VM2_IP),)),
    )
    gateway = msgspec.structs.replace(view.routers[0].gateway, enable_snat=False)  # type: ignore[arg-type]
    router = msgspec.structs.replace(view.routers[0], gateway=gateway)
    return msgspec.structs.replace(
        view,
        networks=tuple(sorted((wide, other), key=lambda item: item.id)),
        ports=tuple(sorted([*ports, *new], key=lambda item: item.id)),
        dhcp=(msgspec.structs.replace(view.dhcp[0], hosts=hosts),),
        routers=(msgspec.structs.replace(router, interfaces=(*router.interfaces, _ROUTER_PORT)),),
        instances=(*view.instances, InstanceView(VM1, "vm1", PROJECT, (VM1_PORT,))),
    )


def test_two_subnets_and_the_outside_without_translation() -> None:
    """Each guest has its lease of its own subnet; they reach each other by the router, and the outside, which sees
    their own addresses and begins conversations with them. A restart of the agent writes nothing."""
    node = AgentNode("net1", "10.0.0.1")
    underlay(node)
    outside = Outside(node)
    outside.run("ip", "route", "add", "192.168.50.0/23", "via", GATEWAY_IP)
    node.start_ovs()
    node.show(_two_subnets())
    node.start_agent()
    node.wait_sync(1)
    for namespace, address in ((NS1, _VM1_IP), (NS2, VM2_IP)):
        eventually(lambda: address in node.run("ip", "-4", "address", namespace=namespace), "lease")  # noqa: B023
    ping = ("ping", "-c", "1", "-W", "1")
    routed = node.run(*ping, _VM1_IP, namespace=NS2)
    assert "ttl=63" in routed
    capture = Capture(outside)
    for namespace in (NS1, NS2):
        assert node.status(*ping, WEB, namespace=namespace) == 0
    assert sources(capture.stop()) - {GATEWAY_IP} == {_VM1_IP, VM2_IP}
    assert [outside.status(*ping, address) for address in (_VM1_IP, VM2_IP)] == [0, 0]
    assert "-j" not in node.run("iptables-save", namespace=QROUTER)
    node.stop_agent()
    since = len(node.passes())
    node.start_agent()
    node.wait_sync(1, since)
    assert node.changes(since) == 0
