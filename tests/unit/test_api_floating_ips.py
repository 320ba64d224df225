"""Floating IPs and port forwardings: association, routers, refusals, what they hold and what lets go of them."""

from __future__ import annotations

import msgspec
import pytest
from api_network_client import Answered, Api, Json, fresh
from nebula_controller.api.context import internal
from nebula_controller.store.tables.network import ports
from sqlalchemy import update

from nebula.ids import Owner, OwnerKind


class Site(msgspec.Struct):
    """An external network, and alice's network with a router between them and one port."""

    api: Api
    public: Json
    outside: Json
    network: Json
    subnet: Json
    router: Json
    port: Json

    def floating(self, token: str = "alice", **values: object) -> Json:
        return self.api.make("floatingip", token, floating_network_id=self.public["id"], **values)

    def refused(self, token: str = "alice", **values: object) -> tuple[int, str]:
        body = {"floatingip": {"floating_network_id": self.public["id"], **values}}
        answer = self.api.call("POST", "/floatingips", body, token=token)
        return answer.status, answer.kind

    def shown(self, floating: Json) -> Json:
        return self.api.get(f"/floatingips/{floating['id']}")["floatingip"]

    def set(self, floating: Json, **values: object) -> Answered:
        return self.api.put("floatingip", floating["id"], **values)

    def forward(self, floating: Json, **values: object) -> Answered:
        defaults = {"protocol": "tcp", "internal_port_id": self.port["id"]}
        return self.api.call(
            "POST", f"/floatingips/{floating['id']}/port_forwardings", {"port_forwarding": {**defaults, **values}}
        )


@pytest.fixture
def site() -> Site:
    api = fresh()
    public = api.make("network", "admin", name="public", router__external=True)
    outside = api.make("subnet", "admin", network_id=public["id"], ip_version=4, cidr="203.0.113.0/24")
    network, subnet = api.network()
    router = api.make("router", name="r", external_gateway_info={"network_id": public["id"]})
    path = f"/routers/{router['id']}/add_router_interface"
    assert api.call("PUT", path, {"subnet_id": subnet["id"]}).status == 200
    return Site(api, public, outside, network, subnet, router, api.make("port", network_id=network["id"]))


def test_a_free_floating_ip(site: Site) -> None:
    """It leads nowhere and is DOWN; its address is kept by a port that only an administrator sees."""
    made = site.floating(description="for later")
    assert (made["port_id"], made["fixed_ip_address"], made["router_id"]) == (None, None, None)
    assert (made["status"], made["port_details"], made["port_forwardings"]) == ("DOWN", None, [])
    assert (made["floating_ip_address"], made["project_id"]) == ("203.0.113.3", "p-alice")
    assert site.shown(made) == made
    [port] = site.api.get("/ports?device_owner=network:floatingip", "admin")["ports"]
    assert (port["device_id"], port["status"], port["project_id"]) == (made["id"], "N/A", "")
    assert (port["binding:host_id"], port["security_groups"], port["port_security_enabled"]) == ("", [], False)
    refused = site.api.call("DELETE", f"/ports/{port['id']}", token="admin")
    assert (refused.status, refused.kind) == (409, "ServicePortInUse")
    assert site.api.call("DELETE", f"/floatingips/{made['id']}").status == 204
    assert site.api.get("/ports?device_owner=network:floatingip", "admin")["ports"] == []
    answer = site.api.call("GET", f"/floatingips/{made['id']}")
    assert (answer.status, answer.kind) == (404, "FloatingIPNotFound")


def test_association_comes_and_goes(site: Site) -> None:
    """The router is found through the inner subnet; other words leave the association; null ends it."""
    made = site.floating()
    on = site.set(made, port_id=site.port["id"]).json["floatingip"]
    assert (on["port_id"], on["fixed_ip_address"], on["router_id"]) == (
        site.port["id"],
        site.port["fixed_ips"][0]["ip_address"],
        site.router["id"],
    )
    assert on["port_details"]["network_id"] == site.network["id"]
    words = site.set(made, description="x").json["floatingip"]
    assert (words["port_id"], words["description"]) == (site.port["id"], "x")
    assert site.set(made, port_id=site.port["id"]).status == 200
    off = site.set(made, port_id=None).json["floatingip"]
    assert (off["port_id"], off["fixed_ip_address"], off["router_id"]) == (None, None, None)
    at_once = site.floating(port_id=site.port["id"])
    assert at_once["router_id"] == site.router["id"]


