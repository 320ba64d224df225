"""The case study with the unmodified ``openstack`` client and openstacksdk: network, subnet, router, gateway, ports."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openstack_cloud import BIN, PASSWORD, Controller

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    made = Controller(tmp_path_factory.mktemp("network"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def sdk(controller: Controller) -> Iterator[Any]:
    import openstack

    connection = openstack.connect(
        auth_url=f"{controller.url}/identity",
        username="admin",
        password=PASSWORD,
        project_name="admin",
        user_domain_name="Default",
        project_domain_name="Default",
        identity_api_version="3",
        region_name="RegionOne",
    )
    yield connection
    connection.close()


def test_the_case_study_in_the_client(controller: Controller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made with the lecture's commands in the program as installed, looked at, refused where used, and taken down."""
    monkeypatch.setattr(controller, "client_forked", False)
    answers = controller.openstack(
        "network create nebula_net -f json",
        "subnet create --network nebula_net --subnet-range 192.168.50.0/24 nebula_subnet -f json",
        "network create --external --provider-network-type flat --provider-physical-network provider public -f json",
        "subnet create --network public --no-dhcp --subnet-range 203.0.113.0/24 --gateway 203.0.113.1 outside -f json",
        "router create nebula_router -f json",
        "router add subnet nebula_router nebula_subnet",
        "router set --external-gateway public nebula_router",
        "router show nebula_router -f json",
        "port create --network nebula_net --fixed-ip ip-address=192.168.50.77 web -f json",
        "port list --network nebula_net -f json",
        "port list --router nebula_router -f json",
        "network agent list -f json",
        "network show nebula_net -f json",
    )
    net, subnet, public, outside, _, router, port, ports, router_ports, agents, shown = answers
    assert (net["mtu"], net["provider:network_type"], net["status"]) == (1450, "vxlan", "ACTIVE")
    assert (subnet["gateway_ip"], subnet["enable_dhcp"], subnet["ip_version"]) == ("192.168.50.1", True, 4)
    assert subnet["allocation_pools"] == [{"start": "192.168.50.2", "end": "192.168.50.254"}]
    assert (public["router:external"], public["mtu"]) == (True, 1500)
    assert outside["enable_dhcp"] is False
    gateway = router["external_gateway_info"]
    assert (gateway["network_id"], gateway["enable_snat"]) == (public["id"], True)
    assert gateway["external_fixed_ips"] == [{"subnet_id": outside["id"], "ip_address": "203.0.113.2"}]
    assert [info["ip_address"] for info in router["interfaces_info"]] == ["192.168.50.1"]
    assert port["fixed_ips"] == [{"subnet_id": subnet["id"], "ip_address": "192.168.50.77"}]
    assert (port["mac_address"].startswith("fa:16:3e:"), port["status"]) == (True, "DOWN")
    addresses = sorted(fixed["ip_address"] for row in ports for fixed in row["Fixed IP Addresses"])
    assert addresses == ["192.168.50.1", "192.168.50.77"]
    assert len(router_ports) == 2
    assert agents == []
    assert shown["subnets"] == [subnet["id"]]

    refused = controller.complaints(
        "network delete nebula_net",
        "subnet delete nebula_subnet",
        "router delete nebula_router",
        "network delete public",
        "subnet create --network nebula_net --subnet-range 192.168.50.0/25 overlapping",
        "router add subnet nebula_router nebula_subnet",
        "network show none",
    )
    assert sum("409" in line for line in refused) >= 4
    assert any("No Network found for none" in line for line in refused)

    controller.openstack(
        "port delete web",
        "router unset --external-gateway nebula_router",
        "router remove subnet nebula_router nebula_subnet",
        "router delete nebula_router",
        "network delete nebula_net",
        "network delete public",
    )
    assert controller.openstack("network list -f json", "port list -f json", "subnet list -f json") == [[], [], []]


def test_pools_and_scopes_in_the_client(controller: Controller) -> None:
    """Subnets cut from a pool in a scope, IPv6 from the default pool, service types, availability, and the way back."""
    answers = controller.openstack(
        "address scope create --ip-version 4 campus -f json",
        "subnet pool create --pool-prefix 10.0.0.0/16 --pool-prefix 10.1.0.0/16 --default-prefix-length 24 "
        "--min-prefix-length 16 --max-prefix-length 28 --address-scope campus --default-quota 4096 --share "
        "four -f json",
        "subnet pool create --pool-prefix fd00:1::/48 --default six -f json",
        "subnet pool set --pool-prefix 192.168.0.0/24 --description more four",
        "network create pooled -f json",
        "subnet create --network pooled --subnet-pool four first -f json",
        "subnet create --network pooled --subnet-pool four --prefix-length 26 second -f json",
        "subnet create --network pooled --use-default-subnet-pool --ip-version 6 --ipv6-ra-mode slaac "
        "--ipv6-address-mode slaac auto -f json",
        "port create --network pooled --mac-address fa:16:3e:00:00:01 guest -f json",
        "subnet set --service-type compute:nova second",
        "subnet list --subnet-pool four --service-type compute:nova -f json",
        "network show pooled -f json",
        "ip availability show pooled -f json",
    )
    scope, four, six, _, first, second, auto, port, chosen, shown, available = answers
    assert four["address_scope_id"] == scope["id"]
    assert (four["prefixes"], six["is_default"]) == (["10.0.0.0/15"], True)
    assert [subnet["cidr"] for subnet in (first, second, auto)] == ["192.168.0.0/24", "10.0.0.0/26", "fd00:1::/64"]
    addresses = [fixed["ip_address"] for fixed in port["fixed_ips"]]
    assert addresses == ["192.168.0.2", "fd00:1::f816:3eff:fe00:1"]
    assert [row["Name"] for row in chosen] == ["second"]
    assert (shown["ipv4_address_scope"], shown["ipv6_address_scope"]) == (scope["id"], None)
    assert available["used_ips"] == 2
    refused = controller.complaints("address scope delete campus", "subnet pool delete four", "subnet delete first")
    assert [line for line in refused if "409" in line or "400" in line]
    (left,) = controller.openstack(
        "port delete guest",
        "network delete pooled",
        "subnet pool delete four six",
        "address scope delete campus",
        "subnet pool list -f json",
    )
    assert left == []


