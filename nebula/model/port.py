"""A port as the API has it. Pure."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
from msgspec import field

from nebula.model import accept, dhcp_option
from nebula.model.attribute import Attribute, Who, describe
from nebula.model.extensions import extension
from nebula.model.standard import EXPANDED, AssignedQos, Standard, State, Status, port_security, reference, settable
from nebula.view.records import FixedIp

DHCP = "network:dhcp"
ROUTER_INTERFACE = "network:router_interface"
ROUTER_GATEWAY = "network:router_gateway"
FLOATING_IP = "network:floatingip"
"""Ports that only keep a floating IP's address on the external network; they are bound nowhere."""

AUTO_DELETED = frozenset({DHCP})
"""Device owners whose ports go with their subnet or network and do not hold it (Neutron's AUTO_DELETE_PORT_OWNERS)."""

ROUTER_OWNED = frozenset({ROUTER_INTERFACE, ROUTER_GATEWAY})
"""Device owners whose ports only the router's own operations make and delete."""

SERVICE_OWNED = ROUTER_OWNED | {FLOATING_IP}
"""Device owners whose ports no call to ``/v2.0/ports`` makes or deletes."""

VNIC_TYPES = ("normal",)

_pairs = accept.list_of(
    accept.fields("address pair", {"ip_address": accept.address_or_cidr}, {"mac_address": accept.mac_address}),
    "address pair",
    "address pair",
)
_OPTION_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?", re.ASCII)

_option = accept.fields(
    "extra DHCP option",
    {"opt_name": accept.string(64), "opt_value": accept.optional(accept.string())},
    {"ip_version": accept.choice((4, 6))},
)


def _dhcp_option(value: object) -> object:
    """An option that dnsmasq knows, with a value of its form; null takes an option away.

    Those for IPv6 are kept and shown, but no server gives them out: of these only the line is checked.
    """
    found = _option(value)
    assert isinstance(found, dict)
    name, text = found["opt_name"], found["opt_value"]
    version = found.get("ip_version", 4)
    if version == 4 and text is None:
        dhcp_option.form(name)
    elif version == 4:
        dhcp_option.line(name, text)
    elif not _OPTION_NAME.fullmatch(name):
        raise ValueError(f"'{accept.shown(name)}' is not a name or number of a DHCP option")
    elif text is not None and not text.isprintable():
        raise ValueError(f"'{accept.shown(text)}' is not one line of text")
    elif text is not None and not text.strip():
        raise ValueError(f"'{accept.shown(text)}' Blank strings are not permitted")
    return {"opt_name": name, "opt_value": text, "ip_version": version}


_words = settable(accept.default_for_null("", accept.string()), indexed=True)
_options = accept.list_of(_dhcp_option, "extra DHCP option", "extra DHCP option")


def _dhcp_options(value: object) -> object:
    found = _options(value)
    assert isinstance(found, list)
    names = [(option["opt_name"], option["ip_version"]) for option in found]
    if len(set(names)) < len(names):
        raise ValueError("an option is named twice")
    return found


class Port(Standard, frozen=True, kw_only=True):
    """An attachment to a network. ``host`` is empty while nobody has bound it."""

    network_id: Annotated[str, reference("network:NETWORK", post=True, required=True, about="Its network.")]
    mac_address: Annotated[
        str,
        settable(
            accept.mac_address, "MAC address.", set_by=Who.NETWORK_OWNER, changed_by=Who.ADMIN, length=17, indexed=True
        ),
    ] = ""
    fixed_ips: Annotated[
        tuple[FixedIp, ...],
        settable(
            accept.fixed_ips, "Subnet, address or both.", stored=False, filtered=False, title="Fixed IP Addresses"
        ),
    ] = ()
    admin_state_up: Annotated[bool, State] = True
    status: Annotated[str, Status] = "DOWN"
    device_id: Annotated[str, msgspec.structs.replace(_words, about="Id of what uses it.", flag="--device")] = ""
    device_owner: Annotated[str, msgspec.structs.replace(_words, about="Kind of what uses it: network:dhcp.")] = ""
    host: Annotated[
        str,
        msgspec.structs.replace(
            _words,
            seen_by=Who.ADMIN,
            set_by=Who.ADMIN,
            about="Node that it is bound to.",
            flag="--host",
            indexed=False,  # the table has one of it and the status
        ),
        extension("binding"),
    ] = field(name="binding:host_id", default="")
    vif_type: Annotated[str, Attribute(seen_by=Who.ADMIN, length=64)] = field(
        name="binding:vif_type", default="unbound"
    )
    vif_details: Annotated[dict[str, object], Attribute(seen_by=Who.ADMIN, filtered=False)] = field(
        name="binding:vif_details", default_factory=dict
    )
    vnic_type: Annotated[
        str,
        settable(accept.choice(VNIC_TYPES), "normal.", length=64, flag="--vnic-type"),
    ] = field(name="binding:vnic_type", default="normal")
    profile: Annotated[
        dict[str, object],
        settable(
            accept.json_object,
            "What the driver of the binding is told.",
            seen_by=Who.ADMIN,
            set_by=Who.ADMIN,
            filtered=False,
        ),
    ] = field(name="binding:profile", default_factory=dict)
    port_security_enabled: Annotated[
        bool,
        port_security("Whether only its own addresses may speak.", set_by=Who.NETWORK_OWNER),
        extension("port-security"),
    ] = True
    allowed_address_pairs: Annotated[
        tuple[dict[str, str], ...],
        settable(
            _pairs,
            "Address beyond its own that it may use.",
            filtered=False,
            set_by=Who.NETWORK_OWNER,
            flag="--allowed-address",
        ),
        extension("allowed-address-pairs"),
    ] = ()
    security_groups: Annotated[
        tuple[str, ...],
        settable(accept.optional(accept.identifiers), "Group.", stored=False, filtered=False),
    ] = ()
    extra_dhcp_opts: Annotated[
        tuple[dict[str, str | int | None], ...],
        settable(_dhcp_options, "DHCP option told to its guest.", filtered=False, flag="--extra-dhcp-option"),
        extension("extra_dhcp_opt"),
    ] = ()
    qos_policy_id: Annotated[str | None, AssignedQos] = None
    qos_network_policy_id: Annotated[str | None, EXPANDED, extension("qos-port-network-policy")] = None
    dns_name: Annotated[str, settable(accept.dns_name, "Name that DNS answers."), extension("dns-integration")] = ""
    dns_assignment: Annotated[tuple[dict[str, str], ...], EXPANDED] = ()
    warnings: Annotated[tuple[str, ...], EXPANDED] = ()
    resource_request: Annotated[None, Attribute(stored=False, filtered=False, seen_by=Who.ADMIN)] = None


PORT = describe(
    Port,
    "port",
    "ports",
    unique="network_id mac_address",
    limited=True,
    listed="id name mac_address fixed_ips status",
    listed_long="id name mac_address fixed_ips status security_groups device_owner tags",
    asked="network_id device_owner binding:host_id mac_address name status project_id tags",
)
