"""Domains, projects, users, groups, roles, assignments, services: statuses, defaults, filters, conflicts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from identity_cloud import Cloud


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


def test_user_life(cloud: Cloud) -> None:
    """Created, shown, listed, changed, deleted; the password is never shown; what we do not know is kept."""
    reply = cloud.post("/users", {"user": {"name": "alice", "password": "pw", "email": "a@b.c", "age": {"years": 3}}})
    user = reply.body["user"]
    assert reply.status == 201
    assert user == {
        "id": user["id"],
        "name": "alice",
        "domain_id": "default",
        "enabled": True,
        "email": "a@b.c",
        "age": {"years": 3},
        "password_expires_at": None,
        "options": {},
        "links": {"self": f"http://cloud.example:9696/identity/v3/users/{user['id']}"},
    }
    assert cloud.get(f"/users/{user['id']}").body["user"] == user
    change = {"user": {"name": "bob", "email": "b@b.c", "age": None, "description": "d"}}
    changed = cloud.patch(f"/users/{user['id']}", change).body["user"]
    assert (changed["name"], changed["email"], changed["description"], "age" in changed) == ("bob", "b@b.c", "d", False)
    assert [u["name"] for u in cloud.get("/users?name=bob").body["users"]] == ["bob"]
    assert cloud.delete(f"/users/{user['id']}").status == 204
    assert cloud.get(f"/users/{user['id']}").status == 404
    assert cloud.delete(f"/users/{user['id']}").status == 404


def test_list_frame_and_filters(cloud: Cloud) -> None:
    """Lists have Keystone's links; filters compare whole values, or parts with a suffix; unknown ones are ignored."""
    for name in ("anna", "Annabel", "bert_"):
        cloud.make("user", name=name, enabled=name != "anna")
    body = cloud.get("/users").body
    assert [user["name"] for user in body["users"]] == ["Annabel", "admin", "anna", "bert_"]
    assert body["links"] == {"next": None, "previous": None, "self": "http://cloud.example:9696/identity/v3/users"}

    def names(query: str) -> list[str]:
        return [user["name"] for user in cloud.get(f"/users?{query}").body["users"]]

    assert names("name=ann") == []
    assert names("name__contains=nna") == ["Annabel", "anna"]
    assert names("name__startswith=Ann") == ["Annabel", "anna"]
    assert names("name__endswith=_") == ["bert_"]
    assert names("enabled=false") == ["anna"]
    assert names("enabled=true&name=anna") == []
    assert names("domain_id=none") == []
    assert names("unheard=of&name=anna") == ["anna"]
    assert names("name=%27%20OR%201=1") == []


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        ("user", {"name": "x"}),
        ("project", {"name": "x"}),
        ("group", {"name": "x"}),
        ("role", {"name": "x"}),
        ("domain", {"name": "x"}),
        ("region", {"id": "x"}),
    ],
)
def test_the_same_name_twice_is_409(cloud: Cloud, kind: str, attributes: dict[str, str]) -> None:
    """In one domain (or at all) a name is taken once, by creation and by change; nothing is left half done."""
    cloud.make(kind, **attributes)
    reply = cloud.post(f"/{kind}s", {kind: attributes})
    assert (reply.status, reply.body["error"]["title"]) == (409, "Conflict")
    if kind != "region":
        other = cloud.make(kind, name="y")
        assert cloud.patch(f"/{kind}s/{other}", {kind: {"name": "x"}}).status == 409
        assert cloud.get(f"/{kind}s/{other}").body[kind]["name"] == "y"


def test_the_same_name_in_another_domain_is_fine(cloud: Cloud) -> None:
    """Domains are the walls of names."""
    domain_id = cloud.make("domain", name="hall")
    for kind in ("user", "project", "group", "role"):
        cloud.make(kind, name="x")
        cloud.make(kind, name="x", domain_id=domain_id)


