"""A new resource is one file: declarations of what nobody has, in a copy of the program, and nothing else.

A real controller with a new database serves them, and nebulactl has commands for them.
"""

from __future__ import annotations

import functools
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from declared_cloud import NOWHERE, Cloud, copied

PANEL = '''"""A patch panel: what nobody has. Pure."""

from __future__ import annotations

from typing import Annotated

from nebula.model import accept
from nebula.model.attribute import Attribute, Extension, Who, describe
from nebula.model.standard import Standard, fixed, flag, reference, settable


class PatchPanel(Standard, frozen=True, kw_only=True):
    """Sockets in a wall."""

    network_id: Annotated[str, reference("network:NETWORK", post=True, required=True, about="Its network.")]
    slots: Annotated[int, settable(accept.integer(1, 48), "So many sockets.")] = 24
    colour: Annotated[str, fixed(accept.choice(("red", "blue")), "red or blue.", required=True, usual="red", length=8)]
    serial: Annotated[str | None, fixed(accept.optional(accept.string()), "On its back.", unique=True)] = None
    is_locked: Annotated[bool, flag("Whether it is locked.", set_by=Who.ADMIN, title="Locked")] = False
    room: Annotated[
        str,
        settable(accept.string(), "Where it is.", seen_by=Who.ADMIN, indexed=True),
        Extension("patch-panel-room", "Rooms of patch panels", "Panels are in rooms."),
    ] = ""
    wear: Annotated[int, Attribute(sent=False)] = 7


PATCH_PANEL = describe(
    PatchPanel,
    "patch_panel",
    "patch_panels",
    limited=True,
    extension=Extension("patch-panel", "Patch panels", "Sockets in walls."),
    listed="id name network_id colour slots",
    listed_long="id name network_id colour slots is_locked tags",
)
'''
CABLE = '''"""A patch cable: what nobody has. Pure."""

from __future__ import annotations

from typing import Annotated

from nebula.model.attribute import describe
from nebula.model.standard import Standard, reference


class PatchCable(Standard, frozen=True, kw_only=True):
    """What leads into a panel."""

    patch_panel_id: Annotated[str, reference("patch_panel:PATCH_PANEL", post=True, required=True, put=True)]


PATCH_CABLE = describe(PatchCable, "patch_cable", "patch_cables", listed="id name patch_panel_id")
'''


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with copied(tmp_path_factory.mktemp("declared"), patch_panel=PANEL, patch_cable=CABLE) as made:
        for person in (("alice", "p", "member"), ("robert", "p", "reader"), ("olga", "other", "member")):
            made.person(*person)
        yield made


@pytest.fixture
def network(cloud: Cloud) -> str:
    """One of alice's."""
    return str(cloud.one("POST", "/networks", {"network": {"name": "n"}}, "alice")["id"])


@pytest.fixture
def nebulactl(cloud: Cloud) -> Callable[..., str]:
    """A command as alice; what it prints."""
    return functools.partial(cloud.nebulactl, "alice", "p")


def test_it_has_a_table(cloud: Cloud) -> None:
    """Columns with their types and NULL, an index, and the foreign keys."""
    (file,) = (cloud.controller.folder / "state").glob("*.sqlite")
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
        rows = connection.execute("PRAGMA table_info(patch_panels)").fetchall()
        columns = {name: (kind, bool(full)) for _, name, kind, full, _, _ in rows}
        keys = {row[3]: (row[2], row[6]) for row in connection.execute("PRAGMA foreign_key_list(patch_cables)")}
        indexes = {row[1] for row in connection.execute("PRAGMA index_list(patch_panels)")}
    assert columns["slots"] == ("INTEGER", True)
    assert columns["colour"] == ("VARCHAR(8)", True)
    assert columns["serial"] == ("VARCHAR(255)", False)
    assert keys == {"patch_panel_id": ("patch_panels", "RESTRICT")}
    assert "ix_patch_panels_room" in indexes


