"""The servers API: an instance whole or not at all, and the walls between projects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from southbound_world import ADMIN, BEARER, MEMBER, OTHER, World

from nebula.ids import Host, PortId
from nebula.view import codec
from nebula.view.report import PortStatus, Reason, Receipt, Role

SERVERS = "/compute/v2.1/servers"


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> World:
    """One for all calls that change nothing."""
    made = World(tmp_path_factory.mktemp("refusing"))
    made.node("c1", 1, (Role.COMPUTE,))
    return made


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.node("c1", 1, (Role.COMPUTE,))
    made.node("c2", 2, (Role.COMPUTE,))
    made.node("n1", 3, (Role.NETWORK,))
    return made


def network(world: World, headers: dict[str, str] = MEMBER, cidr: str = "192.168.50.0/24") -> str:
    made = world.made("networks", headers=headers, name="net")["id"]
    world.made("subnets", headers=headers, network_id=made, ip_version=4, cidr=cidr)
    return str(made)


def create(world: World, name: str = "vm", headers: dict[str, str] = MEMBER, **values: Any) -> Any:
    body = {"server": {"name": name, **values}}
    made = world.call("POST", SERVERS, body, headers=headers, expect=202)["server"]
    return world.call("GET", f"{SERVERS}/{made['id']}", headers=headers, expect=200)["server"]


def refused(world: World, expect: int, headers: dict[str, str] = MEMBER, **values: Any) -> str:
    body = world.call("POST", SERVERS, {"server": {"name": "vm", **values}}, headers=headers, expect=expect)
    (inner,) = body.values()
    assert inner["code"] == expect
    return str(inner["message"])


def ports(world: World, query: str = "") -> list[Any]:
    found: list[Any] = world.call("GET", f"/network/v2.0/ports?{query}", expect=200)["ports"]
    return [port for port in found if port["device_owner"] != "network:dhcp"]


def report(world: World, host: str, status: str, *port_ids: str, error: str = "") -> None:
    item = Receipt(
        host=Host(host),
        epoch=world.database.epoch,
        from_revision=0,
        to_revision=0,
        reason=Reason.VIEW,
        started_at="2026-11-22T10:00:00Z",
        duration_s=0.1,
        status=tuple(PortStatus(PortId(port), status, error) for port in port_ids),
    )
    world.call("POST", f"/nebula/v1/nodes/{host}/receipts", item, headers=BEARER, expect=204)


def test_instance_gets_a_port_on_the_network_and_a_node(world: World) -> None:
    """One call: port, binding and placement; the node's view has the instance."""
    net = network(world)
    server = create(world, networks=[{"uuid": net}])
    (port,) = ports(world, f"device_id={server['id']}")
    assert (port["device_owner"], port["binding:host_id"], port["project_id"]) == ("compute:nova", "c1", "p-member")
    assert (server["status"], server["tenant_id"], server["user_id"]) == ("BUILD", "p-member", "u-member")
    assert server["OS-EXT-SRV-ATTR:host"] == server["host"] == "c1"
    assert server["addresses"] == {
        "net": [
            {
                "addr": port["fixed_ips"][0]["ip_address"],
                "version": 4,
                "OS-EXT-IPS:type": "fixed",
                "OS-EXT-IPS-MAC:mac_addr": port["mac_address"],
            }
        ]
    }
    view = world.southbound.views.current(Host("c1"))
    assert view is not None
    (instance,) = codec.decode(view.body).instances
    assert (instance.name, list(instance.ports)) == ("vm", [port["id"]])


def test_status_follows_the_ports(world: World) -> None:
    """BUILD until all ports were ACTIVE; ERROR while one is; a node that goes down leaves it ACTIVE, as Nova does."""
    server = create(world, networks=[{"uuid": network(world)}, {"uuid": network(world, cidr="10.1.0.0/24")}])
    first, second = (port["id"] for port in ports(world, f"device_id={server['id']}"))
    path = f"{SERVERS}/{server['id']}"

    def status() -> str:
        return str(world.call("GET", path, headers=MEMBER, expect=200)["server"]["status"])

    report(world, "c1", "ACTIVE", first)
    assert status() == "BUILD"
    report(world, "c1", "ACTIVE", second)
    assert status() == "ACTIVE"
    report(world, "c1", "ERROR", first, error="no tap")
    assert status() == "ERROR"
    assert world.call("GET", path, headers=MEMBER)["server"]["fault"]["message"] == "no tap"
    report(world, "c1", "ACTIVE", first)
    world.later(16)
    world.southbound.registry.sweep()
    assert status() == "ACTIVE"


