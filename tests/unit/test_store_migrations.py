"""The migrations and the metadata come to the same database; old, new, foreign and damaged files are told apart."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from nebula_controller.store import schema
from nebula_controller.store.database import Database
from sqlalchemy import Connection, create_engine, inspect

from nebula.errors import ConfigError


def _structure(connection: Connection) -> dict[str, object]:
    """All that SQLite knows of the tables, in an order that does not depend on how they were made."""
    inspector = inspect(connection)
    found: dict[str, object] = {}
    for table in sorted(inspector.get_table_names()):
        if table == "alembic_version":
            continue
        found[table] = {
            "columns": sorted(
                (c["name"], str(c["type"]), c["nullable"], str(c["default"])) for c in inspector.get_columns(table)
            ),
            "primary": inspector.get_pk_constraint(table)["constrained_columns"],
            "indexes": sorted(
                (
                    i["name"] or "",
                    tuple(i["column_names"]),
                    bool(i["unique"]),
                    str(i.get("dialect_options", {}).get("sqlite_where", "")),
                )
                for i in inspector.get_indexes(table)
            ),
            "unique": sorted(
                (u["name"] or "", tuple(u["column_names"])) for u in inspector.get_unique_constraints(table)
            ),
            "foreign": sorted(
                (f["name"] or "", tuple(f["constrained_columns"]), f["referred_table"], str(f["options"]))
                for f in inspector.get_foreign_keys(table)
            ),
            "checks": sorted((c["name"] or "", c["sqltext"]) for c in inspector.get_check_constraints(table)),
        }
    return found


def test_migrations_equal_metadata(tmp_path: Path) -> None:
    """An empty file that runs all migrations has the tables, indexes and constraints of a new database."""
    migrated = create_engine(f"sqlite:///{tmp_path / 'migrated.sqlite'}")
    created = create_engine(f"sqlite:///{tmp_path / 'created.sqlite'}")
    with migrated.begin() as connection:
        schema.migrate(connection)
    with created.begin() as connection:
        schema.create(connection)
    with migrated.connect() as one, created.connect() as other:
        assert _structure(one) == _structure(other)
        version = one.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
    assert version == schema.HEAD


def test_new_database_does_not_import_alembic(tmp_path: Path) -> None:
    """Making and reopening a database leaves Alembic alone: importing it costs 0.7 s at each start."""
    program = (
        "import sys; from pathlib import Path; from nebula_controller.store.database import Database;"
        "Database(Path(sys.argv[1])).close(); Database(Path(sys.argv[1])).close(); print('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "x.sqlite")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout.strip() == "False"


def test_older_database_is_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with an older known version is brought to the newest when it is opened."""
    path = tmp_path / "x.sqlite"
    Database(path).close()
    seen: list[str] = []
    monkeypatch.setattr(schema, "HEAD", "9998")
    monkeypatch.setattr(schema, "migrate", lambda _connection: seen.append("migrated"))
    Database(path).close()
    assert seen == ["migrated"]


def test_newer_database_is_refused(tmp_path: Path) -> None:
    """A file of a newer program is named as such and left alone."""
    path = tmp_path / "x.sqlite"
    Database(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigError, match="newer than this program"):
        Database(path)


@pytest.mark.parametrize(
    "content", [b"this is no database, but long enough to have a header" * 40, b"SQLite format 3\0" * 400]
)
def test_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that is no database gives one clear error and keeps its bytes."""
    path = tmp_path / "x.sqlite"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"x\.sqlite"):
        Database(path)
    assert path.read_bytes() == content


def test_damaged_page_is_refused(tmp_path: Path) -> None:
    """A database with a page of rubbish in the middle is found damaged at start, not at some later request."""
    path = tmp_path / "x.sqlite"
    Database(path).close()
    content = bytearray(path.read_bytes())
    content[4096 * 2 : 4096 * 6] = b"\xa5" * (4096 * 4)
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"x\.sqlite"):
        Database(path)


def test_foreign_database_is_refused(tmp_path: Path) -> None:
    """Another program's SQLite file is not filled with our tables."""
    path = tmp_path / "x.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE songs (id INTEGER)")
    with pytest.raises(ConfigError, match="something else"):
        Database(path)


def test_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """No traceback where the state folder does not exist."""
    with pytest.raises(ConfigError, match="cannot be used"):
        Database(tmp_path / "absent" / "x.sqlite")


def test_nodes_that_were_revoked_before_are_shut_out(tmp_path: Path) -> None:
    """They were peers of the others until now; who has joined, or never did, stays one."""
    engine = create_engine(f"sqlite:///{tmp_path / 'x.sqlite'}")
    with engine.begin() as connection:
        schema.migrate(connection, "0002")
        for number, host in enumerate(("joined", "never", "revoked")):
            connection.exec_driver_sql(
                "INSERT INTO nodes (host, version, started_at, created_at, datapath_type, vtep_ip, underlay_mtu_bytes,"
                " roles, bridge_mappings, capabilities, heartbeat_at, down)"
                f" VALUES ('{host}', '', '', '', '', '10.0.0.{number}', 1500, '[]', '{{}}', '[]', 0, 1)"
            )
        for host, revoked_at in (("joined", None), ("revoked", "2026-01-01T00:00:00Z")):
            connection.exec_driver_sql("INSERT INTO node_memberships VALUES (?, '', '', '', 0, ?)", (host, revoked_at))
        schema.migrate(connection)
        rows = connection.exec_driver_sql("SELECT host, shut_out FROM nodes ORDER BY host").all()
    assert [tuple(row) for row in rows] == [("joined", 0), ("never", 0), ("revoked", 1)]
