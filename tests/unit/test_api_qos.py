"""QoS policies and their rules: who makes and uses them, what clashes, what cannot go."""

from __future__ import annotations

import pytest
from api_network_client import Answered, Api, Json, fresh


@pytest.fixture
def api() -> Api:
    return fresh()


def policy(api: Api, **values: object) -> Json:
    answer = api.call("POST", "/qos/policies", {"policy": {"name": "slow", **values}}, token="admin")
    assert answer.status == 201, answer.raw
    return answer.json["policy"]


def add(api: Api, of: Json, kind: str, token: str = "admin", **values: object) -> Answered:
    return api.call("POST", f"/qos/policies/{of['id']}/{kind}_rules", {f"{kind}_rule": values}, token=token)


def change(api: Api, of: Json, token: str = "admin", **values: object) -> Answered:
    return api.call("PUT", f"/qos/policies/{of['id']}", {"policy": values}, token=token)


def delete(api: Api, of: Json) -> Answered:
    return api.call("DELETE", f"/qos/policies/{of['id']}", token="admin")


def test_policy_and_rules_of_every_kind(api: Api) -> None:
    """Each kind of rule has its defaults and stands in its policy; each is shown, changed and deleted."""
    made = policy(api)
    assert (made["shared"], made["is_default"], made["rules"], made["revision_number"]) == (False, False, [], 1)
    wanted: dict[str, Json] = {
        "bandwidth_limit": {"max_kbps": 1000, "max_burst_kbps": 0, "direction": "egress"},
        "dscp_marking": {"dscp_mark": 26},
        "minimum_bandwidth": {"min_kbps": 500, "direction": "egress"},
        "minimum_packet_rate": {"min_kpps": 10, "direction": "egress"},
    }
    expected = []
    for kind, values in wanted.items():
        given = {name: value for name, value in values.items() if name not in ("direction", "max_burst_kbps")}
        answer = add(api, made, kind, **given)
        assert answer.status == 201, answer.raw
        rule = answer.json[f"{kind}_rule"]
        assert rule == {"id": rule["id"], **values}
        path = f"/qos/policies/{made['id']}/{kind}_rules"
        assert api.get(f"{path}/{rule['id']}", "admin")[f"{kind}_rule"] == rule
        assert api.get(path, "admin")[f"{kind}_rules"] == [rule]
        assert api.get(f"/qos/alias_{kind}_rules/{rule['id']}", "admin")[f"alias_{kind}_rule"] == rule
        expected.append({**rule, "type": kind, "qos_policy_id": made["id"]})
    shown = api.get(f"/qos/policies/{made['id']}", "admin")["policy"]
    assert shown["rules"] == expected
    assert shown["revision_number"] == 5
    first = expected[0]["id"]
    path = f"/qos/policies/{made['id']}/bandwidth_limit_rules/{first}"
    body = {"bandwidth_limit_rule": {"max_kbps": 2000, "direction": "ingress"}}
    assert api.call("PUT", path, body, token="admin").json["bandwidth_limit_rule"]["max_kbps"] == 2000
    alias = f"/qos/alias_bandwidth_limit_rules/{first}"
    body = {"alias_bandwidth_limit_rule": {"max_burst_kbps": 7}}
    changed = api.call("PUT", alias, body, token="admin").json["alias_bandwidth_limit_rule"]
    assert changed == {"id": first, "max_kbps": 2000, "max_burst_kbps": 7, "direction": "ingress"}
    assert api.call("DELETE", alias, token="admin").status == 204
    answer = api.call("GET", path, token="admin")
    assert (answer.status, answer.kind) == (404, "QosRuleNotFound")
    assert delete(api, made).status == 204


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("bandwidth_limit", {}),
        ("bandwidth_limit", {"max_kbps": -1}),
        ("bandwidth_limit", {"max_kbps": 1, "direction": "any"}),
        ("dscp_marking", {"dscp_mark": 1}),
        ("dscp_marking", {"dscp_mark": 8, "direction": "egress"}),
        ("minimum_packet_rate", {"min_kpps": "x"}),
        ("bandwidth_limit", {"max_kbps": 1, "project_id": "p-alice"}),
    ],
)
def test_bad_rules(api: Api, kind: str, values: Json) -> None:
    """Missing, wrong and foreign attributes are refused."""
    assert add(api, policy(api), kind, **values).status == 400


