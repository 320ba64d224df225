"""Pages and order of lists, immutable objects, what is above and below a project, domains' own roles."""

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


@pytest.mark.parametrize("query", ["limit=2", "limit=2&sort_dir=desc", "limit=2&sort_key=enabled", "limit=1&enabled=1"])
def test_pages_come_to_the_whole_list(cloud: Cloud, query: str) -> None:
    """Following ``links.next`` gives each object once, in the order of the list without a limit."""
    for name in ("anna", "bert", "cleo", "dora"):
        cloud.make("user", name=name, enabled=name != "bert")
    whole = [user["name"] for user in cloud.get(f"/users?{query.partition('&')[2]}").body["users"]]
    found: list[str] = []
    following = f"/users?{query}"
    while following:
        body = cloud.get(following).body
        assert len(body["users"]) <= int(query[6])
        found += [user["name"] for user in body["users"]]
        following = (body["links"]["next"] or "").partition("/identity/v3")[2]
    assert found == whole
    assert len(whole) == (5 if "enabled=1" not in query else 4)


def test_order(cloud: Cloud) -> None:
    """Lists are sorted by name, by another attribute where that is asked for, and backwards."""
    for name, description in (("anna", "z"), ("bert", "y")):
        cloud.make("group", name=name, description=description)

    def names(query: str) -> list[str]:
        return [group["name"] for group in cloud.get(f"/groups?{query}").body["groups"]]

    assert names("") == ["anna", "bert"]
    assert names("sort_key=description") == ["bert", "anna"]
    assert names("sort_dir=desc") == ["bert", "anna"]


@pytest.mark.parametrize("query", ["limit=x", "limit=-1", "sort_dir=up", "sort_key=none", "sort_key=extra"])
def test_a_page_that_cannot_be_is_400(cloud: Cloud, query: str) -> None:
    """Also a hash is nothing to sort users by."""
    assert cloud.get(f"/groups?{query}").status == 400
    assert cloud.get("/users?sort_key=password_hash").status == 400
    assert cloud.get("/groups?marker=none").status == 404


@pytest.mark.parametrize("kind", ["project", "role", "domain"])
def test_an_immutable_object_stays_as_it_is(cloud: Cloud, kind: str) -> None:
    """It is neither changed nor deleted until a change that does nothing else takes the lock away."""
    path = f"/{kind}s/{cloud.make(kind, name='x', options={'immutable': True})}"
    unlock: dict[str, object] = {"options": {"immutable": False}}
    assert cloud.get(path).body[kind]["options"] == {"immutable": True}
    assert cloud.patch(path, {kind: {"description": "y"}}).status == 403
    assert cloud.patch(path, {kind: {"name": "y", **unlock}}).status == 403
    assert cloud.delete(path).status == 403
    if kind == "project":
        assert cloud.put(f"{path}/tags/red").status == 403
    assert cloud.patch(path, {kind: unlock}).body[kind]["options"] == {"immutable": False}
    assert cloud.patch(path, {kind: {"description": "y"}}).status == 200
    assert cloud.patch(path, {kind: {"options": {"immutable": None}}}).body[kind]["options"] == {}
    assert cloud.patch(path, {kind: {"options": {"unheard": True}}}).status == 400
    assert cloud.patch(path, {kind: {"options": {"immutable": "yes"}}}).status == 400
    if kind != "domain":
        assert cloud.delete(path).status == 204


def test_the_first_roles_are_immutable(cloud: Cloud) -> None:
    """As ``keystone-manage bootstrap`` makes them."""
    assert [role["options"] for role in cloud.get("/roles").body["roles"]] == [{"immutable": True}] * 3


def test_family_of_a_project(cloud: Cloud) -> None:
    """Ids are nested; lists hold whole projects, those on which the caller has a role."""
    top = cloud.make("project", name="top")
    middle = cloud.make("project", name="middle", parent_id=top)
    low = cloud.make("project", name="low", parent_id=middle)
    admin = cloud.get("/users?name=admin").body["users"][0]["id"]
    cloud.put(f"/projects/{low}/users/{admin}/roles/{cloud.role('reader')}")

    def shown(query: str) -> dict[str, object]:
        project = cloud.get(f"/projects/{middle}?{query}").body["project"]
        return {name: project[name] for name in ("parents", "subtree") if name in project}

    assert shown("parents_as_ids&subtree_as_ids") == {"parents": {top: None}, "subtree": {low: None}}
    lists = cloud.get(f"/projects/{middle}?parents_as_list&subtree_as_list").body["project"]
    assert lists["parents"] == []
    assert [entry["project"]["name"] for entry in lists["subtree"]] == ["low"]
    assert cloud.get(f"/projects/{top}?subtree_as_ids").body["project"]["subtree"] == {middle: {low: None}}
    assert cloud.get(f"/projects/{top}?subtree_as_ids&subtree_as_list").status == 400