def test_made_shown_changed_deleted(cloud: Cloud, network: str) -> None:
    """All attributes with their defaults; one at a time and several; what is wrong is refused in Neutron's words."""
    panel = cloud.make("hall", network)
    assert panel == {
        **{name: panel[name] for name in ("id", "project_id", "tenant_id", "created_at", "updated_at")},
        **{"name": "hall", "description": "", "tags": [], "revision_number": 1},
        **{"network_id": network, "slots": 24, "colour": "red", "serial": None, "is_locked": False},
    }
    path = f"/patch-panels/{panel['id']}"
    assert cloud.one("GET", path, who="alice") == panel
    changed = cloud.one("PUT", path, {"patch_panel": {"slots": 12}}, "alice")
    assert (changed["slots"], changed["revision_number"]) == (12, 2)
    refused = cloud.call("PUT", path, {"patch_panel": {"colour": "blue"}}, "alice")
    assert refused.body["NeutronError"]["message"] == "Cannot update read-only attribute colour"
    for wrong in ({"slots": 49}, {"colour": "green"}, {"unknown": 1}, {"wear": 1}):
        body = {"patch_panel": {"name": "x", "network_id": network, "colour": "red", **wrong}}
        assert cloud.call("POST", "/patch-panels", body, "alice").status == 400, wrong
    assert cloud.call("POST", "/patch-panels", {"patch_panel": {"name": "x"}}, "alice").status == 400
    several = [{"name": f"b{n}", "network_id": network, "colour": "blue"} for n in range(3)]
    assert [p["name"] for p in cloud.one("POST", "/patch-panels", {"patch_panels": several}, "alice")] == [
        *("b0", "b1", "b2")
    ]
    assert cloud.call("DELETE", path, who="alice").status == 204
    gone = cloud.call("GET", path, who="alice")
    assert (gone.status, gone.kind) == (404, "PatchPanelNotFound")
    assert gone.body["NeutronError"]["message"] == f"Patch panel {panel['id']} could not be found."


def test_lists(cloud: Cloud, network: str) -> None:
    """Filters, several values of one, sorting, pages, fields; a filter that there is not is refused."""
    for name, slots in (("a", 8), ("b", 4), ("c", 2)):
        cloud.make(name, network, slots=slots)
    mine = f"/patch-panels?network_id={network}"

    def names(query: str) -> list[str]:
        return [panel["name"] for panel in cloud.call("GET", mine + query, who="alice").body["patch_panels"]]

    assert sorted(names("")) == ["a", "b", "c"]
    assert (names("&slots=4"), sorted(names("&name=a&name=c")), names("&name=x")) == (["b"], ["a", "c"], [])
    assert names("&sort_key=slots&sort_dir=asc") == ["c", "b", "a"]
    page = cloud.call("GET", f"{mine}&sort_key=name&limit=2", who="alice").body
    assert ([p["name"] for p in page["patch_panels"]], page["patch_panels_links"][0]["rel"]) == (["a", "b"], "next")
    assert cloud.one("GET", f"{mine}&name=a&fields=slots&fields=name", who="alice") == [{"name": "a", "slots": 8}]
    unknown = cloud.call("GET", "/patch-panels?wings=2", who="alice")
    assert (unknown.status, "wings" in unknown.body["NeutronError"]["message"]) == (400, True)


