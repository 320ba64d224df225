"""The nouns of address pools, of sharing and QoS, and of what the network service offers: as ``nouns``. Pure."""

from __future__ import annotations

from nebulactl.api import NETWORK
from nebulactl.nouns import Form, Noun, named, titled

_STANDARD = "created_at description id name project_id revision_number shared tags updated_at"

SUBNET_POOL = Noun(
    name="subnet pool",
    key="subnetpool",
    path="/subnetpools",
    service=NETWORK,
    columns=titled(ID="id", Name="name", Prefixes="prefixes"),
    long_columns=titled(
        Default_Prefix_Length="default_prefixlen",
        Address_Scope="address_scope_id",
        Default_Subnet_Pool="is_default",
        Shared="shared",
        Tags="tags",
    ),
    fields=named(
        f"address_scope_id default_prefixlen default_quota ip_version is_default max_prefixlen min_prefixlen prefixes "
        f"{_STANDARD}"
    ),
    forms={"prefixes": Form.SORTED_LIST, "tags": Form.SORTED_LIST},
)

ADDRESS_SCOPE = Noun(
    name="address scope",
    key="address_scope",
    path="/address-scopes",
    service=NETWORK,
    columns=titled(ID="id", Name="name", IP_Version="ip_version", Shared="shared", Project="project_id"),
    fields=named(f"ip_version {_STANDARD}"),
)

RBAC = Noun(
    name="RBAC policy",
    key="rbac_policy",
    path="/rbac-policies",
    service=NETWORK,
    columns=titled(ID="id", Object_Type="object_type", Object_ID="object_id"),
    long_columns=titled(Action="action"),
    fields=named("action id object_id object_type project_id", target_project_id="target_tenant"),
    name_attribute="id",
)

QOS_POLICY = Noun(
    name="QoS policy",
    key="policy",
    path="/qos/policies",
    service=NETWORK,
    columns=titled(ID="id", Name="name", Shared="shared", Default="is_default", Project="project_id"),
    fields=named(f"is_default rules {_STANDARD}"),
    forms={"rules": Form.RULES_OF_QOS},
)

EXTENSION = Noun(
    name="extension",
    path="/extensions",
    service=NETWORK,
    columns=titled(Name="name", Alias="alias", Description="description"),
    fields=named("alias description name", updated_at="updated"),
    name_attribute="alias",
)

ZONE = Noun(
    name="availability zone",
    key="availability_zone",
    path="/availability_zones",
    service=NETWORK,
    columns=titled(Zone_Name="name", Zone_Status="state"),
    long_columns=titled(
        Zone_Resource="resource", Host_Name="host", Service_Name="service", Service_Status="service_status"
    ),
    fields=(),
    absent={"host": "", "service": "", "service_status": ""},
)

IP_AVAILABILITY = Noun(
    name="network",
    key="network_ip_availability",
    path="/network-ip-availabilities",
    service=NETWORK,
    columns=titled(
        Network_ID="network_id",
        Network_Name="network_name",
        Total_IPs="total_ips",
        Used_IPs="used_ips",
        Total_IPs_in_Subnet="total_ips_in_subnet",
        Total_IPs_in_Allocation_Pool="total_ips_in_allocation_pool",
        Used_IPs_in_Subnet="used_ips_in_subnet",
        Used_IPs_in_Allocation_Pool="used_ips_in_allocation_pool",
    ),
    fields=named(
        "ip_availability_details network_id network_name project_id subnet_ip_availability total_ips used_ips"
    ),
    forms={"subnet_ip_availability": Form.DICTS, "ip_availability_details": Form.DICT},
    absent=dict.fromkeys(
        (f"{state}_ips_in_{place}" for state in ("total", "used") for place in ("subnet", "allocation_pool")), ""
    ),
)
"""The last four columns are of an extension that this network service has not; the client prints them empty."""
