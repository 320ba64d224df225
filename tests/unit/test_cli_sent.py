"""What nebulactl's options become in requests: attributes under the API's names, names as ids, filters."""

from __future__ import annotations

from typing import Any

import pytest
from cli_case_study import NETWORK_ID, PORT_ID, PUBLIC_ID, PUBLIC_SUBNET_ID, ROUTER_ID, SUBNET_ID
from cli_cloud import Cloud, Nebulactl

DHCP_ID, L3_ID = "d0000000-0000-4000-8000-000000000009", "10000000-0000-4000-8000-000000000009"

SENT: list[tuple[str, str, str, Any]] = [
    (
        "network create lecture --external --share --disable --mtu 1400 --provider-network-type vxlan "
        "--provider-segment 77 --project second",
        "POST",
        "/network/v2.0/networks",
        {
            "network": {
                "name": "lecture",
                "router:external": True,
                "shared": True,
                "admin_state_up": False,
                "mtu": 1400,
                "provider:network_type": "vxlan",
                "provider:segmentation_id": 77,
                "project_id": "22222222222222222222222222222222",
            }
        },
    ),
    (
        "network set nebula_net --name other --internal --enable",
        "PUT",
        f"/network/v2.0/networks/{NETWORK_ID}",
        {"network": {"name": "other", "router:external": False, "admin_state_up": True}},
    ),
    (
        "network set nebula_net --tag c",
        "PUT",
        f"/network/v2.0/networks/{NETWORK_ID}/tags",
        {"tags": ["c", "blue", "a"]},
    ),
    (
        "subnet create s --network nebula_net --subnet-range 10.0.0.0/24 --gateway none --no-dhcp --ip-version 4 "
        "--allocation-pool start=10.0.0.2,end=10.0.0.9 --dns-nameserver 192.0.2.53 --dns-nameserver 192.0.2.54 "
        "--host-route destination=10.1.0.0/16,gateway=10.0.0.7",
        "POST",
        "/network/v2.0/subnets",
        {
            "subnet": {
                "name": "s",
                "network_id": NETWORK_ID,
                "cidr": "10.0.0.0/24",
                "gateway_ip": None,
                "enable_dhcp": False,
                "ip_version": 4,
                "allocation_pools": [{"start": "10.0.0.2", "end": "10.0.0.9"}],
                "dns_nameservers": ["192.0.2.53", "192.0.2.54"],
                "host_routes": [{"destination": "10.1.0.0/16", "nexthop": "10.0.0.7"}],
            }
        },
    ),
    (
        "subnet create s --network nebula_net --subnet-range 10.0.0.0/24 --gateway auto",
        "POST",
        "/network/v2.0/subnets",
        {"subnet": {"name": "s", "network_id": NETWORK_ID, "cidr": "10.0.0.0/24", "ip_version": 4}},
    ),
    (
        "subnet create s --network nebula_net --subnet-range 2001:db8::/64",
        "POST",
        "/network/v2.0/subnets",
        {"subnet": {"name": "s", "network_id": NETWORK_ID, "cidr": "2001:db8::/64", "ip_version": 6}},
    ),
    (
        "subnet set nebula_subnet --dns-nameserver 192.0.2.1",
        "PUT",
        f"/network/v2.0/subnets/{SUBNET_ID}",
        {"subnet": {"dns_nameservers": ["192.0.2.1", "198.51.100.53", "192.0.2.53"]}},
    ),
    (
        "subnet set nebula_subnet --dns-nameserver 192.0.2.1 --no-dns-nameservers --no-host-route",
        "PUT",
        f"/network/v2.0/subnets/{SUBNET_ID}",
        {"subnet": {"dns_nameservers": ["192.0.2.1"], "host_routes": []}},
    ),
    (
        "subnet unset nebula_subnet --dns-nameserver 192.0.2.53 --gateway",
        "PUT",
        f"/network/v2.0/subnets/{SUBNET_ID}",
        {"subnet": {"dns_nameservers": ["198.51.100.53"], "gateway_ip": None}},
    ),
    (
        "port create p --network nebula_net --fixed-ip subnet=nebula_subnet,ip-address=192.168.50.9 --host compute1 "
        "--mac-address fa:16:3e:00:00:09 --device d --device-owner compute:nova --disable",
        "POST",
        "/network/v2.0/ports",
        {
            "port": {
                "name": "p",
                "network_id": NETWORK_ID,
                "fixed_ips": [{"ip_address": "192.168.50.9", "subnet_id": SUBNET_ID}],
                "binding:host_id": "compute1",
                "mac_address": "fa:16:3e:00:00:09",
                "device_id": "d",
                "device_owner": "compute:nova",
                "admin_state_up": False,
            }
        },
    ),
    (
        "port create p --network nebula_net --no-fixed-ip",
        "POST",
        "/network/v2.0/ports",
        {"port": {"name": "p", "network_id": NETWORK_ID, "fixed_ips": []}},
    ),
    (
        "port unset web0 --fixed-ip subnet=nebula_subnet,ip-address=192.168.50.11 --host",
        "PUT",
        f"/network/v2.0/ports/{PORT_ID}",
        {"port": {"fixed_ips": [{"subnet_id": SUBNET_ID, "ip_address": "192.168.50.10"}], "binding:host_id": None}},
    ),
    ("router create r", "POST", "/network/v2.0/routers", {"router": {"name": "r"}}),
    (
        "router set nebula_router --external-gateway public --disable-snat "
        "--fixed-ip subnet=public_subnet,ip-address=203.0.113.9",
        "PUT",
        f"/network/v2.0/routers/{ROUTER_ID}",
        {
            "router": {
                "external_gateway_info": {
                    "network_id": PUBLIC_ID,
                    "enable_snat": False,
                    "external_fixed_ips": [{"ip_address": "203.0.113.9", "subnet_id": PUBLIC_SUBNET_ID}],
                }
            }
        },
    ),
    (
        "router unset nebula_router --external-gateway --route destination=10.9.0.0/16,gateway=192.168.50.9",
        "PUT",
        f"/network/v2.0/routers/{ROUTER_ID}",
        {"router": {"routes": [], "external_gateway_info": {}}},
    ),
    (
        "router add subnet nebula_router nebula_subnet",
        "PUT",
        f"/network/v2.0/routers/{ROUTER_ID}/add_router_interface",
        {"subnet_id": SUBNET_ID},
    ),
    (
        "router remove port nebula_router web0",
        "PUT",
        f"/network/v2.0/routers/{ROUTER_ID}/remove_router_interface",
        {"port_id": PORT_ID},
    ),
    (
        "router add route nebula_router --route destination=10.8.0.0/16,gateway=192.168.50.8",
        "PUT",
        f"/network/v2.0/routers/{ROUTER_ID}/add_extraroutes",
        {"router": {"routes": [{"destination": "10.8.0.0/16", "nexthop": "192.168.50.8"}]}},
    ),
    (
        "network agent add network --dhcp compute9 nebula_net",
        "POST",
        f"/network/v2.0/agents/{DHCP_ID}/dhcp-networks",
        {"network_id": NETWORK_ID},
    ),
    (
        "network agent add router compute9 nebula_router",
        "POST",
        f"/network/v2.0/agents/{L3_ID}/l3-routers",
        {"router_id": ROUTER_ID},
    ),
    (
        f"network agent remove network {DHCP_ID} nebula_net",
        "DELETE",
        f"/network/v2.0/agents/{DHCP_ID}/dhcp-networks/{NETWORK_ID}",
        None,
    ),
    (
        "network agent remove router --l3 compute9 nebula_router",
        "DELETE",
        f"/network/v2.0/agents/{L3_ID}/l3-routers/{ROUTER_ID}",
        None,
    ),
    ("network delete nebula_net", "DELETE", f"/network/v2.0/networks/{NETWORK_ID}", None),
    (
        "project create third --description x --disable",
        "POST",
        "/identity/v3/projects",
        {"project": {"name": "third", "description": "x", "enabled": False}},
    ),
    (
        "project set second --name two",
        "PATCH",
        "/identity/v3/projects/22222222222222222222222222222222",
        {"project": {"name": "two"}},
    ),
    (
        "user create pupil --password p --project second",
        "POST",
        "/identity/v3/users",
        {"user": {"name": "pupil", "password": "p", "default_project_id": "22222222222222222222222222222222"}},
    ),
    (
        "instance create web --network nebula_net --port web0 --node compute1 --no-wait",
        "POST",
        "/compute/v2.1/servers",
        {
            "server": {
                "name": "web",
                "networks": [{"uuid": NETWORK_ID}, {"port": PORT_ID}],
                "availability_zone": "nova:compute1",
            }
        },
    ),
]


