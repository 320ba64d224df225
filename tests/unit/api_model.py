"""What the network API promises, as a small world in memory: which calls are refused and why, who sees what. Pure.

Written from Neutron's API reference and ``docs/api.md``, and independent of the controller: no import of its rules. A
function gives the refusals that a call deserves, as (status, error type); with several of them any will do, with none
the call has to succeed. Which address an object gets is the controller's choice: the world says which are free.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field

Refusals = set[tuple[int, str]]
Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Block = ipaddress.IPv4Network | ipaddress.IPv6Network
INTERFACE, GATEWAY, FLOATING = "network:router_interface", "network:router_gateway", "network:floatingip"
DHCP = "network:dhcp"
SERVICES = {INTERFACE, GATEWAY, FLOATING}
"""Owners of ports that no call to ports deletes or moves."""
FORBIDDEN = (403, "PolicyNotAuthorized")
OVER = (409, "OverQuota")
EVERYBODY = "*"


@dataclass(frozen=True)
class Asker:
    """Who calls; the token is the name."""

    name: str
    project: str
    admin: bool = False
    writes: bool = True


ASKERS = {
    asker.name: asker
    for asker in (
        Asker("alice", "p-alice"),
        Asker("ann", "p-alice", writes=False),
        Asker("bob", "p-bob"),
        Asker("root", "p-admin", admin=True),
    )
}


@dataclass
class Network:
    project: str
    name: str
    external: bool = False


@dataclass
class Subnet:
    project: str
    network: str
    cidr: str
    gateway: str | None
    pool: tuple[str, str]
    dhcp: bool = True

    @property
    def block(self) -> Block:
        return ipaddress.ip_network(self.cidr)

    @property
    def version(self) -> int:
        return self.block.version


@dataclass
class Port:
    project: str
    network: str
    fixed: set[tuple[str, str]]
    """Subnets and addresses."""
    owner: str = ""
    device: str = ""
    groups: set[str] = field(default_factory=set)


@dataclass
class Router:
    project: str
    gateway: str | None = None
    """The network."""


@dataclass
class Floating:
    project: str
    network: str
    address: str
    port: str | None = None
    fixed: str | None = None
    router: str | None = None


@dataclass
class Group:
    project: str
    name: str


@dataclass
class Rule:
    project: str
    group: str
    what: tuple[object, ...]
    remote: str | None = None


@dataclass
class Share:
    """An RBAC policy ``access_as_shared`` of a network."""

    project: str
    network: str
    target: str


class World:
    """All that is there, by id."""

    def __init__(self) -> None:
        self.networks: dict[str, Network] = {}
        self.subnets: dict[str, Subnet] = {}
        self.ports: dict[str, Port] = {}
        self.routers: dict[str, Router] = {}
        self.floatingips: dict[str, Floating] = {}
        self.security_groups: dict[str, Group] = {}
        self.security_group_rules: dict[str, Rule] = {}
        self.shares: dict[str, Share] = {}
        self.limits: dict[tuple[str, str], int] = {}

    # Who sees and changes what.

    def is_user(self, asker: Asker, network: str) -> bool:
        """May have ports on it."""
        own = asker.admin or self.networks[network].project == asker.project
        return own or self.granted(network, asker.project)

    def granted(self, network: str, project: str) -> bool:
        """Shared with the project."""
        return any(s.network == network and s.target in (project, EVERYBODY) for s in self.shares.values())

    def owns_network(self, asker: Asker, network: str) -> bool:
        return asker.admin or self.networks[network].project == asker.project

    def sees(self, asker: Asker, kind: str, key: str) -> bool:
        """Gets it in lists; else it is a 404 for the asker."""
        found = getattr(self, kind)[key]
        if asker.admin or found.project == asker.project:
            return True
        through = {
            "networks": lambda: found.external or self.granted(key, asker.project),
            "subnets": lambda: self.is_user(asker, found.network),
            "ports": lambda: self.networks[found.network].project == asker.project,
            "security_group_rules": lambda: self.security_groups[found.group].project == asker.project,
        }
        return bool(through[kind]()) if kind in through else False

    def missing(self, asker: Asker, kind: str, key: str) -> Refusals:
        """404 where the asker may not know of it."""
        if key in getattr(self, kind) and self.sees(asker, kind, key):
            return set()
        return {(404, NOT_FOUND[kind])}

    def unchangeable(self, asker: Asker, kind: str, key: str, *, delete: bool = False) -> Refusals:
        """404, or 403 for what is seen but belongs to others (or the asker only reads)."""
        found = self.missing(asker, kind, key)
        if found:
            return found
        thing = getattr(self, kind)[key]
        own = asker.admin or thing.project == asker.project
        if kind == "ports" and delete:
            own = own or self.owns_network(asker, thing.network)
        if kind == "subnets":
            own = self.owns_network(asker, thing.network)
        return set() if own and asker.writes else {FORBIDDEN}

    def over(self, resource: str, project: str, more: int = 1) -> Refusals:
        """One more would be too many."""
        limit = self.limits.get((project, resource), -1)
        kind = f"{resource}s"
        count = sum(thing.project == project for thing in getattr(self, kind).values())
        return {OVER} if 0 <= limit < count + more else set()

    # Addresses.

    def subnets_of(self, network: str) -> dict[str, Subnet]:
        return {key: subnet for key, subnet in self.subnets.items() if subnet.network == network}

    def taken(self, subnet: str) -> set[str]:
        return {address for port in self.ports.values() for where, address in port.fixed if where == subnet}

    def has_room(self, subnet: str, without: str | None = None) -> bool:
        """An address of its pool is free; ``without``: this port's count as free."""
        first, last = (int(ipaddress.ip_address(end)) for end in self.subnets[subnet].pool)
        own = {a for where, a in self.ports[without].fixed if where == subnet} if without else set()
        inside = [a for a in self.taken(subnet) - own if first <= int(ipaddress.ip_address(a)) <= last]
        return len(inside) < last - first + 1

    def in_pool(self, subnet: str, address: str) -> bool:
        first, last = (int(ipaddress.ip_address(end)) for end in self.subnets[subnet].pool)
        return first <= int(ipaddress.ip_address(address)) <= last

    def no_room(self, network: str, without: str | None = None) -> Refusals:
        """A port that names no address gets one of each version."""
        found = self.subnets_of(network)
        for version in {subnet.version for subnet in found.values()}:
            if not any(self.has_room(key, without) for key, subnet in found.items() if subnet.version == version):
                return {(409, "IpAddressGenerationFailure")}
        return set()

    def wrong_address(self, network: str, subnet: str | None, address: str, without: str | None = None) -> Refusals:
        """What is wrong with an address that a port is to have."""
        ip, found = ipaddress.ip_address(address), self.subnets_of(network)
        fitting = [key for key, each in found.items() if _is_host(ip, each.block)]
        if subnet is None:
            if not fitting:
                return {(400, "InvalidIpForNetwork")}
            subnet = fitting[0]
        elif subnet not in found:
            return {(400, "InvalidInput")}
        elif subnet not in fitting:
            return {(400, "InvalidIpForSubnet")}
        own = self.ports[without].fixed if without else set()
        if address in self.taken(subnet) and (subnet, address) not in own:
            return {(409, "IpAddressAlreadyAllocated")}
        return set()

    # Routers and floating IPs.

    def interfaces(self, router: str) -> dict[str, Port]:
        return {k: p for k, p in self.ports.items() if p.owner == INTERFACE and p.device == router}

    def gateway_port(self, router: str) -> str | None:
        return next((k for k, p in self.ports.items() if p.owner == GATEWAY and p.device == router), None)

    def clashes(self, router: str, cidrs: Iterable[str], but: str | None = None) -> bool:
        """A block overlaps one that the router is on; ``but``: this port does not count."""
        own = {**self.interfaces(router)}
        if (gateway := self.gateway_port(router)) is not None:
            own[gateway] = self.ports[gateway]
        have = [self.subnets[where].block for key, port in own.items() if key != but for where, _ in port.fixed]
        return any(
            block.version == other.version and block.overlaps(other)
            for block in map(ipaddress.ip_network, cidrs)
            for other in have
        )

    def routers_between(self, subnet: str, external: str) -> set[str]:
        """Those with an interface on the one and their gateway on the other."""
        return {
            key
            for key, router in self.routers.items()
            if router.gateway == external
            and any(where == subnet for port in self.interfaces(key).values() for where, _ in port.fixed)
        }

    def floating_through(self, router: str, subnet: str | None = None) -> bool:
        """A floating IP needs the router (for a port on the subnet)."""
        for floating in self.floatingips.values():
            if floating.router == router and floating.port is not None:
                fixed = {where for where, address in self.ports[floating.port].fixed if address == floating.fixed}
                if subnet is None or subnet in fixed:
                    return True
        return False

    def wrong_association(self, asker: Asker, floating: Floating, key: str | None, port: str) -> Refusals:
        """What is wrong with a floating IP that is to lead to a port; ``key``: its id, None for a new one."""
        found = self.missing(asker, "ports", port)
        if found:
            return found
        inner = self.ports[port]
        if inner.project != floating.project and not asker.admin:
            return {(400, "BadRequest")}
        fixed = [(where, address) for where, address in inner.fixed if ":" not in address]
        if len(fixed) != 1:
            return {(400, "BadRequest")}
        if not self.routers_between(fixed[0][0], floating.network):
            return {(404, "ExternalGatewayForFloatingIPNotFound")}
        for other, each in self.floatingips.items():
            same = (each.port, each.fixed, each.network) == (port, fixed[0][1], floating.network)
            if same and other != key:
                return {(409, "FloatingIPPortAlreadyAssociated")}
        return set()

    # What goes with what.

    def drop_port(self, key: str) -> None:
        del self.ports[key]
        self.let_go(key, set())

    def let_go(self, port: str, left: set[str]) -> None:
        """Floating IPs lead to no address that the port has not."""
        for floating in self.floatingips.values():
            if floating.port == port and floating.fixed not in left:
                floating.port = floating.fixed = floating.router = None

    def floating_port(self, key: str) -> str:
        return next(k for k, p in self.ports.items() if p.owner == FLOATING and p.device == key)

    def drop_floating(self, key: str) -> None:
        del self.ports[self.floating_port(key)]
        del self.floatingips[key]

    def drop_group(self, key: str) -> None:
        del self.security_groups[key]
        for rule, each in list(self.security_group_rules.items()):
            if key in (each.group, each.remote):
                del self.security_group_rules[rule]

    def holds_network(self, network: str) -> bool:
        """A port that does not go with the network."""
        idle = {self.floating_port(k) for k, f in self.floatingips.items() if f.network == network and f.port is None}
        ports = {key: port for key, port in self.ports.items() if port.network == network and port.owner != DHCP}
        return bool(ports.keys() - idle)

    def holds_subnet(self, subnet: str) -> bool:
        """A port that does not go with the subnet."""
        return any(where == subnet for port in self.ports.values() if port.owner != DHCP for where, _ in port.fixed)

    def drop_network(self, network: str) -> None:
        for key in [key for key, floating in self.floatingips.items() if floating.network == network]:
            self.drop_floating(key)
        for key in [key for key, port in self.ports.items() if port.network == network]:
            del self.ports[key]
        for key in self.subnets_of(network):
            del self.subnets[key]
        for key in [key for key, share in self.shares.items() if share.network == network]:
            del self.shares[key]
        del self.networks[network]

    def users(self, network: str) -> set[str]:
        """The other projects that have something on it; gateways and floating IPs are of none."""
        owner = self.networks[network].project
        return {p.project for p in self.ports.values() if p.network == network and p.project} - {owner}

    def share_needed(self, key: str) -> bool:
        """Somebody has something on the network because of this policy alone."""
        share = self.shares[key]
        others = {s.target for k, s in self.shares.items() if s.network == share.network and k != key}
        using = self.users(share.network)
        if EVERYBODY in others:
            return False
        if share.target != EVERYBODY:
            return share.target in using
        return bool(using - others)


def _is_host(ip: Ip, block: Block) -> bool:
    """Neither the block's own address nor (IPv4) its broadcast."""
    edges = {block.network_address, block.broadcast_address} if block.version == 4 else {block.network_address}
    return ip in block and ip not in edges


NOT_FOUND = {
    "networks": "NetworkNotFound",
    "subnets": "SubnetNotFound",
    "ports": "PortNotFound",
    "routers": "RouterNotFound",
    "floatingips": "FloatingIPNotFound",
    "security_groups": "SecurityGroupNotFound",
    "security_group_rules": "SecurityGroupRuleNotFound",
    "shares": "RbacPolicyNotFound",
}
"""Neutron's error types."""
