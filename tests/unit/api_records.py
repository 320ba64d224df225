"""The records of ``api_model``: what it knows of each object, under the API's words. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

Refusals = set[tuple[int, str]]
Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Block = ipaddress.IPv4Network | ipaddress.IPv6Network
INTERFACE, GATEWAY, FLOATING = "network:router_interface", "network:router_gateway", "network:floatingip"
DHCP = "network:dhcp"
SERVICES = {INTERFACE, GATEWAY, FLOATING}
"""Owners of ports that no call to ports deletes or moves."""
DHCP_AGENT, L3_AGENT = "DHCP agent", "L3 agent"
AGENT_TYPES = ("Open vSwitch agent", DHCP_AGENT, L3_AGENT)
"""Of a node that does everything."""
AUTO_MODES = {"slaac", "dhcpv6-stateless"}
"""Of subnets whose hosts make their own addresses."""
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
    qos: str | None = None


@dataclass
class Subnet:
    project: str
    network: str
    cidr: str
    gateway: str | None
    pool: tuple[str, str]
    """Of addresses: the first and the last."""
    dhcp: bool = True
    cut_from: str | None = None
    """The subnet pool."""
    ra_mode: str | None = None
    address_mode: str | None = None

    @property
    def block(self) -> Block:
        return ipaddress.ip_network(self.cidr)

    @property
    def version(self) -> int:
        return self.block.version

    @property
    def auto(self) -> bool:
        return bool({self.ra_mode, self.address_mode} & AUTO_MODES)


@dataclass
class Port:
    project: str
    network: str
    fixed: set[tuple[str, str]]
    """Subnets and addresses."""
    owner: str = ""
    device: str = ""
    groups: set[str] = field(default_factory=set)
    mac: str = ""
    qos: str | None = None
    host: str = ""
    """The node that it is on, of a DHCP server's port."""
    options: dict[tuple[str, int], str] = field(default_factory=dict)
    """DHCP options for its guest, by name and IP version."""


@dataclass
class Router:
    project: str
    gateway: str | None = None
    """The network."""
    snat: bool = True
    qos: str | None = None
    routes: set[tuple[str, str]] = field(default_factory=set)
    """Destinations and next hops."""
    host: str | None = ""
    """The node that it is on, None for none; "" where nobody has looked yet."""


@dataclass
class Floating:
    project: str
    network: str
    address: str
    port: str | None = None
    fixed: str | None = None
    router: str | None = None
    qos: str | None = None


@dataclass
class Forwarding:
    """Ranges of port numbers, both ends included."""

    project: str
    """The floating IP's."""
    floating: str
    port: str
    address: str
    protocol: str
    outer: tuple[int, int]
    inner: tuple[int, int]


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
    address_group: str | None = None


@dataclass
class AddressGroup:
    project: str
    addresses: set[str]


@dataclass
class Pool:
    """``quota`` counts IPv4 addresses, or IPv6 blocks of /64."""

    project: str
    version: int
    prefixes: list[str]
    lengths: tuple[int, int, int]
    """The least, the usual and the most."""
    quota: int | None = None
    default: bool = False
    scope: str | None = None


@dataclass
class Scope:
    project: str
    version: int


@dataclass
class Policy:
    """A QoS policy; a rule is its kind, its direction ("" where it has none) and its number."""

    project: str
    default: bool
    rules: dict[str, tuple[str, str, int]] = field(default_factory=dict)


@dataclass
class Node:
    up: bool = True
    disabled: set[str] = field(default_factory=set)
    """Types of its agents."""
    words: dict[str, str | None] = field(default_factory=dict)
    """Descriptions of its agents, by type."""


@dataclass
class Share:
    """An RBAC policy ``access_as_shared``; ``kind`` is the object's collection."""

    project: str
    kind: str
    key: str
    target: str


class Things:
    """All that is there, by id."""

    def __init__(self) -> None:
        self.networks: dict[str, Network] = {}
        self.subnets: dict[str, Subnet] = {}
        self.ports: dict[str, Port] = {}
        self.routers: dict[str, Router] = {}
        self.floatingips: dict[str, Floating] = {}
        self.forwardings: dict[str, Forwarding] = {}
        self.security_groups: dict[str, Group] = {}
        self.security_group_rules: dict[str, Rule] = {}
        self.address_groups: dict[str, AddressGroup] = {}
        self.subnetpools: dict[str, Pool] = {}
        self.address_scopes: dict[str, Scope] = {}
        self.policies: dict[str, Policy] = {}
        self.shares: dict[str, Share] = {}
        self.nodes: dict[str, Node] = {}
        """By name."""
        self.limits: dict[tuple[str, str], int] = {}
        """By project and quota's name; -1 is none."""


NOT_FOUND = {
    "networks": "NetworkNotFound",
    "subnets": "SubnetNotFound",
    "ports": "PortNotFound",
    "routers": "RouterNotFound",
    "floatingips": "FloatingIPNotFound",
    "security_groups": "SecurityGroupNotFound",
    "security_group_rules": "SecurityGroupRuleNotFound",
    "address_groups": "AddressGroupNotFound",
    "subnetpools": "SubnetPoolNotFound",
    "address_scopes": "AddressScopeNotFound",
    "policies": "QosPolicyNotFound",
    "shares": "RbacPolicyNotFound",
}
"""Neutron's error types."""
PATHS = {"policies": "qos/policies", "shares": "rbac-policies"}
"""Of collections whose path is not their name."""
SHARED_TYPES = {
    "networks": "network",
    "security_groups": "security_group",
    "address_groups": "address_group",
    "subnetpools": "subnetpool",
    "address_scopes": "address_scope",
    "policies": "qos_policy",
}
"""RBAC's words for what can be shared."""


def path_of(kind: str) -> str:
    return PATHS.get(kind, kind.replace("_", "-"))


def name_of(kind: str) -> str:
    """The word around a request's body."""
    return {"policies": "policy", "shares": "rbac_policy"}.get(kind, kind[:-1])
