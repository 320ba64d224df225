"""Which ports are wired on this node, to which network, under which device: worked out once for all features.

Pure. A view is checked by the controller's rules; still nothing here may fail on a strange one: a port that cannot
be wired is left out with the reason, the others are not touched by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address, ip_network

import msgspec

from nebula.compile.facts import BridgeMapping, Facts
from nebula.compile.pipeline import registers
from nebula.compile.pipeline.text import can_be_named
from nebula.compile.vlans import local_vlans
from nebula.ids import (
    PATCH_TUN,
    NetworkId,
    Owner,
    OwnerKind,
    PortId,
    SecurityGroupId,
    dhcp_device_name,
    dhcp_namespace,
    instance_namespace,
    int_patch_name,
    port_key,
    router_gateway_name,
    router_interface_name,
    router_namespace,
    tap_name,
)
from nebula.view.records import NetworkView, NodeView, PortView, SecurityGroupView, SubnetView

GUEST_DEVICE = "eth"


class Place(msgspec.Struct, frozen=True):
    """Where the far end of a port's veth pair is: a namespace of ours and the device's name in it."""

    namespace: str
    device: str


class WiredPort(msgspec.Struct, frozen=True, dict=True):
    """A port of this node with all that the pipeline needs.

    ``device`` is its name on br-int; ``place`` is None for what something else plugged; ``unicast`` is False for a
    port whose MAC another port of the network has here already.
    """

    port: PortView
    network: NetworkView
    tag: int
    device: str
    place: Place | None
    unicast: bool
    protection: int = 0
    """Value of the register PROTECTION."""

    @property
    def id(self) -> PortId:
        return self.port.id

    @property
    def key(self) -> int:
        return port_key(self.port.id)

    @property
    def owner(self) -> Owner:
        return Owner(OwnerKind.PORT, self.port.id)

    @property
    def inner_device(self) -> str:
        """The device's name where the port ends: in its namespace, or on br-int for what something else plugged."""
        return self.device if self.place is None else self.place.device

    @property
    def mac_address(self) -> str:
        return self.port.mac_address.lower()

    @cached_property
    def interfaces(self) -> tuple[IPv4Interface | IPv6Interface, ...]:
        """The port's addresses with their subnets' prefix lengths; addresses of unknown subnets are left out."""
        return tuple(
            _interface(fixed_ip.ip_address, subnet)
            for fixed_ip in self.port.fixed_ips
            for subnet in self.network.subnets
            if subnet.id == fixed_ip.subnet_id
        )

    @property
    def addresses(self) -> tuple[IPv4Address | IPv6Address, ...]:
        return tuple(ip_address(fixed_ip.ip_address) for fixed_ip in self.port.fixed_ips)


class Unwired(msgspec.Struct, frozen=True):
    """A port of the view that stays without devices and flows, and why (one line for people)."""

    port_id: PortId
    reason: str


