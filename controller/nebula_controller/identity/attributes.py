"""Requests for identity's objects, read by what is declared of them (``nebula.model.identity``).

Pure. A creation and a change (PATCH) of a kind are records made from its declaration; UNSET means "not given". The few
bodies that are no declared object stand here by themselves. Attributes that are not declared are stored and given back,
as Keystone does.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeVar, get_type_hints

import msgspec
from msgspec import NODEFAULT, UNSET, UnsetType

from nebula.errors import BadRequest, InvalidAttribute
from nebula.model.attribute import Resource
from nebula.model.identity import Password

T = TypeVar("T", bound=msgspec.Struct)


class PasswordChange(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST /users/{id}/password, by the user itself."""

    original_password: str
    password: Password


def creation(resource: Resource[Any]) -> type[msgspec.Struct]:
    """The record of a POST's body: what has no default has to be there."""
    hints = get_type_hints(resource.record, include_extras=True)
    wanted = {b.field for b in resource.attributes.values() if b.attribute.post}
    fields = []
    for field in msgspec.structs.fields(resource.record):
        if field.name in wanted and field.default_factory is not NODEFAULT:
            made = msgspec.field(default_factory=field.default_factory)
            fields.append((field.name, hints[field.name], made))
        elif field.name in wanted:
            fields.append((field.name, hints[field.name], field.default))
    return _record(f"{resource.record.__name__}New", fields)


def change(resource: Resource[Any]) -> type[msgspec.Struct]:
    """The record of a PATCH's body."""
    hints = get_type_hints(resource.record, include_extras=True)
    wanted = [b.field for b in resource.attributes.values() if b.attribute.put]
    return _record(f"{resource.record.__name__}Change", [(name, hints[name] | UnsetType, UNSET) for name in wanted])


def _record(name: str, fields: list[tuple[str, Any, Any]]) -> type[msgspec.Struct]:
    return msgspec.defstruct(name, fields, frozen=True, kw_only=True)


def read_object(body: bytes, singular: str) -> dict[str, object]:
    """The object under ``{"<singular>": {...}}``. BadRequest where the body is anything else."""
    inner = read_body(body).get(singular)
    if not isinstance(inner, dict):
        raise InvalidAttribute(singular, "the body has to hold an object under this name")
    return inner


def read_body(body: bytes) -> dict[str, object]:
    """The JSON object that a body is. BadRequest where it is anything else."""
    try:
        return msgspec.json.decode(body or b"null", type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest("The body is not a JSON object.") from error


def convert(values: dict[str, object], record: type[T]) -> T:
    """``values`` as ``record``. InvalidAttribute names the attribute that is wrong or missing."""
    try:
        return msgspec.convert(values, record)
    except msgspec.ValidationError as error:
        raise _named(str(error)) from error


def given(record: msgspec.Struct) -> dict[str, object]:
    """The attributes of a record that were given (or have a default), by name."""
    pairs = ((name, getattr(record, name)) for name in record.__struct_fields__)
    return {name: value for name, value in pairs if value is not UNSET}


def extras(values: dict[str, object], record: type[msgspec.Struct]) -> dict[str, object]:
    """The attributes that the record does not know and we only store."""
    known = {*record.__struct_fields__, "id", "links"}
    return {name: value for name, value in values.items() if name not in known}


def timestamp(seconds: float | None) -> str | None:
    """RFC 3339 in UTC with microseconds, as Keystone's."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _named(problem: str) -> InvalidAttribute:
    """msgspec says ``Expected `str`, got `int` - at `$.name``` or ``Object missing required field `name```."""
    reason, _, path = problem.partition(" - at `$")
    if path:
        return InvalidAttribute(path.strip("`").lstrip("."), reason)
    missing = reason.rpartition(" field `")[2].strip("`")
    return InvalidAttribute(missing, "it is required") if missing != reason else InvalidAttribute("body", reason)
