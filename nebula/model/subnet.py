"""A subnet as the API has it. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec

from nebula.model import accept
from nebula.model.attribute import Attribute, Who, describe
from nebula.model.standard import Flag, Standard
from nebula.view.records import HostRoute


class Pool(msgspec.Struct, frozen=True, order=True):
    """A range of addresses, both ends included."""

    start: str
    end: str


class Subnet(Standard, frozen=True, kw_only=True):
    """A block of addresses on a network. ``gateway_ip`` None: no gateway."""

    network_id: Annotated[str, Attribute(accept=accept.identifier, post=True, required=True)]
    ip_version: Annotated[int, Attribute(accept=accept.choice((4, 6)), post=True, required=True)]
    cidr: Annotated[str, Attribute(accept=accept.cidr, post=True, required=True)]
    gateway_ip: Annotated[str | None, Attribute(accept=accept.optional(accept.ip_address), post=True, put=True)] = None
    enable_dhcp: Annotated[bool, Flag] = True
    ipv6_ra_mode: Annotated[None, Attribute(accept=accept.optional(accept.choice(())), post=True)] = None
    ipv6_address_mode: Annotated[None, Attribute(accept=accept.optional(accept.choice(())), post=True)] = None
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
            accept=accept.list_of(accept.string(), "service type", "service type"),
            post=True,
            put=True,
            filtered=False,
            set_by=Who.ADMIN,
        ),
    ] = ()
    subnetpool_id: Annotated[
        None, Attribute(accept=accept.optional(accept.choice(())), post=True, stored=False, filtered=False)
    ] = None


SUBNET = describe(Subnet, "subnet", "subnets")
