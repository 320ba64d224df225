"""A logical topology as a user makes it, and the stations that send and receive in it.

Pure records. The rows are those that the controller's views are projected from; nothing of compile, flows or views is
known here. A station is a guest (the far end of a port) or somebody outside, on the provider's segment.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import msgspec

from nebula.eui64 import interface_identifier
from nebula.ids import Host, NetworkId, PortId, RouterId, SecurityGroupId, SubnetId
from nebula.model.port import ROUTER_GATEWAY, ROUTER_INTERFACE
from nebula.model.snapshot import NetworkRow, NodeRow, PortRow, RouterRow, Snapshot
from nebula.view.records import AddressSet, SecurityGroupView, SubnetView

Address = IPv4Address | IPv6Address

EPOCH = "1f0c6a52-7f0d-4d3e-9f57-0c6c3a4d8e21"
NODES = (
    NodeRow(Host("net1"), "10.0.0.1"),
    NodeRow(Host("compute1"), "10.0.0.11"),
    NodeRow(Host("compute2"), "10.0.0.12"),
)
PROVIDER_HOSTS = (Host("net1"), Host("compute1"))
"""The nodes that have a bridge to the provider's segment."""
SLOTS = 4
"""Most guests of one node."""
GUEST = "compute:nova"


def identity(name: str) -> str:
    """A UUID that is always the same for a name."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def link_local(mac_address: str) -> IPv6Address:
    """What a guest makes itself of its MAC (RFC 4291)."""
    return IPv6Address(0xFE80 << 112 | interface_identifier(mac_address))


class Station(msgspec.Struct, frozen=True):
    """Who sends and receives. ``port`` is None outside. It answers for all its ``addresses``, the first is its own.

    ``behind`` are addresses that it forwards for: outside, those beyond the provider's gateway. ``other_macs`` are of
    addresses that it has under another MAC than its port's, as a VRRP router does (RFC 5798).
    """

    name: str
    network_id: NetworkId
    mac_address: str
    addresses: tuple[str, ...]
    port: PortRow | None = None
    behind: tuple[str, ...] = ()
    other_macs: Mapping[str, str] = {}

    def mac_of(self, address: Address) -> str:
        """The MAC that goes with one of its addresses."""
        return self.other_macs.get(str(address), self.mac_address)


class Held(msgspec.Struct, frozen=True):
    """An address that a guest uses beside its fixed ones, and the MAC that it uses with it."""

    address: str
    mac_address: str


class Topology(msgspec.Struct, frozen=True, dict=True):
    """All rows. ``names`` are for people; ``held`` is what guests use beside their own."""

    networks: tuple[NetworkRow, ...] = ()
    routers: tuple[RouterRow, ...] = ()
    ports: tuple[PortRow, ...] = ()
    groups: tuple[SecurityGroupView, ...] = ()
    address_groups: tuple[AddressSet, ...] = ()
    outside: tuple[Station, ...] = ()
    held: Mapping[PortId, Held] = {}
    names: Mapping[str, str] = {}

    def snapshot(self, revision: int) -> Snapshot:
        """What the controller would have in memory."""
        found = Snapshot(EPOCH, revision)
        for node in NODES:
            found.put_node(node)
        for network in self.networks:
            found.put_network(network)
        for router in self.routers:
            found.put_router(router)
        for port in self.ports:
            found.put_port(port)
        for group in self.groups:
            found.put_security_group(group)
        for addresses in self.address_groups:
            found.put_address_group(addresses)
        return found

    @cached_property
    def network(self) -> Mapping[NetworkId, NetworkRow]:
        return {network.id: network for network in self.networks}

    @cached_property
    def subnet(self) -> Mapping[SubnetId, SubnetView]:
        return {subnet.id: subnet for network in self.networks for subnet in network.subnets}

    @cached_property
    def router(self) -> Mapping[RouterId, RouterRow]:
        return {router.id: router for router in self.routers}

    @cached_property
    def group(self) -> Mapping[SecurityGroupId, SecurityGroupView]:
        return {group.id: group for group in self.groups}

    @cached_property
    def guests(self) -> tuple[PortRow, ...]:
        """Ports that are no router's."""
        return tuple(port for port in self.ports if port.device_owner == GUEST)

    @cached_property
    def stations(self) -> Mapping[str, Station]:
        """By name: every guest that is on a node, and those outside."""
        found = [self._guest(port) for port in self.guests if port.host]
        public = {network.id for network in self.networks if network.network_type == "flat"}
        return {
            station.name: station for station in (*found, *(one for one in self.outside if one.network_id in public))
        }

    def _guest(self, port: PortRow) -> Station:
        held = self.held.get(port.id)
        fixed = [ip.ip_address for ip in port.fixed_ips]
        addresses = (*fixed, str(link_local(port.mac_address)), *([held.address] if held else ()))
        other = {held.address: held.mac_address} if held and held.mac_address != port.mac_address else {}
        return Station(port.id, port.network_id, port.mac_address, addresses, port, (), other)

    def interfaces(self, router: RouterRow) -> list[PortRow]:
        """The router's ports on its node, by id: what is bound elsewhere is none of its."""
        owners = (ROUTER_INTERFACE, ROUTER_GATEWAY)
        found = [port for port in self.ports if port.device_id == router.id and port.device_owner in owners]
        return sorted((port for port in found if port.host == router.host), key=lambda port: port.id)

    def gateway(self, router: RouterRow) -> PortRow | None:
        """Its port on the external network."""
        return next((port for port in self.interfaces(router) if port.device_owner == ROUTER_GATEWAY), None)

    def holders(self, network: NetworkId, address: Address) -> list[tuple[str, str]]:
        """(MAC, name) of everybody on a network who says that this address is here."""
        found = [
            (one.mac_of(address), one.name)
            for one in self.stations.values()
            if one.network_id == network and str(address) in one.addresses
        ]
        for router in self.routers:
            for port in self.interfaces(router):
                mine = {ip.ip_address for ip in port.fixed_ips}
                if port.device_owner == ROUTER_GATEWAY:
                    mine |= public_addresses(router)
                if port.network_id == network and str(address) in mine:
                    found.append((port.mac_address, port.id))
        return found

    def next_hop(self, station: Station, destination: Address) -> str | None:
        """The MAC to which a station sends what is for ``destination``: its own routing and a true answer to its ARP.

        None where it has no way, or where several say that they are the next hop.
        """
        hop = self._next_address(station, destination)
        holders = {mac for mac, name in self.holders(station.network_id, hop) if name != station.name} if hop else set()
        return holders.pop() if len(holders) == 1 else None

    def _next_address(self, station: Station, destination: Address) -> Address | None:
        if destination.is_link_local:
            return destination
        if station.port is None:
            return self._next_outside(station, destination)
        subnets = [self.subnet[ip.subnet_id] for ip in station.port.fixed_ips if ip.subnet_id in self.subnet]
        if any(destination in ip_network(subnet.cidr) for subnet in subnets):
            return destination
        gateways = [
            ip_address(one.gateway_ip) for one in subnets if one.gateway_ip and one.ip_version == destination.version
        ]
        return gateways[0] if gateways else None

    def _next_outside(self, station: Station, destination: Address) -> Address | None:
        """The provider's gateway knows its segment, and which router has which inner network."""
        if any(destination in ip_network(subnet.cidr) for subnet in self.network[station.network_id].subnets):
            return destination
        for router in self.routers if station.behind else ():
            gateway = self.gateway(router)
            inner = [ip for port in self.interfaces(router) if port is not gateway for ip in port.fixed_ips]
            if gateway is None or gateway.network_id != station.network_id:
                continue
            if any(
                ip.subnet_id in self.subnet and destination in ip_network(self.subnet[ip.subnet_id].cidr)
                for ip in inner
            ):
                return ip_address(gateway.fixed_ips[0].ip_address)
        return None

    def parts(self) -> Iterator[Topology]:
        """The topology without one of its objects, or one of their parts, each in turn: for finding the smallest."""
        for field in ("networks", "routers", "ports", "groups", "address_groups"):
            rows = getattr(self, field)
            for row in rows:
                yield msgspec.structs.replace(self, **{field: tuple(other for other in rows if other is not row)})
        details = (
            ("routers", ("routes", "floating_ips", "port_forwardings")),
            ("ports", ("fixed_ips", "allowed_address_pairs", "security_groups")),
            ("groups", ("rules",)),
            ("networks", ("subnets",)),
        )
        for field, names in details:
            for row in getattr(self, field):
                for name in names:
                    for detail in getattr(row, name):
                        less = tuple(other for other in getattr(row, name) if other is not detail)
                        yield self.replacing(field, row, msgspec.structs.replace(row, **{name: less}))
        for port in self.held:
            yield msgspec.structs.replace(self, held={key: value for key, value in self.held.items() if key != port})

    def replacing(self, field: str, row: object, new: object) -> Topology:
        """With another row in the place of one."""
        rows = tuple(new if other is row else other for other in getattr(self, field))
        return msgspec.structs.replace(self, **{field: rows})

    def whole(self) -> bool:
        """Nothing names what is not there."""
        subnets = set(self.subnet)
        return all(
            port.network_id in self.network
            and port.fixed_ips
            and all(ip.subnet_id in subnets for ip in port.fixed_ips)
            and all(group in self.group for group in port.security_groups)
            and (port.device_owner == GUEST or port.device_id in self.router)
            for port in self.ports
        )


def public_addresses(router: RouterRow) -> set[str]:
    """Of floating IPs and port forwardings."""
    return {one.floating_ip_address for one in (*router.floating_ips, *router.port_forwardings)}