def test_instances_spread_over_the_compute_nodes(world: World) -> None:
    """Fewest first, then by name; a network node gets none."""
    net = network(world)
    assert [create(world, networks=[{"uuid": net}])["host"] for _ in range(4)] == ["c1", "c2", "c1", "c2"]


@pytest.mark.parametrize("wish", [{"host": "c2"}, {"availability_zone": "nova:c2"}, {"OS-EXT-SRV-ATTR:host": "c2"}])
def test_node_may_be_asked_for(world: World, wish: dict[str, str]) -> None:
    """In Nova's two ways, and by the name of the attribute that shows it."""
    assert create(world, networks=[{"uuid": network(world)}], **wish)["host"] == "c2"


def test_impossible_node_is_refused(world: World) -> None:
    """A node that does not exist (400), is no compute node, or is down (409); nothing is left behind."""
    networks = [{"uuid": network(world)}]
    assert "nowhere" in refused(world, 400, networks=networks, host="nowhere")
    assert "no compute node" in refused(world, 409, networks=networks, host="n1")
    world.later(16)
    world.node("c2", 2, (Role.COMPUTE,))
    world.southbound.registry.sweep()
    assert "down" in refused(world, 409, networks=networks, host="c1")
    assert create(world, networks=networks)["host"] == "c2"
    world.later(16)
    world.southbound.registry.sweep()
    assert "No valid host" in refused(world, 409, networks=networks)
    assert len(ports(world)) == 1


def test_given_port_is_used_and_kept(world: World) -> None:
    """A port named in the call is bound, and free again when the instance goes."""
    net = network(world)
    given = world.made("ports", headers=MEMBER, network_id=net)["id"]
    server = create(world, networks=[{"port": given}, {"uuid": net, "fixed_ip": "192.168.50.77"}])
    shown = [entry["addr"] for entry in server["addresses"]["net"]]
    assert shown[1] == "192.168.50.77"
    assert world.show_port(given).host == "c1"
    assert "in use" in refused(world, 409, networks=[{"port": given}])
    world.call("DELETE", f"{SERVERS}/{server['id']}", headers=MEMBER, expect=204)
    kept = world.show_port(given)
    assert (kept.host, kept.device_id, kept.device_owner) == ("", "", "")
    assert [port["id"] for port in ports(world)] == [given]
    assert world.status_of("GET", f"{SERVERS}/{server['id']}", headers=MEMBER) == 404


def test_all_or_nothing(world: World) -> None:
    """The second interface cannot be had: no instance, no port of the first, no address taken."""
    net = network(world)
    other = world.made("networks", headers=MEMBER, name="bare")["id"]
    assert "requires a subnet" in refused(world, 400, networks=[{"uuid": net}, {"uuid": other}])
    assert ports(world) == []
    assert world.call("GET", SERVERS, headers=MEMBER, expect=200) == {"servers": []}


def test_without_networks_the_only_one_is_taken(world: World) -> None:
    """Nova's ``auto``: 400 without a network, 409 with two."""
    assert "no network" in refused(world, 400)
    network(world)
    assert list(create(world)["addresses"]) == ["net"]
    assert list(create(world, networks="auto")["addresses"]) == ["net"]
    network(world)
    assert "Multiple possible networks" in refused(world, 409)


def test_walls_between_projects(world: World) -> None:
    """Another project's network, port and instance are as if they were not there."""
    net = network(world)
    port = world.made("ports", headers=MEMBER, network_id=net)["id"]
    server = create(world, networks=[{"uuid": net}])
    assert "could not be found" in refused(world, 400, OTHER, networks=[{"uuid": net}])
    assert "could not be found" in refused(world, 400, OTHER, networks=[{"port": port}])
    path = f"{SERVERS}/{server['id']}"
    for method, body in (("GET", None), ("DELETE", None), ("PUT", {"server": {"name": "mine"}})):
        assert world.status_of(method, path, body, headers=OTHER) == 404
    assert world.call("GET", SERVERS, headers=OTHER, expect=200) == {"servers": []}
    assert world.status_of("GET", f"{SERVERS}?all_tenants=1", headers=OTHER) == 403
    assert world.call("GET", SERVERS, headers=ADMIN, expect=200) == {"servers": []}
    everyone = world.call("GET", f"{SERVERS}/detail?all_tenants=True", headers=ADMIN, expect=200)["servers"]
    assert [found["id"] for found in everyone] == [server["id"]]


