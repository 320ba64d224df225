"""Networks and subnets: defaults, allocation, refusals that change nothing, project walls."""

from __future__ import annotations

from pathlib import Path

import pytest
from api_network_client import Api, fresh
from nebula_controller.network.settings import NetworkSettings


@pytest.fixture
def api() -> Api:
    return fresh(NetworkSettings(vni_first=1, vni_last=3))


def test_network_defaults(api: Api) -> None:
    """A plain network is VXLAN with the lowest VNI and room for the tunnel header; only an admin sees `provider:*`."""
    mine = api.make("network", name="net")
    assert not [name for name in mine if name.startswith("provider:")]
    seen = api.get(f"/networks/{mine['id']}", "admin")["network"]
    assert {k: v for k, v in seen.items() if k.startswith("provider:")} == {
        "provider:network_type": "vxlan",
        "provider:physical_network": None,
        "provider:segmentation_id": 1,
    }
    assert (seen["mtu"], seen["status"], seen["admin_state_up"], seen["shared"], seen["router:external"]) == (
        1450,
        "ACTIVE",
        True,
        False,
        False,
    )
    assert seen["project_id"] == seen["tenant_id"] == "p-alice"
    assert seen["revision_number"] == 1
    assert seen["created_at"].endswith("Z")


def test_created_equals_shown_equals_listed(api: Api) -> None:
    """POST, GET and the list give one and the same object."""
    made = api.make("network", "admin", name="net")
    assert api.get(f"/networks/{made['id']}", "admin")["network"] == made
    assert api.get("/networks", "admin")["networks"] == [made]


def test_vnis_run_out_and_come_back(api: Api) -> None:
    """Each network has a VNI of its own; with none left the call fails (503); a deleted network's is free again."""
    made = [api.make("network", "admin") for _ in range(3)]
    assert [network["provider:segmentation_id"] for network in made] == [1, 2, 3]
    refused = api.call("POST", "/networks", {"network": {}})
    assert (refused.status, refused.kind) == (503, "NoNetworkAvailable")
    assert api.call("DELETE", f"/networks/{made[1]['id']}", token="admin").status == 204
    assert api.make("network", "admin")["provider:segmentation_id"] == 2


def test_chosen_vni(api: Api) -> None:
    """An admin may choose a VNI, outside the range too; a second network cannot have it; nobody is given it."""
    api.make("network", "admin", provider__network_type="vxlan", provider__segmentation_id=1)
    api.make("network", "admin", provider__network_type="vxlan", provider__segmentation_id=99)
    body = {"network": {"provider:network_type": "vxlan", "provider:segmentation_id": 99}}
    refused = api.call("POST", "/networks", body, token="admin")
    assert (refused.status, refused.error) == (
        409,
        "TunnelIdInUse: Unable to create the network. The tunnel ID 99 is in use.",
    )
    assert api.make("network", "admin")["provider:segmentation_id"] == 2


def test_free_vnis_follow_the_settings(tmp_path: Path) -> None:
    """A restart with another range gives out numbers of that range, none that a network has."""
    api = Api(tmp_path, NetworkSettings(vni_first=1, vni_last=10))
    api.make("network", "admin")
    api.make("network", "admin", provider__network_type="vxlan", provider__segmentation_id=100)
    api.close()
    api = Api(tmp_path, NetworkSettings(vni_first=100, vni_last=200))
    assert api.make("network", "admin")["provider:segmentation_id"] == 101
    api.close()


def test_flat_network(api: Api) -> None:
    """A flat network has the underlay's MTU, and its physical network carries no second one."""
    network, _ = api.external()
    assert (network["mtu"], network["provider:segmentation_id"]) == (1500, None)
    body = {"network": {"provider:network_type": "flat", "provider:physical_network": "public"}}
    assert api.call("POST", "/networks", body, token="admin").error.startswith("FlatNetworkInUse")


