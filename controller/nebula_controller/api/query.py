"""List queries in Neutron's grammar: filters, ``fields``, sorting and paging, and their SQL. Pure.

Filters: ``name=a&name=b`` is "a or b"; different names are "and". Unknown names are refused, as Neutron does since the
``filter-validation`` extension. Paging: ``limit``, ``marker`` (an id), ``page_reverse``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
from sqlalchemy import Boolean, ColumnElement, Integer, Table, and_, exists, false, func, not_, or_, select, type_coerce
from sqlalchemy.sql import Select

from nebula.errors import BadRequest, InvalidAttribute, NotFound
from nebula.model import accept
from nebula.model.attribute import Resource

TAG_FILTERS = ("tags", "tags-any", "not-tags", "not-tags-any")

FilterMaker = Callable[[Sequence[str]], ColumnElement[bool]]
"""From a filter's values to its condition."""

_integer = accept.integer(-(2**63), 2**63 - 1)


class ListQuery(msgspec.Struct, frozen=True):
    """What a list was asked for. ``fields`` empty: all; ``limit`` 0: none."""

    filters: Mapping[str, Sequence[str]]
    fields: frozenset[str] = frozenset()
    sorts: Sequence[tuple[str, bool]] = ()
    limit: int = 0
    marker: str | None = None
    page_reverse: bool = False


def parse(query: Sequence[tuple[str, str]]) -> ListQuery:
    """Sort the pairs of a query string out; raises ``BadRequest``."""
    filters: dict[str, list[str]] = {}
    control: dict[str, list[str]] = {"fields": [], "sort_key": [], "sort_dir": [], "limit": [], "marker": []}
    control["page_reverse"] = []
    for name, value in query:
        (control[name] if name in control else filters.setdefault(name, [])).append(value)
    return ListQuery(
        filters=filters,
        fields=frozenset(name for value in control["fields"] for name in value.split(",") if name),
        sorts=_sorts(control["sort_key"], control["sort_dir"]),
        limit=_limit(control["limit"]),
        marker=next(iter(control["marker"]), None),
        page_reverse=next(iter(control["page_reverse"]), "").lower() in ("true", "1"),
    )


def condition(
    resource: Resource[Any], table: Table, filters: Mapping[str, Sequence[str]], special: Mapping[str, FilterMaker]
) -> ColumnElement[bool] | None:
    """The WHERE of all filters, or None without any; raises ``BadRequest`` naming those that are unknown."""
    unknown = [name for name in filters if name not in special and not _filterable(resource, name)]
    if unknown:
        raise BadRequest(f"{unknown} is invalid attribute for filtering", type_name="HTTPBadRequest")
    found = [
        special[name](values) if name in special else _matches(resource, table, name, values)
        for name, values in filters.items()
    ]
    return and_(*found) if found else None


def ordered(
    statement: Select[tuple[object, ...]],
    resource: Resource[Any],
    table: Table,
    query: ListQuery,
    marker: Mapping[str, object] | None,
) -> Select[tuple[object, ...]]:
    """The statement sorted (at last by id), starting behind ``marker`` (its row by field) and limited."""
    keys: list[tuple[str, bool]] = []
    for name, ascending in query.sorts:
        if not _filterable(resource, name):
            raise BadRequest(f"['{name}'] is invalid attribute for sort_key", type_name="HTTPBadRequest")
        if all(field != _field(resource, name) for field, _ in keys):  # a second time it orders nothing
            keys.append((_field(resource, name), ascending))
    if all(field != "id" for field, _ in keys):
        keys.append(("id", True))
    columns = [(field, _comparable(table, field), ascending != query.page_reverse) for field, ascending in keys]
    if marker is not None:
        statement = statement.where(_behind(columns, marker))
    statement = statement.order_by(*[column.asc() if ascending else column.desc() for _, column, ascending in columns])
    return statement.limit(query.limit) if query.limit else statement


def links(url: str, pairs: Sequence[tuple[str, str]], query: ListQuery, ids: Sequence[str]) -> list[dict[str, str]]:
    """Neutron's ``next`` and ``previous`` links of a page with these ids."""
    if not query.limit or not ids:
        return []
    kept = [(name, value) for name, value in pairs if name not in ("marker", "page_reverse")]
    more = len(ids) == query.limit
    forward = [*kept, ("marker", ids[-1])]
    backward = [*kept, ("marker", ids[0]), ("page_reverse", "True")]
    found = []
    if more or query.page_reverse:
        found.append({"rel": "next", "href": f"{url}?{urlencode(forward)}"})
    if (query.marker and not query.page_reverse) or (query.page_reverse and more):
        found.append({"rel": "previous", "href": f"{url}?{urlencode(backward)}"})
    return found


