"""Statements that read all rows of a kind, or those of some keys. Effects: reads of the database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam

from nebula_controller.store.database import Transaction

CHUNK = 500
"""So many keys in one statement: SQLite takes 32,766 variables, but a statement of each length is compiled once."""


class Query(NamedTuple):
    """A statement over all rows, and the same one for some keys."""

    all: Select[Any]
    some: Select[Any]


def query(statement: Select[Any], key: Any) -> Query:
    """``key`` is the column that keys are looked up in."""
    return Query(statement, statement.where(key.in_(bindparam("keys", expanding=True))))


def read(tx: Transaction, query: Query, keys: set[str] | None) -> Iterator[Any]:
    """The rows of these keys; None: all rows."""
    if keys is None:
        yield from tx.execute(query.all)
        return
    ordered = sorted(keys)
    for start in range(0, len(ordered), CHUNK):
        yield from tx.execute(query.some, {"keys": ordered[start : start + CHUNK]})
