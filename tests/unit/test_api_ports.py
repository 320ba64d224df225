"""Ports: addresses, MACs, binding, refusals that change nothing, project walls."""

from __future__ import annotations

import pytest
from api_network_client import Api, fresh
from nebula_controller.api.context import internal
from nebula_controller.network import ports


@pytest.fixture
def api() -> Api:
    return fresh()


def addresses(port: dict[str, list[dict[str, str]]]) -> list[str]:
    return [fixed["ip_address"] for fixed in port["fixed_ips"]]


def test_port_defaults(api: Api) -> None:
    """A plain port has the lowest free address, a MAC of ours, is DOWN and unbound; only an admin sees the binding."""
    network, subnet = api.network()
    mine = api.make("port", network_id=network["id"])
    assert mine["fixed_ips"] == [{"subnet_id": subnet["id"], "ip_address": "192.168.50.2"}]
    assert mine["mac_address"].startswith("fa:16:3e:")
    assert mine["status"] == "DOWN"
    assert sorted(name for name in mine if name.startswith("binding:")) == ["binding:vnic_type"]
    seen = api.get(f"/ports/{mine['id']}", "admin")["port"]
    assert (seen["binding:vif_type"], seen["binding:host_id"]) == ("unbound", "")


def test_created_equals_shown_equals_listed(api: Api) -> None:
    """POST, GET and the list give one and the same object."""
    network, _ = api.network()
    made = api.make("port", "admin", network_id=network["id"], name="x")
    assert api.get(f"/ports/{made['id']}", "admin")["port"] == made
    assert api.get("/ports", "admin")["ports"] == [made]


def test_addresses_are_given_in_order_and_come_back(api: Api) -> None:
    """The lowest free address is next, also after one in the middle was given back."""
    network, _ = api.network("10.0.0.0/29")
    made = [api.make("port", network_id=network["id"]) for _ in range(5)]
    assert [addresses(port) for port in made] == [[f"10.0.0.{n}"] for n in range(2, 7)]
    refused = api.call("POST", "/ports", {"port": {"network_id": network["id"]}})
    assert (refused.status, refused.kind) == (409, "IpAddressGenerationFailure")
    for port in (made[3], made[1], made[2]):
        assert api.call("DELETE", f"/ports/{port['id']}").status == 204
    assert [addresses(api.make("port", network_id=network["id"])) for _ in range(3)] == [
        [f"10.0.0.{n}"] for n in (3, 4, 5)
    ]


def test_one_address_of_each_version(api: Api) -> None:
    """A port on a network with IPv4 and IPv6 gets one of each; of two subnets the second when the first is full."""
    network, _ = api.network("10.0.0.0/30")
    api.make("subnet", network_id=network["id"], cidr="fd00::/64", ip_version=6)
    api.make("subnet", network_id=network["id"], cidr="10.0.1.0/24", ip_version=4)
    assert addresses(api.make("port", network_id=network["id"])) == ["10.0.0.2", "fd00::2"]
    assert addresses(api.make("port", network_id=network["id"])) == ["10.0.1.2", "fd00::3"]


def test_wanted_addresses(api: Api) -> None:
    """By subnet, by address, both, several, none; a named address is never given out on the way to it."""
    network, subnet = api.network("10.0.0.0/24")
    key = subnet["id"]

    def make(*wanted: dict[str, str]) -> list[str]:
        return addresses(api.make("port", network_id=network["id"], fixed_ips=list(wanted)))

    assert make({"subnet_id": key}, {"ip_address": "10.0.0.2"}) == ["10.0.0.3", "10.0.0.2"]
    assert make({"ip_address": "10.0.0.200"}) == ["10.0.0.200"]
    assert make({"subnet_id": key, "ip_address": "10.0.0.1"}) == ["10.0.0.1"]
    assert make() == []
    assert make({"subnet_id": key}, {"subnet_id": key}) == ["10.0.0.4", "10.0.0.5"]
    twice = [{"ip_address": "10.0.0.9"}, {"subnet_id": key, "ip_address": "10.0.0.9"}]
    for wanted, expected in (
        ([{"ip_address": "10.0.0.3"}], (409, "IpAddressAlreadyAllocated")),
        (twice, (400, "HTTPBadRequest")),
    ):
        refused = api.call("POST", "/ports", {"port": {"network_id": network["id"], "fixed_ips": wanted}})
        assert (refused.status, refused.kind) == expected


