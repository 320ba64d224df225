"""Registered limits, limits of projects and domains, and stored policies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from identity_cloud import Cloud, Reply


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(tmp_path)
    yield made
    made.close()


def _service(cloud: Cloud) -> str:
    return str(cloud.get("/services?type=compute").body["services"][0]["id"])


def _register(cloud: Cloud, name: str = "cores", **attributes: object) -> Reply:
    limit = {"service_id": _service(cloud), "resource_name": name, "default_limit": 10, **attributes}
    return cloud.post("/registered_limits", {"registered_limits": [limit]})


def _limit(cloud: Cloud, **attributes: object) -> Reply:
    limit = {"service_id": _service(cloud), "resource_name": "cores", "resource_limit": 5, **attributes}
    return cloud.post("/limits", {"limits": [limit]})


def test_registered_limits(cloud: Cloud) -> None:
    """Created in bulk, one for each service, region and name; shown, filtered, changed, deleted."""
    made = _register(cloud).body["registered_limits"][0]
    assert (made["region_id"], made["default_limit"], made["description"]) == (None, 10, None)
    assert _register(cloud).status == 409
    assert _register(cloud, region_id="RegionOne").status == 201
    assert len(cloud.get("/registered_limits?resource_name=cores").body["registered_limits"]) == 2
    assert len(cloud.get("/registered_limits?region_id=RegionOne").body["registered_limits"]) == 1
    path = f"/registered_limits/{made['id']}"
    change = {"registered_limit": {"default_limit": -1, "region_id": "RegionOne"}}
    assert cloud.patch(path, change).status == 409
    assert (
        cloud.patch(path, {"registered_limit": {"default_limit": -1}}).body["registered_limit"]["default_limit"] == -1
    )
    assert cloud.delete(path).status == 204
    assert cloud.get(path).status == 404


def test_a_bulk_is_made_whole_or_not(cloud: Cloud) -> None:
    """One that is wrong keeps all out; a service that has limits stays."""
    good = {"service_id": _service(cloud), "resource_name": "ram", "default_limit": 1}
    for bad in ({**good, "default_limit": -2}, {**good, "service_id": "none"}, good, "x", {"resource_name": "ram"}):
        assert cloud.post("/registered_limits", {"registered_limits": [good, bad]}).status in {400, 409}
        assert cloud.get("/registered_limits").body["registered_limits"] == []
    for body in ({}, {"registered_limits": {}}, {"registered_limits": []}):
        assert cloud.post("/registered_limits", body).status == 400
    _register(cloud, region_id="RegionOne")
    assert cloud.delete(f"/services/{_service(cloud)}").status == 403


def test_limits(cloud: Cloud) -> None:
    """A limit is a project's or a domain's, stands on a registered one, which then stays."""
    project_id = cloud.make("project", name="demo")
    assert _limit(cloud, project_id=project_id).status == 403
    registered = _register(cloud).body["registered_limits"][0]["id"]
    made = _limit(cloud, project_id=project_id).body["limits"][0]
    assert (made["project_id"], made["domain_id"], made["resource_limit"]) == (project_id, None, 5)
    assert (made["resource_name"], made["service_id"], made["region_id"]) == ("cores", _service(cloud), None)
    assert _limit(cloud, project_id=project_id).status == 409
    assert _limit(cloud, domain_id="default").status == 201
    assert _limit(cloud).status == 400
    assert _limit(cloud, domain_id="default", project_id=project_id).status == 400
    assert _limit(cloud, project_id="none").status == 404
    assert cloud.delete(f"/registered_limits/{registered}").status == 403
    assert cloud.patch(f"/registered_limits/{registered}", {"registered_limit": {"resource_name": "x"}}).status == 403
    assert cloud.patch(f"/registered_limits/{registered}", {"registered_limit": {"default_limit": 3}}).status == 200
    path = f"/limits/{made['id']}"
    assert cloud.patch(path, {"limit": {"resource_limit": 7}}).body["limit"]["resource_limit"] == 7
    assert len(cloud.get("/limits?resource_name=cores").body["limits"]) == 2
    assert cloud.get("/limits?resource_name=other").body["limits"] == []
    assert cloud.get("/limits/model").body["model"]["name"] == "flat"
    assert cloud.delete(f"/projects/{project_id}").status == 204
    assert cloud.get(path).status == 404


def test_who_sees_limits(cloud: Cloud) -> None:
    """A member those of its project, a domain's reader those of the domain, and nobody else's."""
    _register(cloud)
    user_id, project_id, token = cloud.member()
    hall = cloud.make("domain", name="hall")
    other = cloud.make("project", name="other", domain_id=hall)
    mine = _limit(cloud, project_id=project_id).body["limits"][0]["id"]
    others = _limit(cloud, project_id=other).body["limits"][0]["id"]
    _limit(cloud, domain_id=hall)
    assert [limit["id"] for limit in cloud.get("/limits", token=token).body["limits"]] == [mine]
    assert [cloud.get(f"/limits/{i}", token=token).status for i in (mine, others)] == [200, 403]
    cloud.put(f"/domains/default/users/{user_id}/roles/{cloud.role('reader')}")
    on_domain = cloud.log_in("alice", "pw", scope={"domain": {"id": "default"}}).token
    assert [limit["id"] for limit in cloud.get("/limits", token=on_domain).body["limits"]] == [mine]
    assert [cloud.get(f"/limits/{i}", token=on_domain).status for i in (mine, others)] == [200, 403]
    assert len(cloud.get("/limits").body["limits"]) == 3
    assert cloud.delete(f"/limits/{mine}", token=token).status == 403


def test_stored_policies(cloud: Cloud) -> None:
    """A text and its type, kept as they are."""
    body = {"type": "application/json", "blob": "{}"}
    made = cloud.post("/policies", {"policy": body}).body["policy"]
    assert (made["type"], made["blob"]) == ("application/json", "{}")
    assert cloud.patch(f"/policies/{made['id']}", {"policy": {"blob": "[]"}}).body["policy"]["blob"] == "[]"
    assert [p["id"] for p in cloud.get("/policies?type=application/json").body["policies"]] == [made["id"]]
    assert cloud.delete(f"/policies/{made['id']}").status == 204
    assert cloud.post("/policies", {"policy": {"type": "x"}}).status == 400