def test_rules_that_clash(api: Api) -> None:
    """One rule of a kind and direction; no limit below what is guaranteed; a packet rate for all, or for each."""
    made = policy(api)
    assert add(api, made, "bandwidth_limit", max_kbps=1000).status == 201
    assert add(api, made, "bandwidth_limit", max_kbps=1000, direction="ingress").status == 201
    assert add(api, made, "bandwidth_limit", max_kbps=500).kind == "QoSRulesConflict"
    assert add(api, made, "minimum_bandwidth", min_kbps=2000).kind == "QoSRuleParameterConflict"
    assert add(api, made, "minimum_bandwidth", min_kbps=1000).status == 201
    [limit] = api.get(f"/qos/policies/{made['id']}/bandwidth_limit_rules?direction=egress", "admin")[
        "bandwidth_limit_rules"
    ]
    body = {"bandwidth_limit_rule": {"max_kbps": 999}}
    answer = api.call("PUT", f"/qos/policies/{made['id']}/bandwidth_limit_rules/{limit['id']}", body, token="admin")
    assert (answer.status, answer.kind) == (409, "QoSRuleParameterConflict")
    assert add(api, made, "minimum_packet_rate", min_kpps=1).status == 201
    assert add(api, made, "minimum_packet_rate", min_kpps=1, direction="any").kind == "QoSRulesConflict"
    assert add(api, made, "dscp_marking", dscp_mark=8).status == 201
    assert add(api, made, "dscp_marking", dscp_mark=10).kind == "QoSRulesConflict"


def test_who_makes_and_who_uses(api: Api) -> None:
    """Only an administrator makes policies and rules; a project sees and uses its own and what is shared with it."""
    body = {"policy": {"name": "mine"}}
    assert api.call("POST", "/qos/policies", body).status == 403
    foreign, own = policy(api), policy(api, project_id="p-alice")
    assert api.get("/qos/policies")["policies"] == [own]
    assert add(api, own, "dscp_marking", token="alice", dscp_mark=8).status == 403
    assert add(api, foreign, "dscp_marking", token="alice", dscp_mark=8).kind == "QosPolicyNotFound"
    assert change(api, own, "alice", name="x").status == 403
    network, _ = api.network()
    answer = api.put("network", network["id"], qos_policy_id=foreign["id"])
    assert (answer.status, answer.kind) == (404, "QosPolicyNotFound")
    assert api.put("network", network["id"], qos_policy_id=own["id"]).json["network"]["qos_policy_id"] == own["id"]
    assert change(api, foreign, shared=True).json["policy"]["shared"] is True
    port = api.make("port", network_id=network["id"], qos_policy_id=foreign["id"])
    assert (port["qos_policy_id"], port["qos_network_policy_id"]) == (foreign["id"], own["id"])
    assert [p["id"] for p in api.get(f"/ports?qos_policy_id={foreign['id']}")["ports"]] == [port["id"]]
    answer = change(api, foreign, shared=False)
    assert (answer.status, answer.kind) == (409, "RbacPolicyInUse")
    assert api.put("port", port["id"], qos_policy_id=None).json["port"]["qos_policy_id"] is None
    assert change(api, foreign, shared=False).status == 200
    assert api.put("port", port["id"], "admin", qos_policy_id=foreign["id"]).status == 200
    answer = api.put("port", port["id"], qos_policy_id=None)
    assert (answer.status, answer.kind) == (403, "PolicyRemoveAuthorizationError")