def test_update_of_addresses(api: Api) -> None:
    """What stays in the list stays; what leaves is free again; a subnet alone keeps the address there."""
    network, subnet = api.network("10.0.0.0/24")
    port = api.make("port", network_id=network["id"])
    wanted = [{"subnet_id": subnet["id"]}, {"ip_address": "10.0.0.50"}]
    assert addresses(api.put("port", port["id"], fixed_ips=wanted).json["port"]) == ["10.0.0.2", "10.0.0.50"]
    moved = api.put("port", port["id"], fixed_ips=[{"ip_address": "10.0.0.60"}]).json["port"]
    assert addresses(moved) == ["10.0.0.60"]
    assert addresses(api.make("port", network_id=network["id"])) == ["10.0.0.2"]
    assert addresses(api.make("port", network_id=network["id"], fixed_ips=[{"ip_address": "10.0.0.50"}])) == [
        "10.0.0.50"
    ]
    assert addresses(api.put("port", port["id"], fixed_ips=[]).json["port"]) == []


@pytest.mark.parametrize(
    ("values", "status", "words"),
    [
        ({"fixed_ips": [{"ip_address": "10.9.0.1"}]}, 400, "InvalidIpForNetwork"),
        ({"fixed_ips": [{"ip_address": "10.0.0.0"}]}, 400, "fixed_ips"),
        ({"fixed_ips": [{"ip_address": "10.0.0.255"}]}, 400, "fixed_ips"),
        ({"fixed_ips": [{"ip_address": "10.0.0.300"}]}, 400, "fixed_ips"),
        ({"fixed_ips": [{"ip_address": "10.0.0.3"}, {"ip_address": "10.0.0.3"}]}, 400, "Duplicate"),
        ({"fixed_ips": [{"subnet_id": "00000000-0000-4000-8000-000000000000"}]}, 400, "invalid subnet"),
        ({"fixed_ips": [{}]}, 400, "fixed_ips"),
        ({"fixed_ips": None}, 400, "fixed_ips"),
        ({"allowed_address_pairs": [{"ip_address": "any"}]}, 400, "allowed_address_pairs"),
        ({"fixed_ips": {"ip_address": "10.0.0.3"}}, 400, "fixed_ips"),
        ({"fixed_ips": [{"address": "10.0.0.3"}]}, 400, "fixed_ips"),
        ({"mac_address": "01:00:5e:00:00:01"}, 400, "mac_address"),
        ({"mac_address": "00:00:00:00:00:00"}, 400, "mac_address"),
        ({"mac_address": "fa:16:3e:00:00"}, 400, "mac_address"),
        ({"mac_address": "fa:16:3e:00:00:01\n"}, 400, "mac_address"),
        ({"mac_address": "fa:16:3e:aa:aa:aa"}, 409, "MacAddressInUse"),
        ({"device_owner": "network:router_interface"}, 400, "device_owner"),
        ({"device_owner": "network:dhcp"}, 400, "device_owner"),
        ({"device_id": 5}, 400, "device_id"),
        ({"dns_name": "two words"}, 400, "dns_name"),
        ({"dns_name": "a\nb"}, 400, "dns_name"),
        ({"binding:vnic_type": "direct"}, 400, "binding:vnic_type"),
        ({"binding:profile": "x"}, 400, "binding:profile"),
        ({"security_groups": ["x"]}, 400, "security_groups"),
        ({"allowed_address_pairs": [{"mac_address": "fa:16:3e:00:00:01"}]}, 400, "allowed_address_pairs"),
        ({"extra_dhcp_opts": [{"opt_name": "bootfile-name"}]}, 400, "extra_dhcp_opts"),
        ({"extra_dhcp_opts": [{"opt_name": "", "opt_value": "x"}]}, 400, "extra_dhcp_opts"),
        ({"extra_dhcp_opts": [{"opt_name": "a,b", "opt_value": "x"}]}, 400, "extra_dhcp_opts"),
        ({"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1\ndhcp-script=/bin/x"}]}, 400, "extra_dhcp_opts"),
        ({"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": " "}]}, 400, "extra_dhcp_opts"),
        (
            {"extra_dhcp_opts": [{"opt_name": "no-such", "opt_value": "x"}]},
            400,
            "bootfile-name, classless-static-route",
        ),
        ({"extra_dhcp_opts": [{"opt_name": "82", "opt_value": "x"}]}, 400, "is not a DHCP option"),
        ({"extra_dhcp_opts": [{"opt_name": "no-such", "opt_value": None}]}, 400, "bootfile-name"),
        ({"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "65536"}]}, 400, "a number up to 65535"),
        ({"extra_dhcp_opts": [{"opt_name": "26", "opt_value": "big"}]}, 400, "a number up to 65535"),
        ({"extra_dhcp_opts": [{"opt_name": "ntp-server", "opt_value": "a.b"}]}, 400, "IPv4 addresses"),
        ({"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1", "ip_version": 5}]}, 400, "extra_dhcp_opts"),
        ({"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": v} for v in "12"]}, 400, "twice"),
        ({"status": "ACTIVE"}, 400, "status"),
        ({"network_id": None}, 400, "network_id"),
        ({"network_id": "00000000-0000-4000-8000-000000000000"}, 404, "NetworkNotFound"),
    ],
)
def test_refused_ports(api: Api, values: dict[str, object], status: int, words: str) -> None:
    """What is wrong is named, and not one row changes: no address is lost."""
    network, _ = api.network("10.0.0.0/24")
    api.make("port", network_id=network["id"], mac_address="FA-16-3E-AA-AA-AA")
    before = api.tables()
    answer = api.call("POST", "/ports", {"port": {"network_id": network["id"], **values}}, token="admin")
    assert (answer.status, words in answer.error) == (status, True), answer.raw
    assert api.tables() == before


