"""A network as the API has it. Pure."""

from __future__ import annotations

from typing import Annotated

from msgspec import field

from nebula.model import accept
from nebula.model.attribute import Attribute, Who, describe
from nebula.model.qos import AssignedQos
from nebula.model.standard import Flag, Standard, Status

VNI_FIRST, VNI_LAST = 1, 2**24 - 1
"""RFC 7348: a VNI has 24 bits; Neutron does not give out 0."""

NETWORK_TYPES = ("vxlan", "flat")


class Network(Standard, frozen=True, kw_only=True):
    """A layer-2 segment. ``mtu`` is in bytes; in a POST 0 or absence asks for what the underlay allows."""

    admin_state_up: Annotated[bool, Flag] = True
    status: Annotated[str, Status] = "ACTIVE"
    shared: Annotated[
        bool,
        Attribute(accept=accept.boolean, post=True, put=True, set_by=Who.ADMIN, stored=False, filtered=False),
    ] = False
    external: Annotated[bool, Attribute(accept=accept.boolean, post=True, put=True, set_by=Who.ADMIN)] = field(
        name="router:external", default=False
    )
    is_default: Annotated[bool, Attribute(accept=accept.boolean, post=True, put=True, set_by=Who.ADMIN)] = False
    mtu: Annotated[int, Attribute(accept=accept.integer(0, 65535), post=True, put=True)] = 0
    port_security_enabled: Annotated[bool, Flag] = True
    network_type: Annotated[
        str, Attribute(accept=accept.choice(NETWORK_TYPES), post=True, seen_by=Who.ADMIN, set_by=Who.ADMIN, length=16)
    ] = field(name="provider:network_type", default="vxlan")
    physical_network: Annotated[
        str | None,
        Attribute(accept=accept.optional(accept.string(64)), post=True, seen_by=Who.ADMIN, set_by=Who.ADMIN, length=64),
    ] = field(name="provider:physical_network", default=None)
    segmentation_id: Annotated[
        int | None,
        Attribute(
            accept=accept.optional(accept.integer(VNI_FIRST, VNI_LAST)), post=True, seen_by=Who.ADMIN, set_by=Who.ADMIN
        ),
    ] = field(name="provider:segmentation_id", default=None)
    qos_policy_id: Annotated[str | None, AssignedQos] = None
    dns_domain: Annotated[str, Attribute(accept=accept.dns_domain, post=True, put=True)] = ""
    availability_zone_hints: Annotated[
        tuple[str, ...],
        Attribute(accept=accept.list_of(accept.string(), "availability zone", "zone"), post=True, filtered=False),
    ] = ()
    availability_zones: Annotated[tuple[str, ...], Attribute(stored=False, filtered=False)] = ()
    subnets: Annotated[tuple[str, ...], Attribute(stored=False, filtered=False)] = ()
    ipv4_address_scope: Annotated[str | None, Attribute(stored=False, filtered=False)] = None
    ipv6_address_scope: Annotated[str | None, Attribute(stored=False, filtered=False)] = None


NETWORK = describe(Network, "network", "networks")
