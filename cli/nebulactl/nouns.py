"""The nouns of the command line: where each lives in the API, and its columns under the openstack client's titles.

Pure. ``columns`` are a list's, ``long_columns`` what ``--long`` adds, ``fields`` what ``show`` prints; each pairs a
title with the API's attribute. ``open_ended`` nouns show attributes beyond their fields too (the client's way with
unknown ones), except the ``hidden``. Titles, order and forms are those of python-openstackclient 10.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

import msgspec

from nebulactl.api import COMPUTE, IDENTITY, NETWORK, Json


class Form(enum.Enum):
    """How a value reads for people; ``-f json|value`` print the API's value."""

    PLAIN = enum.auto()
    SORTED_LIST = enum.auto()
    ORDERED_LIST = enum.auto()
    DICT = enum.auto()
    DICTS = enum.auto()
    SUBPORTS = enum.auto()
    JSON = enum.auto()
    STATE = enum.auto()
    ROUTER_TYPE = enum.auto()
    ALIVE = enum.auto()
    POOLS = enum.auto()
    ROUTES = enum.auto()
    ADDRESSES = enum.auto()
    RULES = enum.auto()
    RULES_OF_QOS = enum.auto()
    NAMES = enum.auto()


class Column(msgspec.Struct, frozen=True):
    """A title and the API's attribute under it. ``optional``: in a list only where a resource has it."""

    title: str
    attribute: str
    optional: bool = False


class Noun(msgspec.Struct, frozen=True):
    """A kind of resource. ``path`` is under the service's version; its name is the JSON key of the collection.

    ``forms`` go by attribute, or by title where a list and ``show`` differ; ``absent`` are values of what is not there.
    """

    name: str
    path: str
    service: str
    columns: tuple[Column, ...]
    fields: tuple[Column, ...]
    long_columns: tuple[Column, ...] = ()
    hidden: frozenset[str] = frozenset()
    open_ended: bool = False
    forms: Mapping[str, Form] = {}
    absent: Mapping[str, Json] = {}
    key: str = ""
    name_attribute: str = "name"

    @property
    def item_key(self) -> str:
        """The JSON key around one resource."""
        return self.key or self.name

    @property
    def list_key(self) -> str:
        """The JSON key around several."""
        return self.path.rpartition("/")[2].replace("-", "_")

    def form(self, column: Column) -> Form:
        return self.forms.get(column.title) or self.forms.get(column.attribute, Form.PLAIN)


def titled(**titles: str) -> tuple[Column, ...]:
    """``MAC_Address="mac_address"`` is the column ``MAC Address``."""
    return tuple(Column(title.replace("_", " "), attribute) for title, attribute in titles.items())


def named(names: str, **renamed: str) -> tuple[Column, ...]:
    """Names that are their own titles, and title="attribute" for the others; sorted by title, as the client does."""
    columns = [Column(name, name) for name in names.split()]
    columns += [Column(title, attribute) for title, attribute in renamed.items()]
    return tuple(sorted(columns, key=lambda column: column.title))


NETWORK_NOUN = Noun(
    name="network",
    path="/networks",
    service=NETWORK,
    columns=titled(ID="id", Name="name", Subnets="subnets"),
    fields=named(
        "admin_state_up availability_zone_hints availability_zones created_at description dns_domain id "
        "ipv4_address_scope ipv6_address_scope is_default mtu name port_security_enabled project_id "
        "provider:network_type provider:physical_network provider:segmentation_id pvlan qos_policy_id "
        "revision_number router:external segments shared status subnets tags updated_at",
        is_vlan_qinq="vlan_qinq",
        is_vlan_transparent="vlan_transparent",
    ),
    hidden=frozenset({"tenant_id"}),
    open_ended=True,
    forms={
        "subnets": Form.SORTED_LIST,
        "admin_state_up": Form.STATE,
        "router:external": Form.ROUTER_TYPE,
        "availability_zones": Form.SORTED_LIST,
        "availability_zone_hints": Form.SORTED_LIST,
        "tags": Form.SORTED_LIST,
    },
)
NETWORK_LONG = titled(
    ID="id",
    Name="name",
    Status="status",
    Project="project_id",
    State="admin_state_up",
    Shared="shared",
    Subnets="subnets",
    Network_Type="provider:network_type",
    Router_Type="router:external",
    Availability_Zones="availability_zones",
    Tags="tags",
)
"""``network list --long`` is another order, not only more."""

SUBNET = Noun(
    name="subnet",
    path="/subnets",
    service=NETWORK,
    columns=titled(ID="id", Name="name", Network="network_id", Subnet="cidr"),
    long_columns=titled(
        Project="project_id",
        DHCP="enable_dhcp",
        Name_Servers="dns_nameservers",
        Allocation_Pools="allocation_pools",
        Host_Routes="host_routes",
        IP_Version="ip_version",
        Gateway="gateway_ip",
        Service_Types="service_types",
        Tags="tags",
    ),
    fields=named(
        "allocation_pools cidr created_at description dns_nameservers dns_publish_fixed_ip enable_dhcp gateway_ip "
        "host_routes id ip_version ipv6_address_mode ipv6_ra_mode name network_id project_id revision_number "
        "segment_id service_types subnetpool_id tags updated_at"
    ),
    hidden=frozenset({"tenant_id", "prefixlen", "use_default_subnetpool"}),
    open_ended=True,
    forms={
        "allocation_pools": Form.POOLS,
        "dns_nameservers": Form.ORDERED_LIST,
        "host_routes": Form.ROUTES,
        "service_types": Form.SORTED_LIST,
        "tags": Form.SORTED_LIST,
    },
)