def test_external_network_is_not_for_everybodys_instances(world: World) -> None:
    """Nova's rule; and only a node with the physical network can have an instance on it."""
    external = world.made(
        "networks",
        **{
            "name": "public",
            "router:external": True,
            "provider:network_type": "flat",
            "provider:physical_network": "physnet1",
        },
    )["id"]
    world.made("subnets", network_id=external, ip_version=4, cidr="203.0.113.0/24", enable_dhcp=False)
    assert "external network" in refused(world, 400, networks=[{"uuid": external}])
    assert "physnet1" in refused(world, 409, ADMIN, networks=[{"uuid": external}])
    world.node("c2", 2, (Role.COMPUTE,), bridge_mappings={"physnet1": "br-ex"})
    assert create(world, headers=ADMIN, networks=[{"uuid": external}])["host"] == "c2"


@pytest.mark.parametrize(
    "values",
    [
        {"name": ""},
        {"name": "x" * 256},
        {"name": "two\nlines"},
        {"name": " edge"},
        {"name": 5},
        {"networks": [{}]},
        {"networks": [{"uuid": "not-a-uuid"}]},
        {"networks": [{"uuid": "5759c106-0c9c-41f4-b8bb-0cf11d9fbd49"}]},
        {"networks": [{"port": "5759c106-0c9c-41f4-b8bb-0cf11d9fbd49"}]},
        {"networks": [{"uuid": "5759c106-0c9c-41f4-b8bb-0cf11d9fbd49", "fixed_ip": "999"}]},
        {"networks": "none"},
        {"networks": [5]},
        {"networks": {"uuid": 1}},
        {"flavorRef": "m1.huge"},
        {"imageRef": "cirros"},
        {"min_count": 2},
        {"host": "a/b"},
        {"host": 5},
        {"availability_zone": "mars"},
        {"metadata": {"a": 1}},
        {"metadata": []},
        {"security_groups": [{"name": "web"}]},
        {"colour": "red"},
    ],
    ids=str,
)
def test_bad_input_is_400_and_changes_nothing(refusing: World, values: dict[str, Any]) -> None:
    """In Nova's shape, whatever is wrong."""
    if not refusing.call("GET", "/network/v2.0/networks")["networks"]:
        network(refusing)
    refused(refusing, 400, **values)
    assert ports(refusing) == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"server": []}', b'{"server": {}}', b'{"other": {}}'])
def test_broken_body_is_400(refusing: World, body: bytes) -> None:
    """Never 500."""
    answer = refusing.call("POST", SERVERS, body, headers=MEMBER, expect=400)
    assert answer["badRequest"]["code"] == 400


def test_rename_and_find_by_name(world: World) -> None:
    """A client finds a server by name with a filter; a name in the path is 404 in Nova's shape."""
    server = create(world, "old", networks=[{"uuid": network(world)}])
    path = f"{SERVERS}/{server['id']}"
    renamed = world.call("PUT", path, {"server": {"name": "new"}}, headers=MEMBER, expect=200)["server"]
    assert renamed["name"] == "new"
    assert world.call("GET", f"{SERVERS}/new", headers=MEMBER, expect=404)["itemNotFound"]["code"] == 404
    found = world.call("GET", f"{SERVERS}?name=new", headers=MEMBER, expect=200)["servers"]
    assert [item["id"] for item in found] == [server["id"]]
    assert world.call("GET", f"{SERVERS}?name=old", headers=MEMBER, expect=200) == {"servers": []}
    assert world.status_of("PUT", path, {"server": {"name": ""}}, headers=MEMBER) == 400
    assert world.status_of("PUT", path, {"server": {"host": "c2"}}, headers=MEMBER) == 400


