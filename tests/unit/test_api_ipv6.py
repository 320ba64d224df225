"""IPv6 subnets and subnets for some device owners: modes, and the addresses that ports get without asking."""

from __future__ import annotations

import itertools

import pytest
from api_network_client import Api, Json, fresh

MODES = ("slaac", "dhcpv6-stateful", "dhcpv6-stateless")
MAC = "fa:16:3e:11:22:33"
OWN = "f816:3eff:fe11:2233"
"""The interface identifier of ``MAC`` (RFC 4291 appendix A)."""


@pytest.fixture
def api() -> Api:
    return fresh()


def modes(ra: str | None, address: str | None) -> dict[str, str]:
    given = {"ipv6_ra_mode": ra, "ipv6_address_mode": address}
    return {name: mode for name, mode in given.items() if mode is not None}


def subnet(api: Api, network: Json, cidr: str = "fd00::/64", mode: str | None = "slaac", **values: object) -> Json:
    version = 6 if ":" in cidr else 4
    given = {**(modes(mode, mode) if version == 6 else {}), **values}
    return api.make("subnet", "admin", network_id=network["id"], cidr=cidr, ip_version=version, **given)


def addresses(port: Json) -> list[str]:
    return [fixed["ip_address"] for fixed in port["fixed_ips"]]


@pytest.mark.parametrize(("ra", "address"), list(itertools.product((None, *MODES), repeat=2)))
def test_mode_pairs(api: Api, ra: str | None, address: str | None) -> None:
    """One alone, or both the same, are taken and shown; two that differ are refused."""
    network, _ = api.network(None)
    body = {"network_id": network["id"], "cidr": "fd00::/64", "ip_version": 6, **modes(ra, address)}
    answer = api.call("POST", "/subnets", {"subnet": body})
    if ra is not None and address is not None and ra != address:
        assert (answer.status, answer.kind) == (400, "InvalidInput")
    else:
        made = answer.json["subnet"]
        assert (made["ipv6_ra_mode"], made["ipv6_address_mode"]) == (ra, address)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"enable_dhcp": False}, "cannot be set when enable_dhcp is set to False"),
        ({"cidr": "fd00::/80"}, "requires the prefix to be /64"),
        ({"ipv6_ra_mode": "dhcp"}, "ipv6_ra_mode"),
        ({"cidr": "fd00::/127", "ipv6_ra_mode": None, "ipv6_address_mode": None}, "incompatible with DHCP"),
    ],
)
def test_refused_subnets(api: Api, values: dict[str, object], words: str) -> None:
    """Modes without DHCP, a prefix that leaves no room for EUI-64, no such mode."""
    network, _ = api.network(None)
    body = {"network_id": network["id"], "cidr": "fd00::/64", "ip_version": 6, **modes("slaac", "slaac"), **values}
    answer = api.call("POST", "/subnets", {"subnet": body})
    assert (answer.status, words in answer.error) == (400, True), answer.raw


def test_modes_stay(api: Api) -> None:
    """They are not updated, and DHCP is not switched off beneath them."""
    network, _ = api.network(None)
    made = subnet(api, network)
    assert api.put("subnet", made["id"], ipv6_ra_mode="dhcpv6-stateful").status == 400
    refused = api.put("subnet", made["id"], enable_dhcp=False)
    assert (refused.status, refused.kind) == (400, "InvalidInput")
    assert api.put("subnet", made["id"], dns_publish_fixed_ip=True).json["subnet"]["dns_publish_fixed_ip"] is True


@pytest.mark.parametrize("mode", ["slaac", "dhcpv6-stateless"])
def test_every_port_has_the_address_that_it_makes(api: Api, mode: str) -> None:
    """Beside what it asks for, or where it asks for nothing, or for the subnet; another address is refused."""
    network, four = api.network("10.0.0.0/24")
    six = subnet(api, network, mode=mode)
    body: dict[str, object] = {"network_id": network["id"], "mac_address": MAC}
    for wanted, expected in (
        (None, ["10.0.0.2", f"fd00::{OWN}"]),
        ([], [f"fd00::{OWN}"]),
        ([{"subnet_id": six["id"]}], [f"fd00::{OWN}"]),
        ([{"ip_address": f"fd00::{OWN}"}], [f"fd00::{OWN}"]),
        ([{"subnet_id": four["id"], "ip_address": "10.0.0.9"}], ["10.0.0.9", f"fd00::{OWN}"]),
    ):
        asked = body if wanted is None else {**body, "fixed_ips": wanted}
        port = api.make("port", **asked)
        assert addresses(port) == expected
        assert api.call("DELETE", f"/ports/{port['id']}").status == 204
    refused = api.call("POST", "/ports", {"port": {**body, "fixed_ips": [{"ip_address": "fd00::5"}]}})
    assert (refused.status, refused.kind) == (400, "AllocationOnAutoAddressSubnet")


