"""The options of a declared resource that stand for one plain attribute each: made from the declaration.

Pure. ``special`` settings take the place of the made ones of the same attribute, or are added where there is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click
import msgspec

from nebulactl import declared
from nebulactl.api import JsonObject
from nebulactl.common_settings import EXTRA, TAG, TAGS
from nebulactl.nouns import PROJECT, USER, Noun
from nebulactl.options import Setting

if TYPE_CHECKING:
    from nebula.model.attribute import BoundAttribute

_IN_DOMAINS = {noun.declared: noun for noun in (PROJECT, USER)}


def of_create(noun: Noun, special: Iterable[Setting] = (), without: str = "") -> list[Setting]:
    """What a POST takes, but for the name, which is no option, and those ``without``."""
    named = f"{without} name tags".split()
    found = [_posted(a) for a in _attributes(noun) if a.attribute.post and a.name not in named]
    return _with([*found, *_of_network(noun)], special)


def of_set(noun: Noun, special: Iterable[Setting] = (), without: str = "") -> list[Setting]:
    """What a PUT takes; ``--no-...`` for none of it."""
    found = [_clearable(a) for a in _attributes(noun) if a.attribute.put and a.name not in without.split()]
    return _with([*found, *_of_network(noun)], special)


def of_list(noun: Noun, special: Iterable[Setting] = ()) -> list[Setting]:
    """The filters that are asked for."""
    resource = declared.resource(noun.declared)
    found = [_filter(resource.attributes[name]) for name in resource.asked if name != "tags"]
    return _with([*found, *(TAGS if "tags" in resource.asked else ())], special)


def usual(noun: Noun) -> JsonObject:
    """What is sent of a new one where nothing is said."""
    return {a.name: a.attribute.usual for a in _attributes(noun) if a.attribute.usual is not None}


def of_attribute(noun: Noun, name: str) -> Setting:
    """That of one attribute."""
    return next(_made(a) for a in _attributes(noun) if a.name == name)


def _attributes(noun: Noun) -> Iterable[BoundAttribute]:
    return declared.resource(noun.declared).attributes.values()


def _of_network(noun: Noun) -> list[Setting]:
    if not noun.of_network:
        return []
    return [*(TAG for a in _attributes(noun) if a.name == "tags" and a.attribute.sent), EXTRA]


def _posted(bound: BoundAttribute) -> Setting:
    made, usual = _made(bound), bound.attribute.usual
    return made if usual is None else msgspec.structs.replace(made, help=f"{made.help} {usual} by default.")


def _made(bound: BoundAttribute) -> Setting:
    about, other = bound.attribute.about, bound.attribute.refers_to
    noun = PROJECT if bound.name == "project_id" else _IN_DOMAINS.get(other)
    if noun is None and other:
        noun = Noun(declared=other)
    if noun is not None:
        about = f"{about.removesuffix('.')} (name or id)."
    return Setting(
        flag=declared.flag(bound),
        attribute=bound.name,
        help=about,
        type=_type(bound),
        noun=noun,
        many=bound.type is tuple,
        required=bound.attribute.required and bound.attribute.usual is None,
    )


def _type(bound: BoundAttribute) -> click.ParamType[Any] | None:
    if bound.choices:
        return click.Choice(bound.choices)
    return click.INT if bound.type is int else None


def _clearable(bound: BoundAttribute) -> Setting:
    made = msgspec.structs.replace(_made(bound), required=False)
    if made.many or (bound.optional and bound.attribute.refers_to and bound.attribute.null_is is None):
        return msgspec.structs.replace(made, clear=made.flag.replace("--", "--no-"))
    return made


def _filter(bound: BoundAttribute) -> Setting:
    made = _made(bound)
    return msgspec.structs.replace(made, required=False, many=False, help=made.help or f"With this {bound.name}.")


def _with(made: list[Setting], special: Iterable[Setting]) -> list[Setting]:
    instead = {setting.attribute for setting in special}
    return [*(setting for setting in made if setting.attribute not in instead), *special]
