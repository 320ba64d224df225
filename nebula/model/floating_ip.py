"""Floating IPs and port forwardings as the API has them. Pure."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from nebula.model import accept
from nebula.model.attribute import Attribute, Extension, Who, describe
from nebula.model.extensions import extension
from nebula.model.standard import EXPANDED, AssignedQos, Nameless, fixed, reference, settable

FORWARDED = ("tcp", "udp", "sctp", "dccp")
"""Protocols that a forwarding may have: those with ports."""


def _ipv4(value: object) -> object:
    found = accept.address(value)
    if not isinstance(found, ipaddress.IPv4Address):
        raise ValueError(f"'{found}' is not a valid IPv4 address")
    return str(found)


def _port_range(value: object) -> object:
    """``80`` or ``80:90``, both ends included; becomes ``first:last``."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    first, colon, last = text.partition(":")
    number = accept.integer(1, 65535)
    low, high = number(first), number(last if colon else first)
    if int(str(low)) > int(str(high)):
        raise ValueError(f"'{accept.shown(value)}' is not a valid port range: the first port is above the last")
    return f"{low}:{high}"


def _protocol(value: object) -> object:
    return accept.choice(FORWARDED)(value.lower() if isinstance(value, str) else value)


_number = settable(accept.integer(1, 65535), "A port, 1 to 65535.", stored=False, filtered=False)
_range = settable(_port_range, "Ports FIRST:LAST, both included.", stored=False, filtered=False)
_bound = Attribute()
_inner_address = settable(accept.optional(_ipv4), "Which of the inner port's addresses.", length=64)


class FloatingIp(Nameless, frozen=True, kw_only=True):
    """An address of an external network that leads to an inner one."""

    floating_network_id: Annotated[
        str,
        reference("network:NETWORK", post=True, required=True, about="External network.", flag="--network"),
    ]
    floating_ip_address: Annotated[
        str,
        fixed(
            accept.optional(_ipv4),
            "This address of the network.",
            set_by=Who.ADMIN,
            length=64,
            indexed=True,
            title="Floating IP Address",
        ),
    ] = ""
    subnet_id: Annotated[
        str | None,
        reference(
            "subnet:SUBNET",
            optional=True,
            post=True,
            stored=False,
            sent=False,
            filtered=False,
            about="An address of this subnet.",
        ),
    ] = None
    floating_port_id: Annotated[
        str, Attribute(filtered=False, sent=False, length=36, refers_to="port:PORT", unique=True)
    ] = ""
    port_id: Annotated[
        str | None,
        reference("port:PORT", optional=True, post=True, put=True, indexed=True, about="The inner port."),
    ] = None
    fixed_ip_address: Annotated[str | None, _inner_address] = None
    router_id: Annotated[
        str | None, Attribute(length=36, refers_to="router:ROUTER", indexed=True, about="On this router.")
    ] = None
    qos_policy_id: Annotated[str | None, AssignedQos, extension("qos-fip")] = None
    qos_network_policy_id: Annotated[str | None, EXPANDED, extension("qos-fip-network-policy")] = None
    dns_name: Annotated[str, fixed(accept.dns_name, "Name in DNS.")] = ""
    dns_domain: Annotated[str, fixed(accept.dns_domain, "DNS domain.")] = ""
    status: Annotated[str, EXPANDED] = "DOWN"
    port_details: Annotated[dict[str, object] | None, EXPANDED, extension("fip-port-details")] = None
    port_forwardings: Annotated[
        tuple[dict[str, object], ...], EXPANDED, extension("expose-port-forwarding-in-fip")
    ] = ()


class PortForwarding(Nameless, frozen=True, kw_only=True):
    """Ports of a floating IP that lead to ports of an inner address; ``*_first`` and ``*_last`` are both included."""

    floating_ip_id: Annotated[
        str, Attribute(length=36, refers_to="floating_ip:FLOATING_IP", on_delete="CASCADE", indexed=True)
    ] = ""
    protocol: Annotated[str, settable(_protocol, "tcp, udp, sctp or dccp.", required=True, length=40)]
    internal_port_id: Annotated[
        str,
        reference(
            "port:PORT",
            post=True,
            put=True,
            required=True,
            indexed=True,
            title="Internal Port ID",
            flag="--port",
            about="The inner port.",
        ),
    ]
    internal_ip_address: Annotated[str | None, _inner_address] = None
    external_port: Annotated[int | None, _number] = None
    internal_port: Annotated[int | None, _number] = None
    external_port_range: Annotated[str | None, _range, extension("floating-ip-port-forwarding-port-ranges")] = None
    internal_port_range: Annotated[str | None, _range] = None
    external_first: Annotated[int, _bound] = 0
    external_last: Annotated[int, _bound] = 0
    internal_first: Annotated[int, _bound] = 0
    internal_last: Annotated[int, _bound] = 0


FLOATING_IP = describe(
    FloatingIp,
    "floatingip",
    "floatingips",
    words="floating IP",
    unique="floating_network_id port_id fixed_ip_address",
    table="floating_ips",
    limited=True,
    listed="id floating_ip_address fixed_ip_address port_id floating_network_id project_id",
    listed_long="id floating_ip_address fixed_ip_address port_id floating_network_id project_id router_id status "
    "description tags dns_name dns_domain",
    asked="fixed_ip_address floating_ip_address status project_id tags",
)
PORT_FORWARDING = describe(
    PortForwarding,
    "port_forwarding",
    "port_forwardings",
    extension=Extension(
        "floating-ip-port-forwarding", "Floating IP Port Forwarding", "Ports of a floating IP lead to inner ports."
    ),
    listed="id internal_port_id internal_ip_address internal_port internal_port_range external_port "
    "external_port_range protocol description",
)
