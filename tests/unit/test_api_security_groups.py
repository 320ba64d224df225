"""Security groups, their rules and address groups: defaults, refusals, project walls, who hears of a change."""

from __future__ import annotations

import pytest
from api_network_client import Api, Json, fresh

from nebula.ids import Owner, OwnerKind


@pytest.fixture
def api() -> Api:
    return fresh()


def default(api: Api, token: str = "alice") -> Json:
    [group] = api.get("/security-groups?name=default", token)["security_groups"]
    return group


def refused(api: Api, group: Json, **rule: object) -> tuple[int, str]:
    body = {"security_group_rule": {"security_group_id": group["id"], "direction": "ingress", **rule}}
    answer = api.call("POST", "/security-group-rules", body)
    return answer.status, answer.kind


def allow(api: Api, group: Json, **rule: object) -> Json:
    values = {"security_group_id": group["id"], "direction": "ingress", **rule}
    return api.make("security_group_rule", **values)


def test_default_group_is_made_on_first_use(api: Api) -> None:
    """The first list finds the group default: all out, and in from its own members; there is one for each project."""
    group = default(api)
    rules = [(r["direction"], r["ethertype"], r["remote_group_id"]) for r in group["security_group_rules"]]
    assert sorted(rules, key=str) == sorted(
        [
            ("egress", "IPv4", None),
            ("egress", "IPv6", None),
            ("ingress", "IPv4", group["id"]),
            ("ingress", "IPv6", group["id"]),
        ],
        key=str,
    )
    assert {rule["belongs_to_default_sg"] for rule in group["security_group_rules"]} == {True}
    assert default(api) == group
    assert default(api, "bob")["id"] != group["id"]
    assert (group["name"], group["stateful"], group["project_id"]) == ("default", True, "p-alice")


def test_new_group_lets_all_out(api: Api) -> None:
    """A group has two egress rules; its project's default group exists beside it."""
    made = api.make("security_group", name="web", description="servers")
    assert [(r["direction"], r["ethertype"]) for r in made["security_group_rules"]] == [
        ("egress", "IPv4"),
        ("egress", "IPv6"),
    ]
    assert api.get(f"/security-groups/{made['id']}")["security_group"] == made
    assert {group["name"] for group in api.get("/security-groups")["security_groups"]} == {"default", "web"}


def test_default_group_stays(api: Api) -> None:
    """It is neither renamed nor deleted by its project, and nobody else takes its name; its words may change."""
    group = default(api)
    assert api.put("security_group", group["id"], name="x").kind == "SecurityGroupCannotUpdateDefault"
    answer = api.call("DELETE", f"/security-groups/{group['id']}")
    assert (answer.status, answer.kind) == (409, "SecurityGroupCannotRemoveDefault")
    answer = api.call("POST", "/security-groups", {"security_group": {"name": "Default"}})
    assert (answer.status, answer.kind) == (409, "SecurityGroupDefaultAlreadyExists")
    assert api.put("security_group", group["id"], description="ours").json["security_group"]["description"] == "ours"


def test_rules_in_bulk(api: Api) -> None:
    """Rules of one request are of one group and differ; one that is there already refuses them all."""
    group, other = api.make("security_group", name="a"), api.make("security_group", name="b")
    ssh = {"security_group_id": group["id"], "direction": "ingress", "protocol": "tcp"}
    ssh |= {"port_range_min": 22, "port_range_max": 22}
    web = {**ssh, "port_range_min": 80, "port_range_max": 80}
    before = api.tables()
    for rules, status, kind in (
        ([ssh, {**ssh, "protocol": "6", "remote_ip_prefix": "0.0.0.0/0"}], 409, "DuplicateSecurityGroupRuleInPost"),
        ([ssh, {**web, "security_group_id": other["id"]}], 400, "SecurityGroupNotSingleGroupRules"),
        ([ssh, {**web, "port_range_max": 70}], 400, "SecurityGroupInvalidPortRange"),
    ):
        answer = api.call("POST", "/security-group-rules", {"security_group_rules": rules})
        assert (answer.status, answer.kind) == (status, kind)
    assert api.tables() == before
    made = api.call("POST", "/security-group-rules", {"security_group_rules": [ssh, web]})
    assert [rule["port_range_min"] for rule in made.json["security_group_rules"]] == [22, 80]
    again = api.call("POST", "/security-group-rules", {"security_group_rules": [{**ssh, "protocol": "udp"}, web]})
    assert (again.status, again.kind) == (409, "SecurityGroupRuleExists")


