"""Security groups, their rules, and address groups as the API has them. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Annotated

from nebula.model import accept
from nebula.model.attribute import Attribute, Extension, describe
from nebula.model.extensions import extension
from nebula.model.standard import EXPANDED, Nameless, SharedByRbac, Standard, fixed, flag, reference

DEFAULT_NAME = "default"

INGRESS, EGRESS = "ingress", "egress"
ETHERTYPES = ("IPv4", "IPv6")

PROTOCOLS: Mapping[str, int] = {
    "ah": 51,
    "dccp": 33,
    "egp": 8,
    "esp": 50,
    "gre": 47,
    "hopopt": 0,
    "icmp": 1,
    "icmpv6": 58,
    "igmp": 2,
    "ip": 0,
    "ipip": 94,
    "ipv6-encap": 41,
    "ipv6-frag": 44,
    "ipv6-icmp": 58,
    "ipv6-nonxt": 59,
    "ipv6-opts": 60,
    "ipv6-route": 43,
    "ospf": 89,
    "pgm": 113,
    "rsvp": 46,
    "sctp": 132,
    "tcp": 6,
    "udp": 17,
    "udplite": 136,
    "vrrp": 112,
}
"""The names that the API takes for protocol numbers (IANA's numbers, Neutron's names)."""


def _protocol(value: object) -> object:
    """Null or ``any``, a name in any case, or a number from 0 to 255; numbers become text."""
    if value is None:
        return None
    text = str(value).lower() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if text == "any":
        return None
    if text in PROTOCOLS:
        return text
    if text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= 255:
        return str(int(text))
    raise ValueError(
        f"Security group rule protocol '{accept.shown(value)}' not supported. Only protocol values "
        f"{sorted(PROTOCOLS)} and integer representations [0 to 255] are supported"
    )


def _ethertype(value: object) -> object:
    for known in ETHERTYPES:
        if isinstance(value, str) and value.lower() == known.lower():
            return known
    raise ValueError(f"'{accept.shown(value)}' is not in {list(ETHERTYPES)}")


def _prefix(value: object) -> object:
    """Null or empty for none; an address gets its full length; host bits stay, as in Neutron."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and len(value) <= 49 and "%" not in value:
        try:
            return str(ipaddress.ip_interface(value))
        except ValueError:
            pass
    raise ValueError(f"'{accept.shown(value)}' is not a valid IP subnet")


def _written(value: object) -> object:
    """An address or block as it was written."""
    if not _prefix(value):
        raise ValueError(f"'{accept.shown(value)}' is not a valid IP subnet")
    return value


_addresses = accept.list_of(_written, "addresses", "address")


def addresses(value: object) -> list[str]:
    """Addresses and blocks as CIDRs without host bits. Two ways to write the same are one, as in Neutron."""
    found = _addresses(value)
    assert isinstance(found, list)
    return list(dict.fromkeys(str(ipaddress.ip_interface(text).network) for text in found))


_port = fixed(accept.optional(accept.integer(0, 65535)))


class SecurityGroup(Standard, frozen=True, kw_only=True):
    """What a port lets in and out. ``security_group_rules`` are rows of their own."""

    is_default: Annotated[bool, Attribute(filtered=False, sent=False)] = False
    stateful: Annotated[
        bool,
        flag("Whether answers pass by themselves.", flag="--stateful/--stateless"),
        extension("stateful-security-group"),
    ] = True
    shared: Annotated[bool, SharedByRbac] = False
    security_group_rules: Annotated[tuple[dict[str, object], ...], EXPANDED] = ()


class SecurityGroupRule(Nameless, frozen=True, kw_only=True):
    """A kind of traffic that a group allows. ``remote_ip_prefix`` may have host bits, ``normalized_cidr`` has none."""

    security_group_id: Annotated[
        str, reference("security_group:SECURITY_GROUP", post=True, required=True, on_delete="CASCADE", indexed=True)
    ]
    direction: Annotated[
        str,
        fixed(accept.choice((INGRESS, EGRESS)), "ingress or egress.", required=True, length=7),
    ]
    ethertype: Annotated[str, fixed(_ethertype, "IPv4 or IPv6.", length=4)] = "IPv4"
    protocol: Annotated[
        str | None,
        fixed(_protocol, "Name or number of the IP protocol; any, if none.", length=40, title="IP Protocol"),
    ] = None
    protocol_number: Annotated[int | None, Attribute(filtered=False, sent=False)] = None
    port_range_min: Annotated[int | None, _port] = None
    port_range_max: Annotated[int | None, _port] = None
    remote_ip_prefix: Annotated[
        str | None,
        fixed(_prefix, "Addresses of the other side.", length=64, title="IP Range", flag="--remote-ip"),
    ] = None
    normalized_cidr: Annotated[str | None, Attribute(length=64), extension("security-groups-normalized-cidr")] = None
    remote_group_id: Annotated[
        str | None,
        reference(
            "security_group:SECURITY_GROUP",
            optional=True,
            post=True,
            on_delete="CASCADE",
            indexed=True,
            about="The other side is in this group.",
            title="Remote Security Group",
        ),
    ] = None
    remote_address_group_id: Annotated[
        str | None,
        reference(
            "security_group:ADDRESS_GROUP",
            optional=True,
            post=True,
            indexed=True,
            about="The other side is in this address group.",
        ),
        extension("security-groups-remote-address-group"),
    ] = None
    belongs_to_default_sg: Annotated[
        bool | None, EXPANDED, extension("security-groups-rules-belongs-to-default-sg")
    ] = None


class AddressGroup(Standard, frozen=True, kw_only=True):
    """A named set of addresses, which rules can name as their remote side."""

    addresses: Annotated[
        tuple[str, ...],
        fixed(addresses, "Address or network.", stored=False, filtered=False, flag="--address"),
    ] = ()
    shared: Annotated[bool, SharedByRbac] = False


SECURITY_GROUP = describe(
    SecurityGroup,
    "security_group",
    "security_groups",
    limited=True,
    extension=Extension("security-group", "security-group", "Security groups: what a port lets in and out."),
    listed="id name description project_id tags shared",
    asked="project_id shared tags",
)
SECURITY_GROUP_RULE = describe(
    SecurityGroupRule,
    "security_group_rule",
    "security_group_rules",
    limited=True,
    listed="id protocol ethertype remote_ip_prefix direction remote_group_id remote_address_group_id",
)
ADDRESS_GROUP = describe(
    AddressGroup,
    "address_group",
    "address_groups",
    limited=True,
    extension=Extension(
        "address-group", "Address group", "Named sets of addresses that rules of security groups can name."
    ),
    listed="id name description project_id addresses",
    asked="name project_id",
)
