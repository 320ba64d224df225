"""What is taken away is gone at once: tokens against changes of users, projects, domains, roles and passwords."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from identity_cloud import Cloud


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(tmp_path)
    yield made
    made.close()


def _is_void(cloud: Cloud, token: str) -> bool:
    return cloud.get("/auth/projects", token=token).status == 401


@pytest.mark.parametrize("kind", ["user", "project", "domain"])
def test_disabling_voids_and_enabling_does_not_revive(cloud: Cloud, kind: str) -> None:
    """A disabled user, project or domain voids the tokens that there are; enabled again, new ones have to be made."""
    domain_id = cloud.make("domain", name="hall")
    project_id = cloud.make("project", name="demo", domain_id=domain_id)
    user_id = cloud.make("user", name="alice", password="pw", domain_id=domain_id)
    cloud.put(f"/projects/{project_id}/users/{user_id}/roles/{cloud.role('member')}")
    identity = {"methods": ["password"], "password": {"user": {"id": user_id, "password": "pw"}}}
    scope = {"project": {"id": project_id}}
    token = cloud.authenticate(identity, scope).token
    object_id = {"user": user_id, "project": project_id, "domain": domain_id}[kind]
    assert not _is_void(cloud, token)
    cloud.patch(f"/{kind}s/{object_id}", {kind: {"enabled": False}})
    assert _is_void(cloud, token)
    assert cloud.authenticate(identity, scope).status == 401
    cloud.patch(f"/{kind}s/{object_id}", {kind: {"enabled": True}})
    assert _is_void(cloud, token)
    assert not _is_void(cloud, cloud.authenticate(identity, scope).token)


def test_a_changed_password_voids(cloud: Cloud) -> None:
    """By the administrator and by the user itself; the new password works, the old one no more."""
    user_id, _, token = cloud.member()
    cloud.patch(f"/users/{user_id}", {"user": {"password": "pw2"}})
    assert _is_void(cloud, token)
    assert cloud.log_in("alice", "pw").status == 401
    token = cloud.log_in("alice", "pw2", project="demo").token
    own = {"user": {"original_password": "pw2", "password": "pw3"}}
    assert cloud.post(f"/users/{user_id}/password", own, token="").status == 204
    assert _is_void(cloud, token)
    assert cloud.log_in("alice", "pw3").status == 201


def test_changing_the_password_needs_the_original_one(cloud: Cloud) -> None:
    """401 for a wrong one and for nobody; 400 for no change; what was before stays."""
    user_id, _, token = cloud.member()
    wrong = {"user": {"original_password": "x", "password": "y"}}
    same = {"user": {"original_password": "pw", "password": "pw"}}
    assert cloud.post(f"/users/{user_id}/password", wrong).status == 401
    assert cloud.post(f"/users/{'0' * 32}/password", wrong).status == 401
    assert cloud.post(f"/users/{user_id}/password", same).status == 400
    assert cloud.post(f"/users/{user_id}/password", {"user": {"password": "y"}}).status == 400
    assert not _is_void(cloud, token)


def test_taken_roles(cloud: Cloud) -> None:
    """With one role of two taken the token has the other; without any it is void; given again it works again."""
    user_id, project_id, token = cloud.member()
    grant = f"/projects/{project_id}/users/{user_id}/roles"
    extra = cloud.make("role", name="observer")
    cloud.put(f"{grant}/{extra}")
    assert cloud.site.authenticator.authenticate(token).roles == {"member", "observer", "reader"}
    cloud.delete(f"{grant}/{cloud.role('member')}")
    assert cloud.site.authenticator.authenticate(token).roles == {"observer"}
    cloud.delete(f"{grant}/{extra}")
    assert _is_void(cloud, token)
    cloud.put(f"{grant}/{extra}")
    assert not _is_void(cloud, token)


@pytest.mark.parametrize("kind", ["user", "project", "role"])
def test_deleting_voids(cloud: Cloud, kind: str) -> None:
    """A token does not outlive its user, its project or its only role."""
    role_id = cloud.make("role", name="only")
    user_id, project_id, token = cloud.member(role="only")
    object_id = {"user": user_id, "project": project_id, "role": role_id}[kind]
    assert cloud.delete(f"/{kind}s/{object_id}").status == 204
    assert _is_void(cloud, token)


def test_groups_and_inheritance(cloud: Cloud) -> None:
    """Roles come through a group and from above, and go with the membership."""
    parent = cloud.make("project", name="parent")
    child = cloud.make("project", name="child", parent_id=parent)
    user_id = cloud.make("user", name="alice", password="pw")
    group_id = cloud.make("group", name="class")
    role_id = cloud.role("reader")
    cloud.put(f"/groups/{group_id}/users/{user_id}")
    cloud.put(f"/OS-INHERIT/projects/{parent}/groups/{group_id}/roles/{role_id}/inherited_to_projects")
    assert cloud.log_in("alice", "pw", project="parent").status == 401
    reply = cloud.log_in("alice", "pw", project="child")
    assert [role["name"] for role in reply.body["token"]["roles"]] == ["reader"]
    mine = cloud.get(f"/users/{user_id}/projects").body["projects"]
    assert [project["id"] for project in mine] == [child]
    cloud.delete(f"/groups/{group_id}/users/{user_id}")
    assert _is_void(cloud, reply.token)


def test_inherited_from_the_domain(cloud: Cloud) -> None:
    """An inherited role on a domain holds on its projects and not on the domain."""
    user_id = cloud.make("user", name="alice", password="pw")
    cloud.make("project", name="demo")
    role_id = cloud.role("member")
    cloud.put(f"/OS-INHERIT/domains/default/users/{user_id}/roles/{role_id}/inherited_to_projects")
    assert cloud.log_in("alice", "pw", project="demo").status == 201
    assert cloud.log_in("alice", "pw", scope={"domain": {"id": "default"}}).status == 401


def test_a_new_implication_counts_at_once(cloud: Cloud) -> None:
    """What a role implies is asked at each validation, too."""
    only = cloud.make("role", name="only")
    _, _, token = cloud.member(role="only")
    assert cloud.site.authenticator.authenticate(token).roles == {"only"}
    assert cloud.put(f"/roles/{only}/implies/{cloud.role('reader')}").status == 201
    assert cloud.site.authenticator.authenticate(token).roles == {"only", "reader"}
    cloud.delete(f"/roles/{only}/implies/{cloud.role('reader')}")
    assert cloud.site.authenticator.authenticate(token).roles == {"only"}