@pytest.mark.parametrize("written", ["fa:16:3e:aa:aa:aa", "FA:16:3E:AA:AA:AA", "fa-16-3e-aa-aa-aa"])
def test_a_hardware_address_is_found_as_people_write_it(api: Api, written: str) -> None:
    """By its usual form, in capitals, with dashes."""
    network, _ = api.network("10.0.0.0/24")
    port = api.make("port", network_id=network["id"], mac_address="FA-16-3E-AA-AA-AA")
    api.make("port", network_id=network["id"])
    assert [found["id"] for found in api.get(f"/ports?mac_address={written}")["ports"]] == [port["id"]]


def test_bulk_is_all_or_nothing(api: Api) -> None:
    """One bad port of three: none is made, no address is taken."""
    network, _ = api.network("10.0.0.0/24")
    before = api.tables()
    items = [{"network_id": network["id"]}, {"network_id": network["id"]}]
    bad = {"network_id": network["id"], "fixed_ips": [{"ip_address": "10.0.0.2"}]}
    assert api.call("POST", "/ports", {"ports": [*items, bad]}).status == 409
    assert api.tables() == before
    made = api.call("POST", "/ports", {"ports": items})
    assert [addresses(port) for port in made.json["ports"]] == [["10.0.0.2"], ["10.0.0.3"]]


def test_project_walls(api: Api) -> None:
    """A port is seen by its project and by its network's; others get 404 and see no address of it."""
    network, _ = api.network()
    mine = api.make("port", network_id=network["id"])
    assert api.call("GET", f"/ports/{mine['id']}", token="bob").status == 404
    assert api.call("DELETE", f"/ports/{mine['id']}", token="bob").status == 404
    body = {"port": {"network_id": network["id"]}}
    assert api.call("POST", "/ports", body, token="bob").error.startswith("NetworkNotFound")
    assert api.put("network", network["id"], "admin", shared=True).status == 200
    his = api.make("port", "bob", network_id=network["id"])
    assert [port["id"] for port in api.get("/ports", "bob")["ports"]] == [his["id"]]
    assert {port["id"] for port in api.get("/ports", "alice")["ports"]} == {mine["id"], his["id"]}
    for name, value in (
        ("mac_address", "fa:16:3e:00:00:01"),
        ("fixed_ips", [{"ip_address": "192.168.50.99"}]),
        ("device_owner", "network:foo"),
        ("binding:host_id", "compute1"),
    ):
        refused = api.call("POST", "/ports", {"port": {"network_id": network["id"], name: value}}, token="bob")
        assert (refused.status, name in refused.error) == (403, True)


