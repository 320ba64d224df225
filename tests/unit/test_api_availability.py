"""How many addresses networks have left, the availability zones, and the default network for the way out."""

from __future__ import annotations

import pytest
from api_network_client import Api, fresh

PATH = "/network-ip-availabilities"


@pytest.fixture
def api() -> Api:
    return fresh()


def test_ip_availability(api: Api) -> None:
    """Used and total of each subnet and of the network, out of the allocation pools; IPv6 beyond 64 bits too."""
    network, four = api.network("10.0.0.0/24", allocation_pools=[{"start": "10.0.0.10", "end": "10.0.0.19"}])
    six = api.make("subnet", network_id=network["id"], cidr="fd00::/32", ip_version=6)
    empty, _ = api.network(None)
    api.make("port", network_id=network["id"])
    found = api.get(PATH, "admin")["network_ip_availabilities"]
    assert {row["network_id"] for row in found} == {network["id"], empty["id"]}
    shown = api.get(f"{PATH}/{network['id']}", "admin")["network_ip_availability"]
    assert shown in found
    total = 2**96 - 2
    assert shown == {
        "network_id": network["id"],
        "network_name": "net",
        "project_id": "p-alice",
        "tenant_id": "p-alice",
        "used_ips": 2,
        "total_ips": 10 + total,
        "subnet_ip_availability": [
            {
                "subnet_id": four["id"],
                "subnet_name": "",
                "cidr": "10.0.0.0/24",
                "ip_version": 4,
                "used_ips": 1,
                "total_ips": 10,
            },
            {
                "subnet_id": six["id"],
                "subnet_name": "",
                "cidr": "fd00::/32",
                "ip_version": 6,
                "used_ips": 1,
                "total_ips": total,
            },
        ],
    }
    assert api.get(f"{PATH}/{empty['id']}?fields=total_ips", "admin") == {"network_ip_availability": {"total_ips": 0}}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("network_name=net", 2),
        ("network_name=other", 0),
        ("project_id=p-alice", 1),
        ("tenant_id=p-bob&network_name=net", 1),
        ("ip_version=6", 1),
        ("ip_version=4&ip_version=6", 2),
        ("ip_version=x", 0),
    ],
)
def test_filters(api: Api, query: str, expected: int) -> None:
    """By network, project and version."""
    api.network("10.0.0.0/24")
    api.network("fd00::/64", "bob")
    assert len(api.get(f"{PATH}?{query}", "admin")["network_ip_availabilities"]) == expected


def test_pages(api: Api) -> None:
    """Sorted by name, one network on a page."""
    for name in ("b", "a"):
        api.make("network", "admin", name=name)
    path = "/network-ip-availabilities?sort_key=network_name&limit=1"
    first = api.get(path, "admin")
    (link,) = first["network_ip_availabilities_links"]
    second = api.get(f"/network-ip-availabilities?{link['href'].partition('?')[2]}", "admin")
    found = [page["network_ip_availabilities"][0]["network_name"] for page in (first, second)]
    assert found == ["a", "b"]


def test_only_an_administrator_sees_it(api: Api) -> None:
    """Others see an empty list, and no network; an unknown filter is refused."""
    network, _ = api.network()
    assert api.get(PATH)["network_ip_availabilities"] == []
    missing = api.call("GET", f"{PATH}/{network['id']}")
    assert (missing.status, missing.kind) == (404, "NetworkNotFound")
    assert api.call("GET", f"{PATH}?name=x", token="admin").status == 400


def test_zones(api: Api) -> None:
    """One zone for networks and for routers, to be filtered; hints name it, or are refused."""
    assert [zone["resource"] for zone in api.get("/availability_zones")["availability_zones"]] == ["network", "router"]
    found = api.get("/availability_zones?resource=router&name=nova&state=available&fields=name")
    assert found == {"availability_zones": [{"name": "nova"}]}
    assert api.get("/availability_zones?name=other")["availability_zones"] == []
    sorted_down = api.get("/availability_zones?sort_key=resource&sort_dir=desc")["availability_zones"]
    assert [zone["resource"] for zone in sorted_down] == ["router", "network"]
    page = api.get("/availability_zones?limit=1")
    assert [zone["resource"] for zone in page["availability_zones"]] == ["network"]
    (following,) = page["availability_zones_links"]
    rest = api.get(f"/availability_zones?{following['href'].partition('?')[2]}")["availability_zones"]
    assert [zone["resource"] for zone in rest] == ["router"]
    assert api.call("GET", "/availability_zones?sort_key=colour").status == 400
    assert api.call("GET", "/availability_zones?colour=red").status == 400
    for noun in ("network", "router"):
        assert api.make(noun, availability_zone_hints=["nova"])["availability_zone_hints"] == ["nova"]
        answer = api.call("POST", f"/{noun}s", {noun: {"availability_zone_hints": ["nova", "moon"]}})
        assert (answer.status, answer.kind) == (404, "AvailabilityZoneNotFound")


def test_one_default_external_network(api: Api) -> None:
    """A second one is refused, when made and when changed."""
    first = api.make("network", "admin", router__external=True, is_default=True)
    body = {"network": {"router:external": True, "is_default": True}}
    answer = api.call("POST", "/networks", body, token="admin")
    assert (answer.status, answer.kind) == (409, "DefaultExternalNetworkExists")
    second = api.make("network", "admin", router__external=True)
    assert api.put("network", second["id"], "admin", is_default=True).status == 409
    assert api.put("network", first["id"], "admin", is_default=False).status == 200
    assert api.put("network", second["id"], "admin", is_default=True).json["network"]["is_default"] is True


def test_what_is_there_is_listed(api: Api) -> None:
    """Each extension that stands for something here, and none that does not."""
    aliases = {extension["alias"] for extension in api.get("/extensions")["extensions"]}
    assert {
        "address-scope",
        "availability_zone_filter",
        "default-subnetpools",
        "network-ip-availability",
        "rbac-address-scope",
        "rbac-subnetpool",
        "subnet-dns-publish-fixed-ip",
        "subnet-service-types",
        "subnet_allocation",
        "subnet_onboard",
        "subnetpool-prefix-ops",
    } <= aliases
    assert not aliases & {"auto-allocated-topology", "vlan-transparent", "ipv6-prefix-delegation", "segment"}


def test_service_providers(api: Api) -> None:
    """Routers are neither distributed nor redundant; nobody makes VPNs. Whoever is logged in may know."""
    assert api.get("/service-providers")["service_providers"] == [
        {"service_type": "L3_ROUTER_NAT", "name": "single_node", "default": False}
    ]
    assert api.get("/service-providers?service_type=VPN")["service_providers"] == []
    found = api.get("/service-providers?default=false&name=single_node&fields=name&limit=5")
    assert found["service_providers"] == [{"name": "single_node"}]
    assert api.call("GET", "/service-providers?colour=red").status == 400
