"""The resources of the case study as a real Neutron answers them: what golden outputs are made from."""

from __future__ import annotations

from typing import Any

from cli_cloud import PROJECT_ID, Cloud

NETWORK_ID = "7d9c7a3e-1f54-4f1c-9b8c-0c4d1f2e3a4b"
PUBLIC_ID = "c46d2fcd-6073-43fe-9274-eac6f7827a87"
SUBNET_ID = "1c2d3e4f-5a6b-4c7d-8e9f-0a1b2c3d4e5f"
PUBLIC_SUBNET_ID = "ee3fde96-858f-4f3c-a119-7e346e17c021"
ROUTER_ID = "5cf32528-565b-4acc-8f26-af86244c680b"
PORT_ID = "ac62f68e-4805-46b8-8e23-6a1f0c3a9d11"
INTERFACE_ID = "b1b2b3b4-0000-4000-8000-000000000001"
GROUP_ID = "0d8e1c2b-3a4f-4b5c-8d6e-7f8091a2b3c4"
FLOATING_ID = "2f245a7b-796b-4f26-9cf9-9e82d248fda7"
FORWARDING_ID = "725ade3c-9760-4880-8080-8fc2dbab9acc"
AGENT_ID = "5321efe5-d4e7-47c6-9b21-6fc447b9a5b9"
_TIMES = {"created_at": "2026-11-22T10:51:06Z", "updated_at": "2026-11-22T10:51:17Z"}


def _network(identifier: str, name: str, *, external: bool, subnets: list[str]) -> dict[str, Any]:
    return {
        "id": identifier,
        "name": name,
        "tenant_id": PROJECT_ID,
        "project_id": PROJECT_ID,
        "admin_state_up": True,
        "mtu": 1500 if external else 1450,
        "status": "ACTIVE",
        "subnets": subnets,
        "shared": False,
        "availability_zone_hints": [],
        "availability_zones": ["nova"],
        "ipv4_address_scope": None,
        "ipv6_address_scope": None,
        "router:external": external,
        "description": "",
        "port_security_enabled": True,
        "is_default": False,
        "tags": ["blue", "a"],
        "l2_adjacency": True,
        "revision_number": 2,
        "provider:network_type": "flat" if external else "vxlan",
        "provider:physical_network": "public" if external else None,
        "provider:segmentation_id": None if external else 1001,
        **_TIMES,
    }


def _port(identifier: str, name: str, address: str, owner: str, device: str) -> dict[str, Any]:
    return {
        "id": identifier,
        "name": name,
        "network_id": NETWORK_ID,
        "tenant_id": PROJECT_ID,
        "project_id": PROJECT_ID,
        "mac_address": "fa:16:3e:0a:0b:0c",
        "admin_state_up": True,
        "status": "ACTIVE",
        "device_id": device,
        "device_owner": owner,
        "fixed_ips": [{"subnet_id": SUBNET_ID, "ip_address": address}],
        "allowed_address_pairs": [],
        "extra_dhcp_opts": [],
        "security_groups": [],
        "description": "",
        "binding:vnic_type": "normal",
        "binding:profile": {},
        "binding:host_id": "compute1",
        "binding:vif_type": "ovs",
        "binding:vif_details": {"connectivity": "l2", "port_filter": False, "bound_drivers": {"0": "openvswitch"}},
        "port_security_enabled": True,
        "tags": [],
        "revision_number": 3,
        **_TIMES,
    }


