"""What objects of identity have in common: types of Keystone's JSON schemas, and words for their declarations. Pure.

Requests are checked with the types (``accept`` is the way of the network's API).
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from nebula.model import attribute
from nebula.model.attribute import Attribute, Resource

R = TypeVar("R", bound=msgspec.Struct)

Name = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"\S")]
ShortName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"\S")]
Tag = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^,/]*$")]
Tags = Annotated[list[Tag], Meta(max_length=80)]
Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]

ID_LENGTH = 64
"""Characters of an id, but for regions', which people choose."""

Key = Attribute(filtered=False, length=ID_LENGTH)
"""The id, which is made here."""


def given(about: str, *, filtered: bool = False, **more: Any) -> Attribute:
    """What a POST and a PATCH may say. ``more`` are the further words of an ``Attribute``."""
    return Attribute(post=True, put=True, filtered=filtered, about=about, **more)


def fixed(about: str, *, filtered: bool = False, **more: Any) -> Attribute:
    """What a POST alone may say."""
    return Attribute(post=True, filtered=filtered, about=about, **more)


def other(declared: str, about: str, **more: Any) -> Attribute:
    """The id of another object, as ``given``; it cannot go before this one."""
    usual = given(about, filtered=True, length=ID_LENGTH, refers_to=declared, on_delete="NO ACTION")
    return msgspec.structs.replace(usual, **more)


def holder(declared: str, about: str, **more: Any) -> Attribute:
    """The same of what it is for good, and goes with."""
    return other(declared, about, **{"put": False, "on_delete": "CASCADE", "indexed": True, **more})


def kept(**more: Any) -> Attribute:
    """A column that the API neither shows nor takes."""
    return Attribute(filtered=False, sent=False, **more)


Named = given("Name.", filtered=True, required=True)
Words = given("Description.", length=0)
KeptWords = given("Description.", length=0, null_is="")
"""Those that are never NULL: none is an empty one."""
Enabled = given("Whether it is in use.", filtered=True, flag="--enable/--disable")
InDomain = other("identity:DOMAIN", "Its domain.", null_is=UNSET, title="Domain ID")
Options = given("What is special about it; null takes one away.")
TokensValidAfter = kept(server_default=True)
"""A token issued before it is void (a changed password, a disabled user, project or domain); with it, tokens need no
rows of their own."""


class Lock(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``options`` of domains, projects and roles: an immutable one is neither changed nor deleted. None: not set."""

    immutable: bool | UnsetType | None = UNSET


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What each of them has: an id."""

    id: Annotated[str, Key] = ""


def describe(record: type[R], singular: str, plural: str, *, extensible: bool = True, **more: Any) -> Resource[R]:
    """As ``attribute.describe``; paths have the names of JSON, and what is not declared is kept too, as in Keystone."""
    path = more.pop("path", f"/{plural}")
    return attribute.describe(record, singular, plural, service="identity", path=path, extensible=extensible, **more)