@pytest.mark.parametrize(
    ("values", "status", "words"),
    [
        ({"provider:network_type": "flat"}, 400, "provider:physical_network"),
        ({"provider:network_type": "vlan"}, 400, "provider:network_type"),
        (
            {"provider:network_type": "flat", "provider:physical_network": "x", "provider:segmentation_id": 5},
            400,
            "segm",
        ),
        ({"provider:network_type": "vxlan", "provider:physical_network": "x"}, 400, "provider:physical_network"),
        ({"provider:network_type": "vxlan", "provider:segmentation_id": 0}, 400, "provider:segmentation_id"),
        ({"provider:network_type": "vxlan", "provider:segmentation_id": 2**24}, 400, "provider:segmentation_id"),
        ({"provider:segmentation_id": 5}, 400, "provider:segmentation_id"),
        ({"mtu": 1451}, 400, "mtu"),
        ({"mtu": 67}, 400, "mtu"),
        ({"mtu": -1}, 400, "mtu"),
        ({"mtu": "many"}, 400, "mtu"),
        ({"mtu": 10**30}, 400, "mtu"),
        ({"mtu": 1450.5}, 400, "mtu"),
        ({"name": 5}, 400, "name"),
        ({"name": None}, 400, "name"),
        ({"name": "x" * 256}, 400, "name"),
        ({"admin_state_up": "maybe"}, 400, "admin_state_up"),
        ({"admin_state_up": None}, 400, "admin_state_up"),
        ({"shared": []}, 400, "shared"),
        ({"tags": ["a,b"]}, 400, "tags"),
        ({"dns_domain": "a b"}, 400, "dns_domain"),
        ({"status": "ACTIVE"}, 400, "status"),
        ({"id": "00000000-0000-0000-0000-000000000000"}, 400, "id"),
        ({"colour": "red"}, 400, "colour"),
    ],
)
def test_refused_networks(api: Api, values: dict[str, object], status: int, words: str) -> None:
    """What is wrong is named, and not one row changes."""
    before = api.tables()
    answer = api.call("POST", "/networks", {"network": values}, token="admin")
    assert (answer.status, words in answer.error) == (status, True), answer.raw
    assert api.tables() == before


@pytest.mark.parametrize("name", ["shared", "router:external", "provider:segmentation_id"])
def test_admin_attributes(api: Api, name: str) -> None:
    """What Neutron leaves to administrators is refused to others with 403."""
    answer = api.call("POST", "/networks", {"network": {name: 5 if name.startswith("provider:") else True}})
    assert (answer.status, answer.kind) == (403, "PolicyNotAuthorized")


@pytest.mark.parametrize(
    "name", ["quotes \" and ' and ;", "two\nlines", "nul\x00bell\x07", "\U0001f409" * 255, "", "'; DROP"]
)
def test_any_text_is_a_name(api: Api, name: str) -> None:
    """Names are data: they come back as they went in, and filters find them."""
    made = api.make("network", name=name)
    assert made["name"] == name
    from urllib.parse import quote

    found = api.get(f"/networks?name={quote(name)}")["networks"]
    assert [network["id"] for network in found] == [made["id"]]


def test_project_walls(api: Api) -> None:
    """Another project's network is not there: not in lists, not by id; a shared one is seen, not changed."""
    network, subnet = api.network()
    for path in (f"/networks/{network['id']}", f"/subnets/{subnet['id']}"):
        for method in ("GET", "DELETE", "PUT"):
            change = {path[1:].split("s/")[0]: {"name": "x"}} if method == "PUT" else None
            answer = api.call(method, path, change, token="bob")
            assert answer.status == 404, (method, path, answer.raw)
    assert api.get("/networks", "bob") == {"networks": []}
    assert api.get("/subnets", "bob") == {"subnets": []}
    body = {"subnet": {"network_id": network["id"], "cidr": "10.0.0.0/24", "ip_version": 4}}
    assert api.call("POST", "/subnets", body, token="bob").error.startswith("NetworkNotFound")

    assert api.put("network", network["id"], "admin", shared=True).status == 200
    assert [n["id"] for n in api.get("/networks", "bob")["networks"]] == [network["id"]]
    assert [s["id"] for s in api.get("/subnets", "bob")["subnets"]] == [subnet["id"]]
    assert api.put("network", network["id"], "bob", name="mine").status == 403
    assert api.call("DELETE", f"/networks/{network['id']}", token="bob").status == 403
    assert api.call("POST", "/subnets", body, token="bob").status == 403


def test_project_id_of_another(api: Api) -> None:
    """Only an admin makes something for another project."""
    answer = api.call("POST", "/networks", {"network": {"project_id": "p-bob"}})
    assert (answer.status, "admin privileges" in answer.error) == (400, True)
    assert api.make("network", "admin", tenant_id="p-bob")["project_id"] == "p-bob"
    assert api.call("POST", "/networks", {"network": {}}, token="unscoped").status == 400


def test_subnet_defaults(api: Api) -> None:
    """The first address is the gateway, the rest but the broadcast address is the pool."""
    network, subnet = api.network("192.168.50.0/24")
    assert subnet["gateway_ip"] == "192.168.50.1"
    assert subnet["allocation_pools"] == [{"start": "192.168.50.2", "end": "192.168.50.254"}]
    assert subnet["enable_dhcp"] is True
    assert api.get(f"/networks/{network['id']}")["network"]["subnets"] == [subnet["id"]]
    assert api.get(f"/subnets/{subnet['id']}")["subnet"] == subnet