def fill(cloud: Cloud) -> None:
    """Two networks, their subnets, a router, two ports, two agents, a second project."""
    cloud.add("extensions", id="router_availability_zone", alias="router_availability_zone")
    cloud.collections["networks"] += [
        _network(NETWORK_ID, "nebula_net", external=False, subnets=[SUBNET_ID]),
        _network(
            PUBLIC_ID, "public", external=True, subnets=[PUBLIC_SUBNET_ID, "00000000-0000-4000-8000-000000000000"]
        ),
    ]
    for identifier, network, name, cidr, gateway, routes in (
        (SUBNET_ID, NETWORK_ID, "nebula_subnet", "192.168.50.0/24", "192.168.50.1", True),
        (PUBLIC_SUBNET_ID, PUBLIC_ID, "public_subnet", "203.0.113.0/24", "203.0.113.1", False),
    ):
        start = cidr.removesuffix("0/24")
        cloud.add(
            "subnets",
            id=identifier,
            name=name,
            tenant_id=PROJECT_ID,
            project_id=PROJECT_ID,
            network_id=network,
            ip_version=4,
            subnetpool_id=None,
            enable_dhcp=routes,
            ipv6_ra_mode=None,
            ipv6_address_mode=None,
            gateway_ip=gateway,
            cidr=cidr,
            allocation_pools=[
                {"start": f"{start}2", "end": f"{start}100"},
                {"start": f"{start}120", "end": f"{start}254"},
            ],
            host_routes=[{"destination": "10.0.0.0/8", "nexthop": "192.168.50.254"}] if routes else [],
            dns_nameservers=["198.51.100.53", "192.0.2.53"] if routes else [],
            description="",
            service_types=[],
            tags=[],
            revision_number=0,
            **_TIMES,
        )
    gateway_info = {
        "network_id": PUBLIC_ID,
        "external_fixed_ips": [{"subnet_id": PUBLIC_SUBNET_ID, "ip_address": "203.0.113.142"}],
        "enable_snat": True,
    }
    cloud.add(
        "routers",
        id=ROUTER_ID,
        name="nebula_router",
        tenant_id=PROJECT_ID,
        project_id=PROJECT_ID,
        admin_state_up=True,
        status="ACTIVE",
        external_gateway_info=gateway_info,
        description="",
        availability_zones=["nova"],
        availability_zone_hints=[],
        routes=[{"destination": "10.9.0.0/16", "nexthop": "192.168.50.9"}],
        flavor_id=None,
        distributed=False,
        ha=False,
        tags=[],
        revision_number=4,
        **_TIMES,
    )
    cloud.collections["ports"] += [
        _port(PORT_ID, "web0", "192.168.50.10", "compute:nova", "i-1"),
        _port(INTERFACE_ID, "", "192.168.50.1", "network:router_interface", ROUTER_ID),
    ]
    cloud.collections["ports"][0]["fixed_ips"].append({"subnet_id": SUBNET_ID, "ip_address": "192.168.50.11"})
    for identifier, kind, binary, host, alive in (
        (AGENT_ID, "Open vSwitch agent", "nebula-agent", "compute1", True),
        ("5321efe5-d4e7-47c6-9b21-6fc447b9a5ba", "DHCP agent", "nebula-agent", "net1", False),
    ):
        cloud.add(
            "agents",
            id=identifier,
            agent_type=kind,
            binary=binary,
            host=host,
            topic="N/A",
            admin_state_up=True,
            alive=alive,
            availability_zone=None,
            configurations={"tunnel_types": ["vxlan"], "devices": 2},
            description=None,
            created_at="2026-11-22 10:50:42",
            started_at="2026-11-22 10:50:42",
            heartbeat_timestamp="2026-11-22 10:52:42",
            resources_synced=None,
        )
    _fill_security(cloud)
    for identifier, name in ((PROJECT_ID, "admin"), ("22222222222222222222222222222222", "second")):
        cloud.add(
            "projects",
            id=identifier,
            name=name,
            domain_id="default",
            parent_id="default",
            description="",
            enabled=True,
            is_domain=False,
            options={},
            tags=[],
            links={"self": "x"},
        )
    cloud.add("users", id="33333333333333333333333333333333", name="student", domain_id="default", enabled=True)
    cloud.add("roles", id="44444444444444444444444444444444", name="member", domain_id=None)
    domain = {"id": "default", "name": "Default"}
    cloud.collections["role_assignments"].append(
        {
            "id": "unused",
            "role": {"id": "44444444444444444444444444444444", "name": "member"},
            "user": {"id": "33333333333333333333333333333333", "name": "student", "domain": domain},
            "scope": {"project": {"id": "22222222222222222222222222222222", "name": "second", "domain": domain}},
        }
    )