@pytest.mark.parametrize(
    ("kind", "attributes", "named"),
    [
        ("user", {}, "name"),
        ("user", {"name": ""}, "name"),
        ("user", {"name": " "}, "name"),
        ("user", {"name": 3}, "name"),
        ("user", {"name": "x" * 256}, "name"),
        ("user", {"name": "x", "enabled": "yes"}, "enabled"),
        ("user", {"name": "x", "password": ["x"]}, "password"),
        ("user", {"name": "x", "domain_id": "a b"}, "domain_id"),
        ("project", {"name": "x" * 65}, "name"),
        ("project", {"name": "x", "tags": ["a,b"]}, "tags"),
        ("project", {"name": "x", "tags": "a"}, "tags"),
        ("role", {"name": None}, "name"),
        ("domain", {"name": {"a": 1}}, "name"),
        ("endpoint", {"service_id": "x", "interface": "private", "url": "http://x"}, "interface"),
        ("endpoint", {"service_id": "x", "interface": "public", "url": "nonsense"}, "url"),
        ("service", {"name": "x"}, "type"),
    ],
)
def test_bad_attributes_are_400(quiet_cloud: Cloud, kind: str, attributes: dict[str, object], named: str) -> None:
    """The message names the attribute."""
    reply = quiet_cloud.post(f"/{kind}s", {kind: attributes})
    assert (reply.status, reply.body["error"]["code"]) == (400, 400)
    assert named in reply.body["error"]["message"]


def test_enabled_may_be_null_at_first_only(cloud: Cloud) -> None:
    """Who is made with null is enabled; a change to null is refused, and changes nothing."""
    user = cloud.make("user", name="anna", enabled=None)
    reply = cloud.patch(f"/users/{user}", {"user": {"enabled": None, "description": "d"}})
    assert (reply.status, reply.body["error"]["message"]) == (
        400,
        "Invalid input for enabled. Reason: Expected `bool`, got `null`.",
    )
    shown = cloud.get(f"/users/{user}").body["user"]
    assert (shown["enabled"], shown.get("description")) == (True, None)


@pytest.mark.parametrize(
    ("kind", "given", "shown"),
    [
        ("domain", {"name": "d"}, ""),
        ("project", {"name": "p"}, ""),
        ("group", {"name": "g"}, ""),
        ("region", {"id": "r"}, ""),
        ("role", {"name": "r"}, None),
    ],
)
def test_a_description_may_be_null(cloud: Cloud, kind: str, given: dict[str, str], shown: str | None) -> None:
    """When it is made and when it is changed: most kinds then have an empty one, as in Keystone, roles none."""
    key = cloud.make(kind, **given, description=None)
    assert cloud.get(f"/{kind}s/{key}").body[kind]["description"] == shown
    assert cloud.patch(f"/{kind}s/{key}", {kind: {"description": "d"}}).body[kind]["description"] == "d"
    assert cloud.patch(f"/{kind}s/{key}", {kind: {"description": None}}).body[kind]["description"] == shown


@pytest.mark.parametrize("body", [None, [], {}, {"user": []}, {"users": {"name": "x"}}, "user"])
def test_bodies_of_another_form_are_400(quiet_cloud: Cloud, body: object) -> None:
    """What has no object under the kind's name."""
    assert quiet_cloud.post("/users", body).status == 400


@pytest.mark.parametrize("kind", ["user", "project", "group", "role", "domain", "region", "service", "endpoint"])
def test_unknown_ids_are_404(quiet_cloud: Cloud, kind: str) -> None:
    """Show, change and delete, in Keystone's words."""
    path = f"/{kind}s/none"
    assert quiet_cloud.get(path).body["error"]["message"] == f"Could not find {kind}: none."
    assert [
        quiet_cloud.get(path).status,
        quiet_cloud.patch(path, {kind: {}}).status,
        quiet_cloud.delete(path).status,
    ] == [404] * 3


def test_an_unknown_domain_is_404(quiet_cloud: Cloud) -> None:
    """What is made has to be made somewhere."""
    for kind in ("user", "project", "group", "role"):
        assert quiet_cloud.post(f"/{kind}s", {kind: {"name": "x", "domain_id": "none"}}).status == 404