def test_who_may(cloud: Cloud, network: str) -> None:
    """Neutron's defaults: members of the project change, readers see, others know nothing; some is administrators'."""
    panel = cloud.make("hall", network, room="cellar")
    path, change = f"/patch-panels/{panel['id']}", {"patch_panel": {"name": "new"}}
    assert "room" not in panel
    assert cloud.one("GET", path)["room"] == "cellar"
    assert cloud.call("GET", path, who="robert").status == 200
    assert cloud.call("PUT", path, change, who="robert").status == 403
    assert cloud.call("DELETE", path, who="robert").status == 403
    assert cloud.call("POST", "/patch-panels", {"patch_panel": {**change["patch_panel"], "network_id": network,
                      "colour": "red"}}, who="robert").status == 403  # fmt: skip
    for method, body in (("GET", None), ("PUT", change), ("DELETE", None)):
        assert cloud.call(method, path, body, who="olga").status == 404
    assert cloud.call("GET", f"/patch-panels?id={panel['id']}", who="olga").body == {"patch_panels": []}
    lock = {"patch_panel": {"is_locked": True}}
    assert cloud.call("PUT", path, lock, who="alice").status == 403
    assert cloud.one("PUT", path, lock)["is_locked"] is True


def test_revisions_and_tags(cloud: Cloud, network: str) -> None:
    """If-Match, tags and filters by them."""
    path = f"/patch-panels/{cloud.make('hall', network)['id']}"
    body = {"patch_panel": {"name": "new"}}
    assert cloud.call("PUT", path, body, "alice", **{"If-Match": "revision_number=7"}).status == 412
    assert cloud.call("PUT", path, body, "alice", **{"If-Match": "revision_number=1"}).status == 200
    assert cloud.one("PUT", f"{path}/tags", {"tags": ["old"]}, "alice") == ["old"]
    assert [p["name"] for p in cloud.one("GET", f"/patch-panels?network_id={network}&tags=old")] == ["new"]
    assert cloud.one("GET", f"/patch-panels?network_id={network}&not-tags=old") == []


def test_what_others_refer_to(cloud: Cloud, network: str) -> None:
    """What a request names has to be known to the caller, what is referred to stays, what is unique is there once."""
    panel = cloud.make("hall", network, serial="7")
    twice = cloud.call(
        "POST", "/patch-panels", {"patch_panel": {"network_id": network, "colour": "red", "serial": "7"}}, "alice"
    )
    assert (twice.status, twice.kind) == (409, "PatchPanelExists")
    for who, key in (("alice", NOWHERE), ("olga", panel["id"])):
        refused = cloud.call("POST", "/patch-cables", {"patch_cable": {"patch_panel_id": key}}, who)
        assert (refused.status, refused.kind) == (404, "PatchPanelNotFound")
    cable = cloud.one("POST", "/patch-cables", {"patch_cable": {"patch_panel_id": panel["id"]}}, "alice")
    moved = cloud.call("PUT", f"/patch-cables/{cable['id']}", {"patch_cable": {"patch_panel_id": NOWHERE}}, "alice")
    assert (moved.status, moved.kind) == (404, "PatchPanelNotFound")
    kept = cloud.call("DELETE", f"/patch-panels/{panel['id']}", who="alice")
    assert (kept.status, kept.kind) == (409, "PatchPanelInUse")
    kept = cloud.call("DELETE", f"/networks/{network}", who="alice")
    assert (kept.status, kept.kind) == (409, "NetworkInUse")
    for path in (f"/patch-cables/{cable['id']}", f"/patch-panels/{panel['id']}", f"/networks/{network}"):
        assert cloud.call("DELETE", path, who="alice").status == 204


def test_it_is_said_of(cloud: Cloud, network: str) -> None:
    """The API's document, the extensions, what the version lists, and quotas."""
    document = cloud.call("GET", "/openapi.json").body
    schema = document["components"]["schemas"]["patch_panel_create"]
    assert schema["required"] == ["network_id", "colour"]
    assert {"get", "put", "delete"} <= document["paths"]["/network/v2.0/patch-panels/{id}"].keys()
    assert cloud.one("GET", "/extensions/patch-panel")["description"] == "Sockets in walls."
    assert cloud.one("GET", "/extensions/patch-panel-room")["name"] == "Rooms of patch panels"
    assert "patch-panels" in {found["collection"] for found in cloud.one("GET", "/")}
    project = cloud.make("hall", network)["project_id"]
    used = cloud.one("GET", f"/quotas/{project}/details")["patch_panel"]["used"]
    cloud.one("PUT", f"/quotas/{project}", {"quota": {"patch_panel": used}})
    over = cloud.call("POST", "/patch-panels", {"patch_panel": {"network_id": network, "colour": "red"}}, "alice")
    cloud.call("DELETE", f"/quotas/{project}")
    assert (over.status, over.kind) == (409, "OverQuota")
    assert "patch_cable" not in cloud.one("GET", f"/quotas/{project}")


