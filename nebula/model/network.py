"""A network as the API has it. Pure."""

from __future__ import annotations

from typing import Annotated

from msgspec import field

from nebula.model import accept
from nebula.model.accept import Accept
from nebula.model.attribute import Attribute, Who, describe
from nebula.model.extensions import extension
from nebula.model.standard import (
    EXPANDED,
    AssignedQos,
    Shared,
    Standard,
    State,
    Status,
    ZoneHints,
    fixed,
    port_security,
    settable,
)

VNI_FIRST, VNI_LAST = 1, 2**24 - 1
"""RFC 7348: a VNI has 24 bits; Neutron does not give out 0."""

NETWORK_TYPES = ("vxlan", "flat")


def _provider(accepted: Accept, *, about: str, length: int = 255, flag: str = "") -> Attribute:
    """What only an administrator says and sees of a network."""
    return fixed(accepted, about, seen_by=Who.ADMIN, set_by=Who.ADMIN, length=length, flag=flag)


class Network(Standard, frozen=True, kw_only=True):
    """A layer-2 segment. ``mtu`` is in bytes; in a POST 0 or absence asks for what the underlay allows."""

    admin_state_up: Annotated[bool, State] = True
    status: Annotated[str, Status] = "ACTIVE"
    shared: Annotated[bool, Shared] = False
    external: Annotated[
        bool,
        settable(
            accept.boolean,
            "Routers may have their gateway here, or not.",
            set_by=Who.ADMIN,
            title="Router Type",
            flag="--external/--internal",
        ),
        extension("external-net"),
    ] = field(name="router:external", default=False)
    is_default: Annotated[
        bool,
        settable(accept.boolean, "The default external network.", set_by=Who.ADMIN, flag="--default/--no-default"),
    ] = False
    mtu: Annotated[int, settable(accept.integer(0, 65535), "Bytes of an IP packet at most."), extension("net-mtu")] = 0
    port_security_enabled: Annotated[bool, port_security("Default of the ports made on it.")] = True
    network_type: Annotated[
        str, _provider(accept.choice(NETWORK_TYPES), length=16, about="flat or vxlan."), extension("provider")
    ] = field(name="provider:network_type", default="vxlan")
    physical_network: Annotated[
        str | None,
        _provider(
            accept.optional(accept.string(64)),
            length=64,
            about="Physical network of a flat one, as the nodes' bridge mappings name it.",
        ),
    ] = field(name="provider:physical_network", default=None)
    segmentation_id: Annotated[
        int | None,
        _provider(
            accept.optional(accept.integer(VNI_FIRST, VNI_LAST)),
            about="VNI of a vxlan one.",
            flag="--provider-segment",
        ),
    ] = field(name="provider:segmentation_id", default=None)
    qos_policy_id: Annotated[str | None, AssignedQos] = None
    dns_domain: Annotated[str, settable(accept.dns_domain, "DNS domain.")] = ""
    availability_zone_hints: Annotated[tuple[str, ...], ZoneHints, extension("network_availability_zone")] = ()
    availability_zones: Annotated[tuple[str, ...], EXPANDED] = ()
    subnets: Annotated[tuple[str, ...], EXPANDED] = ()
    ipv4_address_scope: Annotated[str | None, EXPANDED] = None
    ipv6_address_scope: Annotated[str | None, EXPANDED] = None


NETWORK = describe(
    Network,
    "network",
    "networks",
    unique="network_type segmentation_id",
    limited=True,
    listed="id name subnets",
    listed_long="id name status project_id admin_state_up shared subnets provider:network_type router:external "
    "availability_zones tags",
    asked="router:external name admin_state_up project_id shared status provider:network_type "
    "provider:physical_network provider:segmentation_id tags",
)