PORT = Noun(
    name="port",
    path="/ports",
    service=NETWORK,
    columns=titled(ID="id", Name="name", MAC_Address="mac_address", Fixed_IP_Addresses="fixed_ips", Status="status"),
    long_columns=titled(
        Security_Groups="security_groups", Device_Owner="device_owner", Tags="tags", Trunk_subports="trunk_details"
    ),
    fields=(
        *named("admin_state_up allowed_address_pairs"),
        *(
            Column(f"binding_{name}", f"binding:{name}")
            for name in ("host_id", "profile", "vif_details", "vif_type", "vnic_type")
        ),
        *named(
            "created_at data_plane_status description device_id device_owner device_profile dns_assignment dns_domain "
            "dns_name extra_dhcp_opts fixed_ips hardware_offload_type hints id ip_allocation mac_address name "
            "network_id numa_affinity_policy port_security_enabled project_id propagate_uplink_status"
        ),
        *named("pvlan_type"),
        *named("pvlan_community"),
        *named("resource_request revision_number"),
        *named("qos_network_policy_id qos_policy_id", security_group_ids="security_groups"),
        *named("status tags trunk_details trusted updated_at"),
    ),
    forms={
        "admin_state_up": Form.STATE,
        "allowed_address_pairs": Form.DICTS,
        "binding:profile": Form.DICT,
        "binding:vif_details": Form.DICT,
        "dns_assignment": Form.DICTS,
        "extra_dhcp_opts": Form.DICTS,
        "fixed_ips": Form.DICTS,
        "security_groups": Form.SORTED_LIST,
        "tags": Form.SORTED_LIST,
        "Trunk subports": Form.SUBPORTS,
    },
    absent={"hints": ""},
)

ROUTER = Noun(
    name="router",
    path="/routers",
    service=NETWORK,
    columns=(
        *titled(ID="id", Name="name", Status="status", State="admin_state_up", Project="project_id"),
        Column("Distributed", "distributed", optional=True),
        Column("HA", "ha", optional=True),
    ),
    long_columns=(
        *titled(Routes="routes", External_gateway_info="external_gateway_info"),
        Column("Availability zones", "availability_zones", optional=True),
        *titled(Tags="tags"),
    ),
    fields=named(
        "admin_state_up availability_zone_hints availability_zones created_at description enable_ndp_proxy "
        "external_gateway_info flavor_id id name project_id revision_number routes status tags updated_at"
    ),
    hidden=frozenset({"tenant_id"}),
    open_ended=True,
    forms={
        "admin_state_up": Form.STATE,
        "external_gateway_info": Form.JSON,
        "interfaces_info": Form.JSON,
        "availability_zones": Form.SORTED_LIST,
        "availability_zone_hints": Form.SORTED_LIST,
        "routes": Form.ROUTES,
        "tags": Form.SORTED_LIST,
    },
)

AGENT = Noun(
    name="agent",
    path="/agents",
    service=NETWORK,
    columns=titled(
        ID="id",
        Agent_Type="agent_type",
        Host="host",
        Availability_Zone="availability_zone",
        Alive="alive",
        State="admin_state_up",
        Binary="binary",
    ),
    fields=named(
        "admin_state_up agent_type alive availability_zone binary created_at description ha_chassis_priority "
        "ha_state host id resources_synced started_at topic",
        configuration="configurations",
        last_heartbeat_at="heartbeat_timestamp",
    ),
    forms={"alive": Form.ALIVE, "admin_state_up": Form.STATE},
    name_attribute="host",
)

INSTANCE = Noun(
    name="instance",
    path="/servers",
    service=COMPUTE,
    key="server",
    columns=titled(ID="id", Name="name", Status="status", Networks="addresses", Node="OS-EXT-SRV-ATTR:host"),
    long_columns=titled(Project="tenant_id", Created="created"),
    fields=named(
        "addresses created id name status updated",
        node="OS-EXT-SRV-ATTR:host",
        project_id="tenant_id",
        fault="fault",
    ),
    forms={"addresses": Form.ADDRESSES},
)

PROJECT = Noun(
    name="project",
    path="/projects",
    service=IDENTITY,
    columns=titled(ID="id", Name="name"),
    long_columns=titled(Domain_ID="domain_id", Description="description", Enabled="enabled"),
    fields=named("description domain_id enabled id is_domain name options parent_id tags"),
    hidden=frozenset({"links"}),
    open_ended=True,
)

USER = Noun(
    name="user",
    path="/users",
    service=IDENTITY,
    columns=titled(ID="id", Name="name"),
    long_columns=titled(Project="default_project_id", Domain="domain_id", Description="description", Email="email")
    + titled(Enabled="enabled"),
    fields=(
        *named("default_project_id domain_id email enabled id name"),
        *named("description password_expires_at"),
        *named("options"),
    ),
    absent={"options": {}},
)

ROLE = Noun(
    name="role",
    path="/roles",
    service=IDENTITY,
    columns=titled(ID="id", Name="name"),
    fields=(*named("id name"), *named("domain_id"), *named("description")),
)
