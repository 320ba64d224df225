"""Tags of a Neutron resource (extension ``standard-attr-tag``). Effects: reads and writes through the collection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nebula.errors import BadRequest, InvalidAttribute, NotFound
from nebula.model import accept
from nebula_controller.api.endpoint import Answer, Call, Operation

if TYPE_CHECKING:
    from nebula_controller.api.collection import Collection


class TagOperations:
    """All that can be done below ``/v2.0/<plural>/<id>/tags``."""

    def __init__(self, collection: Collection[Any]) -> None:
        self._collection = collection

    def operations(self, path: str) -> list[Operation]:
        """``path`` is the collection's."""
        tags, tag = f"{path}/{{id}}/tags", f"{path}/{{id}}/tags/{{tag}}"
        return [
            Operation("GET", tags, self._list),
            Operation("PUT", tags, self._replace),
            Operation("DELETE", tags, self._clear),
            Operation("GET", tag, self._has),
            Operation("PUT", tag, self._add),
            Operation("DELETE", tag, self._remove),
        ]

    def _list(self, call: Call) -> Answer:
        return Answer(200, {"tags": self._read(call)})

    def _replace(self, call: Call) -> Answer:
        body = call.json()
        if not isinstance(body, dict) or set(body) != {"tags"}:
            raise BadRequest("Unable to find 'tags' in request body", type_name="HTTPBadRequest")
        try:
            tags = accept.tags(body["tags"])
        except ValueError as error:
            raise InvalidAttribute("tags", str(error)) from None
        assert isinstance(tags, list)
        return Answer(200, {"tags": self._write(call, 200, tags)})

    def _clear(self, call: Call) -> Answer:
        self._write(call, 204, [])
        return Answer(204)

    def _has(self, call: Call) -> Answer:
        if call.path["tag"] not in self._read(call):
            raise _not_found(call.path["tag"])
        return Answer(204)

    def _add(self, call: Call) -> Answer:
        try:
            tag = str(accept.tag(call.path["tag"]))
        except ValueError as error:
            raise InvalidAttribute("tags", str(error)) from None
        self._write(call, 201, None, add=tag)
        return Answer(201)

    def _remove(self, call: Call) -> Answer:
        self._write(call, 204, None, remove=call.path["tag"])
        return Answer(204)

    def _read(self, call: Call) -> Sequence[object]:
        with self._collection.database.read() as tx:
            tags = self._collection.fetch(tx, call.context, call.path["id"])["tags"]
        assert isinstance(tags, list)
        return tags

    def _write(
        self, call: Call, status: int, tags: list[str] | None, *, add: str | None = None, remove: str | None = None
    ) -> Sequence[str]:
        collection = self._collection
        with collection.database.write(call.context, status=status) as tx:
            old = collection.load(tx, call.context, call, collection.authority.name("update"))
            wanted = list(old.tags) if tags is None else tags
            if remove is not None:
                if remove not in wanted:
                    raise _not_found(remove)
                wanted.remove(remove)
            if add is not None and add not in wanted:
                wanted.append(add)
            new = collection.resource.change(old, {"tags": wanted})
            if new != old:
                collection.rows.save(tx, old, new)
                collection.touch(tx, new)
            return wanted


def _not_found(tag: str) -> NotFound:
    return NotFound(f"Tag {accept.shown(tag)} could not be found.", type_name="TagNotFound")
