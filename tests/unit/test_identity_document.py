"""Identity by ``/openapi.json``: the document says what each call takes, and what is sent by it is answered by it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import given
from hypothesis.errors import Unsatisfiable
from identity_routes import Walk
from nebula_controller.api import openapi
from nebula_controller.identity.collection import Collection
from schemathesis.generation import GenerationMode
from test_api_document import CHECKS, RANDOM, parameters, with_known

BASE = "/identity"


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """Identity with an object of each kind; what the calls change is not kept."""
    made = Walk(Path(tmp_path_factory.mktemp("document")))
    with made.nothing_is_kept():
        yield made
    made.cloud.close()


@pytest.fixture(scope="module")
def document(walk: Walk) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(openapi.document([walk.cloud.service])))
    return found


def test_every_attribute_and_filter_is_in_it(walk: Walk, document: dict[str, Any]) -> None:
    """Of each collection: what it may be made of and changed in, what its lists take, what its answers have."""
    seen = set()
    for operation in walk.cloud.service.operations:
        kind = getattr(operation.handler, "__self__", None)
        if not isinstance(kind, Collection) or operation.handler != kind.index:
            continue
        seen.add(kind.resource.words)
        many = document["paths"][f"{BASE}/v3{kind.resource.path}"]
        one = document["paths"][f"{BASE}/v3{kind.resource.path}/{{id}}"]
        assert {found["name"] for found in many["get"]["parameters"]} >= kind.filters | {"limit", "marker"}
        assert _attributes(document, many["post"]["requestBody"]) == set(kind.new.__struct_fields__)
        if kind.changed.__struct_fields__:
            assert _attributes(document, one["patch"]["requestBody"]) == set(kind.changed.__struct_fields__)
        shown = _attributes(document, one["get"]["responses"]["200"])
        assert shown == {name for name, bound in kind.resource.attributes.items() if bound.attribute.sent}
    assert len(seen) == 14


def test_every_call_as_it_is_right(walk: Walk, document: dict[str, Any]) -> None:
    """As an administrator, with the objects that are there: the statuses and bodies are the documented ones."""
    done = 0
    for operation in _operations(document):
        path = operation.path.removeprefix(BASE)
        place = walk.path(path)
        body = walk.body(path) if operation.method.upper() in ("POST", "PATCH") else None
        reply = _send(walk, operation.method, f"{BASE}{place}", None if body is None else json.dumps(body))
        case = operation.Case(path_parameters=parameters(path, place))
        case.validate_response(reply, checks=CHECKS)
        done += reply.status_code < 300
    assert done > 60


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: str(mode.value))
def test_what_is_random_is_answered_as_written(walk: Walk, document: dict[str, Any], mode: GenerationMode) -> None:
    """Schemathesis calls identity by the document and against it: no failure of ours, no other answers."""
    statuses: set[int] = set()
    for operation in _operations(document):
        path = operation.path.removeprefix(BASE)
        place = parameters(path, walk.path(path)) if mode is GenerationMode.POSITIVE else None

        @RANDOM
        @given(operation.as_strategy(generation_mode=mode, path_parameters=place))
        def call(case: schemathesis.Case) -> None:
            case.body = with_known(case.body, walk.known)
            raw = case.as_transport_kwargs(base_url="http://nebula")
            found = {name: raw[name] for name in ("method", "url", "params", "json") if name in raw}
            request = httpx.Request(**found, content=raw.get("data"), headers=dict(raw.get("headers") or {}))
            reply = _send(walk, request.method, str(request.url), request.content, dict(request.headers))
            statuses.add(reply.status_code)
            case.validate_response(reply, checks=CHECKS)

        try:
            call()
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE, "there is always something right"
    assert statuses >= ({200, 201, 204, 400, 404} if mode is GenerationMode.POSITIVE else {400, 404})


def _operations(document: dict[str, Any]) -> list[schemathesis.APIOperation]:
    return [one.ok() for one in schemathesis.openapi.from_dict(document).get_all_operations()]


def _attributes(document: dict[str, Any], body: dict[str, Any]) -> set[str]:
    schema = body["content"]["application/json"]["schema"]
    (wrapped,) = schema["properties"].values()
    reference = wrapped.get("items", wrapped)["$ref"].rsplit("/", 1)[-1]
    return set(document["components"]["schemas"][reference]["properties"])


def _send(
    walk: Walk, method: str, url: str, content: str | bytes | None, headers: dict[str, str] | None = None
) -> httpx.Response:
    """As an administrator, about the token of *self*."""
    own = {"x-auth-token": walk.tokens["admin"], "x-subject-token": walk.tokens["self"]}

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=walk.cloud.application)
        async with httpx.AsyncClient(transport=transport, base_url="http://nebula") as client:
            return await client.request(method, url, content=content, headers={**(headers or {}), **own})

    return asyncio.run(send())
