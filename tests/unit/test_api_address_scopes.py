"""Address scopes: who sees them, the pools in them, and what networks show of them."""

from __future__ import annotations

import pytest
from api_network_client import Answered, Api, Json, fresh


@pytest.fixture
def api() -> Api:
    return fresh()


def scope(api: Api, token: str = "alice", **values: object) -> Json:
    return api.make("address_scope", token, **{"name": "scope", "ip_version": 4, **values})


def ask(api: Api, within: Json, *prefixes: str, token: str = "alice") -> Answered:
    body = {"name": "pool", "prefixes": list(prefixes), "address_scope_id": within["id"], "default_prefixlen": 24}
    return api.call("POST", "/subnetpools", {"subnetpool": body}, token=token)


def test_create_update_delete(api: Api) -> None:
    """Name and words change; in use by a pool it stays; made in bulk too."""
    made = scope(api)
    assert {name: made[name] for name in ("name", "ip_version", "shared")} == {
        "name": "scope",
        "ip_version": 4,
        "shared": False,
    }
    assert api.put("address_scope", made["id"], name="new").json["address_scope"]["name"] == "new"
    assert api.put("address_scope", made["id"], ip_version=6).status == 400
    wanted = ask(api, made, "10.0.0.0/16").json["subnetpool"]
    held = api.call("DELETE", f"/address-scopes/{made['id']}")
    assert (held.status, held.kind) == (409, "AddressScopeInUse")
    assert api.call("DELETE", f"/subnetpools/{wanted['id']}").status == 204
    assert api.call("DELETE", f"/address-scopes/{made['id']}").status == 204
    missing = api.call("GET", f"/address-scopes/{made['id']}")
    assert (missing.status, missing.kind) == (404, "AddressScopeNotFound")
    bulk = api.call("POST", "/address-scopes", {"address_scopes": [{"ip_version": 4}, {"ip_version": 6}]})
    assert [s["ip_version"] for s in bulk.json["address_scopes"]] == [4, 6]
    assert [s["ip_version"] for s in api.get("/address-scopes?ip_version=6")["address_scopes"]] == [6]


@pytest.mark.parametrize(
    ("values", "status"), [({}, 400), ({"ip_version": 5}, 400), ({"ip_version": 4, "shared": True}, 403)]
)
def test_refused(api: Api, values: dict[str, object], status: int) -> None:
    """A version there must be; only an administrator shares."""
    assert api.call("POST", "/address-scopes", {"address_scope": values}).status == status


def test_sharing(api: Api) -> None:
    """All see a shared scope and put pools into it; it is not unshared, and a pool in it then stays as it is."""
    mine, shared = scope(api), scope(api, "admin", shared=True)
    assert [s["id"] for s in api.get("/address-scopes", "bob")["address_scopes"]] == [shared["id"]]
    assert ask(api, mine, "10.0.0.0/16", token="bob").kind == "AddressScopeNotFound"
    wanted = ask(api, shared, "10.0.0.0/16", token="bob").json["subnetpool"]
    fixed = api.put("subnetpool", wanted["id"], "bob", address_scope_id=None)
    assert (fixed.status, fixed.kind) == (400, "IllegalSubnetPoolUpdate")
    unshared = api.put("address_scope", shared["id"], "admin", shared=False)
    assert (unshared.status, unshared.kind) == (400, "AddressScopeUpdateError")
    assert api.put("subnetpool", wanted["id"], "admin", address_scope_id=None).status == 200
    assert api.put("address_scope", mine["id"], "admin", shared=True).json["address_scope"]["shared"] is True


