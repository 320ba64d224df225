"""Subnet pools: prefixes and sizes, subnets that are cut from them, quotas, prefix operations, onboarding."""

from __future__ import annotations

import asyncio
import ipaddress

import msgspec
import pytest
from api_network_client import Api, Json, fresh


@pytest.fixture
def api() -> Api:
    return fresh()


def pool(api: Api, *prefixes: str, token: str = "alice", **values: object) -> Json:
    return api.make("subnetpool", token, **{"name": "pool", "prefixes": list(prefixes or ["10.0.0.0/16"]), **values})


def cut(api: Api, wanted: Json | None, token: str = "alice", **values: object) -> Json:
    """A subnet of the pool on a network of its own."""
    network = api.make("network", token)
    asked = {"network_id": network["id"], "ip_version": 4, **values}
    if wanted is not None:
        asked |= {"subnetpool_id": wanted["id"], "ip_version": wanted["ip_version"], **values}
    return api.make("subnet", token, **asked)


def refused(api: Api, wanted: Json, token: str = "alice", **values: object) -> tuple[int, str]:
    """The answer to such a request, which changes not one row."""
    network = api.make("network", token)
    subnet = {"network_id": network["id"], "ip_version": wanted["ip_version"], "subnetpool_id": wanted["id"], **values}
    before = api.tables()
    answer = api.call("POST", "/subnets", {"subnet": subnet}, token=token)
    assert api.tables() == before
    return answer.status, answer.kind


def test_prefixes_are_merged_and_lengths_filled_in(api: Api) -> None:
    """Neighbours become one prefix, sorted; /8 to /32 for IPv4, /64 to /128 for IPv6; the default is the minimum."""
    four = pool(api, "10.1.0.0/16", "10.0.0.0/16", "192.168.0.0/24", "10.0.7.0/24")
    assert four["prefixes"] == ["10.0.0.0/15", "192.168.0.0/24"]
    lengths = ("ip_version", "min_prefixlen", "default_prefixlen", "max_prefixlen")
    assert [four[name] for name in lengths] == [4, 8, 8, 32]
    six = pool(api, "fd00::/48")
    assert [six[name] for name in lengths] == [6, 64, 64, 128]
    assert {name: four[name] for name in ("default_quota", "is_default", "shared", "address_scope_id")} == {
        "default_quota": None,
        "is_default": False,
        "shared": False,
        "address_scope_id": None,
    }
    given = pool(api, "10.0.0.0/8", min_prefixlen=16, default_prefixlen=24, max_prefixlen=28)
    assert [given[name] for name in lengths] == [4, 16, 24, 28]


@pytest.mark.parametrize(
    ("values", "status", "words"),
    [
        ({"name": None}, 400, "name"),
        ({"name": " "}, 400, "Blank"),
        ({"prefixes": []}, 400, "EmptySubnetPoolPrefixList"),
        ({"prefixes": ["10.0.0.0/8", "fd00::/48"]}, 400, "PrefixVersionMismatch"),
        ({"prefixes": ["10.0.0.1/8"]}, 400, "isn't a recognized IP subnet cidr"),
        ({"prefixes": ["10.0.0.0/8", "10.0.0.0/8"]}, 400, "Duplicate"),
        ({"prefixes": "10.0.0.0/8"}, 400, "prefixes"),
        ({"min_prefixlen": 24, "max_prefixlen": 16}, 400, "IllegalSubnetPoolPrefixBounds"),
        ({"max_prefixlen": 33}, 400, "IllegalSubnetPoolPrefixBounds"),
        ({"default_prefixlen": 4}, 400, "IllegalSubnetPoolPrefixBounds"),
        ({"default_prefixlen": 30, "max_prefixlen": 28}, 400, "IllegalSubnetPoolPrefixBounds"),
        ({"min_prefixlen": -1}, 400, "min_prefixlen"),
        ({"default_quota": -1}, 400, "default_quota"),
        ({"ip_version": 4}, 400, "ip_version"),
        ({"shared": True}, 403, "create_subnetpool:shared"),
        ({"is_default": True}, 403, "create_subnetpool:is_default"),
        ({"address_scope_id": "00000000-0000-4000-8000-000000000000"}, 404, "AddressScopeNotFound"),
    ],
)
def test_refused_pools(api: Api, values: dict[str, object], status: int, words: str) -> None:
    """What is wrong is named, and not one row changes."""
    before = api.tables()
    answer = api.call("POST", "/subnetpools", {"subnetpool": {"name": "p", "prefixes": ["10.0.0.0/8"], **values}})
    assert (answer.status, words in answer.error) == (status, True), answer.raw
    assert api.tables() == before