@pytest.mark.parametrize(
    ("rule", "status", "kind"),
    [
        ({"port_range_min": 80, "port_range_max": 80}, 400, "SecurityGroupProtocolRequiredWithPorts"),
        ({"protocol": "tcp", "port_range_min": 80}, 400, "SecurityGroupInvalidPortRange"),
        ({"protocol": "tcp", "port_range_min": 81, "port_range_max": 80}, 400, "SecurityGroupInvalidPortRange"),
        ({"protocol": "udp", "port_range_min": 0, "port_range_max": 80}, 400, "SecurityGroupInvalidPortValue"),
        ({"protocol": "tcp", "port_range_min": 1, "port_range_max": 65536}, 400, "HTTPBadRequest"),
        ({"protocol": "tcp", "port_range_min": -1, "port_range_max": 80}, 400, "HTTPBadRequest"),
        ({"protocol": "esp", "port_range_min": 1, "port_range_max": 2}, 400, "SecurityGroupInvalidProtocolForPort"),
        ({"protocol": "dccp", "port_range_min": 1, "port_range_max": 2}, 400, "SecurityGroupInvalidProtocolForPort"),
        ({"protocol": 136, "port_range_min": 1, "port_range_max": 2}, 400, "SecurityGroupInvalidProtocolForPort"),
        ({"protocol": "icmp", "port_range_min": 256}, 400, "SecurityGroupInvalidIcmpValue"),
        ({"protocol": "icmp", "port_range_max": 0}, 400, "SecurityGroupMissingIcmpType"),
        ({"protocol": "ipv6-icmp"}, 400, "SecurityGroupEthertypeConflictWithProtocol"),
        ({"protocol": "256"}, 400, "HTTPBadRequest"),
        ({"protocol": "quic"}, 400, "HTTPBadRequest"),
        ({"ethertype": "ARP"}, 400, "HTTPBadRequest"),
        ({"direction": "sideways"}, 400, "HTTPBadRequest"),
        ({"remote_ip_prefix": "fd00::/8"}, 400, "SecurityGroupRuleParameterConflict"),
        ({"remote_ip_prefix": "10.0.0.0/33"}, 400, "HTTPBadRequest"),
        ({"remote_group_id": "0e5e5b48-2b5c-4a63-8bd5-3f28b0a4f3c7"}, 404, "SecurityGroupNotFound"),
        ({"remote_address_group_id": "0e5e5b48-2b5c-4a63-8bd5-3f28b0a4f3c7"}, 404, "AddressGroupNotFound"),
    ],
)
def test_rules_that_contradict_themselves(api: Api, rule: dict[str, object], status: int, kind: str) -> None:
    """Each contradiction has Neutron's status and type, and leaves the group as it was."""
    group = api.make("security_group", name="web")
    assert refused(api, group, **rule) == (status, kind)
    assert api.get(f"/security-groups/{group['id']}")["security_group"] == group