def test_extra_dhcp_options(api: Api) -> None:
    """They are kept with the IP version 4 by default; an update changes those it names, null takes one away."""
    network, _ = api.network()
    empty, boot = {"opt_name": "router", "opt_value": ""}, {"opt_name": "bootfile-name", "opt_value": "pxe,0"}
    gone = {"opt_name": "mtu", "opt_value": None}
    port = api.make("port", network_id=network["id"], extra_dhcp_opts=[empty, boot, gone])
    assert port["extra_dhcp_opts"] == [{**empty, "ip_version": 4}, {**boot, "ip_version": 4}]
    six = {"opt_name": "bootfile-name", "opt_value": "six", "ip_version": "6"}
    given = [{"opt_name": "bootfile-name", "opt_value": "other"}, six, {"opt_name": "router", "opt_value": None}]
    shown = api.put("port", port["id"], extra_dhcp_opts=given).json["port"]["extra_dhcp_opts"]
    assert shown == [{**boot, "opt_value": "other", "ip_version": 4}, {**six, "ip_version": 6}]
    for nothing in ([], None):
        assert api.put("port", port["id"], extra_dhcp_opts=nothing).json["port"]["extra_dhcp_opts"] == shown


def test_dns_assignment(api: Api) -> None:
    """Each address has the name that DHCP gives: the port's, or one made of the address; domains end with a dot."""
    network, _ = api.network()
    port = api.make("port", network_id=network["id"], dns_name="web")
    address = {"ip_address": "192.168.50.2"}
    assert port["dns_assignment"] == [{**address, "hostname": "web", "fqdn": "web.openstacklocal."}]
    shown = api.put("port", port["id"], dns_name="").json["port"]["dns_assignment"]
    made = "host-192-168-50-2"
    assert shown == [{**address, "hostname": made, "fqdn": f"{made}.openstacklocal."}]
    assert api.put("network", network["id"], dns_domain="example.org").status == 400
    answer = api.put("network", network["id"], dns_domain="example.org.")
    assert answer.json["network"]["dns_domain"] == "example.org."


def test_owners_rules_on_shared_networks(api: Api) -> None:
    """On another's network a project has its ports, but their MAC, addresses, port security and service owners are the
    network owner's to set; the owner sets them on others' ports that it makes there.
    """
    network, subnet = api.network()
    assert api.put("network", network["id"], "admin", shared=True).status == 200
    his = api.make("port", "bob", network_id=network["id"], fixed_ips=[{"subnet_id": subnet["id"]}])
    for name, value in (
        ("fixed_ips", [{"ip_address": "192.168.50.99"}]),
        ("port_security_enabled", False),
        ("allowed_address_pairs", [{"ip_address": "10.0.0.0/8"}]),
        ("device_owner", "network:mine"),
        ("mac_address", "fa:16:3e:00:00:01"),
    ):
        answer = api.put("port", his["id"], "bob", **{name: value})
        assert (answer.status, name in answer.error) == (403, True)
    assert api.put("port", his["id"], "bob", device_id="vm", device_owner="compute:nova").status == 200
    assert (
        api.put("port", api.make("port", network_id=network["id"])["id"], mac_address="fa:16:3e:00:00:01").status == 403
    )
    assert api.call("DELETE", f"/ports/{his['id']}").status == 204, "the network is alice's"


def test_service_ports_are_their_services(api: Api) -> None:
    """Ports of routers and floating IPs are neither deleted nor moved by their project or an administrator."""
    public, _ = api.external()
    _, subnet = api.network()
    router = api.make("router", external_gateway_info={"network_id": public["id"]})
    body = {"subnet_id": subnet["id"]}
    assert api.call("PUT", f"/routers/{router['id']}/add_router_interface", body).status == 200
    api.make("floatingip", floating_network_id=public["id"])
    found = {port["device_owner"]: port for port in api.get("/ports", "admin")["ports"]}
    projects = {owner: port["project_id"] for owner, port in found.items()}
    assert projects == {
        "network:router_gateway": "",
        "network:router_interface": "p-alice",
        "network:floatingip": "",
    }
    for port in found.values():
        answer = api.call("DELETE", f"/ports/{port['id']}", token="admin")
        assert (answer.status, answer.kind) == (409, "ServicePortInUse")
        for name, value in (("device_id", "x"), ("device_owner", ""), ("fixed_ips", [])):
            assert api.put("port", port["id"], "admin", **{name: value}).status == 400
        assert api.put("port", port["id"], "admin", name="words").status == 200


