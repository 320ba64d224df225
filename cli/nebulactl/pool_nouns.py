"""The nouns of address pools, of sharing and QoS, and of what the network service offers: as ``nouns``. Pure."""

from __future__ import annotations

from nebulactl.nouns import Form, Noun, named, titled

SUBNET_POOL = Noun(
    declared="subnet_pool:SUBNET_POOL",
    forms={"prefixes": Form.SORTED_LIST, "tags": Form.SORTED_LIST},
)

ADDRESS_SCOPE = Noun(declared="address_scope:ADDRESS_SCOPE")

RBAC = Noun(
    declared="rbac:RBAC_POLICY",
    renamed={"target_tenant": "target_project_id"},
)

QOS_POLICY = Noun(
    declared="qos:QOS_POLICY",
    forms={"rules": Form.RULES_OF_QOS},
)

RULE_TYPE = Noun(
    name="rule type",
    path="/qos/rule-types",
    listed=titled(Type="type"),
    name_attribute="type",
)

SERVICE_PROVIDER = Noun(
    name="service provider",
    path="/service-providers",
    listed=titled(Service_Type="service_type", Name="name", Default="default"),
)

EXTENSION = Noun(
    name="extension",
    path="/extensions",
    listed=titled(Name="name", Alias="alias", Description="description"),
    listed_more=titled(Namespace="namespace", Updated_At="updated", Links="links"),
    shown=named("alias description name", updated_at="updated"),
    absent={"namespace": ""},
    name_attribute="alias",
)

ZONE = Noun(
    name="availability zone",
    key="availability_zone",
    path="/availability_zones",
    listed=titled(Zone_Name="name", Zone_Status="state"),
    listed_more=titled(
        Zone_Resource="resource", Host_Name="host", Service_Name="service", Service_Status="service_status"
    ),
    shown=(),
    absent={"host": "", "service": "", "service_status": ""},
)

IP_AVAILABILITY = Noun(
    name="network",
    key="network_ip_availability",
    path="/network-ip-availabilities",
    listed=titled(
        Network_ID="network_id",
        Network_Name="network_name",
        Total_IPs="total_ips",
        Used_IPs="used_ips",
        Total_IPs_in_Subnet="total_ips_in_subnet",
        Total_IPs_in_Allocation_Pool="total_ips_in_allocation_pool",
        Used_IPs_in_Subnet="used_ips_in_subnet",
        Used_IPs_in_Allocation_Pool="used_ips_in_allocation_pool",
    ),
    shown=named("ip_availability_details network_id network_name project_id subnet_ip_availability total_ips used_ips"),
    forms={"subnet_ip_availability": Form.DICTS, "ip_availability_details": Form.DICT},
    absent=dict.fromkeys(
        (f"{state}_ips_in_{place}" for state in ("total", "used") for place in ("subnet", "allocation_pool")), ""
    ),
)
"""The last four columns are of an extension that this network service has not; the client prints them empty."""

AGENT = Noun(
    name="agent",
    path="/agents",
    listed=titled(
        ID="id",
        Agent_Type="agent_type",
        Host="host",
        Availability_Zone="availability_zone",
        Alive="alive",
        State="admin_state_up",
        Binary="binary",
    ),
    shown=named(
        "admin_state_up agent_type alive availability_zone binary created_at description ha_chassis_priority "
        "ha_state host id resources_synced started_at topic",
        configuration="configurations",
        last_heartbeat_at="heartbeat_timestamp",
    ),
    forms={"alive": Form.ALIVE, "admin_state_up": Form.STATE},
    name_attribute="host",
)