def _rule(number: int, direction: str, **values: Any) -> dict[str, Any]:
    return {
        "id": f"0a0b0c0d-0000-4000-8000-00000000000{number}",
        "tenant_id": PROJECT_ID,
        "project_id": PROJECT_ID,
        "security_group_id": GROUP_ID,
        "direction": direction,
        "ethertype": "IPv4",
        "protocol": None,
        "port_range_min": None,
        "port_range_max": None,
        "remote_ip_prefix": None,
        "remote_group_id": None,
        "remote_address_group_id": None,
        "normalized_cidr": None,
        "belongs_to_default_sg": False,
        "description": "",
        "tags": [],
        "revision_number": 0,
        **_TIMES,
        **values,
    }


def _fill_security(cloud: Cloud) -> None:
    """A group with rules of several kinds, a floating IP, a port forwarding."""
    rules = [
        _rule(1, "egress"),
        _rule(2, "egress", ethertype="IPv6"),
        _rule(3, "ingress", protocol="tcp", port_range_min=22, port_range_max=22, remote_ip_prefix="203.0.113.7/32"),
        _rule(4, "ingress", protocol="icmp", port_range_min=3, port_range_max=4, remote_ip_prefix="0.0.0.0/0"),
        _rule(5, "ingress", protocol="udp", port_range_min=5000, port_range_max=5010, remote_group_id=GROUP_ID),
    ]
    cloud.collections["security_group_rules"] += rules
    cloud.add(
        "security_groups",
        id=GROUP_ID,
        name="web",
        tenant_id=PROJECT_ID,
        project_id=PROJECT_ID,
        description="servers",
        stateful=True,
        shared=False,
        tags=["blue"],
        revision_number=4,
        security_group_rules=rules,
        **_TIMES,
    )
    cloud.add(
        "floatingips",
        id=FLOATING_ID,
        tenant_id=PROJECT_ID,
        project_id=PROJECT_ID,
        floating_network_id=PUBLIC_ID,
        floating_ip_address="203.0.113.5",
        fixed_ip_address="192.168.50.10",
        port_id=PORT_ID,
        router_id=ROUTER_ID,
        status="ACTIVE",
        description="",
        port_details={"name": "web0", "network_id": NETWORK_ID, "status": "ACTIVE", "admin_state_up": True},
        port_forwardings=[],
        tags=[],
        revision_number=1,
        **_TIMES,
    )
    for owner, networks in (("default", -1), ("22222222222222222222222222222222", 5), ("gone", 7)):
        limits = dict.fromkeys(("floatingip", "port", "rbac_policy", "router", "security_group"), -1)
        limits |= dict.fromkeys(("address_group", "security_group_rule", "subnet", "subnetpool"), -1)
        cloud.add("quotas", id=owner, project_id=owner, tenant_id=owner, network=networks, **limits)
    for alias in ("qos", "router"):
        about = {"name": alias.title(), "description": "d", "updated": "2026-01-01T00:00:00-00:00", "links": []}
        cloud.add("extensions", id=alias, alias=alias, **about)
    for kind in ("bandwidth_limit", "dscp_marking"):
        cloud.add("rule_types", id=kind, type=kind)
    cloud.add(
        "port_forwardings",
        id=FORWARDING_ID,
        protocol="tcp",
        internal_port_id=PORT_ID,
        internal_ip_address="192.168.50.10",
        internal_port=80,
        internal_port_range="80:80",
        external_port=8080,
        external_port_range="8080:8080",
        description="web",
    )