def test_binding(api: Api) -> None:
    """A host makes the port an OVS one; another host takes its status back to DOWN; without one it is unbound."""
    network, _ = api.network()
    port = api.make("port", "admin", network_id=network["id"], binding__host_id="compute1")
    assert (port["binding:vif_type"], port["binding:vif_details"]["bridge_name"]) == ("ovs", "br-int")
    unbound = api.put("port", port["id"], "admin", binding__host_id=None).json["port"]
    assert (unbound["binding:vif_type"], unbound["binding:vif_details"]) == ("unbound", {})


def test_service_ports(api: Api) -> None:
    """The DHCP port does not hold its network or subnet: it goes with them."""
    network, subnet = api.network()
    other = api.make("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    with api.database.write(internal("test")) as tx:
        made = ports.create_dhcp_port(tx, network["id"], [subnet["id"], other["id"]], "net1")
    assert api.get(f"/networks/{network['id']}")["network"]["availability_zones"] == ["nova"]
    assert api.call("DELETE", f"/subnets/{other['id']}").status == 204
    shown = api.get(f"/ports/{made.id}")["port"]
    assert (addresses(shown), shown["device_owner"]) == (["192.168.50.2"], "network:dhcp")
    assert api.put("port", made.id, device_id="x").status == 400
    assert api.call("DELETE", f"/subnets/{subnet['id']}").status == 204
    assert api.get("/ports")["ports"] == []
    assert api.call("DELETE", f"/networks/{network['id']}").status == 204


def test_addresses_of_a_dhcp_server(api: Api) -> None:
    """The network's owner gives it others of the same subnets, one of each."""
    network, subnet = api.network()
    other = api.make("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    with api.database.write(internal("test")) as tx:
        made = ports.create_dhcp_port(tx, network["id"], [subnet["id"], other["id"]], "net1")
    wanted = [{"ip_address": "192.168.50.253"}, {"subnet_id": other["id"]}]
    moved = api.put("port", made.id, fixed_ips=wanted).json["port"]
    assert addresses(moved) == ["192.168.50.253", "10.0.0.2"]
    for fewer in ([], wanted[:1], [*wanted, {"ip_address": "10.0.0.9"}]):
        assert api.put("port", made.id, fixed_ips=fewer).status == 400
    assert api.get(f"/ports/{made.id}")["port"] == moved


def test_first_eight_digits_are_unique(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new port never has the first 8 digits of another: they are its OpenFlow key and its device's name."""
    import uuid

    ids = iter(
        [
            "aaaaaaaa-0000-4000-8000-000000000001",
            "aaaaaaaa-0000-4000-8000-000000000002",
            "bbbbbbbb-0000-4000-8000-000000000003",
        ]
    )
    network, _ = api.network()
    with monkeypatch.context() as patched, api.database.write(internal("test")) as tx:
        patched.setattr(uuid, "uuid4", lambda: uuid.UUID(next(ids)))
        values = {"network_id": network["id"], "project_id": "p", "security_groups": []}
        made = [ports.create(tx, values).id[:8] for _ in range(2)]
    assert made == ["aaaaaaaa", "bbbbbbbb"]


def test_macs_are_unique_on_a_network(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A random MAC that the network has is drawn again; on another network the same one is fine."""
    network, _ = api.network()
    other, _ = api.network()
    drawn = iter([b"\0\0\1", b"\0\0\1", b"\0\0\2", b"\0\0\1"])
    monkeypatch.setattr("secrets.token_bytes", lambda _length: next(drawn))
    made = [api.make("port", network_id=n["id"])["mac_address"][-2:] for n in (network, network, other)]
    assert made == ["01", "02", "01"]


def test_a_change_of_nothing_writes_nothing(api: Api) -> None:
    """PUT of what is so already leaves every row, also the revision, as it was."""
    network, _ = api.network()
    port = api.make("port", network_id=network["id"], name="x")
    before = api.tables()
    again = api.put("port", port["id"], name="x", fixed_ips=port["fixed_ips"], admin_state_up=True)
    assert again.json["port"] == port
    assert api.tables() == before
