"""What the API's document says of identity's collections, from the records that bodies are read with. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from nebula_controller.api.about import About, Components, Schema, Write

EMPTY = About()
"""No body in the answer."""
_PAGING = ("limit", "marker", "sort_key", "sort_dir")


class Known(msgspec.Struct, frozen=True):
    """The names of a kind of object. ``bulk``: it is made by a list."""

    singular: str
    plural: str
    bulk: bool = False

    def of_list(self, filters: Iterable[str]) -> About:
        """Filters, pages, the objects under their name beside ``links``."""
        return About(query=[*sorted(filters), *_PAGING], answer=lambda _components: _holding(self.plural, _LIST))

    def of_create(self, record: type[msgspec.Struct]) -> About:
        """One, or a list."""
        name = self.plural if self.bulk else self.singular
        answer = _holding(name, _LIST if self.bulk else _ONE)
        return About(statuses=(201,), body=self._body(name, record, "create"), answer=lambda _components: answer)

    def of_show(self) -> About:
        """By id."""
        return About(answer=lambda _components: _holding(self.singular, _ONE))

    def of_update(self, record: type[msgspec.Struct]) -> About:
        """Some attributes."""
        answer = _holding(self.singular, _ONE)
        return About(body=self._body(self.singular, record, "update"), answer=lambda _components: answer)

    def _body(self, name: str, record: type[msgspec.Struct], verb: str) -> Write:
        def write(components: Components) -> Schema:
            given: dict[str, Any] = {"type": "object", "properties": components.fields_of(record)}
            required = [field.encode_name for field in msgspec.structs.fields(record) if field.required]
            if required:
                given["required"] = required
            one = components.schema(f"identity_{self.singular}_{verb}", given)
            many = {"type": "array", "items": one, "minItems": 1}
            return _holding(name, many if name == self.plural else one)

        return write


_ONE: Schema = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "links": {"type": "object"}},
    "required": ["id", "links"],
}
_LIST: Schema = {"type": "array", "items": _ONE}


def _holding(name: str, schema: Mapping[str, Any]) -> Schema:
    return {"type": "object", "properties": {name: schema}, "required": [name]}
