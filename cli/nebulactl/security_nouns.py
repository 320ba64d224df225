"""The nouns of security groups and floating IPs: as ``nouns``. Pure."""

from __future__ import annotations

import msgspec

from nebulactl.nouns import Form, Noun, named, titled

SECURITY_GROUP = Noun(
    declared="security_group:SECURITY_GROUP",
    renamed={"shared": "is_shared", "security_group_rules": "rules"},
    hidden=frozenset({"tenant_id"}),
    forms={"rules": Form.RULES},
)

RULE = Noun(
    declared="security_group:SECURITY_GROUP_RULE",
    listed=titled(
        ID="id",
        IP_Protocol="protocol",
        Ethertype="ethertype",
        IP_Range="remote_ip_prefix",
        Port_Range="port_range",
        Direction="direction",
        Remote_Security_Group="remote_group_id",
        Remote_Address_Group="remote_address_group_id",
    ),
    renamed={"ethertype": "ether_type"},
    unknown=frozenset({"belongs_to_default_sg", "normalized_cidr"}),
    hidden=frozenset({"tenant_id", "tags", "name"}),
    open_ended=True,
)

RULE_LIST_ALL = RULE.listed + titled(Security_Group="security_group_id")
"""Without a group in the command, the list says which each is of."""

ADDRESS_GROUP = Noun(
    declared="security_group:ADDRESS_GROUP",
)

FLOATING_IP = Noun(
    declared="floating_ip:FLOATING_IP",
    shown=named("subnet_id", name="floating_ip_address"),
    unknown=frozenset({"port_forwardings", "qos_network_policy_id"}),
    hidden=frozenset({"tenant_id"}),
    open_ended=True,
    forms={"port_details": Form.DICT},
    name_attribute="floating_ip_address",
)

_SPANS = ("external_first", "external_last", "internal_first", "internal_last")

FORWARDING = Noun(
    declared="floating_ip:PORT_FORWARDING",
    shown=named("name"),
    hidden=frozenset({"created_at", "floating_ip_id", "project_id", "revision_number", "tags", "updated_at", *_SPANS}),
)


def forwardings_of(floating_ip_id: str) -> Noun:
    """The forwardings of one floating IP."""
    return msgspec.structs.replace(FORWARDING, path=f"{FLOATING_IP.route}/{floating_ip_id}/port_forwardings")
