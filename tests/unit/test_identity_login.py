"""Logging in: methods, scopes, refusals, rescoping, validation and giving back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from identity_cloud import ADMIN_PASSWORD, Cloud


@pytest.fixture(scope="module")
def quiet_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One for all tests that change nothing."""
    made = Cloud(tmp_path_factory.mktemp("quiet"))
    yield made
    made.close()


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(tmp_path)
    yield made
    made.close()


def test_password_login_on_a_project(quiet_cloud: Cloud) -> None:
    """The answer is Keystone's: 201, the token in a header, user, project, roles with implied ones, catalogue."""
    reply = quiet_cloud.log_in("admin", ADMIN_PASSWORD, project="admin")
    token = reply.body["token"]
    assert (reply.status, reply.headers["vary"]) == (201, "X-Auth-Token")
    assert token["methods"] == ["password"]
    assert token["user"]["domain"] == {"id": "default", "name": "Default"}
    assert token["project"]["name"] == "admin"
    assert token["is_domain"] is False
    assert [role["name"] for role in token["roles"]] == ["admin", "member", "reader"]
    assert token["issued_at"] < token["expires_at"]
    assert len(token["audit_ids"]) == 1
    urls = {(e["type"], p["interface"]): p["url"] for e in token["catalog"] for p in e["endpoints"]}
    assert urls["identity", "public"] == "http://cloud.example:9696/identity"
    assert urls["network", "internal"] == "http://cloud.example:9696/network"
    assert urls["compute", "admin"] == "http://cloud.example:9696/compute/v2.1"
    assert len(urls) == 12


@pytest.mark.parametrize(
    ("scope", "shown"),
    [
        ({"domain": {"id": "default"}}, None),
        ({"system": {"all": True}}, "system"),
        ("unscoped", "unscoped"),
        (None, "unscoped"),
    ],
)
def test_scopes(quiet_cloud: Cloud, scope: object, shown: str | None) -> None:
    """The bootstrapped admin has the system, no role on a domain, and no default project."""
    reply = quiet_cloud.log_in("admin", ADMIN_PASSWORD, scope=scope)
    if shown is None:
        assert reply.status == 401
        return
    token = reply.body["token"]
    assert reply.status == 201
    assert token.get("system") == ({"all": True} if shown == "system" else None)
    assert ("catalog" in token, "roles" in token, "project" in token) == (shown == "system", shown == "system", False)


def test_domain_scope_by_name(cloud: Cloud) -> None:
    """A role on a domain gives a token that names the domain."""
    user_id, _, _ = cloud.member()
    assert cloud.put(f"/domains/default/users/{user_id}/roles/{cloud.role('reader')}").status == 204
    token = cloud.log_in("alice", "pw", scope={"domain": {"name": "Default"}}).body["token"]
    assert token["domain"] == {"id": "default", "name": "Default"}
    assert [role["name"] for role in token["roles"]] == ["reader"]


def test_every_refusal_reads_the_same(cloud: Cloud) -> None:
    """Unknown user, wrong password, disabled user: one 401 with one text in Keystone's shape."""
    user_id, _, _ = cloud.member()
    wrong = cloud.log_in("alice", "not it")
    unknown = cloud.log_in("nobody", "not it")
    elsewhere = cloud.authenticate(
        {
            "methods": ["password"],
            "password": {"user": {"name": "alice", "domain": {"name": "none"}, "password": "pw"}},
        }
    )
    cloud.patch(f"/users/{user_id}", {"user": {"enabled": False}})
    disabled = cloud.log_in("alice", "pw")
    expected = {"code": 401, "title": "Unauthorized", "message": "The request you have made requires authentication."}
    for reply in (wrong, unknown, elsewhere, disabled):
        assert (reply.status, reply.body) == (401, {"error": expected})
        assert "x-subject-token" not in reply.headers


@pytest.mark.parametrize(
    "scope",
    [
        {"project": {"id": "0" * 32}},
        {"project": {"name": "none", "domain": {"id": "default"}}},
        {"project": {"name": "admin", "domain": {"id": "default"}}},
        {"domain": {"id": "none"}},
        {"system": {"all": True}},
    ],
)
def test_scope_without_a_role_is_401(cloud: Cloud, scope: object) -> None:
    """A project that does not exist and one without a role are refused alike."""
    cloud.member()
    assert cloud.log_in("alice", "pw", scope=scope).status == 401