def test_one_remote_side(api: Api) -> None:
    """A prefix and a group together are refused."""
    group = api.make("security_group", name="web")
    assert refused(api, group, remote_ip_prefix="10.0.0.0/8", remote_group_id=group["id"]) == (
        400,
        "SecurityGroupRemoteGroupAndRemoteIpPrefix",
    )


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ({"protocol": "tcp", "port_range_min": 22, "port_range_max": 22},) * 2,
        ({"protocol": "tcp"}, {"protocol": "6"}),
        ({"protocol": "icmp", "ethertype": "IPv6"}, {"protocol": 58, "ethertype": "ipv6"}),
        ({"protocol": None}, {"protocol": "any"}),
        ({}, {"remote_ip_prefix": "0.0.0.0/0"}),
        ({"remote_ip_prefix": "10.0.0.1"}, {"remote_ip_prefix": "10.0.0.1/32"}),
    ],
)
def test_duplicates(api: Api, first: dict[str, object], again: dict[str, object]) -> None:
    """A rule that allows the same under other names is the same."""
    group = api.make("security_group", name="web")
    allow(api, group, **first)
    assert refused(api, group, **again) == (409, "SecurityGroupRuleExists")
    other = api.make("security_group", name="other")
    allow(api, other, **again)


def test_rule_as_it_is_shown(api: Api) -> None:
    """Host bits stay in the prefix and go from the normalised one; ICMP of IPv6 is ipv6-icmp; the group's revision."""
    group = api.make("security_group", name="web")
    made = allow(api, group, remote_ip_prefix="10.0.0.5/24", protocol="TCP", port_range_min="22", port_range_max=22)
    assert (made["remote_ip_prefix"], made["normalized_cidr"]) == ("10.0.0.5/24", "10.0.0.0/24")
    assert (made["protocol"], made["port_range_min"], made["project_id"]) == ("tcp", 22, "p-alice")
    assert allow(api, group, protocol="icmp", ethertype="IPv6", port_range_min=128)["protocol"] == "ipv6-icmp"
    shown = api.get(f"/security-groups/{group['id']}")["security_group"]
    assert shown["revision_number"] == group["revision_number"] + 2
    assert made in shown["security_group_rules"]
    assert api.get(f"/security-group-rules/{made['id']}")["security_group_rule"] == made
    listed = api.get(f"/security-group-rules?security_group_id={group['id']}&direction=ingress")
    assert len(listed["security_group_rules"]) == 2
    assert api.call("DELETE", f"/security-group-rules/{made['id']}").status == 204
    answer = api.call("DELETE", f"/security-group-rules/{made['id']}")
    assert (answer.status, answer.kind) == (404, "SecurityGroupRuleNotFound")


def test_project_walls(api: Api) -> None:
    """Another project's group is not there: to see, to change, as a remote side or for a port."""
    group = api.make("security_group", name="web")
    theirs = default(api, "bob")
    answer = api.call("GET", f"/security-groups/{group['id']}", token="bob")
    assert (answer.status, answer.kind) == (404, "SecurityGroupNotFound")
    assert refused(api, theirs) == (404, "SecurityGroupNotFound")
    assert refused(api, group, remote_group_id=theirs["id"]) == (404, "SecurityGroupNotFound")
    network, _ = api.network()
    body = {"port": {"network_id": network["id"], "security_groups": [theirs["id"]]}}
    assert api.call("POST", "/ports", body).kind == "SecurityGroupNotFound"
    assert api.call("GET", f"/security-groups/{group['id']}", token="admin").status == 200


def test_ports_have_groups(api: Api) -> None:
    """The default group where none is named, those that are named, or none; a group in use stays."""
    network, _ = api.network()
    web = api.make("security_group", name="web")
    plain = api.make("port", network_id=network["id"])
    assert plain["security_groups"] == [default(api)["id"]]
    assert api.make("port", network_id=network["id"], security_groups=None)["security_groups"] == [default(api)["id"]]
    assert api.make("port", network_id=network["id"], security_groups=[])["security_groups"] == []
    named = api.make("port", network_id=network["id"], security_groups=[web["id"]])
    assert [port["id"] for port in api.get(f"/ports?security_groups={web['id']}")["ports"]] == [named["id"]]
    answer = api.call("DELETE", f"/security-groups/{web['id']}")
    assert (answer.status, answer.kind) == (409, "SecurityGroupInUse")
    assert api.put("security_group", web["id"], stateful=False).kind == "SecurityGroupInUse"
    moved = api.put("port", named["id"], security_groups=sorted([web["id"], default(api)["id"]])).json["port"]
    assert moved["security_groups"] == sorted([web["id"], default(api)["id"]])
    assert api.put("port", named["id"], name="x").json["port"]["security_groups"] == moved["security_groups"]
    assert api.put("port", named["id"], security_groups=[]).json["port"]["security_groups"] == []
    assert api.call("DELETE", f"/security-groups/{web['id']}").status == 204