def test_status_is_that_of_the_gateway(site: Site) -> None:
    """ACTIVE while the node says that the router's gateway port is; also as a filter."""
    made, free = site.floating(port_id=site.port["id"]), site.floating()
    assert made["status"] == "DOWN"
    with site.api.database.write(internal("test")) as tx:
        tx.execute(update(ports).where(ports.c.device_owner == "network:router_gateway").values(status="ACTIVE"))
    assert site.shown(made)["status"] == "ACTIVE"
    assert [f["id"] for f in site.api.get("/floatingips?status=ACTIVE")["floatingips"]] == [made["id"]]
    assert [f["id"] for f in site.api.get("/floatingips?status=DOWN")["floatingips"]] == [free["id"]]


def test_wanted_addresses(site: Site) -> None:
    """By subnet; by address for administrators only; one that is taken is refused."""
    assert site.floating(subnet_id=site.outside["id"])["floating_ip_address"].startswith("203.0.113.")
    assert site.refused(floating_ip_address="203.0.113.99") == (403, "PolicyNotAuthorized")
    assert site.floating("admin", floating_ip_address="203.0.113.99")["floating_ip_address"] == "203.0.113.99"
    assert site.refused("admin", floating_ip_address="203.0.113.99") == (409, "IpAddressAlreadyAllocated")
    assert site.refused("admin", floating_ip_address="198.51.100.1") == (400, "InvalidIpForNetwork")
    assert site.refused("admin", floating_ip_address="fd00::1") == (400, "HTTPBadRequest")


def test_refused_networks(site: Site) -> None:
    """A network that is not external, has no IPv4 subnet, or is not there."""

    def answer(network_id: str) -> tuple[int, str]:
        body = {"floatingip": {"floating_network_id": network_id}}
        found = site.api.call("POST", "/floatingips", body)
        return found.status, found.kind

    assert answer(site.network["id"]) == (400, "BadRequest")
    bare = site.api.make("network", "admin", name="bare", router__external=True)
    assert answer(bare["id"]) == (400, "BadRequest")
    assert answer("0e5e5b48-2b5c-4a63-8bd5-3f28b0a4f3c7") == (404, "NetworkNotFound")


def test_refused_associations(site: Site) -> None:
    """Ports without a way to the network, without or with several addresses, of others; nothing is half done."""
    api, made = site.api, site.floating()

    def answer(port: Json, **values: object) -> tuple[int, str]:
        found = site.set(made, port_id=port["id"], **values)
        return found.status, found.kind

    far_network, far_subnet = api.network("10.9.0.0/24")
    far = api.make("port", network_id=far_network["id"])
    assert answer(far) == (404, "ExternalGatewayForFloatingIPNotFound")
    del far_subnet
    bare = api.make("port", network_id=site.network["id"], fixed_ips=[])
    assert answer(bare) == (400, "BadRequest")
    wish = {"subnet_id": site.subnet["id"]}
    two = api.make("port", network_id=site.network["id"], fixed_ips=[wish, {"ip_address": "192.168.50.200"}])
    assert answer(two) == (400, "BadRequest")
    assert answer(two, fixed_ip_address="192.168.50.201") == (400, "BadRequest")
    assert site.set(made, fixed_ip_address="192.168.50.200").kind == "BadRequest"
    assert site.set(made, port_id=two["id"], fixed_ip_address="192.168.50.200").status == 200
    second = site.floating(port_id=site.port["id"])
    assert answer(site.port) == (409, "FloatingIPPortAlreadyAssociated")
    assert site.shown(made)["port_id"] == two["id"]
    assert site.shown(second)["port_id"] == site.port["id"]
    theirs, _ = api.network("10.8.0.0/24", "bob")
    hidden = api.make("port", "bob", network_id=theirs["id"])
    assert answer(hidden) == (404, "PortNotFound")
    found = api.call("GET", f"/floatingips/{made['id']}", token="bob")
    assert (found.status, found.kind) == (404, "FloatingIPNotFound")


