"""A new object of identity is one file: declarations of what nobody has, in a copy of the program, and nothing else.

A real controller with a new database serves them, and nebulactl has commands for them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator

import pytest
from declared_cloud import NOWHERE, Cloud, copied

BADGE = '''"""A badge: what nobody has. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from nebula.model.identity_standard import (
    Enabled, Id, InDomain, Kept, Name, Named, Words, describe, given, holder, kept,
)


class Badge(Kept, frozen=True, kw_only=True):
    """What opens a door."""

    domain_id: Annotated[Id | None, InDomain] = None
    name: Annotated[Name, Named]
    description: Annotated[str | None, Words] = None
    user_id: Annotated[Id | None, holder("identity:USER", "Who wears it.", put=True)] = None
    colour: Annotated[Literal["red", "blue"], given("red or blue.", required=True, usual="red", length=8)]
    valid_until: Annotated[str | None, given("The last day.", length=10)] = None
    enabled: Annotated[bool, Enabled] = True
    seen: Annotated[float, kept(server_default=True)] = 0


BADGE = describe(
    Badge, "badge", "badges", unique="domain_id name", listed="id name colour", listed_long="id name colour user_id"
)
'''
SEAL = '''"""A seal on a badge: what nobody has. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec

from nebula.model.identity_standard import Id, InDomain, Kept, describe, other


class BadgeSeal(Kept, frozen=True, kw_only=True):
    """What makes a badge good."""

    domain_id: Annotated[Id | None, msgspec.structs.replace(InDomain, put=False)] = None
    badge_id: Annotated[Id, other("badge:BADGE", "Its badge.", required=True, put=False)]


BADGE_SEAL = describe(BadgeSeal, "badge_seal", "badge_seals", extensible=False, listed="id badge_id")
'''
BADGES = "/identity/v3/badges"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with copied(tmp_path_factory.mktemp("declared"), badge=BADGE, badge_seal=SEAL) as made:
        made.person("alice", "p", "member")
        made.person("dora", "", "reader")
        yield made


def test_an_object_of_identity_is_stored(cloud: Cloud) -> None:
    """Columns with their types and NULL, what is not declared, what is there once, and the foreign keys."""
    (file,) = (cloud.controller.folder / "state").glob("*.sqlite")
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
        rows = connection.execute("PRAGMA table_info(badges)").fetchall()
        columns = {name: (kind, bool(full), default) for _, name, kind, full, default, _ in rows}
        keys = {row[3]: (row[2], row[6]) for row in connection.execute("PRAGMA foreign_key_list(badges)")}
        unique = [row[1] for row in connection.execute("PRAGMA index_list(badges)") if row[3] == "u"]
        together = [row[2] for name in unique for row in connection.execute(f"PRAGMA index_info({name})")]
    assert columns["colour"] == ("VARCHAR(8)", True, None)
    assert columns["seen"] == ("FLOAT", True, "'0'")
    assert columns["extra"] == ("JSON", True, "'{}'")
    assert keys == {"domain_id": ("domains", "NO ACTION"), "user_id": ("users", "CASCADE")}
    assert together == ["domain_id", "name"]


def test_an_object_of_identity(cloud: Cloud) -> None:
    """Made in the caller's domain, shown with what nobody declared, changed, found, deleted; wrong ones are refused."""
    made = cloud.one("POST", BADGES, {"badge": {"name": "door", "colour": "red", "pin": 7}})
    path = f"{BADGES}/{made['id']}"
    assert made == {
        **{"id": made["id"], "links": {"self": f"{cloud.controller.url}{path}"}},
        **{"domain_id": "default", "name": "door", "description": None, "user_id": None},
        **{"colour": "red", "valid_until": None, "enabled": True, "pin": 7},
    }
    assert cloud.one("GET", path) == made
    changed = cloud.one("PATCH", path, {"badge": {"colour": "blue", "pin": None, "floor": 2}})
    assert (changed["colour"], changed["floor"], "pin" in changed) == ("blue", 2, False)
    for values, status in (
        ({"name": "x"}, 400),
        ({"name": "x", "colour": "green"}, 400),
        ({"name": "x", "colour": "red", "user_id": NOWHERE}, 404),
        ({"name": "door", "colour": "red"}, 409),
    ):
        assert cloud.call("POST", BADGES, {"badge": values}).status == status, values
    assert cloud.call("PATCH", path, {"badge": {"domain_id": NOWHERE}}).status == 400
    cloud.one("POST", BADGES, {"badge": {"name": "gate", "colour": "red", "enabled": False}})
    for query, found in (("name=door", ["door"]), ("enabled=false", ["gate"]), ("name__contains=a", ["gate"])):
        assert [badge["name"] for badge in cloud.one_list(f"{BADGES}?{query}")] == found
    page = cloud.call("GET", f"{BADGES}?limit=1").body
    assert ([badge["name"] for badge in page["badges"]], "marker=" in page["links"]["next"]) == (["door"], True)
    for badge in cloud.one_list(BADGES):
        assert cloud.call("DELETE", f"{BADGES}/{badge['id']}").status == 204
    gone = cloud.call("GET", path)
    assert (gone.status, gone.body["error"]["message"]) == (404, f"Could not find badge: {made['id']}.")