def test_pages(world: World) -> None:
    """Newest first, ``limit`` and ``marker`` walk through all of them once."""
    net = network(world)
    made = [create(world, f"vm{n}", networks=[{"uuid": net}])["id"] for n in range(5)]
    seen: list[str] = []
    url = f"{SERVERS}?limit=2"
    while url:
        page = world.call("GET", url, headers=MEMBER, expect=200)
        seen += [server["id"] for server in page["servers"]]
        url = page["servers_links"][0]["href"] if "servers_links" in page else ""
    assert sorted(seen) == sorted(made)
    assert len(seen) == 5


def test_port_deleted_behind_the_servers_back(world: World) -> None:
    """The instance stays, without the interface, and can be deleted."""
    server = create(world, networks=[{"uuid": network(world)}])
    (port,) = ports(world, f"device_id={server['id']}")
    world.call("DELETE", f"/network/v2.0/ports/{port['id']}", headers=MEMBER, expect=204)
    assert world.call("GET", f"{SERVERS}/{server['id']}", headers=MEMBER, expect=200)["server"]["addresses"] == {}
    world.call("DELETE", f"{SERVERS}/{server['id']}", headers=MEMBER, expect=204)


def test_flavor_and_image_say_what_an_instance_is(world: World) -> None:
    """One of each, with nothing in them."""
    (flavor,) = world.call("GET", "/compute/v2.1/flavors/detail", headers=MEMBER, expect=200)["flavors"]
    assert (flavor["name"], flavor["ram"], flavor["disk"], flavor["vcpus"]) == ("namespace", 0, 0, 0)
    (image,) = world.call("GET", "/image/v2/images?name=namespace", headers=MEMBER, expect=200)["images"]
    assert (image["name"], image["size"], image["status"]) == ("namespace", 0, "active")
    for query, listed in (
        ("name=cirros", 0),
        ("owner=p", 0),
        ("visibility=private", 0),
        (f"limit=1&marker={image['id']}", 0),
        ("visibility=all&status=active&protected=True&sort=name:asc&limit=1", 1),
    ):
        found = world.call("GET", f"/image/v2/images?{query}", headers=MEMBER, expect=200)["images"]
        assert len(found) == listed, query
    assert world.call("GET", "/compute/v2.1/os-server-groups", headers=MEMBER, expect=200) == {"server_groups": []}
    assert world.status_of("GET", "/compute/v2.1/flavors/m1.tiny", headers=MEMBER) == 404
    assert world.call("GET", "/compute/v2.1", headers={}, expect=200)["version"]["id"] == "v2.1"


def test_instances_are_not_limited(world: World) -> None:
    """Clients that ask every service for quotas get one; a limit that nobody would keep is refused."""
    project = create(world, networks=[{"uuid": network(world)}])["tenant_id"]
    path = f"/compute/v2.1/os-quota-sets/{project}"
    assert world.call("GET", path, headers=MEMBER, expect=200)["quota_set"]["instances"] == -1
    usage = world.call("GET", f"{path}/detail", headers=MEMBER, expect=200)["quota_set"]
    assert (usage["instances"]["in_use"], usage["cores"]["in_use"]) == (1, 0)
    assert world.status_of("GET", path, headers=OTHER) == 403
    assert world.status_of("PUT", path, {"quota_set": {"instances": -1}}, headers=MEMBER) == 403
    assert world.status_of("PUT", path, {"quota_set": {"instances": -1}}) == 200
    for body in ({"quota_set": {"instances": 3}}, {"quota_set": {"moons": -1}}, {"quota_set": 7}, {}, []):
        assert world.status_of("PUT", path, body) == 400, body
    assert world.status_of("DELETE", path) == 202


def test_instance_outlives_a_restart(world: World) -> None:
    """The view after a restart of the controller is that before it."""
    create(world, networks=[{"uuid": network(world)}])
    before = world.southbound.views.current(Host("c1"))
    world.restart()
    after = world.southbound.views.current(Host("c1"))
    assert before is not None and after is not None
    assert before.etag == after.etag
    assert msgspec.structs.replace(codec.decode(before.body), revision=0) == msgspec.structs.replace(
        codec.decode(after.body), revision=0
    )
