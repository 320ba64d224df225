"""Quotas: limits that hold, who may see and set them, usage."""

from __future__ import annotations

import pytest
from api_network_client import Api, fresh

PATH = "/quotas/p-alice"


@pytest.fixture
def api() -> Api:
    return fresh()


def limit(api: Api, **limits: object) -> tuple[int, str]:
    answer = api.call("PUT", PATH, {"quota": limits}, token="admin")
    return answer.status, "" if answer.status == 200 else answer.kind


def test_everything_is_unlimited_at_first(api: Api) -> None:
    """-1 for each resource, for the project, as defaults, and nobody is in the list of those with limits."""
    shown = api.get(PATH)["quota"]
    assert set(shown.values()) == {-1}
    assert {"network", "port", "security_group_rule", "floatingip"} <= shown.keys()
    assert api.get(f"{PATH}/default")["quota"] == shown
    assert api.get("/quotas", "admin")["quotas"] == []


def test_whose_quotas_they_are(api: Api) -> None:
    """The token's project, by either word; a token without one is told so; POST is no method here."""
    assert api.get("/quotas/project") == {"project": {"project_id": "p-alice"}}
    assert api.get("/quotas/tenant") == {"tenant": {"tenant_id": "p-alice"}}
    answer = api.call("GET", "/quotas/project", token="unscoped")
    assert (answer.status, answer.kind) == (400, "QuotaMissingTenant")
    assert api.call("POST", "/quotas", {"quota": {"network": 1}}, token="admin").status == 405


@pytest.mark.parametrize(
    ("noun", "body"),
    [
        ("network", {}),
        ("router", {}),
        ("security_group", {"name": "g"}),
        ("address_group", {"name": "a", "addresses": []}),
    ],
)
def test_a_limit_holds(api: Api, noun: str, body: dict[str, object]) -> None:
    """One more than the limit is refused; another project is not; after a deletion there is room again."""
    path = f"/{noun.replace('_', '-')}s"
    made = api.make(noun, **body)
    used = api.get(f"{PATH}/details")["quota"][noun]["used"]
    assert limit(api, **{noun: used}) == (200, "")
    answer = api.call("POST", path, {noun: body})
    assert (answer.status, answer.kind) == (409, "OverQuota")
    api.make(noun, "bob", **body)
    assert api.call("DELETE", f"{path}/{made['id']}").status == 204
    api.make(noun, **body)


def test_bulk_is_all_or_nothing(api: Api) -> None:
    """Two of three would fit: none is made."""
    assert limit(api, network=2) == (200, "")
    assert api.call("POST", "/networks", {"networks": [{}, {}, {}]}).kind == "OverQuota"
    assert api.get("/networks")["networks"] == []
    assert api.call("POST", "/networks", {"networks": [{}, {}]}).status == 201


def test_ports_count_wherever_they_are_made(api: Api) -> None:
    """A router's interface is one too."""
    network, subnet = api.network()
    router = api.make("router", name="r")
    assert limit(api, port=1) == (200, "")
    api.make("port", network_id=network["id"])
    body = {"port": {"network_id": network["id"]}}
    assert api.call("POST", "/ports", body).kind == "OverQuota"
    path = f"/routers/{router['id']}/add_router_interface"
    assert api.call("PUT", path, {"subnet_id": subnet["id"]}).kind == "OverQuota"


def test_usage_and_reset(api: Api) -> None:
    """Details count; ``check_limit`` refuses what is below them; a reset brings the defaults back."""
    api.network()
    details = api.get(f"{PATH}/details.json")["quota"]
    assert details["network"] == {"limit": -1, "used": 1, "reserved": 0}
    assert limit(api, network=0, check_limit=True) == (400, "HTTPBadRequest")
    assert limit(api, network=0, router=5) == (200, "")
    [listed] = api.get("/quotas", "admin")["quotas"]
    assert (listed["project_id"], listed["network"], listed["router"], listed["port"]) == ("p-alice", 0, 5, -1)
    assert api.call("DELETE", PATH, token="admin").status == 204
    assert api.get(PATH)["quota"]["network"] == -1
    answer = api.call("DELETE", PATH, token="admin")
    assert (answer.status, answer.kind) == (404, "TenantQuotaNotFound")


def test_who_may(api: Api) -> None:
    """Only an administrator sets limits or sees another project's."""
    for method, path in (("PUT", PATH), ("DELETE", PATH), ("GET", "/quotas/p-bob"), ("GET", "/quotas")):
        answer = api.call(method, path, {"quota": {"network": 1}} if method == "PUT" else None)
        assert (method, path, answer.status) == (method, path, 403)


@pytest.mark.parametrize("quota", [{"network": -2}, {"network": "many"}, {"cats": 1}, {"network": None}, [], None])
def test_bad_limits(api: Api, quota: object) -> None:
    """Refused as a whole."""
    assert api.call("PUT", PATH, {"quota": quota}, token="admin").status == 400
