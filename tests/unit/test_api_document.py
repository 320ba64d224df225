"""``/openapi.json``: valid, whole, and what the application does. The calls are made in this process."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from policy_routes import NETWORK, Walk
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
RANDOM = settings(
    max_examples=4,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """The whole controller, with an object of each kind; what the calls change is not kept."""
    made = Walk(Path(tmp_path_factory.mktemp("document")))
    with made.nothing_is_kept():
        yield made
    made.controller.close()


@pytest.fixture(scope="module")
def document(walk: Walk) -> dict[str, Any]:
    """As an administrator gets it."""
    reply = walk.call("GET", "/openapi.json", None, "admin")
    assert reply.status_code == 200
    found: dict[str, Any] = reply.json()
    return found


def test_the_document_is_openapi(document: dict[str, Any]) -> None:
    """The schema that the OpenAPI Initiative publishes takes it, and each of its own schemas is a JSON schema."""
    OPENAPI_31_VALIDATOR.validate(document)
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    """A client that resolves all of them finds all of them."""
    for reference in set(_references(document)):
        _, kind, name = reference.removeprefix("#/").split("/")
        assert name in document["components"][kind]


def test_every_route_of_the_application_is_in_it(walk: Walk, document: dict[str, Any]) -> None:
    """Each method on each path, and no others."""
    methods = {"get", "put", "post", "delete", "patch", "head"}
    written = {(path, name) for path, item in document["paths"].items() for name in item if name in methods}
    assert written == {(path, operation.method.lower()) for path, operation in walk.operations}


def test_operations_have_names_of_their_own(document: dict[str, Any]) -> None:
    """As OpenAPI demands, for clients made from the document."""
    names = [one["operationId"] for item in document["paths"].values() for one in item.values() if "operationId" in one]
    assert len(names) == len(set(names))


def test_it_asks_for_a_token(walk: Walk) -> None:
    """Any token will do."""
    assert walk.call("GET", "/openapi.json", None, "nobody").status_code == 401
    assert walk.call("GET", "/openapi.json", None, "reader").status_code == 200


def test_what_is_right_is_answered_as_written(walk: Walk, document: dict[str, Any]) -> None:
    """The calls of the policy's table, which mostly succeed: the statuses and bodies are the documented ones."""
    done = set()
    for operation in _operations(document, "^/(network|compute|image|nebula)"):
        place = walk.place(operation.path)
        method = operation.method.upper()
        reply = walk.call(method, place, walk.body(method, place), "admin")
        case = operation.Case(path_parameters=parameters(operation.path, place.partition("?")[0]))
        case.validate_response(reply, checks=CHECKS)
        if reply.status_code < 300:
            done.add((method, operation.path))
    for method, path in (("GET", "ports"), ("POST", "ports"), ("GET", "routers/{id}"), ("PUT", "networks/{id}")):
        assert (method, f"{NETWORK}/{path}") in done


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: str(mode.value))
def test_what_is_random_is_answered_as_written(walk: Walk, document: dict[str, Any], mode: GenerationMode) -> None:
    """Schemathesis calls all but identity by the document and against it: no failure of ours, no other answers."""
    known = {f"{path.rsplit('/', 1)[-1].replace('-', '_')[:-1]}_id": key for path, key in walk.ids.items()}
    statuses: set[int] = set()
    for operation in _operations(document, "^/(network|compute|image|nebula)/"):
        known_place = walk.place(operation.path).partition("?")[0]
        place = parameters(operation.path, known_place) if mode is GenerationMode.POSITIVE else None

        @RANDOM
        @given(operation.as_strategy(generation_mode=mode, path_parameters=place))
        def call(case: schemathesis.Case) -> None:
            case.body = with_known(case.body, known)
            reply = _sent(walk, case)
            statuses.add(reply.status_code)
            case.validate_response(reply, checks=CHECKS)

        try:
            call()
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE, "there is always something right"
    assert statuses >= ({200, 201, 204, 400, 404} if mode is GenerationMode.POSITIVE else {400, 404})


def _operations(document: dict[str, Any], pattern: str) -> list[schemathesis.APIOperation]:
    found = schemathesis.openapi.from_dict(document).include(path_regex=pattern).get_all_operations()
    return [one.ok() for one in found]


def _sent(walk: Walk, case: schemathesis.Case) -> httpx.Response:
    """As an administrator, whatever token was made up."""
    raw = case.as_transport_kwargs(base_url="http://nebula")
    found = {name: raw[name] for name in ("method", "url", "params", "json") if name in raw}
    request = httpx.Request(**found, content=raw.get("data"), headers=dict(raw.get("headers") or {}))
    return walk.send(request.method, str(request.url), request.content, {**request.headers, "x-auth-token": "admin"})


def parameters(path: str, place: str) -> dict[str, str]:
    """What stands in ``place`` for the parameters of ``path``."""
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)
    found = re.fullmatch(pattern, place)
    assert found is not None
    return found.groupdict()


def with_known(body: Any, known: dict[str, str]) -> Any:
    """The body, with objects that exist where it names objects."""
    if isinstance(body, dict):
        return {
            name: known[name] if name in known and isinstance(value, str) else with_known(value, known)
            for name, value in body.items()
        }
    return [with_known(item, known) for item in body] if isinstance(body, list) else body


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        part = list(part.values())
    if isinstance(part, list):
        for item in part:
            yield from _references(item)
