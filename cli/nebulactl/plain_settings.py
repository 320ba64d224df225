"""The options of a declared resource that stand for one plain attribute each: made from the declaration.

Pure. ``special`` settings take the place of the made ones of the same attribute, or are added where there is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click
import msgspec

from nebulactl import declared
from nebulactl.common_settings import EXTRA, TAG, TAGS
from nebulactl.nouns import NETWORK_NOUN, PORT, PROJECT, ROUTER, SUBNET, Noun
from nebulactl.options import Setting
from nebulactl.pool_nouns import ADDRESS_SCOPE, QOS_POLICY, SUBNET_POOL
from nebulactl.security_nouns import ADDRESS_GROUP, SECURITY_GROUP

if TYPE_CHECKING:
    from nebula.model.attribute import BoundAttribute

_BY_TABLE = {
    "address_groups": ADDRESS_GROUP,
    "address_scopes": ADDRESS_SCOPE,
    "networks": NETWORK_NOUN,
    "ports": PORT,
    "qos_policies": QOS_POLICY,
    "routers": ROUTER,
    "security_groups": SECURITY_GROUP,
    "subnet_pools": SUBNET_POOL,
    "subnets": SUBNET,
}


def of_create(noun: Noun, special: Iterable[Setting] = (), without: str = "") -> list[Setting]:
    """What a POST takes, but for the name, which is no option, and those ``without``."""
    named = f"{without} name tags".split()
    found = [_made(a) for a in _attributes(noun) if a.attribute.post and a.name not in named]
    return _with([*found, *_tags(noun), EXTRA], special)


def of_set(noun: Noun, special: Iterable[Setting] = (), without: str = "") -> list[Setting]:
    """What a PUT takes; ``--no-...`` for none of it."""
    found = [_clearable(a) for a in _attributes(noun) if a.attribute.put and a.name not in without.split()]
    return _with([*found, *_tags(noun), EXTRA], special)


def of_list(noun: Noun, names: str, special: Iterable[Setting] = ()) -> list[Setting]:
    """Filters by these attributes."""
    known = {a.name: a for a in _attributes(noun)}
    found = [_filter(known[name]) for name in names.split() if name != "tags"]
    return _with([*found, *(TAGS if "tags" in names.split() else ())], special)


def of_attribute(noun: Noun, name: str) -> Setting:
    """That of one attribute."""
    return next(_made(a) for a in _attributes(noun) if a.name == name)


def _attributes(noun: Noun) -> Iterable[BoundAttribute]:
    return declared.resource(noun.declared).attributes.values()


def _tags(noun: Noun) -> list[Setting]:
    return [TAG for a in _attributes(noun) if a.name == "tags" and a.attribute.sent]


def _made(bound: BoundAttribute) -> Setting:
    noun = PROJECT if bound.name == "project_id" else _BY_TABLE.get(bound.attribute.refers_to)
    about = bound.attribute.about
    return Setting(
        flag=declared.flag(bound),
        attribute=bound.name,
        help=f"{about.removesuffix('.')} (name or id)." if noun is not None else about,
        type=click.INT if bound.type is int else None,
        noun=noun,
        many=bound.type is tuple,
        required=bound.attribute.required,
    )


def _clearable(bound: BoundAttribute) -> Setting:
    made = msgspec.structs.replace(_made(bound), required=False)
    if made.many or (bound.optional and bound.attribute.refers_to):
        return msgspec.structs.replace(made, clear=made.flag.replace("--", "--no-"))
    return made


def _filter(bound: BoundAttribute) -> Setting:
    made = _made(bound)
    return msgspec.structs.replace(made, required=False, many=False, help=made.help or f"With this {bound.name}.")


def _with(made: list[Setting], special: Iterable[Setting]) -> list[Setting]:
    instead = {setting.attribute for setting in special}
    return [*(setting for setting in made if setting.attribute not in instead), *special]