@pytest.mark.parametrize(("line", "method", "path", "body"), SENT, ids=[row[0][:40] for row in SENT])
def test_options_become_the_apis_attributes(
    *, line: str, method: str, path: str, body: Any, nebulactl: Nebulactl, cloud: Cloud
) -> None:
    """Each option is sent under the API's name, names are sent as ids, and nothing else is sent."""
    for kind, identity in (("DHCP agent", DHCP_ID), ("L3 agent", L3_ID)):
        cloud.add("agents", id=identity, agent_type=kind, host="compute9")
    ended = nebulactl(*line.split())
    assert (ended.code, cloud.sent(method)) == (0, [(path, body)]), ended.err


@pytest.mark.parametrize(
    ("line", "query"),
    [
        ("network list --external --name a --status ACTIVE", "router%3Aexternal=True&name=a&status=ACTIVE"),
        ("network list --project second --tags a,b", "project_id=22222222222222222222222222222222&tags=a%2Cb"),
        ("port list --router nebula_router --host h", f"binding%3Ahost_id=h&device_id={ROUTER_ID}"),
        (
            "port list --fixed-ip ip-address=192.0.2.1 --fixed-ip subnet=nebula_subnet",
            f"fixed_ips=ip_address%3D192.0.2.1&fixed_ips=subnet_id%3D{SUBNET_ID}",
        ),
        ("agent list --agent-type dhcp", "agent_type=DHCP+agent"),
        ("network qos rule type list --all-rules --limit 1", "all_rules=True&limit=1"),
        ("network qos rule type list --all-supported --marker dscp_marking", "all_supported=True&marker=dscp_marking"),
    ],
)
def test_options_of_a_list_become_filters(line: str, query: str, nebulactl: Nebulactl, cloud: Cloud) -> None:
    """Filters are the server's work: they go into the query."""
    assert nebulactl(*line.split()).code == 0
    assert cloud.sent("GET")[-1][0].partition("?")[2] == query
