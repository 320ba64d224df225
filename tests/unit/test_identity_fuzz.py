"""Whatever is sent to identity, it answers with something below 500, and a refused call changes nothing."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from identity_cloud import Cloud

_NAMES = ["name", "domain_id", "parent_id", "enabled", "password", "tags", "description", "type", "url", "interface"]
_NAMES += ["service_id", "region_id", "id", "default_project_id", "is_domain", "extra", "links", "parent_region_id"]
_TEXT = st.text(max_size=20) | st.sampled_from(
    ["default", "admin", "RegionOne", "", "\0", "x" * 300, "\U0001f600", "'"]
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)
_OBJECTS = st.dictionaries(st.sampled_from(_NAMES) | _TEXT, _VALUES, max_size=5)
_KINDS = ["user", "project", "domain", "group", "role", "region", "service", "endpoint"]


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with tempfile.TemporaryDirectory() as folder:
        made = Cloud(Path(folder))
        yield made
        made.close()


@settings(max_examples=50, deadline=None)
@given(kind=st.sampled_from(_KINDS), body=_OBJECTS)
def test_create_and_change(cloud: Cloud, kind: str, body: dict[str, Any]) -> None:
    """Random attributes: created and found again, or refused with 4xx and the list as before."""
    raw = json.dumps({kind: body}).encode()
    before = len(cloud.get(f"/{kind}s").body[f"{kind}s"])
    reply = cloud.call("POST", f"/v3/{kind}s", raw=raw)
    assert reply.status in {201, 400, 403, 404, 409}, (kind, body, reply)
    if reply.status != 201:
        assert len(cloud.get(f"/{kind}s").body[f"{kind}s"]) == before
        return
    path = f"/{kind}s/{quote(reply.body[kind]['id'])}"
    assert cloud.get(path).body[kind] == reply.body[kind]
    assert cloud.call("PATCH", f"/v3{path}", raw=raw).status in {200, 400, 403, 404, 409}
    if kind == "domain":
        cloud.patch(path, {"domain": {"enabled": False}})
    assert cloud.delete(path).status == 204, body


@settings(max_examples=25, deadline=None)
@given(auth=st.dictionaries(st.sampled_from(["identity", "scope"]), _VALUES, max_size=2))
def test_login_bodies(cloud: Cloud, auth: dict[str, Any]) -> None:
    """A login that is not one is a 400 or a 401."""
    assert cloud.post("/auth/tokens", {"auth": auth}, token="").status in {400, 401}


@settings(max_examples=25, deadline=None)
@given(name=st.sampled_from(["name", "enabled", "domain_id", "tags", "parent_id", "name__contains"]), text=_TEXT)
def test_filters(cloud: Cloud, name: str, text: str) -> None:
    """Any text is a filter, that perhaps nothing matches."""
    for kind in _KINDS:
        assert cloud.get(f"/{kind}s?{name}={quote(text)}").status == 200


@settings(max_examples=25, deadline=None)
@given(name=st.sampled_from(["limit", "marker", "sort_key", "sort_dir"]), text=_TEXT)
def test_pages(cloud: Cloud, name: str, text: str) -> None:
    """Any text where a page is asked for: the page, or a 4xx."""
    for kind in _KINDS:
        assert cloud.get(f"/{kind}s?{name}={quote(text)}").status in {200, 400, 404}


@settings(max_examples=40, deadline=None)
@given(token=st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300))
def test_tokens(cloud: Cloud, token: str) -> None:
    """Any text as a token is a 401."""
    assert cloud.get("/users", token=token).status == 401
