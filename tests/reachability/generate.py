"""Random topologies: the same seed, the same topology.

Pure but for the randomness that is given. What comes out is what the API would take: no two equal MACs or addresses
on a network, no overlapping subnets on a router, floating IPs where a router leads to them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_network

import msgspec

from nebula.ids import Host, NetworkId, PortId, RouterId, SubnetId
from nebula.model.port import ROUTER_GATEWAY, ROUTER_INTERFACE
from nebula.model.snapshot import NetworkRow, PortRow, RouterRow
from nebula.view.records import (
    AddressPair,
    FixedIp,
    FloatingIpView,
    HostRoute,
    PortForwardingView,
    SecurityGroupView,
    SubnetView,
)
from tests.reachability.draw import Draw
from tests.reachability.groups import Rules, empty_group
from tests.reachability.topology import GUEST, NODES, PROVIDER_HOSTS, SLOTS, Held, Station, Topology

PUBLIC = "203.0.113.0/24"
_PREFIXES = ("192.168.50.0/24", "192.168.50.0/24", "192.168.51.0/24", "10.1.0.0/16", "10.1.0.0/20", "10.20.30.0/26")
_PREFIXES6 = ("fd00:50::/64", "fd00:50::/64", "fd00:51::/64")
_TRANSIT = "172.16.0.0/28"
_PROJECTS = ("blue", "green")
_HOSTS = tuple(node.host for node in NODES)


def topology(seed: int) -> Topology:
    """The topology of a seed."""
    return _Maker(Draw(random.Random(seed), f"{seed}")).make()


class _Maker:
    """One topology in the making."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._slots = dict.fromkeys(_HOSTS, SLOTS)
        self._networks: list[NetworkRow] = []
        self._routers: list[RouterRow] = []
        self._ports: list[PortRow] = []
        self._groups: dict[str, list[SecurityGroupView]] = {}
        self._held: dict[PortId, Held] = {}
        self._virtual: dict[str, AddressPair] = {}

    def make(self) -> Topology:
        """All of it, what others need first."""
        self._networks = list(self._make_networks())
        self._make_routers()
        for project in _PROJECTS:
            self._groups[project] = [
                empty_group(self._draw, project, number) for number in range(self._draw.rng.randint(1, 2))
            ]
        for _ in range(self._draw.rng.randint(4, 9)):
            self._make_guest()
        groups, addresses = Rules(self._draw, self._groups, self._ports).filled()
        self._routers = [self._routed(router) for router in self._routers]
        self._routers = [self._public(router) for router in self._routers]
        return Topology(
            networks=tuple(self._networks),
            routers=tuple(self._routers),
            ports=tuple(sorted(self._ports, key=lambda port: port.id)),
            groups=groups,
            address_groups=addresses,
            outside=tuple(self._outside()),
            held=self._held,
            names=self._draw.names,
        )

    # Networks

    def _make_networks(self) -> Iterator[NetworkRow]:
        public = SubnetView(SubnetId(self._draw.id("public-subnet")), "public-subnet", PUBLIC, 4, "203.0.113.1", False)
        up = not self._draw.chance(0.04)
        yield self._network("public", "flat", (public,), up=up)
        for number in range(self._draw.rng.randint(2, 4)):
            name = f"net{number}"
            first, second = self._draw.rng.sample(_PREFIXES, 2)
            two = not ip_network(first).overlaps(ip_network(second)) and self._draw.chance(0.33)
            prefixes = [first, second] if two else [first]
            gateway = not self._draw.chance(0.05)
            subnets = [
                self._subnet(f"{name}-v4-{index}", prefix, gateway=gateway or index > 0)
                for index, prefix in enumerate(prefixes)
            ]
            if self._draw.chance(0.5):
                subnets.append(self._subnet(f"{name}-v6", self._draw.rng.choice(_PREFIXES6)))
            yield self._network(name, "vxlan", tuple(subnets), up=not self._draw.chance(0.06))
        if self._draw.chance(0.5):
            yield self._network("transit", "vxlan", (self._subnet("transit-subnet", _TRANSIT, gateway=False),), up=True)

    def _network(self, name: str, kind: str, subnets: tuple[SubnetView, ...], *, up: bool) -> NetworkRow:
        flat = kind == "flat"
        return NetworkRow(
            NetworkId(self._draw.id(name)),
            name,
            self._draw.rng.choice(_PROJECTS),
            kind,
            None if flat else self._draw.vni(),
            "public" if flat else None,
            1500 if flat else 1450,
            flat,
            admin_state_up=up,
            subnets=tuple(sorted(subnets, key=lambda subnet: subnet.id)),
        )

    def _subnet(self, name: str, cidr: str, *, gateway: bool = True) -> SubnetView:
        network = ip_network(cidr)
        return SubnetView(
            SubnetId(self._draw.id(name)), name, cidr, network.version, str(network[1]) if gateway else None, False
        )

    # Routers

    def _make_routers(self) -> None:
        for number in range(self._draw.rng.randint(1, 3)):
            name = f"router{number}"
            outside = self._draw.chance(0.75)
            host = self._draw.rng.choice(PROVIDER_HOSTS if outside else _HOSTS)
            router = RouterRow(
                RouterId(self._draw.id(name)),
                name,
                self._draw.rng.choice(_PROJECTS),
                host,
                admin_state_up=not self._draw.chance(0.05),
                enable_snat=self._draw.chance(0.75),
            )
            self._routers.append(router)
            prefixes = [ip_network(PUBLIC)]
            if outside:
                self._interface(router, self._networks[0], self._networks[0].subnets[0], ROUTER_GATEWAY)
            for network in self._networks[1:]:
                wanted = 0.9 if network.name == "transit" else 0.6
                for subnet in network.subnets:
                    prefix = ip_network(subnet.cidr)
                    if (
                        subnet.ip_version == 4
                        and not any(prefix.overlaps(other) for other in prefixes)
                        and self._draw.chance(wanted)
                    ):
                        prefixes.append(prefix)
                        self._interface(router, network, subnet, ROUTER_INTERFACE)

    def _interface(self, router: RouterRow, network: NetworkRow, subnet: SubnetView, owner: str) -> None:
        inside = owner == ROUTER_INTERFACE
        address = self._draw.address(subnet, subnet.gateway_ip if inside else None)
        self._ports.append(
            PortRow(
                PortId(self._draw.id(f"{router.name}-{subnet.name}")),
                network.id,
                self._draw.mac(network.id),
                (FixedIp(subnet.id, address),),
                owner,
                router.id,
                router.host,
                admin_state_up=not self._draw.chance(0.03),
            )
        )

    def _routed(self, router: RouterRow) -> RouterRow:
        """Routes by neighbours that have what this one has not, and now and then by a guest."""
        mine = [port for port in self._ports if port.device_id == router.id]
        prefixes = [ip_network(self._subnet_of(ip).cidr) for port in mine for ip in port.fixed_ips]
        routes: set[HostRoute] = set()
        for other in self._ports:
            shared = [port for port in mine if port.network_id == other.network_id]
            if other.device_owner != ROUTER_INTERFACE or other.device_id == router.id or not shared:
                continue
            if not any(self._subnet_of(ip) in map(self._subnet_of, shared[0].fixed_ips) for ip in other.fixed_ips):
                continue
            for port in self._ports:
                if port.device_id != other.device_id or port.device_owner != ROUTER_INTERFACE:
                    continue
                for ip in port.fixed_ips:
                    prefix = ip_network(self._subnet_of(ip).cidr)
                    if not any(prefix.overlaps(known) for known in prefixes) and self._draw.chance(0.9):
                        routes.add(HostRoute(str(prefix), other.fixed_ips[0].ip_address))
        if self._draw.chance(0.15):
            on_link = [
                ip.ip_address
                for port in self._ports
                if port.device_owner == GUEST
                for ip in port.fixed_ips
                if any(ip_address(ip.ip_address) in prefix for prefix in prefixes)
                and any(port.network_id == one.network_id for one in mine)
            ]
            if on_link:
                destination = self._draw.rng.choice(("198.18.0.0/24", "0.0.0.0/0", "198.18.0.0/15"))
                routes.add(HostRoute(destination, self._draw.rng.choice(on_link)))
        return msgspec.structs.replace(router, routes=tuple(sorted(routes)))

    def _subnet_of(self, ip: FixedIp) -> SubnetView:
        return next(subnet for network in self._networks for subnet in network.subnets if subnet.id == ip.subnet_id)

    def _public(self, router: RouterRow) -> RouterRow:
        """Floating IPs and port forwardings to guests on its subnets."""
        mine = [port for port in self._ports if port.device_id == router.id]
        if not any(port.device_owner == ROUTER_GATEWAY for port in mine):
            return router
        inner = [
            ip.ip_address
            for port in self._ports
            if port.device_owner == GUEST
            for ip in port.fixed_ips
            if self._public_router(ip) == router.id
        ]
        public = self._networks[0].subnets[0]
        floating, forwardings = [], []
        for address in inner:
            if self._draw.chance(0.5):
                name = self._draw.id(f"{router.name}-floating-{address}")
                floating.append(FloatingIpView(name, self._draw.address(public), address))  # type: ignore[arg-type]
        for number in range(self._draw.rng.choice((0, 1, 1, 2)) if inner else 0):
            forwardings += self._forwardings(router, number, self._draw.address(public), inner)
        return msgspec.structs.replace(
            router, floating_ips=tuple(sorted(floating)), port_forwardings=tuple(sorted(forwardings))
        )

    def _public_router(self, ip: FixedIp) -> str | None:
        """The router that has an address's floating IPs: of several, the one with the subnet's gateway address."""
        subnet = self._subnet_of(ip)
        out = {port.device_id for port in self._ports if port.device_owner == ROUTER_GATEWAY}
        found = [
            (mine.ip_address != subnet.gateway_ip, port.device_id)
            for port in self._ports
            if port.device_owner == ROUTER_INTERFACE and port.device_id in out
            for mine in port.fixed_ips
            if mine.subnet_id == ip.subnet_id
        ]
        return min(found)[1] if found else None

    def _forwardings(
        self, router: RouterRow, number: int, address: str, inner: Sequence[str]
    ) -> Iterator[PortForwardingView]:
        floating = self._draw.id(f"{router.name}-forwarded-{number}")
        kinds = [
            (22, 22, 22, 22),
            (80, 80, 8000, 8000),
            (5000, 5999, 5000, 5999),
            (8000, 8079, 443, 443),
            (53, 60, 5000, 5007),
        ]
        for index, (outer, outer_last, first, last) in enumerate(
            self._draw.rng.sample(kinds, self._draw.rng.randint(1, 3))
        ):
            identity_ = self._draw.id(f"{router.name}-forwarding-{number}-{index}")
            protocol = self._draw.rng.choice(("tcp", "tcp", "udp"))
            yield PortForwardingView(
                identity_,
                floating,
                address,
                protocol,
                outer,
                outer_last,
                self._draw.rng.choice(inner),
                first,
                last,  # type: ignore[arg-type]
            )

    # Guests

    def _make_guest(self) -> None:
        number = len(self._held) + sum(port.device_owner == GUEST for port in self._ports)
        networks = [network for network in self._networks if network.name != "transit"]
        network = self._draw.rng.choice(networks if self._draw.chance(0.25) else networks[1:3])
        hosts = PROVIDER_HOSTS if network.network_type == "flat" else _HOSTS
        hosts = tuple(host for host in hosts if self._slots[host])
        if not hosts:
            return
        host = self._draw.rng.choice(hosts) if not self._draw.chance(0.04) else Host("")
        if host:
            self._slots[host] -= 1
        four = [subnet for subnet in network.subnets if subnet.ip_version == 4]
        subnets = self._draw.rng.sample(four, 1 if self._draw.chance(0.85) else len(four))
        subnets += [subnet for subnet in network.subnets if subnet.ip_version == 6 and self._draw.chance(0.9)]
        project = network.project_id if self._draw.chance(0.75) else self._draw.rng.choice(_PROJECTS)
        secured = self._draw.chance(0.85)
        known = self._groups[project]
        groups = self._draw.rng.sample(known, self._draw.rng.randint(0 if self._draw.chance(0.2) else 1, len(known)))
        name = PortId(self._draw.id(f"guest{number}"))
        mac = self._draw.mac(network.id)
        pairs, held = self._pairs(network, mac) if self._draw.chance(0.4) else ((), None)
        self._ports.append(
            PortRow(
                name,
                network.id,
                mac,
                tuple(sorted(FixedIp(subnet.id, self._draw.address(subnet)) for subnet in subnets)),
                GUEST,
                self._draw.id(f"guest{number}-instance"),
                host,
                admin_state_up=not self._draw.chance(0.06),
                port_security_enabled=secured,
                allowed_address_pairs=tuple(sorted(pairs)) if secured else (),
                security_groups=tuple(sorted(group.id for group in groups)) if secured else (),
            )
        )
        if held is not None:
            self._held[name] = held

    def _pairs(self, network: NetworkRow, mac: str) -> tuple[tuple[AddressPair, ...], Held | None]:
        """Allowed address pairs, and an address that the guest uses beside its own: allowed or not.

        One pair of a network has a MAC of its own; several guests may have it, the first uses it (VRRP).
        """
        if self._draw.chance(0.4):
            known = self._virtual.get(network.id)
            if known is not None:
                return (known,), None
            subnet = next(subnet for subnet in network.subnets if subnet.ip_version == 4)
            virtual = Held(self._draw.address(subnet), self._draw.mac(network.id))
            self._virtual[network.id] = AddressPair(virtual.mac_address, virtual.address)
            return (self._virtual[network.id],), virtual
        subnet = self._draw.rng.choice([subnet for subnet in network.subnets if subnet.ip_version == 4])
        address = self._draw.address(subnet)
        block = str(ip_network(f"{address}/{self._draw.rng.choice((25, 28, 32))}", strict=False))
        allowed = self._draw.rng.choice((address, address, block, "0.0.0.0/0", "10.99.0.0/24"))
        pairs = [] if self._draw.chance(0.25) else [AddressPair(mac, allowed)]
        if self._draw.chance(0.15):
            pairs.append(AddressPair(mac, "::/0"))
        return tuple(pairs), Held(address, mac)

    def _outside(self) -> Iterator[Station]:
        public = self._networks[0].id
        yield Station("outside-gateway", public, "02:00:00:00:00:01", ("203.0.113.1",), None, ("198.51.100.10",))
        yield Station("outside-host", public, "02:00:00:00:00:02", ("203.0.113.3",), None)