def test_what_floating_ips_hold(site: Site) -> None:
    """The gateway, the interface and the external network stay while an inner port has an address there."""
    api, made = site.api, site.floating(port_id=site.port["id"])
    answer = api.put("router", site.router["id"], external_gateway_info=None)
    assert (answer.status, answer.kind) == (409, "RouterExternalGatewayInUseByFloatingIp")
    path = f"/routers/{site.router['id']}/remove_router_interface"
    answer = api.call("PUT", path, {"subnet_id": site.subnet["id"]})
    assert (answer.status, answer.kind) == (409, "RouterInterfaceInUseByFloatingIP")
    assert api.call("DELETE", f"/networks/{site.public['id']}", token="admin").kind == "NetworkInUse"
    assert site.set(made, port_id=None).status == 200
    assert api.put("router", site.router["id"], external_gateway_info=None).status == 200
    assert api.call("DELETE", f"/networks/{site.public['id']}", token="admin").status == 204
    assert api.get("/floatingips")["floatingips"] == []


def test_a_port_that_goes_is_let_go_of(site: Site) -> None:
    """A deleted port, or one that loses the address, frees its floating IP and ends its forwardings."""
    made, other = site.floating(port_id=site.port["id"]), site.floating()
    assert site.forward(other, external_port=80, internal_port=8080).status == 201
    moved = site.api.put("port", site.port["id"], fixed_ips=[{"ip_address": "192.168.50.77"}])
    assert moved.status == 200
    assert (site.shown(made)["port_id"], site.shown(made)["router_id"]) == (None, None)
    assert (site.shown(other)["port_forwardings"], site.shown(other)["router_id"]) == ([], None)
    assert site.set(made, port_id=site.port["id"]).status == 200
    assert site.forward(other, external_port=80, internal_port=8080).status == 201
    assert site.api.call("DELETE", f"/ports/{site.port['id']}").status == 204
    assert site.shown(made)["port_id"] is None
    assert site.shown(other)["router_id"] is None


def test_the_gateway_of_the_subnet_is_preferred(site: Site) -> None:
    """Of two routers on the subnet, the one that has the subnet's gateway address does the NAT."""
    api = site.api
    for _ in range(3):
        router = api.make("router", name="side", external_gateway_info={"network_id": site.public["id"]})
        port = api.make("port", network_id=site.network["id"])
        path = f"/routers/{router['id']}/add_router_interface"
        assert api.call("PUT", path, {"port_id": port["id"]}).status == 200
    assert site.floating(port_id=site.port["id"])["router_id"] == site.router["id"]


def test_who_hears_of_a_change(site: Site) -> None:
    """A floating IP touches its router, before and after."""
    made = site.floating()
    heard: set[Owner] = set()
    site.api.database.subscribe(lambda _revision, touched: heard.update(touched))
    expected = {Owner(OwnerKind.FLOATING_IP, made["id"]), Owner(OwnerKind.ROUTER, site.router["id"])}
    site.set(made, port_id=site.port["id"])
    assert heard == expected
    heard.clear()
    site.set(made, port_id=None)
    assert heard == expected
    heard.clear()
    assert site.forward(made, external_port=1, internal_port=1).status == 201
    assert heard == expected


