"""The nouns of security groups and floating IPs: as ``nouns``. Pure."""

from __future__ import annotations

import msgspec

from nebulactl.api import NETWORK
from nebulactl.nouns import Form, Noun, named, titled

SECURITY_GROUP = Noun(
    name="security group",
    key="security_group",
    path="/security-groups",
    service=NETWORK,
    columns=titled(ID="id", Name="name", Description="description", Project="project_id", Tags="tags", Shared="shared"),
    fields=named(
        "created_at description id name project_id revision_number stateful tags updated_at",
        is_shared="shared",
        rules="security_group_rules",
    ),
    hidden=frozenset({"tenant_id"}),
    forms={"rules": Form.RULES},
)

RULE = Noun(
    name="security group rule",
    key="security_group_rule",
    path="/security-group-rules",
    service=NETWORK,
    columns=titled(
        ID="id",
        IP_Protocol="protocol",
        Ethertype="ethertype",
        IP_Range="remote_ip_prefix",
        Port_Range="port_range",
        Direction="direction",
        Remote_Security_Group="remote_group_id",
        Remote_Address_Group="remote_address_group_id",
    ),
    fields=named(
        "created_at description direction id port_range_max port_range_min project_id protocol "
        "remote_address_group_id remote_group_id remote_ip_prefix revision_number security_group_id updated_at",
        ether_type="ethertype",
    ),
    hidden=frozenset({"tenant_id", "tags", "name"}),
    open_ended=True,
)
RULE_LIST_ALL = RULE.columns + titled(Security_Group="security_group_id")
"""Without a group in the command, the list says which each is of."""

ADDRESS_GROUP = Noun(
    name="address group",
    key="address_group",
    path="/address-groups",
    service=NETWORK,
    columns=titled(ID="id", Name="name", Description="description", Project="project_id", Addresses="addresses"),
    fields=named("addresses created_at description id name project_id revision_number shared tags updated_at"),
)

FLOATING_IP = Noun(
    name="floating IP",
    key="floatingip",
    path="/floatingips",
    service=NETWORK,
    columns=titled(
        ID="id",
        Floating_IP_Address="floating_ip_address",
        Fixed_IP_Address="fixed_ip_address",
        Port="port_id",
        Floating_Network="floating_network_id",
        Project="project_id",
    ),
    long_columns=titled(
        Router="router_id",
        Status="status",
        Description="description",
        Tags="tags",
        DNS_Name="dns_name",
        DNS_Domain="dns_domain",
    ),
    fields=named(
        "created_at description dns_domain dns_name fixed_ip_address floating_ip_address floating_network_id id "
        "port_details port_id project_id qos_policy_id revision_number router_id status subnet_id tags updated_at",
        name="floating_ip_address",
    ),
    hidden=frozenset({"tenant_id"}),
    open_ended=True,
    forms={"port_details": Form.DICT},
    name_attribute="floating_ip_address",
)

_FORWARDING = Noun(
    name="port forwarding",
    key="port_forwarding",
    path="/floatingips",
    service=NETWORK,
    columns=titled(
        ID="id",
        Internal_Port_ID="internal_port_id",
        Internal_IP_Address="internal_ip_address",
        Internal_Port="internal_port",
        Internal_Port_Range="internal_port_range",
        External_Port="external_port",
        External_Port_Range="external_port_range",
        Protocol="protocol",
        Description="description",
    ),
    fields=named(
        "description external_port external_port_range id internal_ip_address internal_port internal_port_id "
        "internal_port_range name protocol"
    ),
)


def forwardings_of(floating_ip_id: str) -> Noun:
    """The forwardings of one floating IP."""
    return msgspec.structs.replace(_FORWARDING, path=f"{FLOATING_IP.path}/{floating_ip_id}/port_forwardings")
