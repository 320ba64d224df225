"""What the API's document says of an operation beyond its method and path. Pure: JSON schemas from declarations."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec

from nebula.model.attribute import Resource

Schema = Mapping[str, Any]
"""A JSON schema (2020-12), as OpenAPI 3.1 has them."""

REFERENCE = "#/components/schemas/{name}"

_PAGING = {
    "network": ("fields", "sort_key", "sort_dir", "limit", "marker", "page_reverse"),
    "identity": ("limit", "marker", "sort_key", "sort_dir"),
}


class Components:
    """What operations refer to, collected while a document is written: schemas, and the answers of refusals."""

    def __init__(self) -> None:
        self.schemas: dict[str, Any] = {}
        self.responses: dict[str, Any] = {}
        self._fields: dict[type[msgspec.Struct], Mapping[str, Any]] = {}

    def schema(self, name: str, schema: Schema) -> Schema:
        """A reference to what is kept by this name. ``ValueError`` where something else has it."""
        if self.schemas.setdefault(name, schema) != schema:
            raise ValueError(f"two schemas are called {name}")
        return {"$ref": REFERENCE.format(name=name)}

    def response(self, name: str, response: Mapping[str, Any]) -> Mapping[str, Any]:
        """A reference to what is kept by this name."""
        self.responses[name] = response
        return {"$ref": f"#/components/responses/{name}"}

    def fields(self, resource: Resource[Any]) -> Mapping[str, Any]:
        """The record's fields by name in the API."""
        if resource.record not in self._fields:
            about = {name: bound.attribute.about for name, bound in resource.attributes.items()}
            self._fields[resource.record] = {
                name: {**schema, "description": about[name]} if about[name] else schema
                for name, schema in self.fields_of(resource.record).items()
            }
        return self._fields[resource.record]

    def fields_of(self, record: type[msgspec.Struct]) -> dict[str, Any]:
        """The fields of a record that declares no more than types."""
        (schema,), components = msgspec.json.schema_components([record], schema_hook=_anything, ref_template=REFERENCE)
        own = components.pop(schema["$ref"].rsplit("/", 1)[-1])
        for name, found in components.items():
            self.schema(name, found)
        properties: dict[str, Any] = own["properties"]
        return {name: _plain(field) for name, field in properties.items()}


Write = Callable[[Components], Schema]


class About(msgspec.Struct, frozen=True, kw_only=True):
    """``statuses`` are those of success; ``query`` the parameters' names; ``body`` and ``answer`` write schemas."""

    statuses: Sequence[int] = (200,)
    query: Sequence[str] = ()
    body: Write | None = None
    answer: Write | None = None


def of_list(resource: Resource[Any], filters: Sequence[str] = ()) -> About:
    """``filters``: those that are no plain attribute."""
    plain = [name for name, bound in resource.attributes.items() if bound.is_filter]
    query = list(dict.fromkeys([*plain, *filters, *_PAGING[resource.service]]))
    return About(query=query, answer=lambda components: _object({resource.plural: _many(_shown(resource, components))}))


def of_show(resource: Resource[Any]) -> About:
    """By id."""
    return About(query=("fields",) if resource.service == "network" else (), answer=_one(resource))


def of_create(resource: Resource[Any], *, bulk: bool = False) -> About:
    """One; ``bulk``: or several at once."""
    alone, bulk = not resource.by_list, bulk or resource.by_list

    def body(components: Components) -> Schema:
        given = _given(resource, components, posted=True)
        forms = [_sole(resource.singular, given)] if alone else []
        if bulk:
            forms.append(_sole(resource.plural, {**_many(given), "minItems": 1}))
        return {"oneOf": forms} if len(forms) > 1 else forms[0]

    def answer(components: Components) -> Schema:
        shown = _shown(resource, components)
        one = {resource.singular: shown} if alone else {}
        return _object({**one, **({resource.plural: _many(shown)} if bulk else {})})

    return About(statuses=(201,), body=body, answer=answer)


def of_update(resource: Resource[Any]) -> About:
    """Some attributes."""

    def body(components: Components) -> Schema:
        return _sole(resource.singular, _given(resource, components, posted=False))

    return About(body=body, answer=_one(resource))


OF_DELETE = About(statuses=(204,))


def _one(resource: Resource[Any]) -> Write:
    return lambda components: _object({resource.singular: _shown(resource, components)})


def _given(resource: Resource[Any], components: Components, *, posted: bool) -> Schema:
    chosen = {
        n: b.attribute for n, b in resource.attributes.items() if (b.attribute.post if posted else b.attribute.put)
    }
    schema = _object(_fields(resource, components, chosen))
    if resource.service == "network":
        schema["additionalProperties"] = False
    required = [name for name, attribute in chosen.items() if attribute.required and posted]
    name = f"{_name(resource)}_{'create' if posted else 'update'}"
    return components.schema(name, {**schema, "required": required} if required else schema)


def _shown(resource: Resource[Any], components: Components) -> Schema:
    """Any of these may be left out: ``fields``, and what the caller may not see."""
    sent = [name for name, bound in resource.attributes.items() if bound.attribute.sent]
    return components.schema(_name(resource), _object(_fields(resource, components, sent)))


def _name(resource: Resource[Any]) -> str:
    """Of identity not the singular, which others have too."""
    return resource.singular if resource.service == "network" else f"identity_{resource.words.replace(' ', '_')}"


def _fields(resource: Resource[Any], components: Components, names: Collection[str]) -> dict[str, Any]:
    """By name; the owner of the network's objects has two."""
    fields = components.fields(resource)
    tenant = {"tenant_id": fields["project_id"]} if resource.service == "network" and "project_id" in names else {}
    return {name: fields[name] for name in names} | tenant


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties)}


def _sole(name: str, schema: Schema) -> Schema:
    return {"type": "object", "properties": {name: schema}, "required": [name]}


def _many(schema: Schema) -> dict[str, Any]:
    return {"type": "array", "items": schema}


def _anything(_type: type) -> dict[str, Any]:
    """Of ``object``: msgspec takes no empty schema."""
    return {"description": "Any JSON value."}


def _plain(field: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in field.items() if name != "default"}
