"""The views of the tests' two nodes: the case study in small, without a controller.

Pure. ``net1`` has DHCP, the router and one instance, ``compute1`` has another instance.
"""

from __future__ import annotations

import msgspec

from nebula.ids import Host, InstanceId, NetworkId, PortId, RouterId, SubnetId
from nebula.view.records import (
    DhcpHost,
    DhcpView,
    FixedIp,
    InstanceView,
    NetworkView,
    NodeView,
    PortView,
    RemotePort,
    RouterGateway,
    RouterView,
    SubnetView,
)

EPOCH = "6f1c1a52-2f0d-4d3e-9f57-0c6c3a4d8e21"
PROJECT = "8d7e6f5a4b3c4d2e9f1a0b9c8d7e6f5a"
NET, SUBNET = NetworkId("b69b8128-c03e-49a3-b100-6f862ae50fb8"), SubnetId("3eb31d05-a8a9-450f-83c5-8bf94d064f98")
PUBLIC, PUBLIC_SUBNET = (
    NetworkId("0f8d9a54-6c5e-4e0c-9d2a-1f7b0c6e2a11"),
    SubnetId("7c1e2d3f-4a5b-4c6d-8e7f-90a1b2c3d4e5"),
)
ROUTER = RouterId("5cf32528-565b-4acc-8f26-af86244c680b")
VM1, VM2 = InstanceId("11d3a0c2-9e4b-4f57-8a61-c2b7d9e03f41"), InstanceId("22e4b1d3-0f5c-4a68-9b72-d3c8eaf14052")
VNI = 7527
NET1_IP, COMPUTE1_IP = "10.0.0.1", "10.0.0.11"

ROUTER_PORT = PortId("285e4d49-5c0b-4b62-8d2f-1c9e7a6b5d40")
GATEWAY_PORT = PortId("b896f885-e9d1-4c2b-8a7f-6e5d4c3b2a10")
DHCP_PORT = PortId("3f7b94c3-c5d2-4c1e-9f3a-6b1d2e8f7a90")
VM1_PORT = PortId("5759c106-0c7e-4d19-a5b3-8f6e1d2c4b70")
VM2_PORT = PortId("ac62f68e-48d3-4a7b-9c1e-5d3f7b2a6e80")

QROUTER, QDHCP = f"qrouter-{ROUTER}", f"qdhcp-{NET}"
NS1, NS2 = f"instance-{VM1}", f"instance-{VM2}"
VM1_IP, VM2_IP, DHCP_IP, ROUTER_IP = "192.168.50.227", "192.168.50.74", "192.168.50.2", "192.168.50.1"
GATEWAY_IP, OTHER_GATEWAY_IP = "203.0.113.142", "203.0.113.150"


def port(port_id: PortId, mac: str, address: str, owner: str, device_id: str = "") -> PortView:
    """A port of the tenant network, or of the public one by its address."""
    network, subnet = (PUBLIC, PUBLIC_SUBNET) if address.startswith("203.") else (NET, SUBNET)
    return PortView(port_id, network, mac, (FixedIp(subnet, address),), owner, device_id)


MACS = {
    ROUTER_PORT: "fa:16:3e:7c:51:9f",
    GATEWAY_PORT: "fa:16:3e:87:82:94",
    DHCP_PORT: "fa:16:3e:19:e2:44",
    VM1_PORT: "fa:16:3e:9d:3c:34",
    VM2_PORT: "fa:16:3e:41:9f:40",
}
ADDRESSES = {ROUTER_PORT: ROUTER_IP, DHCP_PORT: DHCP_IP, VM1_PORT: VM1_IP, VM2_PORT: VM2_IP}


def _remote(port_id: PortId, vtep_ip: str) -> RemotePort:
    return RemotePort(port_id, MACS[port_id], (ADDRESSES[port_id],), vtep_ip)


def _network(remote: tuple[RemotePort, ...], flood: tuple[str, ...]) -> NetworkView:
    subnet = SubnetView(SUBNET, "nebula_subnet", "192.168.50.0/24", 4, ROUTER_IP, True)
    return NetworkView(NET, "nebula_net", PROJECT, "vxlan", VNI, None, 1450, False, (subnet,), remote, flood)


def _public() -> NetworkView:
    subnet = SubnetView(PUBLIC_SUBNET, "public_subnet", "203.0.113.0/24", 4, "203.0.113.1", False)
    return NetworkView(PUBLIC, "public", PROJECT, "flat", None, "public", 1500, True, (subnet,))