def test_nebulactl(cloud: Cloud, network: str, nebulactl: Callable[..., str]) -> None:
    """The verbs with the declared options and columns; names for ids; what is no command is said to be none."""
    made = json.loads(
        nebulactl("patch", "panel", "create", "--network", network, "--slots", "8", "--tag", "old", "cli", "-f", "json")
    )
    assert (made["colour"], made["slots"], made["tags"], made["network_id"]) == ("red", 8, ["old"], network)
    listed = json.loads(nebulactl("patch", "panel", "list", "--network", network, "--colour", "red", "-f", "json"))
    assert listed == [{"ID": made["id"], "Name": "cli", "Network": network, "Colour": "red", "Slots": 8}]
    assert json.loads(nebulactl("patch", "panel", "list", "--network", network, "--slots", "9", "-f", "json")) == []
    long = json.loads(nebulactl("patch", "panel", "list", "--long", "--network", network, "-f", "json"))
    assert (long[0]["Locked"], long[0]["Tags"]) == (False, ["old"])
    nebulactl("patch", "panel", "set", "cli", "--slots", "4", "--description", "d")
    nebulactl("patch", "panel", "unset", "cli", "--tag", "old")
    shown = json.loads(nebulactl("patch", "panel", "show", "cli", "-f", "json"))
    assert (shown["slots"], shown["description"], shown["tags"], "room" in shown) == (4, "d", [], True)
    assert "'green' is not one of 'red', 'blue'" in nebulactl(
        "patch", "panel", "create", "--network", network, "--colour", "green", "x", code=2
    )
    cable = json.loads(nebulactl("patch", "cable", "create", "--patch-panel", "cli", "long", "-f", "json"))
    assert cable["patch_panel_id"] == made["id"]
    assert "Patch panel" in nebulactl("patch", "panel", "delete", "cli", code=1)
    nebulactl("patch", "cable", "delete", "long")
    nebulactl("patch", "panel", "delete", "cli")
    assert "Patch panels: sockets in a wall." in nebulactl("patch", "--help")
    assert "patch" in nebulactl("--help")
    nebulactl("patch", "shop", "list", code=2)


def test_its_migration_is_written(cloud: Cloud, tmp_path: Path) -> None:
    """By comparison with the tables; a database of the program without it then gets its tables, and loses nothing."""
    database = tmp_path / "old.sqlite"
    opened = "import sys, pathlib; from nebula_controller.store.database import Database; "
    opened += "Database(pathlib.Path(sys.argv[1])).close()"

    def python(*words: str, new: bool) -> None:
        environment = {name: value for name, value in cloud.controller.environment().items() if name != "PYTHONPATH"}
        tree = {"PYTHONPATH": str(cloud.controller.folder / "tree" if new else os.pathsep.join(sys.path))}
        argv = [sys.executable, *words]
        subprocess.run(argv, env=environment | tree, cwd=tmp_path, check=True, timeout=60, capture_output=True)

    def tables() -> set[str]:
        with sqlite3.connect(database) as connection:
            return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}

    python("-c", opened, str(database), new=False)
    before = tables()
    python("-m", "nebula_controller.store.revise", "patch panels", new=True)
    python("-c", opened, str(database), new=True)
    assert tables() - before == {"patch_panels", "patch_cables"}
    assert before <= tables()
