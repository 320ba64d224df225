"""``nebulactl explain`` and ``--wait`` against a small cloud over HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cli_cloud import Cloud, Nebulactl

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs/schemas/explain.json").read_text())
NET = "f00dcafe-0000-4000-8000-000000000001"


def _document(request: str, path: str, *changes: dict[str, Any]) -> dict[str, Any]:
    names = {"user_id": "u", "user_name": "admin", "project_id": "p", "project_name": "demo"}
    call = {"id": request, "method": "POST", "path": path, "status": 201, "time": "2026-11-22T10:00:00.000Z"}
    receipt = {
        **{"id": 7, "host": "net1", "from_revision": 6, "to_revision": 7, "reason": "view", "alarm": ""},
        **{"started_at": "2026-11-22T10:00:00.005Z", "duration_s": 0.0234, "changes": list(changes)},
    }
    return {
        "request": {**call, **names, "revision": 7},
        "objects": [
            {"kind": "subnet", "id": "5", "related": False},
            {"kind": "network", "id": NET, "related": True},
        ],
        "waiting": [],
        "receipts": [receipt] if changes else [],
    }


def _change(command: str, result: str = "done", error: str = "") -> dict[str, Any]:
    owner = {"kind": "network", "id": NET}
    common = {"action": "add", "kind": "namespace", "name": "n", "owner": owner, "at_s": 0.0015}
    return {**common, "command": command, "result": result, "error": error}


TEXT = """\
POST /network/v2.0/subnets -> 201
  by admin of project demo at 2026-11-22T10:00:00.000Z, req-0002
  rows, revision 7: subnet 5
  concerns network f00dcafe-0000-4000-8000-000000000001
net1: 2 changes, +5 ms, a pass of 23 ms
      1.5 ms  add    namespace   network f00dcafe   ip netns add a
                                                    ip -n a link set lo up
      1.5 ms  add    namespace   network f00dcafe   ip netns add b
                                                    failed: no space
"""


def test_the_last_call(nebulactl: Nebulactl, cloud: Cloud) -> None:
    """Call, rows, and each change with its time, whose it is, its command, and why it failed."""
    changes = (_change("ip netns add a\nip -n a link set lo up"), _change("ip netns add b", "failed", "no space"))
    cloud.receipts["req-0002"] = _document("req-0002", "/network/v2.0/subnets", *changes)
    assert "No changing call is remembered" in nebulactl("explain", "--last").err
    nebulactl("network", "create", "x")
    assert nebulactl("explain", "--last").out == TEXT
    assert nebulactl("explain", "req-0002").out == TEXT


def test_json_is_what_the_schema_says(nebulactl: Nebulactl, cloud: Cloud) -> None:
    """The document itself, one for each call."""
    cloud.receipts["req-0002"] = _document("req-0002", "/network/v2.0/subnets", _change("ip netns add a"))
    found = json.loads(nebulactl("explain", "req-0002", "-f", "json").out)
    jsonschema.validate(found, SCHEMA)
    assert found == cloud.receipts["req-0002"]


def test_an_object_has_its_calls_in_order(nebulactl: Nebulactl, cloud: Cloud) -> None:
    """By name, or by the id of something that is gone; the oldest call first."""
    cloud.calls = [{"id": "req-0009"}, {"id": "req-0008"}]
    cloud.receipts["req-0008"] = _document("req-0008", "/first")
    cloud.receipts["req-0009"] = _document("req-0009", "/second")
    out = nebulactl("explain", "network", "nebula_net").out
    assert [line for line in out.splitlines() if "->" in line] == ["POST /first -> 201", "POST /second -> 201"]
    assert "  no node had to change anything for it" in out
    assert "POST /first" in nebulactl("explain", "network", NET).out
    assert "POST /first" in nebulactl("explain", NET).out
    assert f"/nebula/v1/calls?object={NET}" in [path for _method, path, _body in cloud.requests]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "Give a request id"),
        (("--last", "--follow"), 2, "Give a request id"),
        (("network", "nope"), 1, "No network has the name or id 'nope'"),
        (("house", "a"), 1, "neither an id nor a noun and a name"),
        (("req-9999",), 1, "No request req-9999"),
        ((NET,), 1, f"No call on record has changed {NET}"),
    ],
)
def test_what_is_not_understood(nebulactl: Nebulactl, words: tuple[str, ...], code: int, said: str) -> None:
    """One line that says what is wrong."""
    ended = nebulactl("explain", *words)
    assert (ended.code, said in ended.err, ended.out) == (code, True, "")


def test_wait_asks_for_the_nodes(nebulactl: Nebulactl, cloud: Cloud) -> None:
    """The header goes with the changing call alone; what the controller says of the nodes goes to stderr."""
    cloud.realised = "net1;ms=43, compute1;ms=61;failed=2, n3;down, n4;waiting"
    ended = nebulactl("network", "create", "x", "--wait", "-f", "value", "-c", "name")
    words = "net1 43 ms, compute1 61 ms (2 failed), n3 is down, n4 is not done yet"
    assert (ended.out, ended.err) == ("x\n", f"Done by the nodes: {words}\n")
    cloud.realised = ""
    assert nebulactl("network", "delete", "x", "--wait").err == "Done by the nodes: no node had to change anything\n"
    assert nebulactl("network", "create", "y").err == ""


def test_wait_is_offered_by_what_changes_something(nebulactl: Nebulactl) -> None:
    """Not by what only reads."""
    changing = (
        "router add subnet",
        "security group rule create",
        "instance delete",
        "project cleanup",
        "node revoke",
        "network onboard subnet",
    )
    for words in map(str.split, changing):
        assert "--wait" in nebulactl(*words, "--help").out
    for words in (("network", "list"), ("network", "show"), ("token", "issue")):
        assert "--wait" not in nebulactl(*words, "--help").out