def net1(revision: int = 1, *, gateway: str | None = GATEWAY_IP, vm2: bool = True, vm1: bool = True) -> NodeView:
    """The network node's view. ``gateway``: the router's address outside, None without a gateway."""
    ports = [
        port(ROUTER_PORT, MACS[ROUTER_PORT], ROUTER_IP, "network:router_interface", ROUTER),
        port(DHCP_PORT, MACS[DHCP_PORT], DHCP_IP, "network:dhcp", f"dhcp-{NET}"),
    ]
    if gateway is not None:
        ports.append(port(GATEWAY_PORT, MACS[GATEWAY_PORT], gateway, "network:router_gateway", ROUTER))
    if vm2:
        ports.append(port(VM2_PORT, MACS[VM2_PORT], VM2_IP, "compute:nova", VM2))
    known = [(VM1_PORT, "vm1")] if vm1 else []
    known += [(VM2_PORT, "vm2")] if vm2 else []
    hosts = tuple(
        DhcpHost(port_id, MACS[port_id], name, (FixedIp(SUBNET, ADDRESSES[port_id]),)) for port_id, name in known
    )
    private = _network((_remote(VM1_PORT, COMPUTE1_IP),) if vm1 else (), (COMPUTE1_IP,))
    return NodeView(
        epoch=EPOCH,
        revision=revision,
        host=Host("net1"),
        networks=tuple(sorted((_public(), private) if gateway is not None else (private,), key=lambda item: item.id)),
        ports=tuple(sorted(ports, key=lambda item: item.id)),
        dhcp=(DhcpView(NET, DHCP_PORT, hosts),),
        routers=(
            RouterView(
                ROUTER,
                "nebula_router",
                PROJECT,
                True,
                (ROUTER_PORT,),
                RouterGateway(GATEWAY_PORT, PUBLIC, True) if gateway is not None else None,
            ),
        ),
        instances=(InstanceView(VM2, "vm2", PROJECT, (VM2_PORT,)),) if vm2 else (),
        peers=(COMPUTE1_IP,),
    )


def compute1(revision: int = 1, *, instance: bool = True) -> NodeView:
    """The compute node's view. ``instance`` False: the port is bound here for something else to plug."""
    remote = tuple(_remote(port_id, NET1_IP) for port_id in sorted((ROUTER_PORT, DHCP_PORT, VM2_PORT)))
    return NodeView(
        epoch=EPOCH,
        revision=revision,
        host=Host("compute1"),
        networks=(_network(remote, (NET1_IP,)),),
        ports=(port(VM1_PORT, MACS[VM1_PORT], VM1_IP, "compute:nova", VM1),),
        instances=(InstanceView(VM1, "vm1", PROJECT, (VM1_PORT,)),) if instance else (),
        peers=(NET1_IP,),
    )


def nothing(host: str, revision: int) -> NodeView:
    """A node without anything."""
    return NodeView(epoch=EPOCH, revision=revision, host=Host(host))


def many(count: int, revision: int = 1, *, host: str = "compute1") -> NodeView:
    """``count`` instances with a port each on one node; their addresses are set, there is no DHCP."""
    ports, instances = [], []
    for number in range(count):
        port_id = PortId(f"{number:08x}-1111-4111-8111-111111111111")
        instance_id = InstanceId(f"{number:08x}-2222-4222-8222-222222222222")
        mac, address = (
            f"fa:16:3e:01:{number >> 8:02x}:{number & 255:02x}",
            f"192.168.{48 + (number >> 8)}.{number & 255}",
        )
        fixed = (FixedIp(SUBNET, address),)
        ports.append(PortView(port_id, NET, mac, fixed, "compute:nova", instance_id))
        instances.append(InstanceView(instance_id, f"vm{number}", PROJECT, (port_id,)))
    subnet = SubnetView(SUBNET, "nebula_subnet", "192.168.48.0/20", 4, None, False)
    network = msgspec.structs.replace(_network((), (NET1_IP,)), subnets=(subnet,))
    return NodeView(
        epoch=EPOCH,
        revision=revision,
        host=Host(host),
        networks=(network,),
        ports=tuple(ports),
        instances=tuple(instances),
        peers=(NET1_IP,),
    )