def test_project_tree(cloud: Cloud) -> None:
    """A top project's parent is the domain; depth, disabling and deleting keep to Keystone's rules."""
    top = cloud.post("/projects", {"project": {"name": "top", "parent_id": "default"}}).body["project"]
    assert (top["parent_id"], top["domain_id"], top["is_domain"], top["description"]) == (
        "default",
        "default",
        False,
        "",
    )
    ids = [top["id"]]
    for name in ("a", "b", "c"):
        ids.append(cloud.make("project", name=name, parent_id=ids[-1]))
    too_deep = cloud.post("/projects", {"project": {"name": "d", "parent_id": ids[-1]}})
    assert too_deep.status == 403
    assert cloud.delete(f"/projects/{ids[0]}").status == 403
    assert cloud.patch(f"/projects/{ids[0]}", {"project": {"enabled": False}}).status == 403
    assert cloud.patch(f"/projects/{ids[3]}", {"project": {"parent_id": ids[0]}}).status == 403
    assert cloud.patch(f"/projects/{ids[3]}", {"project": {"domain_id": "other"}}).status == 400
    for project_id in reversed(ids):
        assert cloud.patch(f"/projects/{project_id}", {"project": {"enabled": False}}).status == 200
    assert cloud.patch(f"/projects/{ids[3]}", {"project": {"enabled": True}}).status == 403
    assert cloud.post("/projects", {"project": {"name": "e", "parent_id": ids[0]}}).status == 400
    children = cloud.get(f"/projects?parent_id={ids[0]}").body["projects"]
    assert [project["id"] for project in children] == [ids[1]]
    assert {p["name"] for p in cloud.get("/projects?parent_id=default").body["projects"]} == {"admin", "top"}
    for project_id in reversed(ids):
        assert cloud.delete(f"/projects/{project_id}").status == 204


def test_project_tags(cloud: Cloud) -> None:
    """Tags as an attribute, as a collection of their own, and as filters."""
    first = cloud.make("project", name="first", tags=["red", "blue"])
    second = cloud.make("project", name="second", tags=["red"])
    tags = f"/projects/{second}/tags"
    assert cloud.put(f"{tags}/green").status == 201
    assert cloud.put(f"{tags}/green").status == 201
    assert cloud.get(tags).body["tags"] == ["green", "red"]
    assert (cloud.head(f"{tags}/green").status, cloud.head(f"{tags}/black").status) == (204, 404)

    def found(query: str) -> list[str]:
        return [project["name"] for project in cloud.get(f"/projects?{query}").body["projects"]]

    assert found("tags=red") == ["first", "second"]
    assert found("tags=red,blue") == ["first"]
    assert found("tags-any=green,blue") == ["first", "second"]
    assert found("not-tags=red,blue") == ["admin", "second"]
    assert found("not-tags-any=green,blue") == ["admin"]
    assert cloud.delete(f"{tags}/green").status == 204
    assert cloud.delete(f"{tags}/green").status == 404
    assert cloud.put(tags, {"tags": ["a", "a"]}).body["tags"] == ["a"]
    assert cloud.put(tags, {"tags": ["a/b"]}).status == 400
    assert cloud.delete(tags).status == 204
    assert cloud.patch(f"/projects/{first}", {"project": {"tags": ["x"]}}).body["project"]["tags"] == ["x"]
    assert cloud.delete(f"/projects/{first}").status == 204


def test_domain_life(cloud: Cloud) -> None:
    """A domain is deleted when disabled, with all that is in it; the default one never."""
    domain_id = cloud.make("domain", name="hall")
    project_id = cloud.make("project", name="p", domain_id=domain_id)
    child_id = cloud.make("project", name="c", parent_id=project_id)
    user_id = cloud.make("user", name="u", domain_id=domain_id, password="pw")
    role_id = cloud.make("role", name="local", domain_id=domain_id)
    cloud.put(f"/projects/{child_id}/users/{user_id}/roles/{role_id}")
    before = len(cloud.get("/role_assignments").body["role_assignments"])
    assert cloud.delete(f"/domains/{domain_id}").status == 403
    cloud.patch(f"/domains/{domain_id}", {"domain": {"enabled": False}})
    assert cloud.delete(f"/domains/{domain_id}").status == 204
    assert len(cloud.get("/role_assignments").body["role_assignments"]) == before - 1
    for path in (f"/projects/{project_id}", f"/users/{user_id}", f"/roles/{role_id}", f"/domains/{domain_id}"):
        assert cloud.get(path).status == 404
    cloud.patch("/domains/default", {"domain": {"description": "x"}})
    assert cloud.delete("/domains/default").status == 403