@pytest.mark.parametrize(
    "auth",
    [
        {},
        {"identity": {}},
        {"identity": {"methods": []}},
        {"identity": {"methods": ["password"]}},
        {"identity": {"methods": "password"}},
        {"identity": {"methods": ["password"], "password": {"user": {"password": "x"}}}},
        {"identity": {"methods": ["password"], "password": {"user": {"name": "admin", "password": "x"}}}},
        {"identity": {"methods": ["password"], "password": {"user": {"id": 3, "password": "x"}}}},
        {"identity": {"methods": ["token"], "token": {"id": "x"}}, "scope": "all"},
        {"identity": {"methods": ["token"], "token": {"id": "x"}}, "scope": {}},
        {"identity": {"methods": ["token"], "token": {"id": "x"}}, "scope": {"system": {"all": False}}},
    ],
)
def test_malformed_login_is_400(quiet_cloud: Cloud, auth: object) -> None:
    """A body of the wrong form is told what is wrong with it."""
    reply = quiet_cloud.post("/auth/tokens", {"auth": auth}, token="")
    assert (reply.status, reply.body["error"]["title"]) == (400, "Bad Request")


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b'{"auth": []}', b"\xff", b'{"auth":' + b"[" * 20000])
def test_broken_json_is_400(quiet_cloud: Cloud, raw: bytes) -> None:
    """Also when nested ever so deeply."""
    assert quiet_cloud.post("/auth/tokens", None, token="", raw=raw).status == 400


def test_lone_surrogates_do_no_harm(quiet_cloud: Cloud) -> None:
    """Text that is no Unicode cannot reach the database."""
    raw = (
        b'{"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "\\ud800",'
        b' "domain": {"id": "default"}, "password": "\\ud800"}}}}}'
    )
    assert quiet_cloud.post("/auth/tokens", None, token="", raw=raw).status in {400, 401}


def test_unsupported_method_is_401(quiet_cloud: Cloud) -> None:
    """As Keystone answers to a method that it does not know."""
    assert quiet_cloud.authenticate({"methods": ["totp"], "totp": {}}).status == 401


def test_default_project(cloud: Cloud) -> None:
    """Without a scope the default project is taken if there is a role on it; not for an explicit ``unscoped``."""
    user_id, project_id, _ = cloud.member()
    cloud.patch(f"/users/{user_id}", {"user": {"default_project_id": project_id}})
    assert cloud.log_in("alice", "pw").body["token"]["project"]["id"] == project_id
    assert "project" not in cloud.log_in("alice", "pw", scope="unscoped").body["token"]
    cloud.patch(f"/projects/{project_id}", {"project": {"enabled": False}})
    reply = cloud.log_in("alice", "pw")
    assert (reply.status, "project" in reply.body["token"]) == (201, False)


def test_token_method_keeps_expiry_and_chain(cloud: Cloud) -> None:
    """A token made of a token ends when the first one ends and names it in its audit ids."""
    first = cloud.log_in("admin", ADMIN_PASSWORD)
    cloud.clock.now += 100
    scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
    second = cloud.authenticate({"methods": ["token"], "token": {"id": first.token}}, scope)
    assert second.status == 201
    assert second.body["token"]["expires_at"] == first.body["token"]["expires_at"]
    assert second.body["token"]["methods"] == ["password", "token"]
    assert second.body["token"]["audit_ids"][1] == first.body["token"]["audit_ids"][0]
    third = cloud.authenticate({"methods": ["token"], "token": {"id": second.token}}, scope)
    assert third.body["token"]["audit_ids"][1] == first.body["token"]["audit_ids"][0]


def test_two_methods_must_be_of_one_user(cloud: Cloud) -> None:
    """A password of one and a token of another are no login."""
    _, _, token = cloud.member()
    user = {"name": "admin", "domain": {"id": "default"}, "password": ADMIN_PASSWORD}
    both = {"methods": ["password", "token"], "password": {"user": user}, "token": {"id": token}}
    assert cloud.authenticate(both).status == 401
    assert cloud.authenticate({**both, "token": {"id": cloud.admin}}).status == 201


