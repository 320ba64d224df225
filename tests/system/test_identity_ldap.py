"""A domain whose users and groups are in a real slapd; the other domains when that is gone."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openstack_cloud import PASSWORD, Controller
from slapd import SUFFIX, Slapd

_CONFIG = """
[ldap.hall]
url = "{url}"
timeout_s = 2
user_tree_dn = "ou=people,{suffix}"
group_tree_dn = "ou=groups,{suffix}"
user_enabled_attribute = "employeeType"
user_enabled_mask = 2
"""


class Cloud:
    """A controller and its directory, asked over HTTP."""

    def __init__(self, folder: Path) -> None:
        self.slapd = Slapd(folder / "slapd")
        config = folder / "controller.toml"
        config.write_text(_CONFIG.format(url=self.slapd.url, suffix=SUFFIX))
        self.controller = Controller(folder, f"--config={config}", "--password-hash-rounds=4")
        self.admin = self.log_in("admin", PASSWORD, "Default", project="admin")[1]
        self.domain_id = self.post("/domains", {"domain": {"name": "hall"}})["domain"]["id"]

    def close(self) -> None:
        self.controller.stop()
        self.slapd.stop()

    def call(self, method: str, path: str, body: object = None, token: str | None = None) -> tuple[int, Any, str]:
        """Status, decoded body, X-Subject-Token."""
        request = urllib.request.Request(f"{self.controller.url}/identity/v3{path}", method=method)
        token = self.admin if token is None else token
        if token:
            request.add_header("X-Auth-Token", token)
        data = json.dumps(body).encode() if body is not None else None
        try:
            with urllib.request.urlopen(request, data, timeout=30) as answer:
                text = answer.read()
                return answer.status, json.loads(text or b"null"), answer.headers.get("X-Subject-Token", "")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null"), ""

    def get(self, path: str) -> Any:
        status, body, _ = self.call("GET", path)
        assert status == 200, body
        return body

    def post(self, path: str, body: object) -> Any:
        status, answer, _ = self.call("POST", path, body)
        assert status == 201, answer
        return answer

    def put(self, path: str) -> None:
        assert self.call("PUT", path)[0] == 204

    def log_in(self, name: str, password: str, domain: str = "hall", project: str = "") -> tuple[int, str, Any]:
        """Status, token, body."""
        user = {"name": name, "password": password, "domain": {"name": domain}}
        auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
        if project:
            auth["scope"] = {"project": {"name": project, "domain": {"name": domain}}}
        status, body, token = self.call("POST", "/auth/tokens", {"auth": auth}, token="")
        return status, token, body

    def names(self, plural: str) -> list[str]:
        time.sleep(1.1)  # what was read less than a second ago is not read again
        return [item["name"] for item in self.get(f"/{plural}?domain_id={self.domain_id}")[plural]]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    made = Cloud(tmp_path_factory.mktemp("ldap"))
    yield made
    made.close()


def test_users_and_groups_are_read(cloud: Cloud) -> None:
    """As they are in the directory now, with ids that stay; nobody changes them here."""
    anna = cloud.slapd.add_user("anna", "pw")
    cloud.slapd.add_user("bert", "pw")
    cloud.slapd.add_group("class", anna)
    assert cloud.names("users") == ["anna", "bert"]
    assert cloud.names("groups") == ["class"]
    user = cloud.get(f"/users?domain_id={cloud.domain_id}&name=anna")["users"][0]
    group = cloud.get(f"/groups?domain_id={cloud.domain_id}")["groups"][0]
    assert (user["email"], user["enabled"], len(user["id"])) == ("anna@example.org", True, 64)
    assert [u["name"] for u in cloud.get(f"/groups/{group['id']}/users")["users"]] == ["anna"]
    assert [g["name"] for g in cloud.get(f"/users/{user['id']}/groups")["groups"]] == ["class"]
    new = {"user": {"name": "x", "domain_id": cloud.domain_id}}
    assert cloud.call("POST", "/users", new)[0] == 403
    assert cloud.call("PATCH", f"/users/{user['id']}", {"user": {"name": "x"}})[0] == 403
    assert cloud.call("DELETE", f"/users/{user['id']}")[0] == 403
    assert cloud.call("DELETE", f"/groups/{group['id']}")[0] == 403
    assert cloud.call("DELETE", f"/groups/{group['id']}/users/{user['id']}")[0] == 403


def test_passwords_and_roles(cloud: Cloud) -> None:
    """The directory checks the password, SQL has the roles: those of the user and of its directory group."""
    cleo = cloud.slapd.add_user("cleo", "secret")
    cloud.slapd.add_group("staff", cleo)
    cloud.post("/projects", {"project": {"name": "demo", "domain_id": cloud.domain_id}})
    project_id = cloud.get("/projects?name=demo")["projects"][0]["id"]
    assert "staff" in cloud.names("groups")
    group_id = cloud.get(f"/groups?domain_id={cloud.domain_id}&name=staff")["groups"][0]["id"]
    role_id = cloud.get("/roles?name=member")["roles"][0]["id"]
    assert cloud.log_in("cleo", "secret", project="demo")[0] == 401
    cloud.put(f"/projects/{project_id}/groups/{group_id}/roles/{role_id}")
    status, _token, body = cloud.log_in("cleo", "secret", project="demo")
    assert (status, [role["name"] for role in body["token"]["roles"]]) == (201, ["member", "reader"])
    for name, password in (
        ("cleo", "x"),
        ("cleo", ""),
        ("nobody", "secret"),
        ("*", "secret"),
        ("cleo)(uid=*", "secret"),
    ):
        assert cloud.log_in(name, password)[0] == 401
    cloud.slapd.change(f"dn: {cleo}\nchangetype: modify\nreplace: userPassword\nuserPassword: other")
    assert [cloud.log_in("cleo", password)[0] for password in ("secret", "other")] == [401, 201]


def test_what_changes_in_the_directory_changes_here(cloud: Cloud) -> None:
    """Disabled (as in Active Directory, by a bit) or gone: tokens are void once it was read."""
    dora = cloud.slapd.add_user("dora", "pw")
    _, token, _ = cloud.log_in("dora", "pw")
    assert cloud.call("GET", "/auth/projects", token=token)[0] == 200
    change = f"dn: {dora}\nchangetype: modify\nreplace: employeeType\nemployeeType: "
    cloud.slapd.change(f"{change}514")
    assert cloud.log_in("dora", "pw")[0] == 401
    assert cloud.call("GET", "/auth/projects", token=token)[0] == 401
    cloud.slapd.change(f"{change}512")
    _, token, _ = cloud.log_in("dora", "pw")
    assert cloud.call("GET", "/auth/projects", token=token)[0] == 200
    cloud.slapd.change(f"dn: {dora}\nchangetype: delete")
    assert "dora" in cloud.names("users")
    assert cloud.get(f"/users?domain_id={cloud.domain_id}&name=dora")["users"][0]["enabled"] is False
    assert cloud.call("GET", "/auth/projects", token=token)[0] == 401


def test_a_directory_that_is_down_stops_only_its_domain(cloud: Cloud) -> None:
    """503 that says which and where for its users; everything else works, and so does it when it is back."""
    cloud.slapd.add_user("emil", "pw")
    assert cloud.log_in("emil", "pw")[0] == 201
    cloud.slapd.stop()
    try:
        time.sleep(1.1)
        listed, answer, _ = cloud.call("GET", f"/users?domain_id={cloud.domain_id}")
        for status, _, body in (cloud.log_in("emil", "pw"), cloud.log_in("nobody", "pw"), (listed, "", answer)):
            assert (status, body["error"]["title"]) == (503, "Service Unavailable")
            assert f"domain hall at {cloud.slapd.url} does not answer" in body["error"]["message"]
        assert cloud.log_in("admin", PASSWORD, "Default", project="admin")[0] == 201
        assert cloud.log_in("admin", "x", "Default")[0] == 401
        assert len(cloud.get("/users?domain_id=default")["users"]) == 1
        assert cloud.get("/projects?name=admin")["projects"]
    finally:
        cloud.slapd.start()
    assert cloud.log_in("emil", "pw")[0] == 201


def test_nothing_secret_is_logged(cloud: Cloud) -> None:
    """Neither the password of a directory's user nor a traceback."""
    log = cloud.controller.log.read_text()
    assert "secret" not in log.replace("node-secret", "")
    assert "Traceback" not in log
