"""Application credentials: who makes them, what they are good for, and what ends them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from identity_cloud import Cloud, Reply


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(tmp_path)
    yield made
    made.close()


def _create(cloud: Cloud, user_id: str, token: str, **attributes: object) -> Reply:
    body = {"application_credential": {"name": "robot", **attributes}}
    return cloud.post(f"/users/{user_id}/application_credentials", body, token=token)


def _log_in(cloud: Cloud, made: dict[str, Any], scope: object = None) -> Reply:
    proof = {"id": made["id"], "secret": made["secret"]}
    return cloud.authenticate({"methods": ["application_credential"], "application_credential": proof}, scope)


def test_life(cloud: Cloud) -> None:
    """Made with the token's roles; the secret is in that answer only; found by id and by name, then deleted."""
    user_id, project_id, token = cloud.member()
    reply = _create(cloud, user_id, token)
    made = reply.body["application_credential"]
    assert (reply.status, made["project_id"], made["user_id"], made["unrestricted"]) == (
        201,
        project_id,
        user_id,
        False,
    )
    assert [role["name"] for role in made["roles"]] == ["member", "reader"]
    assert (made["expires_at"], made["description"], len(made["secret"])) == (None, None, 86)
    path = f"/users/{user_id}/application_credentials"
    without = {name: value for name, value in made.items() if name != "secret"}
    assert cloud.get(f"{path}/{made['id']}", token=token).body["application_credential"] == without
    assert cloud.get(f"{path}?name=robot", token=token).body["application_credentials"] == [without]
    assert cloud.get(f"{path}?name=other", token=token).body["application_credentials"] == []
    assert _create(cloud, user_id, token).status == 409
    used = _log_in(cloud, made)
    assert used.body["token"]["methods"] == ["application_credential"]
    assert used.body["token"]["project"]["id"] == project_id
    assert used.body["token"]["application_credential"] == {"id": made["id"], "name": "robot", "restricted": True}
    by_name = {"name": "robot", "user": {"name": "alice", "domain": {"id": "default"}}, "secret": made["secret"]}
    identity = {"methods": ["application_credential"], "application_credential": by_name}
    assert cloud.authenticate(identity).status == 201
    assert cloud.delete(f"{path}/{made['id']}", token=token).status == 204
    assert cloud.get("/auth/projects", token=used.token).status == 401
    assert _log_in(cloud, made).status == 401
    assert cloud.get(f"{path}/{made['id']}", token=token).status == 404


def test_some_of_the_roles(cloud: Cloud) -> None:
    """It has the roles that were chosen, and they do not imply more than they are."""
    user_id, _, token = cloud.member()
    made = _create(cloud, user_id, token, roles=[{"name": "reader"}]).body["application_credential"]
    assert [role["name"] for role in _log_in(cloud, made).body["token"]["roles"]] == ["reader"]
    assert _create(cloud, user_id, token, name="x", roles=[{"name": "admin"}]).status == 400


def test_expiry(cloud: Cloud) -> None:
    """Its tokens end with it; a time that has passed is refused."""
    user_id, _, token = cloud.member()
    made = _create(cloud, user_id, token, expires_at="2027-01-15T08:10:00Z").body["application_credential"]
    assert made["expires_at"] == "2027-01-15T08:10:00.000000Z"
    assert _log_in(cloud, made).body["token"]["expires_at"] == "2027-01-15T08:10:00.000000Z"
    cloud.clock.now += 3600
    assert _log_in(cloud, made).status == 401
    token = cloud.log_in("alice", "pw", project="demo").token
    for text in ("2020-01-01T00:00:00", "tomorrow"):
        assert _create(cloud, user_id, token, name="x", expires_at=text).status == 400


