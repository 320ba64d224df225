"""Alembic's entry: runs the migrations on the connection that ``store.schema`` hands over. Effects: that database."""

from __future__ import annotations

import nebula_controller.store.tables  # noqa: F401 (fills the metadata)
from alembic import context
from nebula_controller.store.metadata import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
    compare_type=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
