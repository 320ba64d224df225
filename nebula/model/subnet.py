"""A subnet as the API has it. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec

from nebula.model import accept
from nebula.model.attribute import Who, describe
from nebula.model.extensions import extension
from nebula.model.standard import Standard, fixed, flag, reference, settable
from nebula.view.records import HostRoute

SLAAC, DHCPV6_STATEFUL, DHCPV6_STATELESS = "slaac", "dhcpv6-stateful", "dhcpv6-stateless"
IPV6_MODES = (DHCPV6_STATEFUL, DHCPV6_STATELESS, SLAAC)
"""Who tells a host its IPv6 address and the rest (RFC 4861, 4862, 8415): Neutron's words."""

PREFIX_DELEGATION = "prefix_delegation"
"""What Neutron takes for a pool whose prefixes another router delegates; there is none here."""

_mode = fixed(accept.optional(accept.choice(IPV6_MODES)), f"{', '.join(IPV6_MODES)}; of IPv6.", length=16)


def accept_pool_id(value: object) -> object:
    """A subnet pool; prefix delegation is refused by its name."""
    if value == PREFIX_DELEGATION:
        raise ValueError("prefix delegation is not supported here")
    return accept.identifier(value)


class Pool(msgspec.Struct, frozen=True, order=True):
    """A range of addresses, both ends included."""

    start: str
    end: str


class Subnet(Standard, frozen=True, kw_only=True):
    """A block of addresses on a network. ``gateway_ip`` None: no gateway.

    ``prefixlen`` and ``use_default_subnetpool`` are only in requests: what to cut from a pool, and that it be the
    default one. ``ipv6_ra_mode`` is what the router announces, ``ipv6_address_mode`` how ports get their addresses.
    """

    network_id: Annotated[
        str,
        reference("network:NETWORK", post=True, required=True, on_delete="CASCADE", indexed=True, about="Its network."),
    ]
    ip_version: Annotated[
        int,
        fixed(accept.choice((4, 6)), "4 or 6.", required=True),
    ]
    cidr: Annotated[
        str,
        fixed(
            accept.optional(accept.cidr),
            "Its addresses: 192.168.50.0/24.",
            length=64,
            title="Subnet",
            flag="--subnet-range",
        ),
    ] = ""
    prefixlen: Annotated[
        int | None,
        fixed(
            accept.optional(accept.integer(0, 128)),
            "Its length, out of a pool.",
            stored=False,
            sent=False,
            filtered=False,
            flag="--prefix-length",
        ),
    ] = None
    subnetpool_id: Annotated[
        str | None,
        reference(
            "subnet_pool:SUBNET_POOL",
            accept=accept.optional(accept_pool_id),
            post=True,
            indexed=True,
            about="Pool to cut it from.",
            flag="--subnet-pool",
        ),
    ] = None
    use_default_subnetpool: Annotated[
        bool,
        fixed(
            accept.boolean,
            "Cut it from the default pool of its IP version.",
            stored=False,
            sent=False,
            filtered=False,
            flag="--use-default-subnet-pool",
        ),
        extension("default-subnetpools"),
    ] = False
    gateway_ip: Annotated[
        str | None,
        settable(
            accept.optional(accept.ip_address),
            "Address of the gateway; none, if null.",
            length=64,
            title="Gateway",
            flag="--gateway",
        ),
    ] = None
    enable_dhcp: Annotated[bool, flag("Whether DHCP answers.", title="DHCP", flag="--dhcp/--no-dhcp")] = True
    ipv6_ra_mode: Annotated[str | None, _mode] = None
    ipv6_address_mode: Annotated[str | None, _mode] = None
    allocation_pools: Annotated[
        tuple[Pool, ...],
        settable(accept.pools, "Addresses to give to ports.", stored=False, filtered=False),
    ] = ()
    dns_nameservers: Annotated[
        tuple[str, ...],
        settable(accept.nameservers, "DNS server told to guests.", filtered=False, title="Name Servers"),
    ] = ()
    host_routes: Annotated[
        tuple[HostRoute, ...],
        settable(accept.host_routes, "Route told to guests.", filtered=False),
    ] = ()
    service_types: Annotated[
        tuple[str, ...],
        settable(
            accept.list_of(accept.service_type, "service type", "service type"),
            "Device owner whose ports it is for.",
            filtered=False,
            set_by=Who.ADMIN,
        ),
        extension("subnet-service-types"),
    ] = ()
    dns_publish_fixed_ip: Annotated[
        bool, flag("Whether its addresses are published in DNS."), extension("subnet-dns-publish-fixed-ip")
    ] = False


SUBNET = describe(
    Subnet,
    "subnet",
    "subnets",
    limited=True,
    listed="id name network_id cidr",
    listed_long="id name network_id cidr project_id enable_dhcp dns_nameservers allocation_pools host_routes "
    "ip_version gateway_ip service_types tags",
    asked="network_id name cidr enable_dhcp ip_version gateway_ip subnetpool_id project_id tags",
)
