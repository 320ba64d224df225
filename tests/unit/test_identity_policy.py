"""Who may call what on identity: every route as nobody, as a member, as readers, as administrators of any scope."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from identity_cloud import ADMIN_PASSWORD, Cloud

OPEN = {
    ("GET", ""),
    ("GET", "/"),
    ("GET", "/v3"),
    ("GET", "/v3/"),
    ("POST", "/v3/auth/tokens"),
    ("POST", "/v3/users/{id}/password"),
}
"""What asks for no token: versions, logging in, changing one's own password (which proves the original one)."""

MEMBERS = {
    "/v3/auth/tokens",
    "/v3/auth/catalog",
    "/v3/auth/projects",
    "/v3/auth/domains",
    "/v3/auth/system",
    "/v3/regions",
    "/v3/regions/{id}",
    "/v3/credentials",
    "/v3/registered_limits",
    "/v3/registered_limits/{id}",
    "/v3/limits",
    "/v3/limits/model",
}
"""What any bearer of a token may read (tokens: those of its own)."""


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


def test_a_member_is_let_in_nowhere_else(cloud: Cloud) -> None:
    """A member of some project gets 403 wherever it has no business, whether the object exists or not."""
    _, _, token = cloud.member()
    for operation in cloud.service.operations:
        if (operation.method, operation.path) in OPEN:
            continue
        body = {"credential": {"type": "x", "blob": "x", "user_id": "none"}}
        reply = cloud.call(operation.method, _path(operation.path), body, token=token)
        reads = operation.method in {"GET", "HEAD"}
        if operation.path in MEMBERS and (reads or operation.path.endswith("tokens")):
            assert reply.status in {200, 404}, operation
        else:
            assert reply.status == 403, operation
            assert "not authorized to perform the requested action: identity:" in reply.body["error"]["message"]


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