def test_required_attributes(api: Api) -> None:
    """A pool has a name and prefixes, or is none."""
    for body in ({"name": "p"}, {"prefixes": ["10.0.0.0/8"]}):
        answer = api.call("POST", "/subnetpools", {"subnetpool": body})
        assert (answer.status, "Required attribute" in answer.error) == (400, True)


def test_who_sees_a_pool(api: Api) -> None:
    """Its project and the administrator; all see a shared one, and only its project changes it."""
    mine = pool(api)
    shared = pool(api, token="admin", shared=True)
    assert {p["id"] for p in api.get("/subnetpools", "bob")["subnetpools"]} == {shared["id"]}
    missing = api.call("GET", f"/subnetpools/{mine['id']}", token="bob")
    assert (missing.status, missing.error) == (
        404,
        f"SubnetPoolNotFound: Subnet pool {mine['id']} could not be found.",
    )
    assert refused(api, mine, "bob") == (404, "SubnetPoolNotFound")
    assert cut(api, shared, "bob", prefixlen=24)["subnetpool_id"] == shared["id"]
    assert api.put("subnetpool", shared["id"], "bob", name="mine").status == 403
    assert api.call("DELETE", f"/subnetpools/{shared['id']}", token="bob").status == 403
    assert api.put("subnetpool", shared["id"], "admin", shared=False).status == 400
    found = api.get("/subnetpools?shared=true&ip_version=4&name=pool")
    assert [p["id"] for p in found["subnetpools"]] == [shared["id"]]


def test_a_subnet_gets_the_lowest_block_that_fits_best(api: Api) -> None:
    """Small holes are filled first; the gateway and allocation pools follow from the CIDR."""
    wanted = pool(api, "10.0.0.0/22", "192.168.0.0/24", default_prefixlen=24)
    first = cut(api, wanted)
    assert (first["cidr"], first["gateway_ip"], first["subnetpool_id"]) == (
        "192.168.0.0/24",
        "192.168.0.1",
        wanted["id"],
    )
    assert first["allocation_pools"] == [{"start": "192.168.0.2", "end": "192.168.0.254"}]
    assert [cut(api, wanted, prefixlen=length)["cidr"] for length in (25, 24, 26, 25)] == [
        "10.0.0.0/25",
        "10.0.1.0/24",
        "10.0.0.128/26",
        "10.0.2.0/25",
    ]
    assert api.get(f"/subnets?subnetpool_id={wanted['id']}&cidr=10.0.1.0/24")["subnets"][0]["cidr"] == "10.0.1.0/24"
    assert "prefixlen" not in first


def test_a_chosen_cidr_out_of_the_pool(api: Api) -> None:
    """It is taken where all of it is free, with pools and gateway as asked; nobody gets it, or a part of it, again."""
    wanted = pool(api, "10.0.0.0/16")
    chosen = cut(
        api,
        wanted,
        cidr="10.0.5.0/24",
        gateway_ip="10.0.5.254",
        allocation_pools=[{"start": "10.0.5.10", "end": "10.0.5.20"}],
    )
    assert (chosen["cidr"], chosen["gateway_ip"]) == ("10.0.5.0/24", "10.0.5.254")
    for cidr in ("10.0.5.0/24", "10.0.5.128/25", "10.0.4.0/23", "10.1.0.0/24"):
        assert refused(api, wanted, cidr=cidr) == (409, "SubnetAllocationError")