def test_a_stateful_subnet_gives_the_lowest(api: Api) -> None:
    """DHCPv6 stateful, and an IPv6 subnet without modes, are as IPv4: one address, of the first that has one."""
    network, _ = api.network(None)
    subnet(api, network, "fd00::/64", "dhcpv6-stateful")
    subnet(api, network, "fd01::/64", None)
    port = api.make("port", network_id=network["id"])
    assert addresses(port) == ["fd00::2"]


def test_a_new_subnet_reaches_the_ports_that_are_there(api: Api) -> None:
    """All but the router's interface; their revision rises; with the subnet its addresses go again."""
    network, four = api.network("10.0.0.0/24")
    port = api.make("port", network_id=network["id"], mac_address=MAC)
    router = api.make("router")
    interface = api.call("PUT", f"/routers/{router['id']}/add_router_interface", {"subnet_id": four["id"]}).json
    six = subnet(api, network)
    after = api.get(f"/ports/{port['id']}")["port"]
    assert addresses(after) == ["10.0.0.2", f"fd00::{OWN}"]
    assert after["revision_number"] > port["revision_number"]
    assert addresses(api.get(f"/ports/{interface['port_id']}")["port"]) == ["10.0.0.1"]
    assert api.call("DELETE", f"/subnets/{six['id']}").status == 204
    gone = api.get(f"/ports/{port['id']}")["port"]
    assert addresses(gone) == ["10.0.0.2"]
    assert gone["revision_number"] > after["revision_number"]


def test_a_gateway_makes_its_address_too(api: Api) -> None:
    """Coming and going change what the router shows, so its revision rises; a stateful subnet still gives one more."""
    public, _ = api.external()
    router = api.make("router", external_gateway_info={"network_id": public["id"]})
    shown = [router]

    def outside() -> list[str]:
        shown.append(api.get(f"/routers/{router['id']}")["router"])
        assert shown[-1]["revision_number"] > shown[-2]["revision_number"]
        return [fixed["ip_address"] for fixed in shown[-1]["external_gateway_info"]["external_fixed_ips"]]

    own = subnet(api, public)
    assert len(outside()) == 2
    subnet(api, public, "fd01::/64", None)
    assert outside()[2:] == ["fd01::2"]
    assert api.call("DELETE", f"/subnets/{own['id']}", token="admin").status == 204
    assert outside() == ["203.0.113.2", "fd01::2"]


def test_a_subnet_with_a_router_stays(api: Api) -> None:
    """An interface's address holds it; it is the gateway's, and no one makes it for itself."""
    network, _ = api.network(None)
    six = subnet(api, network)
    router = api.make("router")
    path = f"/routers/{router['id']}/add_router_interface"
    interface = api.call("PUT", path, {"subnet_id": six["id"]}, token="admin").json
    assert addresses(api.get(f"/ports/{interface['port_id']}")["port"]) == ["fd00::1"]
    held = api.call("DELETE", f"/subnets/{six['id']}", token="admin")
    assert (held.status, held.kind) == (409, "SubnetInUse")


def test_another_router_announces(api: Api) -> None:
    """Only an address mode: the announcements come from elsewhere, and no router here takes the subnet."""
    network, _ = api.network(None)
    six = subnet(api, network, mode=None, ipv6_address_mode="slaac")
    port = api.make("port", network_id=network["id"])
    router = api.make("router")
    for body in ({"subnet_id": six["id"]}, {"port_id": port["id"]}):
        answer = api.call("PUT", f"/routers/{router['id']}/add_router_interface", body, token="admin")
        assert (answer.status, "RAs from an external router" in answer.error) == (400, True)


