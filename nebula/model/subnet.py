"""A subnet as the API has it. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec

from nebula.model import accept
from nebula.model.attribute import Attribute, Who, describe
from nebula.model.standard import Flag, Standard, reference
from nebula.view.records import HostRoute

SLAAC, DHCPV6_STATEFUL, DHCPV6_STATELESS = "slaac", "dhcpv6-stateful", "dhcpv6-stateless"
IPV6_MODES = (DHCPV6_STATEFUL, DHCPV6_STATELESS, SLAAC)
"""Who tells a host its IPv6 address and the rest (RFC 4861, 4862, 8415): Neutron's words."""

PREFIX_DELEGATION = "prefix_delegation"
"""What Neutron takes for a pool whose prefixes another router delegates; there is none here."""

_mode = Attribute(accept=accept.optional(accept.choice(IPV6_MODES)), post=True, length=16)


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

    network_id: Annotated[str, reference("networks", post=True, required=True, cascades=True, indexed=True)]
    ip_version: Annotated[int, Attribute(accept=accept.choice((4, 6)), post=True, required=True)]
    cidr: Annotated[str, Attribute(accept=accept.optional(accept.cidr), post=True, length=64)] = ""
    prefixlen: Annotated[
        int | None,
        Attribute(accept=accept.optional(accept.integer(0, 128)), post=True, stored=False, sent=False, filtered=False),
    ] = None
    subnetpool_id: Annotated[
        str | None, reference("subnet_pools", accept=accept.optional(accept_pool_id), post=True, indexed=True)
    ] = None
    use_default_subnetpool: Annotated[
        bool, Attribute(accept=accept.boolean, post=True, stored=False, sent=False, filtered=False)
    ] = False
    gateway_ip: Annotated[
        str | None, Attribute(accept=accept.optional(accept.ip_address), post=True, put=True, length=64)
    ] = None
    enable_dhcp: Annotated[bool, Flag] = True
    ipv6_ra_mode: Annotated[str | None, _mode] = None
    ipv6_address_mode: Annotated[str | None, _mode] = None
    allocation_pools: Annotated[
        tuple[Pool, ...], Attribute(accept=accept.pools, post=True, put=True, stored=False, filtered=False)
    ] = ()
    dns_nameservers: Annotated[
        tuple[str, ...], Attribute(accept=accept.nameservers, post=True, put=True, filtered=False)
    ] = ()
    host_routes: Annotated[
        tuple[HostRoute, ...], Attribute(accept=accept.host_routes, post=True, put=True, filtered=False)
    ] = ()
    service_types: Annotated[
        tuple[str, ...],
        Attribute(
            accept=accept.list_of(accept.service_type, "service type", "service type"),
            post=True,
            put=True,
            filtered=False,
            set_by=Who.ADMIN,
        ),
    ] = ()
    dns_publish_fixed_ip: Annotated[bool, Flag] = False


SUBNET = describe(Subnet, "subnet", "subnets")
