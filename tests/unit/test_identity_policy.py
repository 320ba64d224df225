"""Who may call what on identity: every route as nobody, as a member, as readers, as administrators of any scope."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from identity_cloud import ADMIN_PASSWORD, Cloud
from identity_routes import Walk, documented

OPEN = {
    ("GET", ""),
    ("GET", "/"),
    ("GET", "/v3"),
    ("GET", "/v3/"),
    ("POST", "/v3/auth/tokens"),
    ("POST", "/v3/users/{id}/password"),
}
"""What asks for no token: versions, logging in, changing one's own password (which proves the original one)."""


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(tmp_path)
    yield made
    made.close()


def _path(template: str) -> str:
    for name in ("id", "tag", "user_id", "implied_id", "target_id", "actor_id", "role_id"):
        template = template.replace(f"{{{name}}}", "none")
    return template


def test_every_route_asks_for_a_token(cloud: Cloud) -> None:
    """Nothing but versions and login answers without one, nor with a made-up one."""
    for operation in cloud.service.operations:
        if (operation.method, operation.path) in OPEN:
            continue
        for token in ("", "gAAAAABmade-up"):
            reply = cloud.call(operation.method, _path(operation.path), {}, token=token)
            assert reply.status == 401, operation
            assert reply.body["error"]["code"] == 401
            assert "made-up" not in str(reply.body)


def test_every_route_lets_in_whom_the_document_says(tmp_path: Path) -> None:
    """Each route as nobody, other project, reader, the user itself, domain and system reader, admin."""
    walk = Walk(tmp_path)
    try:
        assert walk.rows() == documented(), "python tests/unit/identity_routes.py writes the table anew"
    finally:
        walk.cloud.close()


def test_a_reader_of_a_domain_sees_what_is_in_none(cloud: Cloud) -> None:
    """Regions are for all, and its own application credentials are its own; of domains it sees the one."""
    user_id, _, token = cloud.member()
    cloud.put(f"/domains/default/users/{user_id}/roles/{cloud.role('reader')}")
    cloud.make("domain", name="hall")
    mine = f"/users/{user_id}/application_credentials"
    cloud.post(mine, {"application_credential": {"name": "robot"}}, token=token)
    reader = cloud.log_in("alice", "pw", scope={"domain": {"id": "default"}}).token
    assert [region["id"] for region in cloud.get("/regions", token=reader).body["regions"]] == ["RegionOne"]
    assert [found["name"] for found in cloud.get(mine, token=reader).body["application_credentials"]] == ["robot"]
    assert [domain["id"] for domain in cloud.get("/domains", token=reader).body["domains"]] == ["default"]


def test_a_member_sees_itself_and_its_project(cloud: Cloud) -> None:
    """And nobody else's."""
    user_id, project_id, token = cloud.member()
    other_id, other_project, _ = cloud.member("bob", "other")
    own = [f"/users/{user_id}", f"/users/{user_id}/projects", f"/users/{user_id}/groups", f"/projects/{project_id}"]
    others = [f"/users/{other_id}", f"/users/{other_id}/projects", f"/projects/{other_project}"]
    assert [cloud.get(path, token=token).status for path in own] == [200] * 4
    assert cloud.get("/domains/default", token=token).status == 200
    assert [cloud.get(path, token=token).status for path in others] == [403] * 3
    assert cloud.patch(f"/users/{user_id}", {"user": {"description": "me"}}, token=token).status == 403


def test_an_administrator_of_any_scope_may_do_everything(cloud: Cloud) -> None:
    """The role admin on a project, on a domain and on the system."""
    user_id = cloud.make("user", name="root", password="pw")
    admin = cloud.role("admin")
    cloud.put(f"/domains/default/users/{user_id}/roles/{admin}")
    on_domain = cloud.log_in("root", "pw", scope={"domain": {"id": "default"}}).token
    on_system = cloud.log_in("admin", ADMIN_PASSWORD, scope={"system": {"all": True}}).token
    for number, token in enumerate((cloud.admin, on_domain, on_system)):
        assert cloud.get("/users", token=token).status == 200
        assert cloud.post("/projects", {"project": {"name": f"p{number}"}}, token=token).status == 201


def test_a_reader_of_the_system_sees_everything_and_changes_nothing(cloud: Cloud) -> None:
    """All lists, no creation."""
    user_id = cloud.make("user", name="auditor", password="pw")
    cloud.put(f"/system/users/{user_id}/roles/{cloud.role('reader')}")
    token = cloud.log_in("auditor", "pw", scope={"system": {"all": True}}).token
    for plural in ("domains", "projects", "users", "groups", "roles", "services", "endpoints", "role_assignments"):
        assert cloud.get(f"/{plural}", token=token).status == 200, plural
    assert cloud.post("/projects", {"project": {"name": "x"}}, token=token).status == 403
    assert cloud.delete(f"/users/{user_id}", token=token).status == 403
    assert cloud.get("/auth/tokens", subject=cloud.admin, token=token).status == 200


def test_a_reader_of_a_domain_sees_that_domain(cloud: Cloud) -> None:
    """Its users, projects and assignments, and of other domains nothing."""
    domain_id = cloud.make("domain", name="hall")
    user_id = cloud.make("user", name="warden", password="pw", domain_id=domain_id)
    cloud.put(f"/domains/{domain_id}/users/{user_id}/roles/{cloud.role('reader')}")
    password = {"methods": ["password"], "password": {"user": {"id": user_id, "password": "pw"}}}
    token = cloud.authenticate(password, {"domain": {"id": domain_id}}).token
    cloud.make("project", name="p", domain_id=domain_id)
    assert [user["name"] for user in cloud.get("/users", token=token).body["users"]] == ["warden"]
    assert [project["name"] for project in cloud.get("/projects", token=token).body["projects"]] == ["p"]
    assert [domain["name"] for domain in cloud.get("/domains", token=token).body["domains"]] == ["hall"]
    assert len(cloud.get("/role_assignments", token=token).body["role_assignments"]) == 1
    assert cloud.get("/domains/default", token=token).status == 403
    for path in ("/services", "/endpoints", "/roles"):
        assert cloud.get(path, token=token).status == 403
    assert cloud.post("/users", {"user": {"name": "x"}}, token=token).status == 403