def test_updates_of_a_port_keep_what_it_makes(api: Api) -> None:
    """Leaving the address out keeps it; a new MAC address changes it; the same again writes nothing."""
    network, four = api.network("10.0.0.0/24")
    subnet(api, network)
    port = api.make("port", network_id=network["id"], mac_address=MAC)
    changed = api.put("port", port["id"], fixed_ips=[{"subnet_id": four["id"], "ip_address": "10.0.0.7"}]).json["port"]
    assert addresses(changed) == ["10.0.0.7", f"fd00::{OWN}"]
    before = api.tables()
    assert api.put("port", port["id"], fixed_ips=list(reversed(changed["fixed_ips"]))[1:]).status == 200
    assert api.tables() == before
    moved = api.put("port", port["id"], "admin", mac_address="fa:16:3e:00:00:01").json["port"]
    assert addresses(moved) == ["10.0.0.7", "fd00::f816:3eff:fe00:1"]
    again = api.put("port", port["id"], "admin", mac_address=MAC, fixed_ips=moved["fixed_ips"]).json["port"]
    assert addresses(again) == ["10.0.0.7", f"fd00::{OWN}"]


def test_subnets_for_some_device_owners(api: Api) -> None:
    """A port gets its address of the subnet for its owner, else of one for all; where all are for others, of none."""
    network, plain = api.network("10.0.0.0/24")
    servers = subnet(api, network, "10.1.0.0/24", service_types=["compute:nova", "compute:lab"])
    for owner, expected in (("compute:nova", "10.1.0.2"), ("compute:lab", "10.1.0.3"), ("", "10.0.0.2")):
        assert addresses(api.make("port", network_id=network["id"], device_owner=owner)) == [expected]
    named = api.make("port", network_id=network["id"], fixed_ips=[{"subnet_id": servers["id"]}])
    assert addresses(named) == ["10.1.0.4"]
    assert api.put("subnet", plain["id"], "admin", service_types=["network:floatingip"]).status == 200
    refused = api.call("POST", "/ports", {"port": {"network_id": network["id"]}})
    assert (refused.status, refused.kind) == (409, "IpAddressGenerationFailureNoMatchingSubnet")
    assert api.put("subnet", plain["id"], "admin", service_types=[]).status == 200
    assert addresses(api.make("port", network_id=network["id"])) == ["10.0.0.3"]


def test_a_full_service_subnet_is_not_the_end(api: Api) -> None:
    """The subnet for all is next; what ports make for themselves is by owner too."""
    network, _ = api.network("10.0.0.0/24")
    subnet(api, network, "10.1.0.0/30", service_types=["compute:nova"])
    subnet(api, network, "fd00::/64", service_types=["compute:nova"])
    ports = [api.make("port", network_id=network["id"], device_owner="compute:nova") for _ in range(2)]
    assert [addresses(port)[0] for port in ports] == ["10.1.0.2", "10.0.0.2"]
    assert [len(port["fixed_ips"]) for port in ports] == [2, 2]
    assert addresses(api.make("port", network_id=network["id"])) == ["10.0.0.3"]


@pytest.mark.parametrize(
    ("token", "value", "status"),
    [("alice", ["compute:nova"], 403), ("admin", ["nova"], 400), ("admin", "compute:nova", 400), ("admin", [5], 400)],
)
def test_refused_service_types(api: Api, token: str, value: object, status: int) -> None:
    """An administrator names device owners."""
    _, made = api.network("10.0.0.0/24")
    assert api.put("subnet", made["id"], token, service_types=value).status == status


def test_ipv6_needs_1280_bytes(api: Api) -> None:
    """A network with less gets no IPv6 subnet, and one with such a subnet does not get less."""
    small = api.make("network", mtu=1279)
    body = {"network_id": small["id"], "cidr": "fd00::/64", "ip_version": 6}
    refused = api.call("POST", "/subnets", {"subnet": body})
    assert (refused.status, refused.kind) == (409, "NetworkMTUSubnetConflict")
    assert api.put("network", small["id"], mtu=1280).status == 200
    assert api.call("POST", "/subnets", {"subnet": body}).status == 201
    refused = api.put("network", small["id"], mtu=1279)
    assert (refused.status, refused.kind) == (409, "NetworkMTUSubnetConflict")