def test_ports_without_port_security(api: Api) -> None:
    """They have neither groups nor pairs; the network says what a port gets that does not say itself."""
    network, _ = api.network()

    def answer(**values: object) -> tuple[int, str]:
        found = api.call("POST", "/ports", {"port": {"network_id": network["id"], **values}})
        return found.status, "" if found.status == 201 else found.kind

    group, pair = default(api)["id"], {"ip_address": "10.0.0.0/8"}
    assert answer(port_security_enabled=False, security_groups=[group]) == (
        400,
        "PortSecurityAndIPRequiredForSecurityGroups",
    )
    assert answer(port_security_enabled=False, allowed_address_pairs=[pair]) == (
        409,
        "AddressPairAndPortSecurityRequired",
    )
    pairs = [{"ip_address": f"10.0.0.{n}"} for n in range(11)]
    assert answer(allowed_address_pairs=pairs) == (400, "AllowedAddressPairExhausted")
    free = api.make("port", network_id=network["id"], port_security_enabled=False)
    assert (free["port_security_enabled"], free["security_groups"]) == (False, [])
    port = api.make("port", network_id=network["id"], allowed_address_pairs=[pair])
    assert port["allowed_address_pairs"] == [{"mac_address": port["mac_address"], "ip_address": "10.0.0.0/8"}]
    off = api.put("port", port["id"], port_security_enabled=False, allowed_address_pairs=[])
    assert (off.status, off.kind) == (409, "PortSecurityPortHasSecurityGroup")
    off = api.put("port", port["id"], port_security_enabled=False, security_groups=[], allowed_address_pairs=[])
    assert (off.status, off.json["port"]["security_groups"]) == (200, [])
    assert api.put("network", network["id"], port_security_enabled=False).status == 200
    assert api.make("port", network_id=network["id"])["security_groups"] == []


def test_pairs_of_all_addresses_are_taken_and_named(api: Api) -> None:
    """A pair of 0.0.0.0/0 or ::/0 is taken, and the port's warnings say what that means; other pairs have none."""
    network, _ = api.network()
    pairs = [{"ip_address": "0.0.0.0/0"}, {"ip_address": "::/0", "mac_address": "00:00:5e:00:01:07"}]
    port = api.make("port", network_id=network["id"], allowed_address_pairs=[*pairs, {"ip_address": "10.0.0.0/8"}])
    assert [text.split(":  ")[0].partition(" the port")[0] for text in port["warnings"]] == [
        f"allowed address pair 0.0.0.0/0: from {port['mac_address']}",
        "allowed address pair ::/0: from 00:00:5e:00:01:07",
    ]
    assert api.get(f"/ports/{port['id']}")["port"] == port
    fewer = api.put("port", port["id"], allowed_address_pairs=[{"ip_address": "10.0.0.0/8"}])
    assert fewer.json["port"]["warnings"] == []


def test_a_thousand_rules(api: Api) -> None:
    """A thousand are made, five hundred a request, and shown; a request with one that is there already makes none."""
    group = api.make("security_group", name="many")
    rule = {"security_group_id": group["id"], "direction": "ingress", "protocol": "tcp"}
    many = [{**rule, "port_range_min": port, "port_range_max": port} for port in range(1, 1001)]
    requests = [{"security_group_rules": many[start : start + 500]} for start in range(0, 1000, 500)]
    assert [api.call("POST", "/security-group-rules", request).status for request in requests] == [201] * 2
    shown = api.get(f"/security-groups/{group['id']}")["security_group"]["security_group_rules"]
    assert len(shown) == 1002
    before = api.tables()
    more = {**rule, "port_range_min": 2001, "port_range_max": 2001}
    again = api.call("POST", "/security-group-rules", {"security_group_rules": [more, {**many[-1], "protocol": "6"}]})
    assert (again.status, again.kind) == (409, "SecurityGroupRuleExists")
    assert api.tables() == before


