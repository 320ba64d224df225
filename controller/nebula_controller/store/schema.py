"""Bringing a database file to the version of this program. Effects: the file; Alembic only for an older one.

A new database is made straight from the metadata and stamped (importing Alembic costs 0.7 s); a test shows that the
migrations come to the same tables.
"""

from __future__ import annotations

import uuid
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, select

import nebula_controller.store.tables  # noqa: F401 (fills the metadata)
from nebula.errors import ConfigError
from nebula_controller.store.metadata import metadata
from nebula_controller.store.tables.requests import database_state

MIGRATIONS = Path(__file__).parent / "migrations"


def _known_versions() -> set[str]:
    return {file.name.split("_", 1)[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py")}


HEAD = max(_known_versions())
"""The newest migration."""


def prepare(engine: Engine, path: Path) -> str:
    """Make or migrate the tables; returns the database's epoch."""
    with engine.connect() as connection:
        problem = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if problem != "ok":
            raise ConfigError(f"Database {path} is damaged ({problem}). Move it away and restore a backup.")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        version = _version(connection, path)
        if version is None:
            create(connection)
        elif version != HEAD:
            if version not in _known_versions():
                raise ConfigError(
                    f"Database {path} has schema {version}, which is newer than this program's {HEAD}. "
                    "Install the program that made it, or restore an older backup."
                )
            migrate(connection)
        epoch = str(connection.execute(select(database_state.c.epoch)).scalar_one())
        connection.commit()
    return epoch


def create(connection: Connection) -> None:
    """All tables, stamped with ``HEAD``, and a new epoch at revision 0."""
    metadata.create_all(connection)
    connection.exec_driver_sql(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
        "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
    )
    connection.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (HEAD,))
    connection.execute(insert(database_state), {"id": 1, "epoch": str(uuid.uuid4()), "revision": 0})


def migrate(connection: Connection, target: str = "head") -> None:
    """Run the migrations up to ``target`` inside the caller's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, target)


def _version(connection: Connection, path: Path) -> str | None:
    tables = set(connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars())
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise ConfigError(f"{path} is a database of something else. Choose another state folder.")
    return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one())
