"""Neutron's standard attributes, which every resource has. Pure."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from nebula.model import accept
from nebula.model.accept import Accept
from nebula.model.attribute import Attribute, Who
from nebula.model.extensions import extension

EXPANDED = Attribute(stored=False, filtered=False)
"""Shown, but in no column of the table: made from other tables."""


def settable(accepted: Accept, about: str = "", **more: Any) -> Attribute:
    """What a POST and a PUT may say. ``more`` are the further words of an ``Attribute``."""
    return Attribute(accept=accepted, post=True, put=True, about=about, **more)


def fixed(accepted: Accept, about: str = "", **more: Any) -> Attribute:
    """What a POST may say, and stays so."""
    return Attribute(accept=accepted, post=True, about=about, **more)


def flag(about: str = "", **more: Any) -> Attribute:
    """True or false, in a POST and a PUT."""
    return settable(accept.boolean, about, **more)


def reference(declared: str, *, optional: bool = False, **more: Any) -> Attribute:
    """The id of another object, by its declaration; ``more`` are the further words of an ``Attribute``."""
    one = accept.optional(accept.identifier) if optional else accept.identifier
    return msgspec.structs.replace(Attribute(length=36, refers_to=declared, accept=one), **more)


Id = Attribute(length=36)
Owner = fixed(accept.string(), "Owner's project.", indexed=True)
Words = settable(accept.string(), "Description.")
Tags = fixed(accept.tags, "Tag.", filtered=False)
Name = settable(accept.string(), "Name.", indexed=True)
State = flag("Administrative state.", title="State", flag="--enable/--disable")
Shared = flag(
    "For all projects, or the owner's alone.",
    flag="--share/--no-share",
    set_by=Who.ADMIN,
    stored=False,
    filtered=False,
)
SharedByRbac = Attribute(
    stored=False, filtered=False, about="Whether others than the owner have it.", flag="--share/--no-share"
)
AssignedQos = reference("qos:QOS_POLICY", optional=True, post=True, put=True, indexed=True, about="Its QoS policy.")
"""The ``qos_policy_id`` of what can have a policy; a policy that anything has cannot go."""
ZoneHints = fixed(
    accept.list_of(accept.string(), "availability zone", "zone"), "Availability zone to be in.", filtered=False
)
Status = Attribute(length=16, about="What the nodes say of it: ACTIVE, BUILD, DOWN or ERROR.")
Revision = Attribute()
Moment = Attribute(length=20)
Unsent = Attribute(sent=False, filtered=False)
UnsentMoment = Attribute(sent=False, filtered=False, length=20)


def port_security(about: str, **more: Any) -> Attribute:
    """``port_security_enabled`` of networks and ports."""
    return flag(about, flag="--enable-port-security/--disable-port-security", **more)


class Nameless(msgspec.Struct, frozen=True, kw_only=True):
    """Identity, owner, words and times of an object. Times are UTC, ``2026-11-22T10:51:09Z``."""

    id: Annotated[str, Id] = ""
    project_id: Annotated[str, Owner, extension("project-id")] = ""
    description: Annotated[str, Words, extension("standard-attr-description")] = ""
    tags: Annotated[tuple[str, ...], Tags, extension("standard-attr-tag")] = ()
    revision_number: Annotated[int, Revision, extension("standard-attr-revisions")] = 0
    created_at: Annotated[str, Moment] = ""
    updated_at: Annotated[str, Moment, extension("standard-attr-timestamp")] = ""


class Terse(Nameless, frozen=True, kw_only=True):
    """What has them as every record, but shows the id and the project alone, as Neutron."""

    description: Annotated[str, Unsent] = ""
    tags: Annotated[tuple[str, ...], Unsent] = ()
    revision_number: Annotated[int, Unsent] = 0
    created_at: Annotated[str, UnsentMoment] = ""
    updated_at: Annotated[str, UnsentMoment] = ""


class Standard(Nameless, frozen=True, kw_only=True):
    """The same with a name, which most have."""

    name: Annotated[str, Name] = ""