def test_services_ports_are_trusted(api: Api) -> None:
    """A router's interface, also one made of a plain port, has no groups and no port security."""
    network, subnet = api.network()
    router = api.make("router", name="r")
    port = api.make("port", network_id=network["id"])
    path = f"/routers/{router['id']}/add_router_interface"
    assert api.call("PUT", path, {"port_id": port["id"]}).status == 200
    shown = api.get(f"/ports/{port['id']}")["port"]
    assert (shown["port_security_enabled"], shown["security_groups"]) == (False, [])
    del subnet


def test_deleting_a_remote_group_takes_the_rules_that_name_it(api: Api) -> None:
    """As in Neutron; the group that had the rule has another revision."""
    web, base = api.make("security_group", name="web"), api.make("security_group", name="base")
    allow(api, web, remote_group_id=base["id"])
    assert api.call("DELETE", f"/security-groups/{base['id']}").status == 204
    shown = api.get(f"/security-groups/{web['id']}")["security_group"]
    assert [rule["direction"] for rule in shown["security_group_rules"]] == ["egress", "egress"]
    assert shown["revision_number"] == 3


def test_address_groups(api: Api) -> None:
    """Addresses come and go; a group that a rule names stays."""
    made = api.make("address_group", name="office", addresses=["10.0.0.7", "192.0.2.0/24"])
    assert made["addresses"] == ["10.0.0.7/32", "192.0.2.0/24"]
    path = f"/address-groups/{made['id']}"

    def change(action: str, *addresses: str) -> tuple[int, object]:
        answer = api.call("PUT", f"{path}/{action}", {"address_group": {"addresses": list(addresses)}})
        return answer.status, answer.json["address_group"]["addresses"] if answer.status == 200 else answer.kind

    assert change("add_addresses", "10.0.0.7/32") == (400, "AddressesAlreadyExist")
    assert change("add_addresses", "fd00::1") == (200, ["10.0.0.7/32", "192.0.2.0/24", "fd00::1/128"])
    assert change("remove_addresses", "10.9.9.9") == (404, "AddressesNotFound")
    assert change("add_addresses", "10.9.9.9/16", "10.9.0.0/16")[0] == 200, "one, written in two ways"
    assert change("add_addresses", "10.8.0.0/16", "10.8.0.0/16") == (400, "HTTPBadRequest")
    assert change("remove_addresses", "fd00::1", "10.0.0.7", "10.9.0.0/16") == (200, ["192.0.2.0/24"])
    group = api.make("security_group", name="web")
    rule = allow(api, group, remote_address_group_id=made["id"])
    answer = api.call("DELETE", path)
    assert (answer.status, answer.kind) == (409, "AddressGroupInUse")
    assert api.call("DELETE", f"/security-group-rules/{rule['id']}").status == 204
    assert api.call("DELETE", path).status == 204


def test_who_hears_of_a_change(api: Api) -> None:
    """A rule touches the ports that have its group; a port touches its groups; an address group, who names it."""
    network, _ = api.network()
    web = api.make("security_group", name="web")
    port = api.make("port", network_id=network["id"], security_groups=[web["id"]])
    office = api.make("address_group", name="office", addresses=[])
    heard: set[Owner] = set()
    api.database.subscribe(lambda _revision, touched: heard.update(touched))
    of_group, of_port = Owner(OwnerKind.SECURITY_GROUP, web["id"]), Owner(OwnerKind.PORT, port["id"])
    allow(api, web, remote_address_group_id=office["id"])
    assert heard == {of_group, of_port}
    heard.clear()
    api.call("PUT", f"/address-groups/{office['id']}/add_addresses", {"address_group": {"addresses": ["10.0.0.1"]}})
    assert heard == {of_group, of_port}
    heard.clear()
    api.call("DELETE", f"/ports/{port['id']}")
    assert {of_group, of_port} <= heard