def test_roles(cloud: Cloud) -> None:
    """Roles of a domain are listed apart and given in it only; admin cannot go."""
    domain_id = cloud.make("domain", name="hall")
    local = cloud.make("role", name="local", domain_id=domain_id)
    user_id, project_id, _ = cloud.member()
    assert [r["name"] for r in cloud.get("/roles").body["roles"]] == ["admin", "member", "reader"]
    assert [r["name"] for r in cloud.get(f"/roles?domain_id={domain_id}").body["roles"]] == ["local"]
    assert cloud.put(f"/projects/{project_id}/users/{user_id}/roles/{local}").status == 403
    admin = cloud.role("admin")
    assert cloud.delete(f"/roles/{admin}").status == 403
    assert cloud.patch(f"/roles/{admin}", {"role": {"name": "root"}}).status == 403
    assert cloud.patch(f"/roles/{admin}", {"role": {"description": "all"}}).status == 403
    assert cloud.patch(f"/roles/{admin}", {"role": {"options": {"immutable": False}}}).status == 200
    assert cloud.patch(f"/roles/{admin}", {"role": {"description": "all"}}).status == 200
    assert cloud.delete(f"/roles/{admin}").status == 403


def test_implied_roles(cloud: Cloud) -> None:
    """The three roles imply each other in a row; circles and an implied admin are refused."""
    admin, member, reader = (cloud.role(name) for name in ("admin", "member", "reader"))
    body = cloud.get(f"/roles/{admin}/implies").body["role_inference"]
    assert (body["prior_role"]["name"], [role["name"] for role in body["implies"]]) == ("admin", ["member"])
    pairs = cloud.get("/role_inferences").body["role_inferences"]
    assert {(p["prior_role"]["name"], p["implies"][0]["name"]) for p in pairs} == {
        ("admin", "member"),
        ("member", "reader"),
    }
    assert cloud.put(f"/roles/{reader}/implies/{member}").status == 403
    assert cloud.put(f"/roles/{reader}/implies/{admin}").status == 403
    assert cloud.head(f"/roles/{admin}/implies/{member}").status == 200
    assert cloud.head(f"/roles/{admin}/implies/{reader}").status == 404
    assert cloud.delete(f"/roles/{admin}/implies/{reader}").status == 404


def test_assignments(cloud: Cloud) -> None:
    """Given twice is fine, taken twice is 404; every place answers to PUT, HEAD, GET and DELETE."""
    user_id, project_id, _ = cloud.member(role="reader")
    group_id = cloud.make("group", name="class")
    role_id = cloud.role("member")
    for target in (f"/projects/{project_id}", "/domains/default", "/system"):
        for actor in (f"/users/{user_id}", f"/groups/{group_id}"):
            path = f"{target}{actor}/roles/{role_id}"
            assert cloud.head(path).status == 404
            assert [cloud.put(path).status, cloud.put(path).status] == [204, 204]
            assert [cloud.head(path).status, cloud.get(path).status] == [204, 204]
            listed = cloud.get(f"{target}{actor}/roles").body["roles"]
            assert "member" in [role["name"] for role in listed]
            assert [cloud.delete(path).status, cloud.delete(path).status] == [204, 404]
    for path in (
        f"/projects/none/users/{user_id}/roles/{role_id}",
        f"/projects/{project_id}/users/none/roles/{role_id}",
        f"/projects/{project_id}/users/{user_id}/roles/none",
    ):
        assert cloud.put(path).status == 404