def test_pools_of_a_scope_share_no_address(api: Api) -> None:
    """By create, by update of scope or prefixes, and by added prefixes; another version is refused too."""
    within = scope(api)
    first = ask(api, within, "10.0.0.0/16").json["subnetpool"]
    for answer in (ask(api, within, "10.0.5.0/24"), ask(api, within, "10.0.0.0/8")):
        assert (answer.status, answer.kind) == (409, "AddressScopePrefixConflict")
    second = ask(api, within, "10.1.0.0/16").json["subnetpool"]
    assert api.put("subnetpool", second["id"], prefixes=["10.0.0.0/15"]).kind == "AddressScopePrefixConflict"
    added = api.call("PUT", f"/subnetpools/{second['id']}/add_prefixes", {"prefixes": ["10.0.9.0/24"]})
    assert (added.status, added.kind) == (409, "AddressScopePrefixConflict")
    alone = api.make("subnetpool", name="p", prefixes=["10.0.0.0/24"])
    assert api.put("subnetpool", alone["id"], address_scope_id=within["id"]).kind == "AddressScopePrefixConflict"
    assert api.put("subnetpool", first["id"], prefixes=["10.0.0.0/16", "10.2.0.0/16"]).status == 200
    body = {"name": "pool", "prefixes": ["fd00::/48"], "address_scope_id": within["id"]}
    other = api.call("POST", "/subnetpools", {"subnetpool": body})
    assert (other.status, other.kind) == (400, "IllegalSubnetPoolIpVersionAssociationToAddressScope")


def test_networks_show_their_scopes(api: Api) -> None:
    """Of each version that of the pool; pools of one scope may be mixed on a network, and nothing else."""
    four, six = scope(api), scope(api, ip_version=6)
    pools = [ask(api, four, prefix).json["subnetpool"] for prefix in ("10.0.0.0/16", "10.1.0.0/16")]
    pools.append(
        api.make("subnetpool", name="p", prefixes=["fd00::/48"], address_scope_id=six["id"]),
    )
    plain = api.make("subnetpool", name="p", prefixes=["172.16.0.0/16"], default_prefixlen=24)
    network, _ = api.network(None)
    assert (network["ipv4_address_scope"], network["ipv6_address_scope"]) == (None, None)
    for wanted in pools:
        api.make("subnet", network_id=network["id"], subnetpool_id=wanted["id"], ip_version=wanted["ip_version"])
    shown = api.get(f"/networks/{network['id']}")["network"]
    assert (shown["ipv4_address_scope"], shown["ipv6_address_scope"]) == (four["id"], six["id"])
    body = {"subnet": {"network_id": network["id"], "ip_version": 4, "subnetpool_id": plain["id"]}}
    assert api.call("POST", "/subnets", body).kind == "NetworkAddressScopeAffinityError"
    body = {"subnet": {"network_id": network["id"], "ip_version": 4, "cidr": "172.16.0.0/24"}}
    assert api.call("POST", "/subnets", body).kind == "NetworkSubnetPoolAffinityError"
    moved = api.put("subnetpool", pools[0]["id"], address_scope_id=scope(api)["id"])
    assert (moved.status, moved.kind) == (400, "NetworkAddressScopeAffinityError")
    onward = api.put("subnetpool", pools[2]["id"], address_scope_id=None)
    assert onward.status == 200
    assert api.get(f"/networks/{network['id']}")["network"]["ipv6_address_scope"] is None


def test_a_scope_shared_with_one_project(api: Api) -> None:
    """It puts a pool into the scope, whose prefixes count for all; the scope's policy stays meanwhile."""
    within = scope(api)
    body = {
        "object_type": "address_scope",
        "object_id": within["id"],
        "action": "access_as_shared",
        "target_tenant": "p-bob",
    }
    policy = api.call("POST", "/rbac-policies", {"rbac_policy": body}).json["rbac_policy"]
    wanted = ask(api, within, "10.0.0.0/16", token="bob").json["subnetpool"]
    assert ask(api, within, "10.0.1.0/24").kind == "AddressScopePrefixConflict"
    assert ask(api, within, "10.9.0.0/16", token="carol").kind == "AddressScopeNotFound"
    assert api.call("DELETE", f"/rbac-policies/{policy['id']}").kind == "RbacPolicyInUse"
    assert api.call("DELETE", f"/subnetpools/{wanted['id']}", token="bob").status == 204
    assert api.call("DELETE", f"/rbac-policies/{policy['id']}").status == 204
