"""The one SQLAlchemy metadata that all tables of the controller hang on, and column shorthands.

No effects. ``NAMING`` gives every constraint a name, which Alembic's batch mode on SQLite needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import JSON, Column, Dialect, Integer, MetaData, String

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMING)


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


def nameless() -> list[Column[Any]]:
    """The columns of ``nebula.model.standard.Nameless``."""
    return [
        uuid_key(),
        Column("project_id", String(255), nullable=False, index=True),
        Column("description", String(255), nullable=False),
        json_list("tags"),
        Column("revision_number", Integer, nullable=False),
        Column("created_at", String(20), nullable=False),
        Column("updated_at", String(20), nullable=False),
    ]


def standard() -> list[Column[Any]]:
    """The columns of ``nebula.model.standard.Standard``: Neutron's standard attributes."""
    return [*nameless(), Column("name", String(255), nullable=False, index=True)]