def test_a_role_of_a_domain_counts_by_what_it_implies(cloud: Cloud) -> None:
    """It is not in tokens, nor in the effective list; the global role that it implies is."""
    user_id, project_id, _ = cloud.member()
    local = cloud.make("role", name="local", domain_id="default")
    extra = cloud.make("role", name="operator")
    cloud.put(f"/roles/{local}/implies/{extra}")
    assert cloud.put(f"/projects/{project_id}/users/{user_id}/roles/{local}").status == 204
    roles = cloud.log_in("alice", "pw", project="demo").body["token"]["roles"]
    assert [role["name"] for role in roles] == ["member", "operator", "reader"]
    rows = cloud.get(f"/role_assignments?effective&include_names&user.id={user_id}").body["role_assignments"]
    assert sorted(row["role"]["name"] for row in rows) == ["member", "operator", "reader"]


def test_inherited_assignments(cloud: Cloud) -> None:
    """On a domain and on a project, of users and groups: listed where given, effective below, gone when taken."""
    top = cloud.make("project", name="top")
    low = cloud.make("project", name="low", parent_id=top)
    user_id = cloud.make("user", name="alice", password="pw")
    group_id = cloud.make("group", name="class")
    cloud.put(f"/groups/{group_id}/users/{user_id}")
    role_id = cloud.role("reader")
    places = [
        f"/OS-INHERIT/domains/default/users/{user_id}/roles/{role_id}/inherited_to_projects",
        f"/OS-INHERIT/projects/{top}/groups/{group_id}/roles/{role_id}/inherited_to_projects",
    ]

    def effective() -> list[str]:
        rows = cloud.get(f"/role_assignments?effective&include_names&user.id={user_id}").body["role_assignments"]
        return sorted(row["scope"]["project"]["name"] for row in rows)

    for path, holding in zip(places, (["admin", "low", "top"], ["low"]), strict=True):
        assert [cloud.head(path).status, cloud.put(path).status, cloud.head(path).status] == [404, 204, 204]
        assert effective() == holding
        given = cloud.get("/role_assignments?scope.OS-INHERIT:inherited_to=projects").body["role_assignments"]
        assert [row["scope"]["OS-INHERIT:inherited_to"] for row in given] == ["projects"]
        both = cloud.get(f"/role_assignments?effective&scope.OS-INHERIT:inherited_to=projects&user.id={user_id}").body
        assert len(both["role_assignments"]) == len(holding)
        assert cloud.log_in("alice", "pw", project="low").status == 201
        assert [cloud.delete(path).status, effective()] == [204, []]
    assert cloud.get(f"/projects/{low}").status == 200


@pytest.mark.parametrize(
    "query",
    [
        "effective&group.id=x",
        "user.id=x&group.id=y",
        "scope.project.id=x&scope.domain.id=y",
        "include_subtree",
        "effective&scope.domain.id=x&scope.OS-INHERIT:inherited_to=projects",
    ],
)
def test_filters_that_exclude_each_other_are_400(cloud: Cloud, query: str) -> None:
    """As Keystone refuses them."""
    assert cloud.get(f"/role_assignments?{query}").status == 400


def test_projects_of_a_disabled_domain_are_not_offered(cloud: Cloud) -> None:
    """``/auth/projects`` holds only what a token can be scoped to."""
    domain_id = cloud.make("domain", name="hall")
    project_id = cloud.make("project", name="p", domain_id=domain_id)
    user_id, _, _ = cloud.member()
    cloud.put(f"/projects/{project_id}/users/{user_id}/roles/{cloud.role('reader')}")
    token = cloud.log_in("alice", "pw").token
    names = [[p["name"] for p in cloud.get("/auth/projects", token=token).body["projects"]]]
    cloud.patch(f"/domains/{domain_id}", {"domain": {"enabled": False}})
    names.append([p["name"] for p in cloud.get("/auth/projects", token=token).body["projects"]])
    assert names == [["demo", "p"], ["demo"]]