def test_policy_in_use(api: Api) -> None:
    """What a network, port, floating IP or gateway has cannot be deleted; a clear gateway forgets it."""
    external, _ = api.external()
    network, subnet = api.network()
    router = api.make("router")
    assert api.call("PUT", f"/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]}).status == 200
    made = policy(api, project_id="p-alice")
    gateway = {"network_id": external["id"], "qos_policy_id": made["id"]}
    shown = api.put("router", router["id"], external_gateway_info=gateway).json["router"]
    assert shown["external_gateway_info"]["qos_policy_id"] == made["id"]
    floating = api.make("floatingip", floating_network_id=external["id"], qos_policy_id=made["id"])
    assert (floating["qos_policy_id"], floating["qos_network_policy_id"]) == (made["id"], None)
    port = api.make("port", network_id=network["id"], qos_policy_id=made["id"])
    assert api.put("network", network["id"], qos_policy_id=made["id"]).status == 200
    for kind, noun, key in (
        ("network", "network", network["id"]),
        ("port", "port", port["id"]),
        ("floatingip", "floatingip", floating["id"]),
    ):
        answer = delete(api, made)
        assert (answer.status, answer.kind) == (409, "QosPolicyInUse")
        assert f"used by {kind} {key}" in answer.error
        assert api.put(noun, key, qos_policy_id=None).status == 200
    assert f"used by router {router['id']}" in delete(api, made).error
    assert api.put("router", router["id"], external_gateway_info={}).status == 200
    assert delete(api, made).status == 204


def test_default_policy(api: Api) -> None:
    """A project's new networks get its default policy; it has one."""
    made = policy(api, project_id="p-alice", is_default=True)
    other = policy(api, project_id="p-alice")
    answer = change(api, other, is_default=True)
    assert (answer.status, answer.kind) == (409, "QoSPolicyDefaultAlreadyExists")
    assert api.make("network")["qos_policy_id"] == made["id"]
    assert api.make("network", qos_policy_id=other["id"])["qos_policy_id"] == other["id"]
    assert api.make("network", "bob")["qos_policy_id"] is None
    assert change(api, made, is_default=False).status == 200
    assert api.make("network")["qos_policy_id"] is None


def test_policy_is_granted(api: Api) -> None:
    """An RBAC policy of type ``qos_policy`` lets one project use it, and stays while it does."""
    made = policy(api)
    body = {
        "object_type": "qos_policy",
        "object_id": made["id"],
        "action": "access_as_shared",
        "target_tenant": "p-bob",
    }
    granted = api.call("POST", "/rbac-policies", {"rbac_policy": body}, token="admin").json["rbac_policy"]
    assert api.get(f"/qos/policies/{made['id']}", "bob")["policy"]["shared"] is True
    assert api.call("GET", f"/qos/policies/{made['id']}").kind == "QosPolicyNotFound"
    network = api.make("network", "bob", qos_policy_id=made["id"])
    path = f"/rbac-policies/{granted['id']}"
    assert api.call("DELETE", path, token="admin").kind == "RbacPolicyInUse"
    assert api.call("DELETE", f"/networks/{network['id']}", token="bob").status == 204
    assert api.call("DELETE", path, token="admin").status == 204


def test_rule_types_by_pages(api: Api) -> None:
    """Sorted and paged as every other list; a kind is its own marker. Whose kinds are asked for makes no difference."""
    path = "/qos/rule-types"
    first = api.get(f"{path}?limit=3&all_supported=True", "admin")
    assert [row["type"] for row in first["rule_types"]] == ["bandwidth_limit", "dscp_marking", "minimum_bandwidth"]
    [link] = first["rule_types_links"]
    assert (link["rel"], link["href"].rpartition("/")[2]) == (
        "next",
        "rule-types?limit=3&all_supported=True&marker=minimum_bandwidth",
    )
    last = api.get(f"{path}?limit=3&marker=minimum_bandwidth", "admin")
    assert [row["type"] for row in last["rule_types"]] == ["minimum_packet_rate"]
    assert len(api.get(f"{path}?all_rules=true", "admin")["rule_types"]) == 4
    assert api.get(f"{path}?type=dscp_marking", "admin") == {"rule_types": [{"type": "dscp_marking"}]}
    assert api.call("GET", f"{path}?marker=none", token="admin").status == 404
    for wrong in ("colour=red", "all_rules=perhaps", "limit=-1", "sort_key=colour"):
        assert api.call("GET", f"{path}?{wrong}", token="admin").status == 400, wrong


def test_rule_types(api: Api) -> None:
    """An administrator sees the four kinds of rules and what they may say."""
    types = api.get("/qos/rule-types", "admin")["rule_types"]
    assert [t["type"] for t in types] == [
        "bandwidth_limit",
        "dscp_marking",
        "minimum_bandwidth",
        "minimum_packet_rate",
    ]
    [driver] = api.get("/qos/rule-types/dscp_marking", "admin")["rule_type"]["drivers"]
    assert [p["parameter_name"] for p in driver["supported_parameters"]] == ["dscp_mark"]
    assert api.get("/qos/rule-types")["rule_types"] == []
    assert api.call("GET", "/qos/rule-types/nothing", token="admin").status == 404