@pytest.mark.parametrize(
    ("values", "answer"),
    [
        ({"prefixlen": 19}, (400, "MinPrefixSubnetAllocationError")),
        ({"prefixlen": 29}, (400, "MaxPrefixSubnetAllocationError")),
        ({"cidr": "10.0.0.0/19"}, (400, "MinPrefixSubnetAllocationError")),
        ({"cidr": "10.0.0.0/24", "prefixlen": 24}, (400, "BadRequest")),
        ({"ip_version": 6}, (400, "BadRequest")),
        ({"use_default_subnetpool": True}, (400, "BadRequest")),
        ({"allocation_pools": [{"start": "10.0.0.10", "end": "10.0.0.20"}]}, (400, "BadRequest")),
        ({"gateway_ip": "172.16.0.1"}, (400, "InvalidInput")),
        ({"prefixlen": "x"}, (400, "HTTPBadRequest")),
    ],
)
def test_refused_subnets_of_a_pool(api: Api, values: dict[str, object], answer: tuple[int, str]) -> None:
    """Lengths out of bounds, both a CIDR and a length, the other version: nothing is taken from the pool."""
    wanted = pool(api, min_prefixlen=20, max_prefixlen=28, default_prefixlen=24)
    assert refused(api, wanted, **values) == answer


def test_an_empty_pool(api: Api) -> None:
    """The last block is given out, the next call is refused; a deleted subnet makes room again, whole."""
    wanted = pool(api, "10.0.0.0/24", default_prefixlen=25)
    first, second = cut(api, wanted), cut(api, wanted)
    assert refused(api, wanted) == (409, "SubnetAllocationError")
    assert api.call("DELETE", f"/subnets/{first['id']}").status == 204
    assert api.call("DELETE", f"/networks/{second['network_id']}").status == 204
    assert cut(api, wanted, prefixlen=24)["cidr"] == "10.0.0.0/24"


def test_many_calls_at_once_never_get_the_same_block(api: Api) -> None:
    """Forty calls on the event loop at the same time, for thirty-two blocks."""
    wanted = pool(api, "10.0.0.0/24", default_prefixlen=29)
    networks = [api.make("network")["id"] for _ in range(40)]
    answers: list[bytes] = []

    async def call(network: str) -> None:
        subnet = {"network_id": network, "ip_version": 4, "subnetpool_id": wanted["id"]}
        body = msgspec.json.encode({"subnet": subnet})
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/network/v2.0/subnets",
            "raw_path": b"/network/v2.0/subnets",
            "root_path": "",
            "scheme": "http",
            "query_string": b"",
            "headers": [(b"host", b"controller:9696"), (b"x-auth-token", b"alice")],
            "server": ("controller", 9696),
        }

        async def receive() -> dict[str, object]:
            await asyncio.sleep(0)
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: object) -> None:
            assert isinstance(message, dict)
            await asyncio.sleep(0)
            answers.append(message.get("body", b""))

        await api.application(scope, receive, send)

    async def all_of_them() -> None:
        await asyncio.gather(*[call(network) for network in networks])

    api.loop.run_until_complete(all_of_them())
    made = [msgspec.json.decode(answer)["subnet"]["cidr"] for answer in answers if b'"cidr"' in answer]
    assert sorted(made) == sorted(str(block) for block in ipaddress.ip_network("10.0.0.0/24").subnets(new_prefix=29))
    assert sum(b"SubnetAllocationError" in answer for answer in answers) == 8


