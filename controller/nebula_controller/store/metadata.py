"""The one SQLAlchemy metadata that all tables of the controller hang on; the tables of resources, from declarations.

No effects. ``NAMING`` gives every constraint a name, which Alembic's batch mode on SQLite needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.schema import SchemaItem

from nebula.model.attribute import BoundAttribute, Resource
from nebula.model.registry import declared

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMING)

_TYPES = {bool: Boolean, int: Integer, float: Float, bytes: LargeBinary}


class Json(JSON):
    """JSON that is never NULL, decoded by one C function: lists of thousands of rows have several such columns each."""

    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """From the column's text to the value."""
        del dialect, coltype
        return msgspec.json.decode


def uuid_key() -> Column[str]:
    """The ``id`` column: a UUID with hyphens, as the API shows it."""
    return Column("id", String(36), primary_key=True)


def json_list(name: str) -> Column[Any]:
    """A small list that is always read and written whole (host routes, tags); never NULL."""
    return Column(name, Json, nullable=False, server_default="[]")


def json_object(name: str) -> Column[Any]:
    """A small object that is always read and written whole; never NULL."""
    return Column(name, Json, nullable=False, server_default="{}")


def table_of(resource: Resource[Any], *special: SchemaItem) -> Table:
    """The table of a resource: a column for each attribute that is stored, and what no declaration says of it.

    A column among the ``special`` takes the place of the attribute's of that name.
    """
    placed = {item.name for item in special if isinstance(item, Column)}
    known = [a for a in resource.attributes.values() if a.attribute.stored and a.field not in placed]
    items: list[SchemaItem] = [*map(_column, known), *special]
    if resource.extensible:
        items.append(json_object("extra"))
    if resource.unique:
        items.append(UniqueConstraint(*resource.unique))
    return Table(resource.table, metadata, *items)


def table(resource: Resource[Any]) -> Table:
    """The table of a resource, once ``store.tables`` is imported."""
    return metadata.tables[resource.table]


def _column(bound: BoundAttribute) -> Column[Any]:
    if bound.type is tuple:
        return json_list(bound.field)
    if bound.type is dict or issubclass(bound.type, msgspec.Struct):
        return json_object(bound.field)
    attribute, is_key = bound.attribute, bound.field == "id"
    default = attribute.null_is if bound.default is None else bound.default
    has_default = not is_key and default not in (msgspec.NODEFAULT, msgspec.UNSET)
    on_delete = None if attribute.on_delete == "NO ACTION" else attribute.on_delete
    other = declared(attribute.refers_to).table if attribute.refers_to else ""
    text = String(attribute.length) if attribute.length else Text()
    return Column(
        bound.field,
        Float if attribute.in_seconds else _TYPES.get(bound.type, text),
        *([ForeignKey(f"{other}.id", ondelete=on_delete)] if other else []),
        primary_key=is_key,
        nullable=bound.optional and not is_key and attribute.null_is is None,
        default=default if has_default and not attribute.server_default else None,
        server_default=str(default) if attribute.server_default else None,
        index=attribute.indexed or None,
        unique=attribute.unique or None,
    )