@pytest.mark.parametrize(
    ("cidr", "gateway", "pools"),
    [
        ("10.0.0.0/24", "10.0.0.254", [("10.0.0.1", "10.0.0.253")]),
        ("10.0.0.0/24", "10.0.0.100", [("10.0.0.1", "10.0.0.99"), ("10.0.0.101", "10.0.0.254")]),
        ("10.0.0.0/24", None, [("10.0.0.1", "10.0.0.254")]),
        ("10.0.0.0/30", "10.0.0.1", [("10.0.0.2", "10.0.0.2")]),
        ("fd00::/64", "fd00::1", [("fd00::2", "fd00::ffff:ffff:ffff:ffff")]),
        ("fd00::/126", None, [("fd00::1", "fd00::3")]),
    ],
)
def test_default_pools(api: Api, cidr: str, gateway: str | None, pools: list[tuple[str, str]]) -> None:
    """The pools are what is left of the subnet without network, broadcast and gateway address."""
    _, subnet = api.network(cidr, gateway_ip=gateway)
    assert [(pool["start"], pool["end"]) for pool in subnet["allocation_pools"]] == pools
    assert subnet["gateway_ip"] == gateway


@pytest.mark.parametrize(
    ("values", "status", "words"),
    [
        ({"cidr": "10.0.0.5/24"}, 400, "isn't a recognized IP subnet cidr, '10.0.0.0/24' is recommended"),
        ({"cidr": "10.0.0.0/33"}, 400, "cidr"),
        ({"cidr": "10.0.0.0"}, 400, "cidr"),
        ({"cidr": "10.0.0.0/255.255.255.0"}, 400, "cidr"),
        ({"cidr": "10.0.0.0/24\n"}, 400, "cidr"),
        ({"cidr": None}, 400, "a subnetpool must be specified"),
        ({"cidr": 5}, 400, "cidr"),
        ({"cidr": "0.0.0.0/0"}, 400, "cidr"),
        ({"cidr": "fd00::/64"}, 400, "cidr"),
        ({"cidr": "224.0.0.0/24"}, 400, "Multicast"),
        ({"cidr": "127.0.0.0/24"}, 400, "Loopback"),
        ({"cidr": "10.0.0.0/31"}, 400, "incompatible with DHCP"),
        ({"ip_version": 5}, 400, "ip_version"),
        ({"ip_version": "4.0"}, 400, "ip_version"),
        ({"ip_version": True}, 400, "ip_version"),
        ({"gateway_ip": "10.0.1.1"}, 400, "gateway_ip"),
        ({"gateway_ip": "10.0.0.0"}, 400, "gateway_ip"),
        ({"gateway_ip": "10.0.0.255"}, 400, "gateway_ip"),
        ({"gateway_ip": "fd00::1"}, 400, "gateway_ip"),
        ({"gateway_ip": "somewhere"}, 400, "gateway_ip"),
        ({"allocation_pools": [{"start": "10.0.0.9", "end": "10.0.0.5"}]}, 400, "allocation_pools"),
        ({"allocation_pools": [{"start": "10.0.0.9", "end": "10.0.1.5"}]}, 400, "allocation_pools"),
        ({"allocation_pools": [{"start": "10.0.0.9"}]}, 400, "allocation_pools"),
        ({"allocation_pools": [{"start": "fd00::1", "end": "10.0.0.5"}]}, 400, "allocation_pools"),
        ({"allocation_pools": "all"}, 400, "allocation_pools"),
        ({"allocation_pools": [{"start": "10.0.0.1", "end": "10.0.0.5"}]}, 409, "GatewayConflictWithAllocationPools"),
        (
            {"allocation_pools": [{"start": "10.0.0.2", "end": "10.0.0.9"}, {"start": "10.0.0.9", "end": "10.0.0.12"}]},
            409,
            "OverlappingAllocationPools",
        ),
        ({"dns_nameservers": ["dns.example.org"]}, 400, "dns_nameservers"),
        ({"dns_nameservers": ["10.0.0.2", "10.0.0.2"]}, 400, "dns_nameservers"),
        ({"dns_nameservers": ["fd00::1"]}, 400, "dns_nameservers"),
        ({"host_routes": [{"destination": "10.1.0.0/24"}]}, 400, "host_routes"),
        ({"host_routes": [{"destination": "10.1.0.5/24", "nexthop": "10.0.0.2"}]}, 400, "host_routes"),
        ({"host_routes": [{"destination": "10.1.0.0/24", "nexthop": "10.0.0.2\nx"}]}, 400, "host_routes"),
        ({"network_id": "nonsense"}, 400, "network_id"),
        ({"network_id": "00000000-0000-4000-8000-000000000000"}, 404, "NetworkNotFound"),
        ({"ipv6_ra_mode": "slaac"}, 400, "ipv6_ra_mode"),
        ({"ipv6_address_mode": "dhcpv6-stateful"}, 400, "ipv6_address_mode is not valid when ip_version is 4"),
        ({"subnetpool_id": "00000000-0000-4000-8000-000000000000"}, 404, "SubnetPoolNotFound"),
        ({"subnetpool_id": "prefix_delegation"}, 400, "prefix delegation is not supported"),
        ({"cidr": None, "prefixlen": 24}, 400, "a subnetpool must be specified in the absence of a cidr"),
        ({"prefixlen": 24}, 400, "cidr and prefixlen must not be supplied together"),
        ({"use_default_subnetpool": True}, 400, "No default subnetpool found for IPv4"),
        ({"cidr": "0.0.0.0/8"}, 400, "First IP '0.0.0.0' of network is not supported"),
        ({"dns_nameservers": [f"10.0.0.{n}" for n in range(2, 8)]}, 400, "DNSNameServersExhausted"),
        (
            {"host_routes": [{"destination": f"10.{n}.0.0/24", "nexthop": "10.0.0.2"} for n in range(1, 22)]},
            400,
            "HostRoutesExhausted",
        ),
    ],
)
def test_refused_subnets(api: Api, values: dict[str, object], status: int, words: str) -> None:
    """What is wrong is named, and not one row changes."""
    network, _ = api.network(None)
    before = api.tables()
    subnet = {"network_id": network["id"], "cidr": "10.0.0.0/24", "ip_version": 4, **values}
    answer = api.call("POST", "/subnets", {"subnet": subnet})
    assert (answer.status, words in answer.error) == (status, True), answer.raw
    assert api.tables() == before


