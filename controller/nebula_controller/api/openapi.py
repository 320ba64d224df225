"""``/openapi.json``: the document of all services (OpenAPI 3.1), from their operations. No effects.

Every path and method is there because the application serves it; parameters, bodies and answers are what the
operation's ``About`` says, which the resources write from their declarations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from nebula.errors import NebulaError
from nebula_controller.api.about import About, Components, Schema
from nebula_controller.api.endpoint import Answer, Call, Operation, Service
from nebula_controller.api.errors import keystone_shape

_DESCRIPTION = """The OpenStack APIs of a Nebula controller.

With `X-Nebula-Wait: SECONDS` a changing call is answered when the nodes have made it true; with `X-Nebula-Plan: true`
it is only rehearsed, and answered with 200 and a plan."""
_REFUSALS = {
    400: "What was sent is wrong.",
    401: "The token is missing or not valid.",
    403: "The policy does not allow it.",
    404: "There is no such object, or the caller may not know of it.",
    405: "There is no such method here.",
    409: "The state of things does not allow it.",
    412: "The object has another revision than If-Match says.",
    413: "The body is too large.",
    503: "A part that is needed does not answer.",
}
_USUAL = {"GET": (200, 204, 300), "POST": (200, 201, 202, 204), "DELETE": (202, 204)}
_ONCE = {"limit": {"type": "integer"}, "marker": {"type": "string"}, "page_reverse": {"type": "boolean"}}
_PARAMETER = re.compile(r"\{(\w+)\}")


def service(services: Sequence[Service]) -> Service:
    """The service that serves the document of these and of itself; written when it is first asked for."""
    written: list[bytes] = []

    def answer(_call: Call) -> Answer:
        if not written:
            written.append(msgspec.json.encode(document([*services, found])))
        return Answer(200, written[0])

    about = About(answer=lambda _components: {"type": "object"})
    found = Service("", [Operation("GET", "/openapi.json", answer, about=about)])
    return found


def document(services: Sequence[Service]) -> dict[str, Any]:
    """The document as JSON types."""
    components = Components()
    paths: dict[str, dict[str, Any]] = {}
    for one in services:
        for operation in one.operations:
            path = one.prefix + operation.path
            item = paths.setdefault(path, _path_parameters(path))
            item[operation.method.lower()] = _operation(one, path, operation, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Nebula", "version": "v2.0", "description": _DESCRIPTION},
        "paths": {path: paths[path] for path in sorted(paths) if path},
        "components": {
            "schemas": components.schemas,
            "responses": components.responses,
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}},
        },
        "security": [{"token": []}],
    }


def _path_parameters(path: str) -> dict[str, Any]:
    names = _PARAMETER.findall(path)
    if not names:
        return {}
    return {
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in names
        ]
    }


def _operation(of: Service, path: str, operation: Operation, components: Components) -> dict[str, Any]:
    about = operation.about or About(statuses=_usual(operation))
    found: dict[str, Any] = {
        "operationId": f"{operation.method.lower()} {path}",
        "tags": [of.prefix.strip("/") or "nebula"],
        "responses": {**_successes(about, components), **_refusals(of, components)},
    }
    if about.query:
        found["parameters"] = [_query(name) for name in about.query]
    if about.body is not None:
        found["requestBody"] = _content(about.body(components), required=True)
    elif operation.about is None and operation.method in ("POST", "PUT", "PATCH"):
        found["requestBody"] = _content({"type": "object"})
    if operation.open:
        found["security"] = []
    return found


def _usual(operation: Operation) -> Sequence[int]:
    """Of operations that nobody has said more of."""
    return _USUAL.get(operation.method, (200, 201, 204))


def _successes(about: About, components: Components) -> dict[str, Any]:
    schema = about.answer(components) if about.answer is not None else None
    found: dict[str, Any] = {}
    for status in about.statuses:
        found[str(status)] = {"description": "Done."}
        if schema is not None:
            found[str(status)] |= _content(schema)
    return found


def _refusals(of: Service, components: Components) -> dict[str, Any]:
    """In the service's shape; a token that is missing or wrong is refused in Keystone's everywhere."""
    found = {}
    for status, words in _REFUSALS.items():
        error = NebulaError("")
        error.status = status
        shape = keystone_shape if status == 401 else of.shape
        response = {"description": words, **_content(_like(shape(error)))}
        found[str(status)] = components.response(f"{shape.__name__}_{status}", response)
    return found


def _like(example: object) -> Schema:
    """What has the members of an example, of the same types."""
    if isinstance(example, Mapping):
        members = {name: _like(value) for name, value in example.items()}
        return {"type": "object", "properties": members, "required": list(members)}
    return {"type": "integer" if isinstance(example, int) else "string"}


def _query(name: str) -> dict[str, Any]:
    """Every filter may be given several times: any of the values."""
    many = {"type": "array", "items": {"type": "string"}}
    return {"name": name, "in": "query", "schema": _ONCE.get(name, many), "explode": True}


def _content(schema: Mapping[str, Any], **more: object) -> dict[str, Any]:
    return {**more, "content": {"application/json": {"schema": schema}}}
