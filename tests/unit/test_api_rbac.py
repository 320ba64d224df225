"""RBAC policies: what is shared with whom, who may share, and when a policy cannot go."""

from __future__ import annotations

import pytest
from api_network_client import Answered, Api, Json, fresh


@pytest.fixture
def api() -> Api:
    return fresh()


def post(api: Api, token: str, of: Json, kind: str, *, target: str, action: str = "access_as_shared") -> Answered:
    policy = {"object_type": kind, "object_id": of["id"], "action": action, "target_tenant": target}
    return api.call("POST", "/rbac-policies", {"rbac_policy": policy}, token=token)


def share(api: Api, of: Json, kind: str, target: str = "p-bob", token: str = "alice", **more: str) -> Json:
    answer = post(api, token, of, kind, target=target, **more)
    assert answer.status == 201, answer.raw
    return answer.json["rbac_policy"]


def delete(api: Api, policy: Json, token: str = "alice") -> Answered:
    return api.call("DELETE", f"/rbac-policies/{policy['id']}", token=token)


def retarget(api: Api, policy: Json, target: str, token: str = "alice") -> Answered:
    body = {"rbac_policy": {"target_tenant": target}}
    return api.call("PUT", f"/rbac-policies/{policy['id']}", body, token=token)


def seen(api: Api, path: str, token: str) -> int:
    return api.call("GET", path, token=token).status


def test_granted_network_is_seen_and_used(api: Api) -> None:
    """The target sees network and subnets as shared, makes ports and router interfaces there, and changes nothing;
    the owner does not see it as shared; a third project sees nothing.
    """
    network, subnet = api.network("10.1.0.0/24")
    path = f"/networks/{network['id']}"
    assert seen(api, path, "bob") == 404
    policy = share(api, network, "network")
    assert policy == {
        "id": policy["id"],
        "project_id": "p-alice",
        "tenant_id": "p-alice",
        "object_type": "network",
        "object_id": network["id"],
        "action": "access_as_shared",
        "target_tenant": "p-bob",
    }
    assert api.get(path, "bob")["network"]["shared"] is True
    assert api.get(path)["network"]["shared"] is False
    assert seen(api, path, "carol") == 404
    assert [s["id"] for s in api.get("/subnets", "bob")["subnets"]] == [subnet["id"]]
    assert api.get("/networks?shared=true", "bob")["networks"] == [api.get(path, "bob")["network"]]
    assert api.get("/networks?shared=false", "bob")["networks"] == []
    port = api.make("port", "bob", network_id=network["id"])
    assert port["project_id"] == "p-bob"
    router = api.make("router", "bob")
    body = {"subnet_id": subnet["id"]}
    assert api.call("PUT", f"/routers/{router['id']}/add_router_interface", body, token="bob").status == 200
    assert api.put("network", network["id"], "bob", name="mine").status == 403
    answer = api.call("POST", "/ports", {"port": {"network_id": network["id"]}}, token="carol")
    assert (answer.status, answer.kind) == (404, "NetworkNotFound")


def test_policy_in_use_stays(api: Api) -> None:
    """While the target has ports, the policy is neither deleted nor led elsewhere, unless another one lets them."""
    network, _ = api.network()
    policy = share(api, network, "network")
    port = api.make("port", "bob", network_id=network["id"])
    for answer in (delete(api, policy), retarget(api, policy, "p-carol")):
        assert (answer.status, answer.kind) == (409, "RbacPolicyInUse")
    assert api.put("network", network["id"], "admin", shared=True).status == 200
    answer = api.put("network", network["id"], "admin", shared=False)
    assert answer.status == 200, "bob's own policy is left"
    assert api.call("DELETE", f"/ports/{port['id']}", token="bob").status == 204
    assert retarget(api, policy, "p-carol").json["rbac_policy"]["target_tenant"] == "p-carol"
    assert delete(api, policy).status == 204
    assert delete(api, policy).kind == "RbacPolicyNotFound"


def test_shared_is_the_policy_for_all(api: Api) -> None:
    """``shared`` makes the policy for ``*`` and takes it away; the policy deleted, the network is not shared."""
    network, _ = api.network()
    key = network["id"]
    assert api.put("network", key, "admin", shared=True).json["network"]["shared"] is True
    [policy] = api.get(f"/rbac-policies?object_id={key}")["rbac_policies"]
    assert (policy["target_tenant"], policy["project_id"]) == ("*", "p-alice")
    assert seen(api, f"/networks/{key}", "carol") == 200
    assert api.get(f"/networks/{key}")["network"]["shared"] is True
    port = api.make("port", "bob", network_id=key)
    answer = api.put("network", key, "admin", shared=False)
    assert (answer.status, answer.kind) == (409, "InvalidSharedSetting")
    assert delete(api, policy, "admin").kind == "RbacPolicyInUse"
    assert retarget(api, policy, "p-bob", "admin").status == 200, "bob keeps what he uses"
    assert api.get(f"/networks/{key}")["network"]["shared"] is False
    assert api.call("DELETE", f"/ports/{port['id']}", token="bob").status == 204
    assert delete(api, policy, "admin").status == 204
    assert api.make("network", "admin", shared=True)["shared"] is True


