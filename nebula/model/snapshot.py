"""The rows that views are projected from, in memory, with the indexes that make one node's view cheap.

No I/O. The records are frozen; ``Snapshot`` itself is patched row by row, so that following a change costs what
the change touches. It is not the API's model: it holds only what some node must know.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set
from typing import TypeVar

import msgspec

from nebula.ids import AddressGroupId, Host, InstanceId, NetworkId, PortId, RouterId, SecurityGroupId, SubnetId
from nebula.model.port import DHCP
from nebula.view.records import (
    AddressPair,
    AddressSet,
    DhcpOption,
    FixedIp,
    FloatingIpView,
    HostRoute,
    PortForwardingView,
    SecurityGroupView,
    SubnetView,
)

K = TypeVar("K")
V = TypeVar("V")


class NodeRow(msgspec.Struct, frozen=True):
    """A registered node and its tunnel address."""

    host: Host
    vtep_ip: str


class NetworkRow(msgspec.Struct, frozen=True):
    """A network. ``subnets`` are sorted by id."""

    id: NetworkId
    name: str
    project_id: str
    network_type: str
    segmentation_id: int | None
    physical_network: str | None
    mtu_bytes: int
    external: bool
    admin_state_up: bool = True
    subnets: tuple[SubnetView, ...] = ()


class PortRow(msgspec.Struct, frozen=True):
    """A port. ``host`` is empty while it is unbound; ``fixed_ips`` are sorted; ``dns_name`` is as the user gave it."""

    id: PortId
    network_id: NetworkId
    mac_address: str
    fixed_ips: tuple[FixedIp, ...]
    device_owner: str
    device_id: str
    host: Host
    admin_state_up: bool = True
    dns_name: str = ""
    port_security_enabled: bool = False
    allowed_address_pairs: tuple[AddressPair, ...] = ()
    security_groups: tuple[SecurityGroupId, ...] = ()
    dhcp_options: tuple[DhcpOption, ...] = ()


class RouterRow(msgspec.Struct, frozen=True):
    """A router. ``host`` is empty while it is unscheduled. Its ports name it in ``device_id``."""

    id: RouterId
    name: str
    project_id: str
    host: Host
    admin_state_up: bool = True
    enable_snat: bool = True
    routes: tuple[HostRoute, ...] = ()
    floating_ips: tuple[FloatingIpView, ...] = ()
    port_forwardings: tuple[PortForwardingView, ...] = ()


class InstanceRow(msgspec.Struct, frozen=True):
    """An instance; ``ports`` in the order of its interfaces."""

    id: InstanceId
    name: str
    project_id: str
    host: Host
    ports: tuple[PortId, ...]


class Snapshot:
    """All rows at one revision of one database, indexed by network, host and device.

    ``put_*`` add or replace a row, ``drop_*`` forget one; dropping what is not there is no error. The indexes are
    kept by these methods alone; readers must not change what they get.
    """

    def __init__(self, epoch: str, revision: int = 0) -> None:
        self.epoch = epoch
        self.revision = revision
        self.nodes: dict[Host, NodeRow] = {}
        self.networks: dict[NetworkId, NetworkRow] = {}
        self.ports: dict[PortId, PortRow] = {}
        self.routers: dict[RouterId, RouterRow] = {}
        self.instances: dict[InstanceId, InstanceRow] = {}
        self.security_groups: dict[SecurityGroupId, SecurityGroupView] = {}
        self.address_groups: dict[AddressGroupId, AddressSet] = {}
        self.network_of_subnet: dict[SubnetId, NetworkId] = {}
        self._ports_of_network: dict[NetworkId, set[PortId]] = defaultdict(set)
        self._ports_of_device: dict[str, set[PortId]] = defaultdict(set)
        self._ports_of_host: dict[Host, set[PortId]] = defaultdict(set)
        self._hosts_of_network: dict[NetworkId, dict[Host, int]] = {}
        self._dhcp_ports_of_network: dict[NetworkId, set[PortId]] = defaultdict(set)
        self._routers_of_host: dict[Host, set[RouterId]] = defaultdict(set)
        self._instances_of_host: dict[Host, set[InstanceId]] = defaultdict(set)
        self._ports_of_group: dict[SecurityGroupId, set[PortId]] = defaultdict(set)
        self._groups_naming: dict[str, set[SecurityGroupId]] = defaultdict(set)

    def ports_of_network(self, network: NetworkId) -> Set[PortId]:
        """All ports, bound or not."""
        return self._ports_of_network.get(network, frozenset())

    def dhcp_ports_of_network(self, network: NetworkId) -> Set[PortId]:
        """The ports of its DHCP servers, bound or not."""
        return self._dhcp_ports_of_network.get(network, frozenset())

    def ports_of_device(self, device_id: str) -> Set[PortId]:
        """The ports of a router or an instance."""
        return self._ports_of_device.get(device_id, frozenset())

    def ports_of_host(self, host: Host) -> Set[PortId]:
        """The ports bound to a node."""
        return self._ports_of_host.get(host, frozenset())

    def hosts_of_network(self, network: NetworkId) -> Mapping[Host, int]:
        """The nodes that have the network, with the number of its ports there."""
        return self._hosts_of_network.get(network, {})

    def routers_of_host(self, host: Host) -> Set[RouterId]:
        """The routers scheduled to a node."""
        return self._routers_of_host.get(host, frozenset())

    def instances_of_host(self, host: Host) -> Set[InstanceId]:
        """The instances placed on a node."""
        return self._instances_of_host.get(host, frozenset())

    def ports_of_group(self, group: SecurityGroupId) -> Set[PortId]:
        """The members of a security group, bound or not."""
        return self._ports_of_group.get(group, frozenset())

    def hosts_of_group(self, group: SecurityGroupId) -> Set[Host]:
        """The nodes with a member of a security group."""
        return {host for port in self.ports_of_group(group) if (host := self.ports[port].host)}

    def groups_naming(self, remote: str) -> Set[SecurityGroupId]:
        """The security groups with a rule whose remote side is this security group or address group."""
        return self._groups_naming.get(remote, frozenset())

    # One pair of methods for each kind of row.

    def put_node(self, row: NodeRow) -> None:
        self.nodes[row.host] = row

    def drop_node(self, host: Host) -> None:
        self.nodes.pop(host, None)

    def put_network(self, row: NetworkRow) -> None:
        self.drop_network(row.id)
        self.networks[row.id] = row
        for subnet in row.subnets:
            self.network_of_subnet[subnet.id] = row.id

    def drop_network(self, network: NetworkId) -> None:
        old = self.networks.pop(network, None)
        for subnet in old.subnets if old else ():
            self.network_of_subnet.pop(subnet.id, None)

    def put_port(self, row: PortRow) -> None:
        self.drop_port(row.id)
        self.ports[row.id] = row
        self._ports_of_network[row.network_id].add(row.id)
        if row.device_owner == DHCP:
            self._dhcp_ports_of_network[row.network_id].add(row.id)
        for group in row.security_groups:
            self._ports_of_group[group].add(row.id)
        if row.device_id:
            self._ports_of_device[row.device_id].add(row.id)
        if row.host:
            self._ports_of_host[row.host].add(row.id)
            hosts = self._hosts_of_network.setdefault(row.network_id, {})
            hosts[row.host] = hosts.get(row.host, 0) + 1

    def drop_port(self, port: PortId) -> None:
        old = self.ports.pop(port, None)
        if old is None:
            return
        _discard(self._ports_of_network, old.network_id, port)
        if old.device_owner == DHCP:
            _discard(self._dhcp_ports_of_network, old.network_id, port)
        for group in old.security_groups:
            _discard(self._ports_of_group, group, port)
        if old.device_id:
            _discard(self._ports_of_device, old.device_id, port)
        if old.host:
            _discard(self._ports_of_host, old.host, port)
            hosts = self._hosts_of_network[old.network_id]
            hosts[old.host] -= 1
            if not hosts[old.host]:
                del hosts[old.host]
            if not hosts:
                del self._hosts_of_network[old.network_id]

    def put_router(self, row: RouterRow) -> None:
        self.drop_router(row.id)
        self.routers[row.id] = row
        if row.host:
            self._routers_of_host[row.host].add(row.id)

    def drop_router(self, router: RouterId) -> None:
        old = self.routers.pop(router, None)
        if old is not None and old.host:
            _discard(self._routers_of_host, old.host, router)

    def put_security_group(self, row: SecurityGroupView) -> None:
        self.drop_security_group(row.id)
        self.security_groups[row.id] = row
        for remote in remotes(row):
            self._groups_naming[remote].add(row.id)

    def drop_security_group(self, group: SecurityGroupId) -> None:
        old = self.security_groups.pop(group, None)
        for remote in remotes(old) if old is not None else ():
            _discard(self._groups_naming, remote, group)

    def put_address_group(self, row: AddressSet) -> None:
        self.address_groups[AddressGroupId(row.id)] = row

    def drop_address_group(self, group: AddressGroupId) -> None:
        self.address_groups.pop(group, None)

    def put_instance(self, row: InstanceRow) -> None:
        self.drop_instance(row.id)
        self.instances[row.id] = row
        if row.host:
            self._instances_of_host[row.host].add(row.id)

    def drop_instance(self, instance: InstanceId) -> None:
        old = self.instances.pop(instance, None)
        if old is not None and old.host:
            _discard(self._instances_of_host, old.host, instance)


def remotes(group: SecurityGroupView) -> Set[str]:
    """The security groups and address groups that the group's rules name as their remote side."""
    named = {rule.remote_group_id or rule.remote_address_group_id for rule in group.rules}
    return {remote for remote in named if remote is not None}


def _discard(index: dict[K, set[V]], key: K, member: V) -> None:
    members = index[key]
    members.discard(member)
    if not members:
        del index[key]