def test_a_project_has_its_quota_of_a_pool(api: Api) -> None:
    """IPv4 counts addresses, IPv6 blocks of /64; each project has the quota for itself; 0 is none."""
    wanted = pool(api, token="admin", shared=True, default_quota=256, default_prefixlen=25)
    cut(api, wanted)
    cut(api, wanted)
    assert refused(api, wanted, prefixlen=32) == (409, "SubnetPoolQuotaExceeded")
    assert refused(api, wanted, cidr="10.0.9.0/30") == (409, "SubnetPoolQuotaExceeded")
    cut(api, wanted, "bob")
    six = pool(api, "fd00::/48", default_quota=2)
    cut(api, six, prefixlen=64)
    cut(api, six, prefixlen=65)
    cut(api, six, prefixlen=65)
    assert refused(api, six, prefixlen=128) == (409, "SubnetPoolQuotaExceeded")
    assert api.put("subnetpool", six["id"], default_quota=0).status == 200
    cut(api, six, prefixlen=64)


def test_the_default_pool(api: Api) -> None:
    """One for each IP version, named by the administrator; ``use_default_subnetpool`` cuts from it."""
    four = pool(api, token="admin", shared=True, is_default=True, default_prefixlen=24)
    six = pool(api, "fd00::/48", token="admin", shared=True, is_default=True)
    second = api.call(
        "POST",
        "/subnetpools",
        {"subnetpool": {"name": "p", "prefixes": ["172.16.0.0/16"], "is_default": True}},
        token="admin",
    )
    assert (second.status, second.kind) == (400, "InvalidInput")
    assert cut(api, None, use_default_subnetpool=True)["subnetpool_id"] == four["id"]
    assert cut(api, None, use_default_subnetpool=True, ip_version=6)["subnetpool_id"] == six["id"]
    chosen = cut(api, None, use_default_subnetpool=True, cidr="10.0.77.0/24")
    assert (chosen["cidr"], chosen["subnetpool_id"]) == ("10.0.77.0/24", four["id"])
    assert api.put("subnetpool", four["id"], "admin", is_default=False).json["subnetpool"]["is_default"] is False
    assert pool(api, "172.16.0.0/16", token="admin", is_default=True)["is_default"] is True
    taken = api.put("subnetpool", four["id"], "admin", is_default=True)
    assert (taken.status, taken.kind) == (400, "InvalidInput")


def test_one_pool_for_the_subnets_of_a_network(api: Api) -> None:
    """Of one IP version; a subnet without a pool is not beside one with a pool either."""
    one, other = pool(api, default_prefixlen=24), pool(api, "172.16.0.0/16", default_prefixlen=24)
    network = cut(api, one)["network_id"]
    for values in ({"subnetpool_id": other["id"]}, {"cidr": "192.168.0.0/24"}):
        body = {"subnet": {"network_id": network, "ip_version": 4, **values}}
        answer = api.call("POST", "/subnets", body)
        assert (answer.status, answer.kind) == (400, "NetworkSubnetPoolAffinityError")
    api.make("subnet", network_id=network, ip_version=4, subnetpool_id=one["id"])
    api.make("subnet", network_id=network, ip_version=6, cidr="fd00::/64")


def test_update(api: Api) -> None:
    """Words, lengths and quota change, prefixes grow; the same again writes nothing; a pool does not shrink."""
    made = pool(api, "10.0.0.0/24", default_prefixlen=24, min_prefixlen=16)
    cut(api, made)
    changed = api.put(
        "subnetpool",
        made["id"],
        name="larger",
        prefixes=["10.0.1.0/24", "10.0.0.0/24", "10.9.0.0/16"],
        max_prefixlen=28,
        default_quota=10_000,
    ).json["subnetpool"]
    assert (changed["prefixes"], changed["revision_number"]) == (["10.0.0.0/23", "10.9.0.0/16"], 2)
    assert cut(api, made)["cidr"] == "10.0.1.0/24"
    before = api.tables()
    assert api.put("subnetpool", made["id"], name="larger", prefixes=changed["prefixes"]).status == 200
    for values, kind in (
        ({"prefixes": ["10.0.0.0/23"]}, "IllegalSubnetPoolPrefixUpdate"),
        ({"prefixes": []}, "EmptySubnetPoolPrefixList"),
        ({"prefixes": ["10.0.0.0/8", "fd00::/48"]}, "PrefixVersionMismatch"),
        ({"prefixes": ["fd00::/48"]}, "PrefixVersionMismatch"),
        ({"min_prefixlen": 30}, "IllegalSubnetPoolPrefixBounds"),
    ):
        answer = api.put("subnetpool", made["id"], **values)
        assert (answer.status, answer.kind) == (400, kind)
    assert api.tables() == before


