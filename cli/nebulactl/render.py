"""Values of the API as text, in the forms that the openstack client prints.

Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec

from nebulactl.api import Json, JsonObject, as_object, as_objects
from nebulactl.nouns import Column, Form, Noun


class Cell(msgspec.Struct, frozen=True):
    """One value: as a table shows it, and as ``-f json`` and ``-f value`` print it."""

    human: Json
    machine: Json


def cell(value: Json, form: Form = Form.PLAIN) -> Cell:
    """The value in both readings."""
    if form is Form.PLAIN:
        return Cell(value, value)
    if form is Form.ADDRESSES:
        addresses = _addresses(as_object(value))
        return Cell(_dict_of_lists(addresses), {name: list(found) for name, found in addresses.items()})
    if form is Form.SUBPORTS:
        return cell(as_object(value).get("sub_ports"), Form.DICTS)
    empty: Json = {} if form is Form.DICT else []
    machine = empty if value is None and form in (Form.DICT, Form.DICTS, Form.SORTED_LIST) else value
    return Cell(human(value, form), machine)


def human(value: Json, form: Form) -> str:  # noqa: PLR0911, PLR0912 - one case per form
    """The text for a person."""
    match form:
        case Form.STATE:
            return "UP" if value else "DOWN"
        case Form.ROUTER_TYPE:
            return "External" if value else "Internal"
        case Form.ALIVE:
            return ":-)" if value else "XXX"
        case Form.SORTED_LIST:
            return ", ".join(sorted(_texts(value)))
        case Form.NAMES:
            return ", ".join(sorted(str(item.get("name")) for item in as_objects(value)))
        case Form.ORDERED_LIST:
            return ", ".join(_texts(value))
        case Form.DICT:
            return "None" if value is None else _dict(as_object(value))
        case Form.DICTS:
            return "\n".join(_dict(item) for item in as_objects(value))
        case Form.RULES:
            return "\n".join(_dict(_without_known(item)) for item in as_objects(value))
        case Form.RULES_OF_QOS:
            return "\n".join(str(item) for item in as_objects(value)) or "[]"
        case Form.ROUTES:
            return "\n".join(_dict(_with_gateway(item)) for item in as_objects(value))
        case Form.POOLS:
            return ",".join(f"{pool.get('start', '')}-{pool.get('end', '')}" for pool in as_objects(value))
        case Form.JSON:
            return json.dumps(value)
    return str(value)


def _texts(value: Json) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _dict(value: Mapping[str, Json], prefix: str = "") -> str:
    """``key='value', other=``; inner keys dotted."""
    parts = []
    for key in sorted(value):
        name, inner = f"{prefix}{key}", value[key]
        if isinstance(inner, dict):
            parts.append(_dict(inner, f"{name}."))
        else:
            parts.append(f"{name}=" if inner is None else f"{name}='{inner}'")
    return ", ".join(parts)


def _with_gateway(route: JsonObject) -> JsonObject:
    """The options say gateway where the API says nexthop."""
    return {("gateway" if key == "nexthop" else key): value for key, value in route.items()}


def _without_known(rule: JsonObject) -> JsonObject:
    """A group's rules are shown without what is empty, and without the group and project that the group shows."""
    known = ("security_group_id", "tenant_id", "project_id")
    return {key: value for key, value in rule.items() if value and key not in known}


def _addresses(value: JsonObject) -> dict[str, list[str]]:
    return {name: [str(item.get("addr")) for item in as_objects(found)] for name, found in value.items()}


def _dict_of_lists(value: Mapping[str, list[str]]) -> str:
    return "; ".join(f"{key}={', '.join(sorted(value[key]))}" for key in sorted(value) if value[key])


def cells(noun: Noun, columns: tuple[Column, ...], resource: JsonObject) -> tuple[Cell, ...]:
    """One row of a list."""
    return tuple(
        cell(resource.get(column.attribute, noun.absent.get(column.attribute)), noun.form(column)) for column in columns
    )


def fields(noun: Noun, resource: JsonObject) -> tuple[tuple[str, ...], tuple[Cell, ...]]:
    """Titles and values of one resource: the noun's fields, and, where it is open-ended, what the API adds."""
    columns = noun.fields
    if noun.open_ended:
        known = {column.attribute for column in columns} | noun.hidden
        extra = tuple(Column(name, name) for name in resource if name not in known)
        columns = tuple(sorted(columns + extra, key=lambda column: column.title))
    return tuple(column.title for column in columns), cells(noun, columns, resource)
