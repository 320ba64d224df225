"""``/v3/policies``: texts that services may keep here. Nobody reads them but those who ask (Keystone's own words:
deprecated). Effects: the database.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from nebula_controller.identity.attributes import Name
from nebula_controller.identity.collection import Collection
from nebula_controller.store.tables.identity import policies

Blob = Annotated[str, Meta(max_length=1024 * 1024)]


class PolicyNew(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST /policies: a MIME type and a text of it."""

    type: Name
    blob: Blob


class PolicyChange(msgspec.Struct, frozen=True, kw_only=True):
    """Body of PATCH /policies/{id}."""

    type: Name | UnsetType = UNSET
    blob: Blob | UnsetType = UNSET


class Policies(Collection):
    """``/v3/policies``."""

    singular = "policy"
    plural = "policies"
    table = policies
    new = PolicyNew
    changed = PolicyChange
    filters = frozenset({"type"})