def test_prefixes_are_added_and_removed(api: Api) -> None:
    """What a subnet has stays; what is not in the pool is left out of account; what is taken away is not given out."""
    made = pool(api, "10.0.0.0/22", default_prefixlen=24)
    path = f"/subnetpools/{made['id']}"
    taken = cut(api, made)

    def change(verb: str, *prefixes: str, token: str = "alice") -> Json:
        return api.call("PUT", f"{path}/{verb}_prefixes", {"prefixes": list(prefixes)}, token=token)

    assert change("add", "10.0.4.0/22", "10.0.5.0/24").json == {"prefixes": ["10.0.0.0/21"]}
    assert change("remove", "10.0.1.0/24", "10.0.4.0/22", "172.16.0.0/12").json == {
        "prefixes": ["10.0.0.0/24", "10.0.2.0/23"]
    }
    assert api.get(path)["subnetpool"]["prefixes"] == ["10.0.0.0/24", "10.0.2.0/23"]
    assert [cut(api, made)["cidr"] for _ in range(2)] == ["10.0.2.0/24", "10.0.3.0/24"]
    assert refused(api, made) == (409, "SubnetAllocationError")
    before = api.tables()
    held = change("remove", taken["cidr"].replace("/24", "/28"))
    assert (held.status, held.kind) == (400, "IllegalSubnetPoolPrefixUpdate")
    assert change("add", "fd00::/48").kind == "PrefixVersionMismatch"
    assert change("add", "nonsense").status == 400
    assert change("add").status == 400
    assert change("add", "10.9.0.0/16", token="bob").kind == "SubnetPoolNotFound"
    assert api.tables() == before
    for subnet in api.get("/subnets")["subnets"]:
        assert api.call("DELETE", f"/subnets/{subnet['id']}").status == 204
    assert change("remove", "10.0.0.0/8").json == {"prefixes": []}
    assert change("add", "192.168.0.0/24").json == {"prefixes": ["192.168.0.0/24"]}


def test_onboarding(api: Api) -> None:
    """A network's subnets come into the pool with their blocks; a second time, or over another subnet, is refused."""
    network, subnet = api.network("192.168.50.0/24")
    api.make("subnet", network_id=network["id"], ip_version=6, cidr="fd00::/64")
    made = pool(api, "10.0.0.0/16")
    path = f"/subnetpools/{made['id']}/onboard_network_subnets"
    answer = api.call("PUT", path, {"network_id": network["id"]})
    assert (answer.status, answer.json) == (200, [{"id": subnet["id"], "cidr": "192.168.50.0/24"}])
    assert api.get(f"/subnets/{subnet['id']}")["subnet"]["subnetpool_id"] == made["id"]
    assert api.get(f"/subnetpools/{made['id']}")["subnetpool"]["prefixes"] == ["10.0.0.0/16", "192.168.50.0/24"]
    assert refused(api, made, cidr="192.168.50.0/24") == (409, "SubnetAllocationError")
    stranger, _ = api.network("192.168.50.128/25")
    before = api.tables()
    for other in (network["id"], stranger["id"]):
        again = api.call("PUT", path, {"network_id": other})
        assert (again.status, again.kind) == (400, "IllegalSubnetPoolUpdate")
    for body, status in (({}, 400), ({"network_id": "x"}, 400), ({"network_id": made["id"]}, 404)):
        assert api.call("PUT", path, body).status == status
    assert api.call("PUT", path, {"network_id": network["id"]}, token="bob").status == 404
    assert api.tables() == before
    assert api.call("DELETE", f"/networks/{network['id']}").status == 204
    assert cut(api, made, prefixlen=24)["cidr"] == "192.168.50.0/24"


