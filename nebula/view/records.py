"""What one node must know: the records that the controller projects and the agent compiles.

Pure. A view is whole: it names everything that shall exist on the node, so that an agent needs no history.
All tuples are sorted by id (peers and VTEPs by address), so that equal content is equal bytes.
"""

from __future__ import annotations

import msgspec

from nebula.ids import Host, InstanceId, NetworkId, PortId, RouterId, SubnetId


class FixedIp(msgspec.Struct, frozen=True, order=True):
    """One address of a port."""

    subnet_id: SubnetId
    ip_address: str


class HostRoute(msgspec.Struct, frozen=True, order=True):
    """A route told to guests (RFC 3442), or an extra route of a router."""

    destination: str
    nexthop: str


class SubnetView(msgspec.Struct, frozen=True):
    """A subnet of a network that the node has. ``ip_version`` is 4 or 6."""

    id: SubnetId
    name: str
    cidr: str
    ip_version: int
    gateway_ip: str | None
    enable_dhcp: bool
    dns_nameservers: tuple[str, ...] = ()
    host_routes: tuple[HostRoute, ...] = ()


class RemotePort(msgspec.Struct, frozen=True):
    """A port of a tunnelled network that lives on another node; ``vtep_ip`` is that node's tunnel address."""

    id: PortId
    mac_address: str
    ip_addresses: tuple[str, ...]
    vtep_ip: str


class NetworkView(msgspec.Struct, frozen=True):
    """A network with at least one port on the node.

    ``network_type`` is ``vxlan`` (then ``segmentation_id`` is the VNI, 1..16777215) or ``flat`` (then
    ``physical_network`` names a bridge mapping). ``flood_vteps`` are the other nodes that have the network.
    """

    id: NetworkId
    name: str
    project_id: str
    network_type: str
    segmentation_id: int | None
    physical_network: str | None
    mtu_bytes: int
    external: bool
    subnets: tuple[SubnetView, ...] = ()
    remote_ports: tuple[RemotePort, ...] = ()
    flood_vteps: tuple[str, ...] = ()


class PortView(msgspec.Struct, frozen=True):
    """A port bound to this node. ``device_owner`` as in Neutron (``network:dhcp``, ``compute:nova``...)."""

    id: PortId
    network_id: NetworkId
    mac_address: str
    fixed_ips: tuple[FixedIp, ...]
    device_owner: str
    device_id: str
    admin_state_up: bool = True


class DhcpHost(msgspec.Struct, frozen=True):
    """One line of dnsmasq's host file: who gets which addresses, under which name."""

    port_id: PortId
    mac_address: str
    hostname: str
    fixed_ips: tuple[FixedIp, ...]


class DhcpView(msgspec.Struct, frozen=True):
    """The network's DHCP server runs on this node; ``port_id`` is its port (among ``NodeView.ports``)."""

    network_id: NetworkId
    port_id: PortId
    hosts: tuple[DhcpHost, ...]
    lease_time_s: int = 86400
    domain: str = "openstacklocal"


class RouterGateway(msgspec.Struct, frozen=True):
    """The router's side of its external network; the port is among ``NodeView.ports``."""

    port_id: PortId
    network_id: NetworkId
    enable_snat: bool


class RouterView(msgspec.Struct, frozen=True):
    """A router that is scheduled to this node; the interfaces' ports are among ``NodeView.ports``."""

    id: RouterId
    name: str
    project_id: str
    admin_state_up: bool
    interfaces: tuple[PortId, ...]
    gateway: RouterGateway | None = None
    routes: tuple[HostRoute, ...] = ()


class InstanceView(msgspec.Struct, frozen=True):
    """An instance on this node: a namespace whose ``eth0``, ``eth1``... are the ports, in this order."""

    id: InstanceId
    name: str
    project_id: str
    ports: tuple[PortId, ...]


class NodeView(msgspec.Struct, frozen=True):
    """All that node ``host`` must know at database revision ``revision`` of database ``epoch``.

    ``epoch`` is a UUID that a database gets when it is created: revisions of two epochs do not compare.
    ``peers`` are the VTEP addresses of all other nodes, whatever networks they have.
    """

    epoch: str
    revision: int
    host: Host
    networks: tuple[NetworkView, ...] = ()
    ports: tuple[PortView, ...] = ()
    dhcp: tuple[DhcpView, ...] = ()
    routers: tuple[RouterView, ...] = ()
    instances: tuple[InstanceView, ...] = ()
    peers: tuple[str, ...] = ()