class Wiring(msgspec.Struct, frozen=True, dict=True):
    """A view and the node's facts, with the questions that every feature asks of them. All tuples sorted by id."""

    view: NodeView
    facts: Facts

    @property
    def owner(self) -> Owner:
        """The node itself: owner of what serves all."""
        return Owner(OwnerKind.NODE, self.facts.host)

    @cached_property
    def networks(self) -> tuple[NetworkView, ...]:
        """Networks of the view that have a local VLAN here."""
        return tuple(
            network for network in sorted(self.view.networks, key=lambda item: item.id) if network.id in self.tags
        )

    @cached_property
    def tags(self) -> Mapping[NetworkId, int]:
        """Local VLAN of each network."""
        return local_vlans((network.id for network in self.view.networks), self.facts.local_vlans)

    @cached_property
    def ports(self) -> tuple[WiredPort, ...]:
        """Every port that is wired."""
        return tuple(item for item in self._all if isinstance(item, WiredPort))

    @cached_property
    def by_id(self) -> Mapping[PortId, WiredPort]:
        return {port.id: port for port in self.ports}

    @cached_property
    def _by_namespace(self) -> Mapping[str, tuple[WiredPort, ...]]:
        found: dict[str, list[WiredPort]] = {}
        for port in self.ports:
            if port.place is not None:
                found.setdefault(port.place.namespace, []).append(port)
        return {name: tuple(ports) for name, ports in found.items()}

    def ports_at(self, namespace: str) -> tuple[WiredPort, ...]:
        """The wired ports that end in a namespace."""
        return self._by_namespace.get(namespace, ())

    @cached_property
    def unwired(self) -> tuple[Unwired, ...]:
        """Every port that is not wired though the view puts it here."""
        return tuple(item for item in self._all if isinstance(item, Unwired))

    @cached_property
    def live_ports(self) -> Mapping[NetworkId, tuple[WiredPort, ...]]:
        """The ports of each network that may send and receive (``admin_state_up``)."""
        found: dict[NetworkId, list[WiredPort]] = {network.id: [] for network in self.networks}
        for port in self.ports:
            if port.port.admin_state_up:
                found[port.network.id].append(port)
        return {network_id: tuple(ports) for network_id, ports in found.items()}

    @cached_property
    def mappings(self) -> Mapping[str, BridgeMapping]:
        """Bridge mappings by physical network. Of two for one network, or for one bridge, the first in order counts."""
        found: dict[str, BridgeMapping] = {}
        for mapping in sorted(self.facts.bridge_mappings, key=lambda item: (item.physical_network, item.bridge)):
            taken = mapping.bridge in {other.bridge for other in found.values()}
            if mapping.physical_network not in found and not taken:
                found[mapping.physical_network] = mapping
        return found

    def flat_network(self, physical_network: str) -> NetworkView | None:
        """The one flat network of a physical network (of several, the first by id)."""
        for network in self.networks:
            if network.network_type == "flat" and network.physical_network == physical_network:
                return network
        return None

    def uplink(self, network: NetworkView) -> str | None:
        """The patch port on br-int through which the network leaves this node, or None where there is no way."""
        if network.network_type == "vxlan":
            return PATCH_TUN
        mapping = self.mappings.get(network.physical_network or "")
        if mapping is None or self.flat_network(mapping.physical_network) is not network:
            return None
        return int_patch_name(mapping.bridge)

    @cached_property
    def _all(self) -> tuple[WiredPort | Unwired, ...]:
        return tuple(self._wire())

    def _wire(self) -> Iterator[WiredPort | Unwired]:
        networks = {network.id: network for network in self.view.networks}
        places = self._places
        plugged = {PortId(port_id): device for port_id, device in sorted(self.facts.plugged, reverse=True)}
        keys: dict[int, PortId] = {}
        devices: dict[str, PortId] = {}
        macs: set[tuple[NetworkId, str]] = set()
        for port in sorted(self.view.ports, key=lambda item: item.id):
            network = networks.get(port.network_id)
            place = places.get(port.id)
            device = tap_name(port.id) if place is not None else plugged.get(port.id)
            if device is None:
                continue  # bound here, and not plugged yet: no fault
            problem = self._problem(port, network) if network is not None else f"network {port.network_id} is unknown"
            other = keys.get(port_key(port.id)) or devices.get(device)
            if not problem and not can_be_named(device):
                problem = f"no flow can name the device {device!r}"
            if not problem and other is not None:
                problem = f"port {other} has the same key or device"
            if problem or network is None:
                yield Unwired(port.id, problem)
                continue
            keys[port_key(port.id)] = devices[device] = port.id
            mac = (network.id, port.mac_address.lower())
            tag, protection = self.tags[network.id], self._protection(port)
            yield WiredPort(port, network, tag, device, place, mac not in macs, protection)
            if port.admin_state_up:
                macs.add(mac)

    def _protection(self, port: PortView) -> int:
        """Without conntrack only where every group says so."""
        if not port.secured:
            return 0
        stateful = [self.groups[group].stateful for group in port.security_groups if group in self.groups]
        return registers.STATELESS if stateful and not any(stateful) else registers.STATEFUL

    @cached_property
    def groups(self) -> Mapping[SecurityGroupId, SecurityGroupView]:
        """The security groups of ports here, by id."""
        return {group.id: group for group in self.view.security_groups}

    def _problem(self, port: PortView, network: NetworkView) -> str:
        if network.id not in self.tags:
            return f"no local VLAN is free for network {network.id}"
        if self.uplink(network) is None:
            return f"no bridge here is mapped to physical network {network.physical_network!r} for it"
        return ""

    @cached_property
    def _places(self) -> Mapping[PortId, Place]:
        """Where ports whose far end we make ourselves end; a port that two claim goes to the router, then DHCP."""
        places: dict[PortId, Place] = {}
        for instance in sorted(self.view.instances, key=lambda item: item.id, reverse=True):
            for index, port_id in enumerate(instance.ports):
                places[port_id] = Place(instance_namespace(instance.id), f"{GUEST_DEVICE}{index}")
        for dhcp in self.view.dhcp:
            places[dhcp.port_id] = Place(dhcp_namespace(dhcp.network_id), dhcp_device_name(dhcp.port_id))
        for router in sorted(self.view.routers, key=lambda item: item.id, reverse=True):
            if not router.admin_state_up:
                continue
            namespace = router_namespace(router.id)
            for port_id in router.interfaces:
                places[port_id] = Place(namespace, router_interface_name(port_id))
            if router.gateway is not None:
                port_id = router.gateway.port_id
                places[port_id] = Place(namespace, router_gateway_name(port_id))
        return places


def is_group(mac_address: str) -> bool:
    """Multicast or broadcast (IEEE 802: the lowest bit of the first byte)."""
    return bool(int(mac_address[:2], 16) & 1)


def _interface(address: str, subnet: SubnetView) -> IPv4Interface | IPv6Interface:
    length = ip_network(subnet.cidr).prefixlen
    parsed = ip_address(address)
    if isinstance(parsed, IPv4Address):
        return IPv4Interface((parsed, length))
    return IPv6Interface((parsed, length))