def test_assignment_list(cloud: Cloud) -> None:
    """Filters, names, and the effective form: groups unfolded, implied roles added, inheritance followed."""
    user_id, project_id, _ = cloud.member()
    child_id = cloud.make("project", name="child", parent_id=project_id)
    group_id = cloud.make("group", name="class")
    cloud.put(f"/groups/{group_id}/users/{user_id}")
    reader = cloud.role("reader")
    cloud.put(f"/OS-INHERIT/projects/{project_id}/groups/{group_id}/roles/{reader}/inherited_to_projects")

    def listed(query: str) -> list[tuple[str, ...]]:
        rows = cloud.get(f"/role_assignments?include_names&{query}").body["role_assignments"]
        return [
            (
                row["role"]["name"],
                (row.get("user") or row["group"])["name"],
                row["scope"].get("project", {}).get("name", "-"),
            )
            for row in rows
        ]

    assert sorted(listed(f"user.id={user_id}")) == [("member", "alice", "demo")]
    assert listed(f"group.id={group_id}") == [("reader", "class", "demo")]
    assert sorted(listed(f"effective&user.id={user_id}")) == [
        ("member", "alice", "demo"),
        ("reader", "alice", "child"),
        ("reader", "alice", "demo"),
    ]
    assert listed(f"effective&scope.project.id={child_id}") == [("reader", "alice", "child")]
    assert listed("scope.system=all") == [("admin", "admin", "-")]
    assert listed("scope.OS-INHERIT:inherited_to=projects") == [("reader", "class", "demo")]
    assert len(listed(f"effective&scope.project.id={project_id}&include_subtree=true")) == 3
    assert cloud.get(f"/role_assignments?effective&group.id={group_id}").status == 400
    plain = cloud.get(f"/role_assignments?user.id={user_id}").body["role_assignments"][0]
    assert plain == {
        "role": {"id": cloud.role("member")},
        "user": {"id": user_id},
        "scope": {"project": {"id": project_id}},
        "links": {
            "assignment": f"http://cloud.example:9696/identity/v3/projects/{project_id}"
            f"/users/{user_id}/roles/{cloud.role('member')}"
        },
    }


def test_groups(cloud: Cloud) -> None:
    """Members come and go; a deleted user is in no group."""
    user_id = cloud.make("user", name="alice")
    group_id = cloud.make("group", name="class")
    member = f"/groups/{group_id}/users/{user_id}"
    assert [cloud.head(member).status, cloud.put(member).status, cloud.put(member).status] == [404, 204, 204]
    assert [user["name"] for user in cloud.get(f"/groups/{group_id}/users").body["users"]] == ["alice"]
    assert [group["name"] for group in cloud.get(f"/users/{user_id}/groups").body["groups"]] == ["class"]
    assert [cloud.delete(member).status, cloud.delete(member).status] == [204, 404]
    cloud.put(member)
    cloud.delete(f"/users/{user_id}")
    assert cloud.get(f"/groups/{group_id}/users").body["users"] == []


def test_catalogue_follows_services_and_endpoints(cloud: Cloud) -> None:
    """A new endpoint is in the catalogue of the next answer, a disabled one or one of a disabled service is not."""
    service_id = cloud.make("service", type="dns", name="designate")
    url = "http://dns.example/$(project_id)s"
    endpoint_id = cloud.make("endpoint", service_id=service_id, interface="public", url=url, region="RegionOne")
    project_id = cloud.site.authenticator.authenticate(cloud.admin).project_id

    def entry() -> list[str]:
        catalogue = cloud.get("/auth/catalog").body["catalog"]
        return [e["url"] for service in catalogue if service["type"] == "dns" for e in service["endpoints"]]

    assert entry() == [f"http://dns.example/{project_id}"]
    assert cloud.get(f"/endpoints/{endpoint_id}").body["endpoint"]["region_id"] == "RegionOne"
    cloud.patch(f"/endpoints/{endpoint_id}", {"endpoint": {"enabled": False}})
    assert entry() == []
    cloud.patch(f"/endpoints/{endpoint_id}", {"endpoint": {"enabled": True}})
    cloud.patch(f"/services/{service_id}", {"service": {"enabled": False}})
    assert entry() == []
    assert cloud.delete(f"/services/{service_id}").status == 204
    assert cloud.get(f"/endpoints/{endpoint_id}").status == 404


def test_regions(cloud: Cloud) -> None:
    """A region with endpoints or children stays."""
    assert [region["id"] for region in cloud.get("/regions").body["regions"]] == ["RegionOne"]
    cloud.make("region", id="North", parent_region_id="RegionOne")
    assert cloud.delete("/regions/RegionOne").status == 403
    assert cloud.post("/regions", {"region": {"parent_region_id": "none"}}).status == 404
    assert cloud.patch("/regions/North", {"region": {"parent_region_id": "North"}}).status == 403
    assert cloud.delete("/regions/North").status == 204


def test_bootstrap_is_done_once(cloud: Cloud) -> None:
    """A second bootstrap changes nothing, whatever password it brings."""
    from nebula_controller.identity.bootstrap import bootstrap

    before = cloud.get("/role_assignments").body
    assert bootstrap(cloud.database, "x") is False
    assert cloud.get("/role_assignments").body == before