def test_it_goes_with_what_it_stands_on(cloud: Cloud) -> None:
    """A role taken, the user disabled, the project or user deleted: tokens and new logins are refused."""
    user_id, project_id, token = cloud.member()
    extra = cloud.make("role", name="operator")
    grant = f"/projects/{project_id}/users/{user_id}/roles/{extra}"
    made = _create(cloud, user_id, token).body["application_credential"]
    used = _log_in(cloud, made).token
    cloud.patch(f"/users/{user_id}", {"user": {"enabled": False}})
    assert cloud.get("/auth/projects", token=used).status == 401
    assert _log_in(cloud, made).status == 401
    cloud.patch(f"/users/{user_id}", {"user": {"enabled": True}})
    assert _log_in(cloud, made).status == 201
    cloud.put(grant)
    assert cloud.delete(grant).status == 204
    assert _log_in(cloud, made).status == 401
    path = f"/users/{user_id}/application_credentials"
    assert cloud.get(path).body["application_credentials"] == []
    made = _create(cloud, user_id, cloud.log_in("alice", "pw", project="demo").token).body["application_credential"]
    assert cloud.delete(f"/projects/{project_id}").status == 204
    assert _log_in(cloud, made).status == 401


def test_roles_through_a_group_count_while_they_are_there(cloud: Cloud) -> None:
    """Nothing outlives the membership that gave it."""
    project_id = cloud.make("project", name="demo")
    user_id = cloud.make("user", name="alice", password="pw")
    group_id = cloud.make("group", name="class")
    cloud.put(f"/groups/{group_id}/users/{user_id}")
    cloud.put(f"/projects/{project_id}/groups/{group_id}/roles/{cloud.role('reader')}")
    made = _create(cloud, user_id, cloud.log_in("alice", "pw", project="demo").token).body["application_credential"]
    used = _log_in(cloud, made).token
    cloud.delete(f"/groups/{group_id}/users/{user_id}")
    assert cloud.get("/auth/projects", token=used).status == 401
    assert _log_in(cloud, made).status == 401


def test_no_other_scope(cloud: Cloud) -> None:
    """Neither asked for at login nor by handing the token on."""
    user_id, project_id, token = cloud.member()
    other = cloud.make("project", name="other")
    cloud.put(f"/projects/{other}/users/{user_id}/roles/{cloud.role('member')}")
    made = _create(cloud, user_id, token).body["application_credential"]
    assert _log_in(cloud, made, {"project": {"id": project_id}}).status == 401
    by_token = {"methods": ["token"], "token": {"id": _log_in(cloud, made).token}}
    assert cloud.authenticate(by_token, {"project": {"id": other}}).status == 401
    again = cloud.authenticate(by_token)
    assert again.body["token"]["application_credential"]["id"] == made["id"]
    assert [role["name"] for role in again.body["token"]["roles"]] == ["member", "reader"]


def test_a_restricted_one_makes_no_others(cloud: Cloud) -> None:
    """Unless it is unrestricted; EC2 credentials are credentials too."""
    user_id, project_id, token = cloud.member()
    plain = _create(cloud, user_id, token).body["application_credential"]
    free = _create(cloud, user_id, token, name="free", unrestricted=True).body["application_credential"]
    for made, status in ((plain, 403), (free, 201)):
        used = _log_in(cloud, made).token
        assert _create(cloud, user_id, used, name=f"of {made['name']}").status == status
        pair = cloud.post(f"/users/{user_id}/credentials/OS-EC2", {"tenant_id": project_id}, token=used)
        assert pair.status == status


def test_walls(cloud: Cloud) -> None:
    """Nobody makes one for another, not even the administrator, who may delete; others see nothing."""
    user_id, _, token = cloud.member()
    _, _, other = cloud.member("bob", "other")
    made = _create(cloud, user_id, token).body["application_credential"]
    path = f"/users/{user_id}/application_credentials"
    assert _create(cloud, user_id, cloud.admin, name="x").status == 403
    assert [cloud.get(path, token=other).status, cloud.get(f"{path}/{made['id']}", token=other).status] == [403, 403]
    assert cloud.delete(f"{path}/{made['id']}", token=other).status == 403
    assert cloud.delete(f"{path}/{made['id']}").status == 204
    unscoped = cloud.log_in("alice", "pw").token
    assert _create(cloud, user_id, unscoped, name="x").status == 400
    assert _create(cloud, user_id, token, name="x", access_rules=[{"path": "/"}]).status == 400
