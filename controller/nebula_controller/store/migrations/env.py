"""Alembic's entry: runs the migrations on the connection that ``store.schema`` hands over. Effects: that database."""

from __future__ import annotations

from typing import Literal

from alembic import context

import nebula_controller.store.tables  # noqa: F401 (fills the metadata)
from nebula_controller.store.metadata import Json, metadata


def as_plain_json(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Our JSON type is plain JSON to the database: a migration shall not depend on the program's classes."""
    return "sa.JSON()" if kind == "type" and isinstance(item, Json) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    render_item=as_plain_json,
    transactional_ddl=True,
    compare_type=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