def test_all_problems_are_named(api: Api) -> None:
    """Not only the first problem: gateway, pool and name server are all in the answer."""
    network, _ = api.network(None)
    subnet: dict[str, object] = {
        "network_id": network["id"],
        "cidr": "10.0.0.0/24",
        "ip_version": 4,
        "gateway_ip": "10.9.9.9",
        "allocation_pools": [{"start": "10.0.0.9", "end": "10.0.0.5"}],
        "dns_nameservers": ["fd00::1"],
    }
    message = api.call("POST", "/subnets", {"subnet": subnet}).error
    assert all(name in message for name in ("gateway_ip", "allocation_pools", "dns_nameservers"))


def test_subnets_of_one_network_do_not_overlap(api: Api) -> None:
    """The same block on another network is fine, on the same one it is refused."""
    network, _ = api.network("10.0.0.0/24")
    api.network("10.0.0.0/24")
    body = {"subnet": {"network_id": network["id"], "cidr": "10.0.0.128/25", "ip_version": 4}}
    answer = api.call("POST", "/subnets", body)
    assert (answer.status, "overlaps with another subnet" in answer.error) == (400, True)


def test_subnet_update(api: Api) -> None:
    """Gateway, pools, servers and routes change; the block does not; the same values again write nothing."""
    _, subnet = api.network("10.0.0.0/24", allocation_pools=[{"start": "10.0.0.10", "end": "10.0.0.20"}])
    changed = api.put(
        "subnet",
        subnet["id"],
        gateway_ip="10.0.0.2",
        allocation_pools=[{"start": "10.0.0.30", "end": "10.0.0.31"}],
        dns_nameservers=["10.0.0.3"],
        host_routes=[{"destination": "10.1.0.0/24", "nexthop": "10.0.0.4"}],
    ).json["subnet"]
    assert (changed["gateway_ip"], changed["revision_number"]) == ("10.0.0.2", 2)
    port = api.make("port", network_id=subnet["network_id"])
    assert port["fixed_ips"][0]["ip_address"] == "10.0.0.30"
    assert api.put("subnet", subnet["id"], cidr="10.0.1.0/24").status == 400
    conflict = api.put("subnet", subnet["id"], gateway_ip="10.0.0.30")
    assert (conflict.status, conflict.kind) == (409, "GatewayConflictWithAllocationPools")
    before = api.tables()
    assert api.put("subnet", subnet["id"], gateway_ip="10.0.0.2", name="").json["subnet"] == changed
    assert api.tables() == {**before}


def test_in_use(api: Api) -> None:
    """A network or subnet with a port stays; without it both go, and the network takes its subnets along."""
    network, subnet = api.network()
    port = api.make("port", network_id=network["id"])
    refused = api.call("DELETE", f"/networks/{network['id']}")
    assert (refused.status, refused.kind, port["id"] in refused.error) == (
        409,
        "NetworkInUse",
        True,
    )
    refused = api.call("DELETE", f"/subnets/{subnet['id']}")
    assert (refused.status, refused.kind) == (409, "SubnetInUse")
    assert api.call("DELETE", f"/ports/{port['id']}").status == 204
    assert api.call("DELETE", f"/networks/{network['id']}").status == 204
    assert (
        api.call("GET", f"/subnets/{subnet['id']}").error
        == f"SubnetNotFound: Subnet {subnet['id']} could not be found."
    )
    assert api.call("DELETE", f"/networks/{network['id']}").status == 404