def test_projects_are_walls(controller: Controller, sdk: Any) -> None:
    """A member of another project does not see the network, and what it makes belongs to its own project."""
    import openstack

    hidden = sdk.network.create_network(name="hidden")
    project = sdk.identity.create_project(name="others", domain_id="default")
    user = sdk.identity.create_user(name="other", domain_id="default", password="pw")
    sdk.identity.assign_project_role_to_user(project, user, sdk.identity.find_role("member"))
    other = openstack.connect(
        auth_url=f"{controller.url}/identity",
        username="other",
        password="pw",
        project_name="others",
        user_domain_name="Default",
        project_domain_name="Default",
        identity_api_version="3",
    )
    with other:
        assert other.network.find_network(hidden.id) is None
        own = other.network.create_network(name="own")
        assert own.project_id == project.id
        assert [network.name for network in other.network.networks()] == ["own"]
        with pytest.raises(openstack.exceptions.NotFoundException):
            other.network.delete_network(hidden.id, ignore_missing=False)
        other.network.delete_network(own)
    sdk.network.delete_network(hidden)


def test_a_disabled_user_is_out_at_once(controller: Controller, sdk: Any) -> None:
    """The token that made the last call does not make the next one after its user was disabled."""
    import openstack
    from keystoneauth1.exceptions import Unauthorized

    user = sdk.identity.create_user(name="leaver", domain_id="default", password="pw")
    project = sdk.identity.create_project(name="left", domain_id="default")
    sdk.identity.assign_project_role_to_user(project, user, sdk.identity.find_role("member"))
    leaver = openstack.connect(
        auth_url=f"{controller.url}/identity",
        username="leaver",
        password="pw",
        project_name="left",
        user_domain_name="Default",
        project_domain_name="Default",
        identity_api_version="3",
    )
    with leaver:
        assert list(leaver.network.networks()) == []
        sdk.identity.update_user(user, is_enabled=False)
        with pytest.raises(Unauthorized):
            list(leaver.network.networks())


def test_sdk_servers(sdk: Any) -> None:
    """The compute API answers to the SDK; without a node an instance cannot be placed, which is said."""
    assert [flavor.name for flavor in sdk.compute.flavors()] == ["namespace"]
    assert [image.name for image in sdk.image.images()] == ["namespace"]
    assert list(sdk.compute.servers()) == []