def test_who_may_with_objects_of_identity(cloud: Cloud) -> None:
    """Administrators alone, unless they are readers of the system or of its domain: Keystone's way."""
    body = {"badge": {"name": "door", "colour": "red"}}
    path = f"{BADGES}/{cloud.one('POST', BADGES, body)['id']}"
    for method, place in (("GET", BADGES), ("POST", BADGES), ("GET", path), ("PATCH", path), ("DELETE", path)):
        assert cloud.call(method, place, body if method in ("POST", "PATCH") else None, who="alice").status == 403
    elsewhere = cloud.one("POST", "/identity/v3/domains", {"domain": {"name": "elsewhere"}})["id"]
    other = cloud.one("POST", BADGES, {"badge": {**body["badge"], "domain_id": elsewhere}})["id"]
    assert [found["domain_id"] for found in cloud.call("GET", BADGES, who="dora").body["badges"]] == ["default"]
    assert (cloud.call("GET", path, who="dora").status, cloud.call("DELETE", path, who="dora").status) == (200, 403)
    assert cloud.call("GET", f"{BADGES}/{other}", who="dora").status == 403
    assert cloud.call("GET", "/identity/v3/badge_seals", who="alice").status == 403
    for place in (path, f"{BADGES}/{other}"):
        assert cloud.call("DELETE", place).status == 204


def test_what_others_refer_to_in_identity(cloud: Cloud) -> None:
    """A badge with a seal stays; with the domain all goes that is in it."""
    domain = cloud.one("POST", "/identity/v3/domains", {"domain": {"name": "hall"}})["id"]
    badge = cloud.one("POST", BADGES, {"badge": {"name": "door", "colour": "red", "domain_id": domain}})["id"]
    body = {"badge_seal": {"badge_id": badge, "domain_id": domain}}
    seal = cloud.one("POST", "/identity/v3/badge_seals", body)["id"]
    kept = cloud.call("DELETE", f"{BADGES}/{badge}")
    assert (kept.status, "because there are badge seals of it" in kept.body["error"]["message"]) == (403, True)
    cloud.one("PATCH", f"/identity/v3/domains/{domain}", {"domain": {"enabled": False}})
    assert cloud.call("DELETE", f"/identity/v3/domains/{domain}").status == 204
    for gone in (f"{BADGES}/{badge}", f"/identity/v3/badge_seals/{seal}"):
        assert cloud.call("GET", gone).status == 404


def test_the_document_has_objects_of_identity(cloud: Cloud) -> None:
    """What they are made of, changed in, shown with and filtered by."""
    document = cloud.call("GET", "/openapi.json").body
    schemas, many = document["components"]["schemas"], document["paths"][BADGES]
    assert schemas["identity_badge_create"]["required"] == ["name", "colour"]
    assert schemas["identity_badge_update"]["properties"]["colour"]["enum"] == ["blue", "red"]
    assert "seen" not in schemas["identity_badge"]["properties"]
    asked = {parameter["name"] for parameter in many["get"]["parameters"]}
    assert asked == {"domain_id", "name", "user_id", "enabled", "limit", "marker", "sort_key", "sort_dir"}
    assert "patch" not in document["paths"]["/identity/v3/badge_seals/{id}"]


def test_nebulactl_has_objects_of_identity(cloud: Cloud) -> None:
    """The verbs with the declared options and columns; names for ids; any attribute is kept."""

    def badge(*words: str, code: int = 0) -> str:
        return cloud.nebulactl("admin", "admin", "badge", *words, code=code)

    made = json.loads(badge("create", "door", "--user", "alice", "--property", "pin=7", "-f", "json"))
    assert (made["colour"], made["pin"], made["domain_id"]) == ("red", "7", "default")
    assert json.loads(badge("list", "-f", "json")) == [{"ID": made["id"], "Name": "door", "Colour": "red"}]
    assert json.loads(badge("list", "--long", "-f", "json"))[0]["User"] == made["user_id"]
    badge("set", "door", "--domain", "Default", "--colour", "blue", "--no-user", "--disable", "--property", "floor=2")
    shown = json.loads(badge("show", "door", "-f", "json"))
    assert (shown["colour"], shown["user_id"], shown["enabled"], shown["floor"]) == ("blue", None, False, "2")
    assert "'green' is not one of 'red', 'blue'" in badge("create", "x", "--colour", "green", code=2)
    seal = json.loads(badge("seal", "create", "--badge", "door", "-f", "json"))
    assert seal["badge_id"] == made["id"]
    assert "because there are badge seals of it" in badge("delete", "door", code=1)
    badge("seal", "delete", seal["id"])
    badge("delete", "door")
    assert "Badges: what opens a door." in cloud.nebulactl("admin", "admin", "--help")