def page(
    rows: Sequence[dict[str, Any]], query: ListQuery, url: str, pairs: Sequence[tuple[str, str]], key: str = "id"
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Of a list that is in no table: its rows sorted, those of the page that is asked for, and the page's links.

    ``key``: what a row has of its own, and a marker names. Raises ``BadRequest``, ``NotFound``.
    """
    found = list(rows)
    if query.sorts or query.limit or query.marker is not None:
        found.sort(key=lambda row: str(row[key]))
    for name, ascending in reversed(query.sorts):
        if any(isinstance(row.get(name, ()), list | tuple | dict) for row in found):
            raise BadRequest(f"['{accept.shown(name)}'] is invalid attribute for sort_key", type_name="HTTPBadRequest")
        found.sort(key=lambda row, name=name: (row[name] is not None, row[name]), reverse=not ascending)  # type: ignore[misc]
    if query.marker is not None:
        places = [place for place, row in enumerate(found) if row[key] == query.marker]
        if not places:
            raise NotFound(f"Marker {accept.shown(query.marker)} could not be found.")
        found = found[: places[0]] if query.page_reverse else found[places[0] + 1 :]
    if query.limit:
        found = found[-query.limit :] if query.page_reverse else found[: query.limit]
    return found, links(url, pairs, query, [str(row[key]) for row in found])


def tag_filters(table: Table) -> dict[str, FilterMaker]:
    """The four filters of the ``standard-attr-tag`` extension."""

    def held(values: Sequence[str]) -> tuple[list[str], Select[tuple[str]]]:
        """The tags that are asked for, and those of them that an object has: of any number, so no term for each."""
        asked = list(dict.fromkeys(tag for value in values for tag in value.split(",")))
        element = func.json_each(table.c.tags).table_valued("value")
        return asked, select(element.c.value).select_from(element).where(element.c.value.in_(asked))

    def all_of(values: Sequence[str]) -> ColumnElement[bool]:
        asked, found = held(values)
        return select(func.count()).select_from(found.subquery()).scalar_subquery() == len(asked)

    def any_of(values: Sequence[str]) -> ColumnElement[bool]:
        return exists(held(values)[1])

    return {
        "tags": all_of,
        "tags-any": any_of,
        "not-tags": lambda values: not_(all_of(values)),
        "not-tags-any": lambda values: not_(any_of(values)),
    }


def _filterable(resource: Resource[Any], name: str) -> bool:
    bound = resource.attributes.get("project_id" if name == "tenant_id" else name)
    return bound is not None and bound.attribute.filtered and bound.attribute.stored


def _field(resource: Resource[Any], name: str) -> str:
    return resource.attributes["project_id" if name == "tenant_id" else name].field


def _matches(resource: Resource[Any], table: Table, name: str, values: Sequence[str]) -> ColumnElement[bool]:
    column = table.c[_field(resource, name)]
    found = column == values[0] if len(values) == 1 else column.in_(values)
    try:
        if isinstance(column.type, Boolean):
            found = column.in_([accept.boolean(value) for value in values])
        elif isinstance(column.type, Integer):
            found = column.in_([_integer(value) for value in values if value or not column.nullable])
    except ValueError as error:
        raise InvalidAttribute(name, str(error)) from None
    return or_(found, column.is_(None)) if column.nullable and "" in values else found


def _comparable(table: Table, field: str) -> ColumnElement[object]:
    column: ColumnElement[object] = table.c[field]
    if isinstance(column.type, Boolean):
        return type_coerce(column, Integer)  # SQLAlchemy takes no "greater" of a Boolean
    return func.coalesce(column, "") if table.c[field].nullable else column


def _behind(
    columns: Sequence[tuple[str, ColumnElement[object], bool]], marker: Mapping[str, object]
) -> ColumnElement[bool]:
    alternatives: list[ColumnElement[bool]] = []
    equal: list[ColumnElement[bool]] = []
    for field, column, ascending in columns:
        value = "" if marker[field] is None else marker[field]
        value = int(value) if isinstance(value, bool) else value
        alternatives.append(and_(*equal, column > value if ascending else column < value))
        equal.append(column == value)
    return or_(false(), *alternatives)


def _sorts(keys: Sequence[str], directions: Sequence[str]) -> list[tuple[str, bool]]:
    if directions and len(keys) != len(directions):
        raise BadRequest("The number of sort_keys and sort_dirs must be same", type_name="HTTPBadRequest")
    for direction in directions:
        if direction not in ("asc", "desc"):
            raise BadRequest(
                f"{accept.shown(direction)} is invalid value for sort_dirs, valid value is 'asc' and 'desc'",
                type_name="HTTPBadRequest",
            )
    return [(key, direction == "asc") for key, direction in zip(keys, directions or ["asc"] * len(keys), strict=True)]


def _limit(values: Sequence[str]) -> int:
    if not values:
        return 0
    value = values[-1]
    if not (value.isascii() and value.isdigit() and len(value) <= 9):
        raise BadRequest(
            f"Bad limit request: Limit must be an integer 0 or greater and not '{accept.shown(value)}'.",
            type_name="BadRequest",
        )
    return int(value)
