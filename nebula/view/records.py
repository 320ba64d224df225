"""What one node must know: the records that the controller projects and the agent compiles.

Pure. A view is whole: it names everything that shall exist on the node, so that an agent needs no history.
All tuples are sorted by id (peers and VTEPs by address), so that equal content is equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from nebula.ids import (
    AddressGroupId,
    FloatingIpId,
    Host,
    InstanceId,
    NetworkId,
    PortForwardingId,
    PortId,
    RouterId,
    SecurityGroupId,
    SecurityGroupRuleId,
    SubnetId,
)

DNS_DOMAIN = "openstacklocal"
"""The domain of ports' names: Neutron's default ``dns_domain``."""


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
    """A port of a tunnelled network that lives on another node; ``vtep_ip`` is that node's tunnel address.

    ``pair_macs`` are those of its allowed address pairs, without its own.
    """

    id: PortId
    mac_address: str
    ip_addresses: tuple[str, ...]
    vtep_ip: str
    pair_macs: tuple[str, ...] = ()


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


class AddressPair(msgspec.Struct, frozen=True, order=True):
    """What a port may send from beside its own addresses. ``ip_address`` is an address or a CIDR."""

    mac_address: str
    ip_address: str


def pair_macs(mac_address: str, pairs: Iterable[AddressPair]) -> tuple[str, ...]:
    """The MACs of a port's allowed address pairs without its own, in lower case, sorted."""
    return tuple(sorted({pair.mac_address.lower() for pair in pairs} - {mac_address.lower()}))


class PortView(msgspec.Struct, frozen=True):
    """A port bound to this node. ``device_owner`` as in Neutron (``network:dhcp``, ``compute:nova``...).

    ``secured``: the port is held to its own addresses and its groups' rules (port security); False for what Neutron
    trusts (DHCP and router ports) and where the user switched it off. ``security_groups`` are among
    ``NodeView.security_groups``; a secured port without any sends and gets nothing but ARP, ND and DHCP.
    """

    id: PortId
    network_id: NetworkId
    mac_address: str
    fixed_ips: tuple[FixedIp, ...]
    device_owner: str
    device_id: str
    admin_state_up: bool = True
    secured: bool = False
    allowed_address_pairs: tuple[AddressPair, ...] = ()
    security_groups: tuple[SecurityGroupId, ...] = ()


class SecurityRule(msgspec.Struct, frozen=True, order=True):
    """One rule of a security group: what it describes is let through.

    ``direction`` is ``ingress`` or ``egress`` (as the port sees it), ``ip_version`` 4 or 6, ``protocol`` a number
    (None: all). ``port_min`` and ``port_max`` are destination ports, or ICMP's type and code (None: all). At most one
    of the three remotes is set; none of them: anybody.
    """

    id: SecurityGroupRuleId
    direction: str
    ip_version: int
    protocol: int | None = None
    port_min: int | None = None
    port_max: int | None = None
    remote_ip_prefix: str | None = None
    remote_group_id: SecurityGroupId | None = None
    remote_address_group_id: AddressGroupId | None = None


class SecurityGroupView(msgspec.Struct, frozen=True):
    """A security group of a port here. ``stateful`` False: answers need rules of their own."""

    id: SecurityGroupId
    stateful: bool
    rules: tuple[SecurityRule, ...] = ()


class AddressSet(msgspec.Struct, frozen=True):
    """The addresses that a rule's remote stands for: a group's members on all nodes, or an address group's content.

    ``id`` is the group's; ``addresses`` are addresses or CIDRs of both families, sorted.
    """

    id: str
    addresses: tuple[str, ...]


class DhcpOption(msgspec.Struct, frozen=True, order=True):
    """An extra DHCP option of a port, for IPv4; ``name`` is dnsmasq's word or a number (``model/dhcp_option``)."""

    name: str
    value: str


class DhcpHost(msgspec.Struct, frozen=True):
    """Who gets which addresses, under which name, with which options beside the subnet's.

    A port whose addresses have names of their own is several of these.
    """

    port_id: PortId
    mac_address: str
    hostname: str
    fixed_ips: tuple[FixedIp, ...]
    options: tuple[DhcpOption, ...] = ()


class DhcpView(msgspec.Struct, frozen=True):
    """The network's DHCP server runs on this node; ``port_id`` is its port (among ``NodeView.ports``).

    ``servers``: the addresses of all servers of the network, of this node and others, where there are several.
    """

    network_id: NetworkId
    port_id: PortId
    hosts: tuple[DhcpHost, ...]
    lease_time_s: int = 86400
    domain: str = DNS_DOMAIN
    servers: tuple[FixedIp, ...] = ()


class RouterGateway(msgspec.Struct, frozen=True):
    """The router's side of its external network; the port is among ``NodeView.ports``."""

    port_id: PortId
    network_id: NetworkId
    enable_snat: bool


class FloatingIpView(msgspec.Struct, frozen=True, order=True):
    """A public address that stands for one private one, both ways (1:1 NAT, RFC 3022)."""

    id: FloatingIpId
    floating_ip_address: str
    fixed_ip_address: str


class PortForwardingView(msgspec.Struct, frozen=True, order=True):
    """Ports of a public address that lead to ports of a private one.

    ``protocol`` is ``tcp``, ``udp``, ``sctp`` or ``dccp``. The two ranges (both ends included) are of one length, or
    the internal one is a single port.
    """

    id: PortForwardingId
    floating_ip_id: FloatingIpId
    floating_ip_address: str
    protocol: str
    external_port_min: int
    external_port_max: int
    internal_ip_address: str
    internal_port_min: int
    internal_port_max: int


class RouterView(msgspec.Struct, frozen=True):
    """A router that is scheduled to this node; the interfaces' ports are among ``NodeView.ports``."""

    id: RouterId
    name: str
    project_id: str
    admin_state_up: bool
    interfaces: tuple[PortId, ...]
    gateway: RouterGateway | None = None
    routes: tuple[HostRoute, ...] = ()
    floating_ips: tuple[FloatingIpView, ...] = ()
    port_forwardings: tuple[PortForwardingView, ...] = ()


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
    security_groups: tuple[SecurityGroupView, ...] = ()
    address_sets: tuple[AddressSet, ...] = ()