def test_who_may_share(api: Api) -> None:
    """The owner, with named projects; an administrator, with all; nobody else, and nothing that is not there."""
    network, _ = api.network()
    assert post(api, "alice", network, "network", target="*").status == 403
    assert post(api, "alice", network, "network", target="p-bob", action="access_as_external").status == 403
    policy = share(api, network, "network")
    assert retarget(api, policy, "*").status == 403
    answer = post(api, "alice", network, "network", target="p-bob")
    assert (answer.status, answer.kind) == (409, "DuplicateRbacPolicy")
    for token, of, kind, action in (
        ("bob", network, "network", "access_as_shared"),
        ("alice", {"id": policy["id"]}, "network", "access_as_shared"),
        ("alice", network, "port", "access_as_shared"),
        ("alice", network, "network", "access_as_god"),
    ):
        answer = post(api, token, of, kind, target="p-carol", action=action)
        assert (answer.status, answer.kind) == (400, "InvalidInput")
    assert seen(api, f"/rbac-policies/{policy['id']}", "bob") == 404
    assert api.get("/rbac-policies", "bob")["rbac_policies"] == []
    assert share(api, network, "network", "p-carol", "admin")["project_id"] == "p-admin"


def test_external_network_for_one_project(api: Api) -> None:
    """``access_as_external`` makes a network external for its targets; the last such policy gone, it is no more."""
    network = api.make("network", "admin")
    api.make("subnet", "admin", network_id=network["id"], cidr="203.0.113.0/24", ip_version=4)
    policy = share(api, network, "network", token="admin", action="access_as_external")
    shown = api.get(f"/networks/{network['id']}", "bob")["network"]
    assert (shown["router:external"], shown["shared"]) == (True, False)
    assert seen(api, f"/networks/{network['id']}", "carol") == 404
    assert api.get("/subnets", "bob")["subnets"] == []
    router = api.make("router", "bob", external_gateway_info={"network_id": network["id"]})
    answer = api.call("POST", "/ports", {"port": {"network_id": network["id"]}}, token="carol")
    assert answer.status == 404
    assert delete(api, policy, "admin").kind == "RbacPolicyInUse"
    assert api.call("DELETE", f"/routers/{router['id']}", token="bob").status == 204
    assert delete(api, policy, "admin").status == 204
    assert api.get(f"/networks/{network['id']}", "admin")["network"]["router:external"] is False


def test_external_is_the_policy_for_all(api: Api) -> None:
    """``router:external`` makes the policy ``access_as_external`` for ``*`` and takes it away."""
    network, _ = api.external()
    [policy] = api.get(f"/rbac-policies?object_id={network['id']}", "admin")["rbac_policies"]
    assert (policy["action"], policy["target_tenant"]) == ("access_as_external", "*")
    assert api.put("network", network["id"], "admin", router__external=False).status == 200
    assert api.get("/rbac-policies", "admin")["rbac_policies"] == []
    assert seen(api, f"/networks/{network['id']}", "alice") == 404


def test_granted_groups(api: Api) -> None:
    """A granted security group is seen with its rules and used on ports and in rules, not changed; it stays in use."""
    group = api.make("security_group", name="web")
    path = f"/security-groups/{group['id']}"
    assert seen(api, path, "bob") == 404
    policy = share(api, group, "security_group")
    assert api.get(path, "bob")["security_group"] == {**group, "shared": True}
    assert [g["id"] for g in api.get("/security-groups?shared=True", "bob")["security_groups"]] == [group["id"]]
    rule = {"security_group_id": group["id"], "direction": "ingress"}
    assert api.call("POST", "/security-group-rules", {"security_group_rule": rule}, token="bob").status == 403
    assert api.call("DELETE", path, token="bob").status == 403
    own = api.make("security_group", "bob", name="own")
    api.make("security_group_rule", "bob", **{**rule, "security_group_id": own["id"]}, remote_group_id=group["id"])
    network, _ = api.network(token="bob")
    port = api.make("port", "bob", network_id=network["id"], security_groups=[group["id"]])
    assert delete(api, policy).kind == "RbacPolicyInUse"
    assert api.call("DELETE", f"/ports/{port['id']}", token="bob").status == 204
    assert delete(api, policy).status == 204
    assert seen(api, path, "bob") == 404


def test_granted_address_group(api: Api) -> None:
    """A granted address group is named in rules of the target, and stays granted while it is."""
    group = api.make("address_group", addresses=["10.0.0.0/8"])
    own = api.make("security_group", "bob", name="own")
    rule = {"security_group_id": own["id"], "direction": "ingress", "remote_address_group_id": group["id"]}
    answer = api.call("POST", "/security-group-rules", {"security_group_rule": rule}, token="bob")
    assert (answer.status, answer.kind) == (404, "AddressGroupNotFound")
    policy = share(api, group, "address_group")
    made = api.make("security_group_rule", "bob", **rule)
    body = {"address_group": {"addresses": ["10.0.0.1/32"]}}
    assert api.call("PUT", f"/address-groups/{group['id']}/add_addresses", body, token="bob").status == 403
    assert delete(api, policy).kind == "RbacPolicyInUse"
    assert api.call("DELETE", f"/security-group-rules/{made['id']}", token="bob").status == 204
    assert delete(api, policy).status == 204


def test_policies_go_with_their_object(api: Api) -> None:
    """Of a deleted network, group or address group no policy is left; a policy counts in the quota."""
    network, _ = api.network()
    group, addresses = api.make("security_group", name="web"), api.make("address_group")
    for kind, of in (("network", network), ("security_group", group), ("address_group", addresses)):
        share(api, of, kind)
    assert api.get("/quotas/p-alice/details")["quota"]["rbac_policy"]["used"] == 3
    for kind, of in (("networks", network), ("security-groups", group), ("address-groups", addresses)):
        assert api.call("DELETE", f"/{kind}/{of['id']}").status == 204
    assert api.get("/rbac-policies")["rbac_policies"] == []
