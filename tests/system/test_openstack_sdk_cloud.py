"""openstacksdk's cloud layer (``openstack.connect().create_network(...)``), unmodified: the calls of scripts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from openstack_cloud import PASSWORD, Controller

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    made = Controller(tmp_path_factory.mktemp("sdk"))
    yield made
    made.stop()


def connect(controller: Controller, **who: str) -> Any:
    """A connection as the administrator; ``who`` are other logins' parts."""
    import openstack

    return openstack.connect(
        load_yaml_config=False,
        load_envvars=False,
        auth_url=f"{controller.url}/identity",
        user_domain_name="Default",
        project_domain_name="Default",
        identity_api_version="3",
        region_name="RegionOne",
        **{"username": "admin", "password": PASSWORD, "project_name": "admin", **who},
    )


@pytest.fixture(scope="module")
def cloud(controller: Controller) -> Iterator[Any]:
    with connect(controller) as connection:
        yield connection


@pytest.fixture(scope="module")
def outside(cloud: Any) -> Iterator[Any]:
    """An external network with addresses."""
    provider = {"network_type": "flat", "physical_network": "provider"}
    network = cloud.create_network("outside", external=True, provider=provider)
    cloud.create_subnet("outside", "203.0.113.0/24", enable_dhcp=False, gateway_ip="203.0.113.1")
    yield network
    assert cloud.delete_network("outside")


def test_the_case_study(controller: Controller, cloud: Any, outside: Any) -> None:
    """The lecture as a script: the administrator makes a project and its user, who works alone; then it all goes."""
    project = cloud.create_project("lecture", domain_id="default", description="x")
    cloud.create_user("student", password="pw", domain_id="default", default_project="lecture", email="s@example.org")
    assert cloud.grant_role("member", user="student", project="lecture", wait=True)
    assert not cloud.grant_role("member", user="student", project="lecture")
    cloud.set_network_quotas("lecture", network=1, floatingip=2)
    assert cloud.get_network_quotas("lecture")["networks"] == 1
    assert cloud.get_network_quotas("lecture", details=True)["networks"]["used"] == 0

    with connect(controller, username="student", password="pw", project_name="lecture") as mine:
        _make(mine, outside)
        assert mine.get_network("inside").project_id == project.id
        _refused(mine, outside)
        _remove(mine)

    cloud.delete_network_quotas("lecture")
    assert cloud.update_user("student", enabled=False).is_enabled is False
    assert cloud.revoke_role("member", user="student", project="lecture", wait=True)
    assert cloud.delete_user("student")
    assert cloud.delete_project("lecture")


def _make(mine: Any, outside: Any) -> None:
    network = mine.create_network("inside", mtu_size=1400, port_security_enabled=True)
    assert (network.mtu, network.is_router_external) == (1400, False)
    subnet = mine.create_subnet(
        "inside",
        "192.168.50.0/24",
        subnet_name="inside4",
        enable_dhcp=True,
        dns_nameservers=["198.51.100.53"],
        host_routes=[{"destination": "10.9.0.0/16", "nexthop": "192.168.50.254"}],
        allocation_pools=[{"start": "192.168.50.10", "end": "192.168.50.99"}],
    )
    assert (subnet.gateway_ip, subnet.is_dhcp_enabled) == ("192.168.50.1", True)
    assert mine.update_subnet("inside4", dns_nameservers=["192.0.2.53"]).dns_nameservers == ["192.0.2.53"]

    router = mine.create_router("edge", ext_gateway_net_id=outside.id)
    assert router.external_gateway_info["enable_snat"] is True
    mine.add_router_interface(router, subnet_id=subnet.id)
    [interface] = mine.list_router_interfaces(router, interface_type="internal")
    assert interface.fixed_ips[0]["ip_address"] == "192.168.50.1"

    group = mine.create_security_group("web", "What the web server lets in")
    rule = mine.create_security_group_rule("web", 80, 80, "tcp", "0.0.0.0/0")
    assert (rule.port_range_min, rule.direction) == (80, "ingress")
    assert mine.update_security_group("web", description="HTTP").description == "HTTP"

    port = mine.create_port(network.id, name="server", security_groups=[group.id])
    assert mine.get_port("server").fixed_ips[0]["ip_address"] == "192.168.50.10"
    assert mine.update_port(port.id, name="web").name == "web"

    floating = mine.create_floating_ip(network=outside.id, port=port.id, wait=False)
    assert (floating.fixed_ip_address, floating.router_id) == ("192.168.50.10", router.id)
    spare = mine.available_floating_ip(network="outside")
    assert spare.port_id is None
    assert mine.available_floating_ip(network="outside").id == spare.id
    assert [found.id for found in mine.search_floating_ips(filters={"port_id": port.id})] == [floating.id]