def test_expiry(cloud: Cloud) -> None:
    """A token works until it expires, and not a moment longer."""
    cloud.clock.now += 3599
    assert cloud.get("/auth/projects").status == 200
    cloud.clock.now += 1
    assert cloud.get("/auth/projects").status == 401


def test_validation(cloud: Cloud) -> None:
    """An administrator and the bearer may look at a token, others may not; a void one is 404, no token at all 401."""
    _, _, token = cloud.member()
    _, _, other = cloud.member("bob", "other")
    seen = cloud.get("/auth/tokens", subject=token)
    assert (seen.status, seen.body["token"]["user"]["name"], seen.token) == (200, "alice", token)
    assert "catalog" in seen.body["token"]
    assert "catalog" not in cloud.get("/auth/tokens?nocatalog", subject=token).body["token"]
    assert cloud.get("/auth/tokens", subject=token, token=token).body == seen.body
    assert cloud.head("/auth/tokens", subject=token).status == 200
    assert cloud.get("/auth/tokens", subject=token, token=other).status == 403
    assert cloud.get("/auth/tokens", subject="nonsense").status == 404
    assert cloud.get("/auth/tokens").status == 404
    assert cloud.get("/auth/tokens", subject=token, token="").status == 401


def test_giving_back(cloud: Cloud) -> None:
    """A token that was given back is void, another of the same user is not; who gives back whose is policy."""
    _, _, token = cloud.member()
    _, _, other = cloud.member("bob", "other")
    kept = cloud.log_in("alice", "pw").token
    assert cloud.delete("/auth/tokens", subject=token, token=other).status == 403
    assert cloud.delete("/auth/tokens", subject=token, token=token).status == 204
    assert cloud.get("/auth/projects", token=token).status == 401
    assert cloud.get("/auth/projects", token=kept).status == 200
    assert cloud.delete("/auth/tokens", subject=kept).status == 204
    assert cloud.delete("/auth/tokens", subject=kept).status == 404


def test_revocations_are_kept_small(cloud: Cloud) -> None:
    """A revocation is forgotten when its token would have expired anyway."""
    cloud.delete("/auth/tokens", subject=cloud.log_in("admin", ADMIN_PASSWORD).token)
    cloud.clock.now += 4000
    cloud.admin = cloud.log_in("admin", ADMIN_PASSWORD, project="admin").token
    cloud.delete("/auth/tokens", subject=cloud.log_in("admin", ADMIN_PASSWORD).token)
    with cloud.database.read() as tx:
        from nebula_controller.store.tables.identity import revocations

        assert len(tx.execute(revocations.select()).all()) == 1


def test_what_a_bearer_may_ask_about_itself(cloud: Cloud) -> None:
    """Projects, domains, system and catalogue."""
    user_id, project_id, token = cloud.member()
    cloud.make("project", name="foreign")
    assert [p["id"] for p in cloud.get("/auth/projects", token=token).body["projects"]] == [project_id]
    assert cloud.get("/auth/domains", token=token).body["domains"] == []
    assert cloud.get("/auth/system", token=token).body["system"] == []
    assert cloud.get("/auth/system").body["system"] == [{"all": True}]
    assert len(cloud.get("/auth/catalog", token=token).body["catalog"]) == 4
    unscoped = cloud.log_in("alice", "pw", scope="unscoped").token
    assert cloud.get("/auth/catalog", token=unscoped).status == 403
    assert cloud.get(f"/users/{user_id}/projects", token=unscoped).status == 200


def test_versions(quiet_cloud: Cloud) -> None:
    """Clients find v3 from the unversioned URL, without a token; links name the host that the client used."""
    choice = quiet_cloud.call("GET", "", token="", host="[::1]:80")
    assert choice.status == 300
    assert choice.body["versions"]["values"][0]["links"][0]["href"] == "http://[::1]:80/identity/v3/"
    for path in ("/v3", "/v3/"):
        reply = quiet_cloud.call("GET", path, token="")
        assert (reply.status, reply.body["version"]["status"]) == (200, "stable")
    assert quiet_cloud.call("GET", "/v2.0", token="").status == 404


def test_a_forged_host_header_is_not_repeated(quiet_cloud: Cloud) -> None:
    """What is no host name is refused or cut before it reaches a link."""
    reply = quiet_cloud.call("GET", "", token="", host='evil"<script>')
    assert reply.status == 400 or "<" not in str(reply.body)