def test_onboarding_out_of_another_pool(api: Api) -> None:
    """The block is free again where it was before; a shared network's owner alone onboards."""
    old, new = pool(api, default_prefixlen=24), pool(api, "172.16.0.0/16")
    subnet = cut(api, old)
    path = f"/subnetpools/{new['id']}/onboard_network_subnets"
    assert api.call("PUT", path, {"network_id": subnet["network_id"]}).status == 200
    assert cut(api, old)["cidr"] == subnet["cidr"]
    shared = api.make("network", "admin", shared=True)
    assert api.call("PUT", path, {"network_id": shared["id"]}).status == 403


def test_delete(api: Api) -> None:
    """Not while a subnet is cut from it."""
    made = pool(api)
    subnet = cut(api, made, prefixlen=24)
    held = api.call("DELETE", f"/subnetpools/{made['id']}")
    assert (held.status, held.kind) == (400, "SubnetPoolDeleteError")
    assert api.call("DELETE", f"/subnets/{subnet['id']}").status == 204
    assert api.call("DELETE", f"/subnetpools/{made['id']}").status == 204
    assert api.get("/subnetpools")["subnetpools"] == []


def test_bulk_tags_and_limit(api: Api) -> None:
    """Pools are made in bulk, all or none, tagged, and counted."""
    bodies = [{"name": f"p{n}", "prefixes": ["10.0.0.0/8"], "tags": ["lab"]} for n in range(2)]
    assert api.call("POST", "/subnetpools", {"subnetpools": bodies}).status == 201
    assert [p["name"] for p in api.get("/subnetpools?tags=lab&sort_key=name")["subnetpools"]] == ["p0", "p1"]
    assert api.call("PUT", "/quotas/p-alice", {"quota": {"subnetpool": 3}}, token="admin").status == 200
    answer = api.call("POST", "/subnetpools", {"subnetpools": bodies})
    assert (answer.status, answer.kind) == (409, "OverQuota")
    assert api.get("/quotas/p-alice/details")["quota"]["subnetpool"] == {"limit": 3, "used": 2, "reserved": 0}
    asked = {"ip_version": 4, "subnetpool_id": pool(api)["id"], "prefixlen": 24}
    many = [{**asked, "network_id": api.make("network")["id"]} for _ in range(3)]
    made = api.call("POST", "/subnets", {"subnets": many}).json["subnets"]
    assert [subnet["cidr"] for subnet in made] == ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"]


def test_a_pool_shared_with_one_project(api: Api) -> None:
    """It sees the pool as shared and cuts from it; the policy stays while it has a subnet of the pool."""
    made = pool(api, default_prefixlen=24)
    body = {
        "object_type": "subnetpool",
        "object_id": made["id"],
        "action": "access_as_shared",
        "target_tenant": "p-bob",
    }
    policy = api.call("POST", "/rbac-policies", {"rbac_policy": body}).json["rbac_policy"]
    assert api.get(f"/subnetpools/{made['id']}", "bob")["subnetpool"]["shared"] is True
    assert api.get("/subnetpools", "carol")["subnetpools"] == []
    subnet = cut(api, made, "bob")
    held = api.call("DELETE", f"/rbac-policies/{policy['id']}")
    assert (held.status, held.kind) == (409, "RbacPolicyInUse")
    assert api.call("DELETE", f"/subnets/{subnet['id']}", token="bob").status == 204
    assert api.call("DELETE", f"/rbac-policies/{policy['id']}").status == 204
    assert api.get("/subnetpools", "bob")["subnetpools"] == []