def _refused(mine: Any, outside: Any) -> None:
    from openstack import exceptions

    with pytest.raises(exceptions.ConflictException, match="Quota exceeded for resources"):
        mine.create_network("second")
    with pytest.raises(exceptions.ConflictException, match="Quota exceeded for resources"):
        mine.create_floating_ip(network=outside.id)
    with pytest.raises(exceptions.ConflictException, match="already exists"):
        mine.create_security_group_rule("web", 80, 80, "tcp", "0.0.0.0/0")
    for delete, name in (
        (mine.delete_network, "inside"),
        (mine.delete_subnet, "inside4"),
        (mine.delete_router, "edge"),
        (mine.delete_security_group, "web"),
    ):
        with pytest.raises(exceptions.ConflictException):
            delete(name)
    with pytest.raises(exceptions.ForbiddenException):
        mine.delete_network("outside")
    with pytest.raises(exceptions.ForbiddenException):
        mine.create_user("another", password="pw", domain_id="default")


def _remove(mine: Any) -> None:
    for floating in mine.list_floating_ips():
        assert mine.delete_floating_ip(floating.id)
        assert not mine.delete_floating_ip(floating.id)
    assert mine.delete_port("web")
    [rule] = [rule for rule in mine.get_security_group("web").security_group_rules if rule["protocol"] == "tcp"]
    assert mine.delete_security_group_rule(rule["id"])
    assert mine.delete_security_group("web")
    mine.remove_router_interface(mine.get_router("edge"), subnet_id=mine.get_subnet("inside4").id)
    assert mine.delete_router("edge")
    assert mine.delete_subnet("inside4")
    assert mine.delete_network("inside")
    assert [mine.delete_network("inside"), mine.delete_router("edge"), mine.delete_port("web")] == [False] * 3


def test_lists_and_searches(cloud: Any, outside: Any) -> None:
    """Filters of the server, filters of the client, patterns, and what is not there."""
    names = ("find-a", "find-b", "other")
    made = {name: cloud.create_network(name, shared=name == "find-b") for name in names}
    assert [network.name for network in cloud.search_networks("find-a")] == ["find-a"]
    assert [network.name for network in cloud.search_networks(filters={"shared": True})] == ["find-b"]
    assert [network.name for network in cloud.list_networks({"router:external": True})] == ["outside"]
    assert cloud.get_network("find-a").id == cloud.get_network_by_id(made["find-a"].id).id
    assert cloud.get_network("nothing") is None
    assert [network.id for network in cloud.get_external_ipv4_floating_networks()] == [outside.id]
    assert cloud.update_network("other", name="find-c", shared=True).is_shared
    cloud.create_subnet("find-c", "10.0.0.0/24", subnet_name="find-c4")
    assert [subnet.cidr for subnet in cloud.search_subnets(filters={"network_id": made["other"].id})] == ["10.0.0.0/24"]
    for number in range(3):
        cloud.create_port(made["other"].id, name=f"p{number}", fixed_ips=[{"ip_address": f"10.0.0.{10 + number}"}])
    ports = cloud.list_ports(filters={"network_id": made["other"].id, "fixed_ips": ["ip_address=10.0.0.11"]})
    assert [port.name for port in ports] == ["p1"]
    assert {port.name for port in cloud.search_ports("p*", filters={"status": "DOWN"})} == {"p0", "p1", "p2"}
    for number in range(3):
        assert cloud.delete_port(f"p{number}")
    for name in ("find-a", "find-b", "find-c"):
        assert cloud.delete_network(name)


def test_identity(cloud: Any) -> None:
    """Domains, groups, roles, services, endpoints: made, found, changed, granted, removed."""
    domain = cloud.create_domain("hall", description="x")
    group = cloud.create_group("class", "Who listens", domain=domain.id)
    user = cloud.create_user("listener", password="pw", domain_id=domain.id)
    cloud.identity.add_user_to_group(user, group)  # the layer's own call knows only the default domain
    assert [member.name for member in cloud.identity.group_users(group)] == ["listener"]
    role = cloud.create_role("observer")
    assert cloud.grant_role("observer", group=group.id, domain=domain.id)
    assert cloud.update_role("observer", "watcher").name == "watcher"
    found = cloud.list_role_assignments(filters={"group": group.id, "domain": domain.id})
    assert [assignment.role["id"] for assignment in found] == [role.id]
    assert [found.name for found in cloud.search_users("listener", domain_id=domain.id)] == ["listener"]
    assert [found.name for found in cloud.search_groups("class", domain_id=domain.id)] == ["class"]
    service = cloud.create_service("dns", type="dns", description="names")
    [public] = cloud.create_endpoint("dns", url="http://192.0.2.1/dns", interface="public", region="RegionOne")
    assert [endpoint.id for endpoint in cloud.search_endpoints(filters={"service_id": service.id})] == [public.id]
    assert cloud.delete_endpoint(public.id)
    assert cloud.delete_service("dns")
    assert cloud.delete_role("watcher")
    assert cloud.delete_group(group.id)
    assert cloud.delete_user(user.id)
    cloud.update_domain(domain.id, enabled=False)
    assert cloud.delete_domain(domain.id)
    assert cloud.identity.find_domain(domain.id) is None