def test_port_forwardings(site: Site) -> None:
    """Made, listed, changed, deleted; the floating IP has the router as long as it has one."""
    made = site.floating()
    forwarding = site.forward(made, external_port=2222, internal_port=22, description="ssh").json["port_forwarding"]
    assert forwarding == {
        "id": forwarding["id"],
        "description": "ssh",
        "protocol": "tcp",
        "internal_port_id": site.port["id"],
        "internal_ip_address": site.port["fixed_ips"][0]["ip_address"],
        "external_port": 2222,
        "external_port_range": "2222:2222",
        "internal_port": 22,
        "internal_port_range": "22:22",
    }
    path = f"/floatingips/{made['id']}/port_forwardings"
    assert site.api.get(f"{path}/{forwarding['id']}")["port_forwarding"] == forwarding
    assert site.api.get(path)["port_forwardings"] == [forwarding]
    assert site.api.get(f"{path}?external_port=2222&protocol=tcp")["port_forwardings"] == [forwarding]
    assert site.api.get(f"{path}?external_port_range=2222:2222")["port_forwardings"] == [forwarding]
    assert site.api.get(f"{path}?external_port=1")["port_forwardings"] == []
    shown = site.shown(made)
    assert (shown["router_id"], shown["port_id"], len(shown["port_forwardings"])) == (site.router["id"], None, 1)
    changed = site.api.call("PUT", f"{path}/{forwarding['id']}", {"port_forwarding": {"internal_port": 2022}})
    assert changed.json["port_forwarding"] == {**forwarding, "internal_port": 2022, "internal_port_range": "2022:2022"}
    assert site.set(made, port_id=site.port["id"]).kind == "FipInUseByPortForwarding"
    refused = site.api.call("DELETE", f"/floatingips/{made['id']}")
    assert (refused.status, refused.kind) == (409, "FipInUseByPortForwarding")
    assert site.api.call("GET", path, token="bob").status == 404
    assert site.api.call("DELETE", f"{path}/{forwarding['id']}").status == 204
    gone = site.api.call("GET", f"{path}/{forwarding['id']}")
    assert (gone.status, gone.kind) == (404, "PortForwardingNotFound")
    assert site.shown(made)["router_id"] is None


def test_ranges_of_ports(site: Site) -> None:
    """One to one, or many to one; never overlapping on the outside or the inside; another protocol is another space."""
    made = site.floating()

    def answer(external: str, internal: str, **values: object) -> tuple[int, str]:
        found = site.forward(made, external_port_range=external, internal_port_range=internal, **values)
        return found.status, "" if found.status == 201 else found.kind

    assert answer("8000:8009", "9000:9009") == (201, "")
    assert answer("7000:7009", "22") == (201, "")
    assert answer("8009:8010", "1:2") == (400, "BadRequest")
    assert answer("5000", "9009") == (400, "BadRequest")
    assert answer("6000:6001", "1:3") == (400, "BadRequest")
    assert answer("6001:6000", "1:2") == (400, "HTTPBadRequest")
    assert answer("0", "1") == (400, "HTTPBadRequest")
    assert answer("65536", "1") == (400, "HTTPBadRequest")
    assert answer("8000:8009", "9000:9009", protocol="udp") == (201, "")
    assert answer("1", "1", protocol="icmp") == (400, "HTTPBadRequest")
    assert site.forward(made, external_port=1).kind == "BadRequest"
    assert site.forward(made, external_port=1, external_port_range="2:3", internal_port=1).kind == "BadRequest"
    shown = site.shown(made)["port_forwardings"]
    assert sorted((f["protocol"], f["external_port_range"], f["internal_port_range"]) for f in shown) == [
        ("tcp", "7000:7009", "22:22"),
        ("tcp", "8000:8009", "9000:9009"),
        ("udp", "8000:8009", "9000:9009"),
    ]


def test_refused_forwardings(site: Site) -> None:
    """Of a floating IP that has a port; to a port that its router does not reach; to an address that is not there."""
    api, made = site.api, site.floating()
    ports_given = {"external_port": 80, "internal_port": 80}
    assert site.forward(made, **ports_given, internal_ip_address="192.168.50.250").kind == "BadRequest"
    far_network, _ = api.network("10.9.0.0/24")
    far = api.make("port", network_id=far_network["id"])
    assert site.forward(made, **ports_given, internal_port_id=far["id"]).kind == "BadRequest"
    taken = site.floating(port_id=site.port["id"])
    answer = site.forward(taken, **ports_given)
    assert (answer.status, answer.kind) == (409, "FloatingIPPortAlreadyAssociated")
    assert site.shown(made)["port_forwardings"] == []