def test_groups_and_floating_ips_in_the_client(controller: Controller) -> None:
    """Security groups, a floating IP and a port forwarding with the lecture's commands, and what each refuses."""
    answers = controller.openstack(
        "security group create web --description servers -f json",
        "security group rule create web --protocol tcp --dst-port 22 --remote-ip 203.0.113.7 -f json",
        "security group rule create web --protocol icmp --icmp-type 8 -f json",
        "security group rule create web --remote-group web --ethertype IPv6 -f json",
        "security group rule list web -f json",
        "security group list -f json",
        "network create web_net -f json",
        "subnet create --network web_net --subnet-range 10.0.0.0/24 web_sub -f json",
        "network create --external out_net -f json",
        "subnet create --network out_net --no-dhcp --subnet-range 198.51.100.0/24 out_sub -f json",
        "router create web_router --external-gateway out_net -f json",
        "router add subnet web_router web_sub",
        "port create --network web_net --security-group web --allowed-address ip-address=10.0.0.99 server -f json",
        "floating ip create out_net --port server -f json",
        "floating ip set --description x 198.51.100.3",
        "floating ip list -f json",
        "floating ip unset --port 198.51.100.3",
        "floating ip port forwarding create 198.51.100.3 --port server --internal-ip-address 10.0.0.2 "
        "--internal-protocol-port 80 --external-protocol-port 8080 --protocol tcp -f json",
        "floating ip port forwarding list 198.51.100.3 -f json",
        "floating ip show 198.51.100.3 -f json",
        "port show server -f json",
        "address group create office --address 192.0.2.0/24 -f json",
        "security group rule create web --remote-address-group office --protocol udp -f json",
    )
    group, ssh, ping, _, rules, groups, *more = answers
    assert (ssh["remote_ip_prefix"], ssh["port_range_min"], ssh["direction"]) == ("203.0.113.7/32", 22, "ingress")
    assert (ping["port_range_min"], ping["port_range_max"]) == (8, None)
    assert len(rules) == 5
    assert sorted(row["Name"] for row in groups) == ["default", "web"]
    port, floating, floating_list, forwarding, forwarding_list, shown, port_after, office, by_group = more[5:]
    assert port["security_group_ids"] == [group["id"]]
    assert [pair["ip_address"] for pair in port["allowed_address_pairs"]] == ["10.0.0.99"]
    assert (floating["fixed_ip_address"], floating["status"]) == ("10.0.0.2", "DOWN")
    assert [row["Fixed IP Address"] for row in floating_list] == ["10.0.0.2"]
    assert (forwarding["external_port"], forwarding["internal_port"]) == (8080, 80)
    assert len(forwarding_list) == 1
    assert (shown["port_id"], shown["router_id"]) == (None, floating["router_id"])
    assert port_after["id"] == port["id"]
    assert by_group["remote_address_group_id"] == office["id"]

    refused = controller.complaints(
        "security group delete web",
        "security group rule create web --protocol tcp --dst-port 22 --remote-ip 203.0.113.7",
        "router unset --external-gateway web_router",
        "router remove subnet web_router web_sub",
        "floating ip delete 198.51.100.3",
        "floating ip set --port server 198.51.100.3",
        "address group delete office",
    )
    assert sum("409" in line for line in refused) >= 5, refused

    controller.openstack(
        f"floating ip port forwarding delete 198.51.100.3 {forwarding['id']}",
        "floating ip delete 198.51.100.3",
        "port delete server",
        "router unset --external-gateway web_router",
        "router remove subnet web_router web_sub",
        "router delete web_router",
        "network delete web_net out_net",
        "security group delete web",
        "address group delete office",
    )


def test_quotas_in_the_client(controller: Controller) -> None:
    """Set, shown with usage, held, and back to the default."""
    *_, limits, usage = controller.openstack(
        "project create small -f json",
        "quota set --networks 0 small",
        "quota show --network small -f json",
        "quota show --network --usage small -f json",
    )
    assert {row["Resource"]: row["Limit"] for row in limits}["networks"] == 0
    assert {row["Resource"]: (row["Limit"], row["In Use"]) for row in usage}["networks"] == (0, 0)
    [refused] = controller.complaints("network create --project small one")
    assert "Quota exceeded for resources: ['network']" in refused
    controller.openstack("quota delete --network small", "network create --project small one", "network delete one")
    controller.openstack("project delete small")


@pytest.mark.parametrize("client", ["openstack", "nebulactl"])
def test_a_project_is_cleared_away(controller: Controller, client: str, tmp_path: Path) -> None:
    """What a project has is listed by a dry run, and goes; another project's things, and the cloud's image, stay."""
    controller.openstack("project create untidy", "user create --password sweep tidy")
    controller.openstack(
        "role add --user tidy --project untidy member",
        "network create theirs",
        "network create --external outside",
        "subnet create --network outside --subnet-range 203.0.113.0/24 --no-dhcp outside",
    )

    def clean(option: str) -> tuple[str, str]:
        line = [str(BIN / client), *f"project cleanup --auth-project {option}".split()]
        environment = controller.environment(**in_it) | {"XDG_CACHE_HOME": str(tmp_path)}
        done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=90, check=True)
        return done.stdout, done.stderr

    in_it = {"USERNAME": "tidy", "PASSWORD": "sweep", "PROJECT_NAME": "untidy"}
    controller.openstack(
        "network create net",
        "subnet create --network net --subnet-range 10.0.0.0/24 sub",
        "router create gateway",
        "router set --external-gateway outside gateway",
        "router add subnet gateway sub",
        "router set --route destination=10.9.0.0/16,gateway=10.0.0.9 gateway",
        "router create alone",
        "port create --network net loose",
        "security group create web",
        "floating ip create outside",
        **in_it,
    )
    listed, _ = clean("--dry-run")
    kinds = Counter(line.split()[1] for line in listed.splitlines() if line.startswith("| ") and "Type" not in line)
    assert kinds == {"FloatingIP": 1, "SecurityGroup": 1, "Port": 2, "Router": 2, "Subnet": 1, "Network": 1}
    assert clean("--auto-approve")[1] == ("Deleting resources\n" if client == "openstack" else "")
    *left, groups, networks = controller.openstack(
        *(f"{noun} list -f json" for noun in ("router", "port", "subnet", "floating ip", "server")),
        "security group list -f json",
        "network list -f json",
        **in_it,
    )
    assert left == [[]] * 5
    assert [group["Name"] for group in groups] == ["default"]
    assert "net" not in {network["Name"] for network in networks}
    assert {"theirs", "outside"} <= {network["Name"] for network in controller.openstack("network list -f json")[0]}
    controller.openstack("network delete theirs outside", "user delete tidy", "project delete untidy")
