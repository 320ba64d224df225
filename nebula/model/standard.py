"""Neutron's standard attributes, which every resource has. Pure."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from nebula.model import accept
from nebula.model.attribute import Attribute

Id = Attribute(length=36)
Name = Attribute(accept=accept.string(), post=True, put=True)
Flag = Attribute(accept=accept.boolean, post=True, put=True)
Status = Attribute(length=16)
Moment = Attribute(length=20)


def reference(table: str, *, optional: bool = False, **more: Any) -> Attribute:
    """The id of a row of that table. ``more`` are the further words of an ``Attribute``."""
    one = accept.optional(accept.identifier) if optional else accept.identifier
    return msgspec.structs.replace(Attribute(length=36, refers_to=table, accept=one), **more)


class Nameless(msgspec.Struct, frozen=True, kw_only=True):
    """Identity, owner, words and times of an object. Times are UTC, ``2026-11-22T10:51:09Z``."""

    id: Annotated[str, Id] = ""
    project_id: Annotated[str, Attribute(accept=accept.string(), post=True, indexed=True)] = ""
    description: Annotated[str, Name] = ""
    tags: Annotated[tuple[str, ...], Attribute(accept=accept.tags, post=True, filtered=False)] = ()
    revision_number: Annotated[int, Attribute()] = 0
    created_at: Annotated[str, Moment] = ""
    updated_at: Annotated[str, Moment] = ""


class Standard(Nameless, frozen=True, kw_only=True):
    """The same with a name, which most have."""

    name: Annotated[str, Attribute(accept=accept.string(), post=True, put=True, indexed=True)] = ""
