"""Transactions: all or nothing, revisions, the record of calls, hooks and subscribers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from nebula_controller.api.context import Caller, RequestContext, internal
from nebula_controller.store import database as module
from nebula_controller.store.database import Database, Transaction
from nebula_controller.store.tables.network import free_segments
from nebula_controller.store.tables.requests import request_objects, requests
from sqlalchemy import select

from nebula.ids import Owner, OwnerKind

PORT = Owner(OwnerKind.PORT, "p")
NETWORK = Owner(OwnerKind.NETWORK, "n")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "x.sqlite")
    yield made
    made.close()


def insert(tx: Transaction, first: int) -> None:
    tx.execute(free_segments.insert(), {"network_type": "vxlan", "first": first, "last": first})


def stored(database: Database) -> list[int]:
    with database.read() as tx:
        return list(tx.execute(select(free_segments.c.first)).scalars())


def test_revision_and_record(database: Database) -> None:
    """A write that touched something raises the revision by one and says who did what to which objects."""
    context = RequestContext(
        request_id="req-1", method="POST", path="/x", caller=Caller(user_id="u", project_id="p", roles=frozenset())
    )
    with database.write(context, status=201) as tx:
        tx.touch(PORT, NETWORK)
    with database.write(context) as tx:
        insert(tx, 1)
    with database.read() as tx:
        assert tx.revision() == 1
        (row,) = tx.execute(select(requests)).all()
        objects = {tuple(r) for r in tx.execute(select(request_objects))}
    assert tuple(row)[:7] == (1, "req-1", "POST", "/x", "u", "p", 201)
    assert objects == {(1, "port", "p", False), (1, "network", "n", True)}


def test_failure_leaves_nothing(database: Database) -> None:
    """An exception in the block, in a hook or on commit takes all of it back, and nobody is told."""
    told: list[int] = []
    database.subscribe(lambda revision, _touched: told.append(revision))
    with pytest.raises(ZeroDivisionError), database.write(internal("t")) as tx:
        insert(tx, 1)
        tx.touch(PORT)
        raise ZeroDivisionError

    def refuse(tx: Transaction) -> None:
        insert(tx, 2)
        raise KeyError

    database.before_commit(refuse)
    with pytest.raises(KeyError), database.write(internal("t")) as tx:
        insert(tx, 1)
        tx.touch(PORT)
    assert (stored(database), told) == ([], [])
    with database.read() as tx:
        assert tx.revision() == 0


def test_hooks_belong_to_the_write(database: Database) -> None:
    """What a hook changes and touches is in the same commit and record; without a touch no hook runs."""
    told: list[tuple[int, frozenset[Owner]]] = []
    database.subscribe(lambda revision, touched: told.append((revision, touched)))

    def follow(tx: Transaction) -> None:
        insert(tx, 7)
        tx.touch(NETWORK)

    database.before_commit(follow)
    with database.write(internal("t")):
        pass
    assert stored(database) == []
    with database.write(internal("t")) as tx:
        tx.touch(PORT)
    assert (stored(database), told) == ([7], [(1, frozenset({PORT, NETWORK}))])


def test_subscriber_sees_the_commit_and_cannot_break_it(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """A subscriber may open transactions of its own; its failure is logged, the others are told all the same."""
    seen: list[int] = []

    def broken(_revision: int, _touched: frozenset[Owner]) -> None:
        raise ZeroDivisionError

    def reads(_revision: int, _touched: frozenset[Owner]) -> None:
        with database.read() as tx:
            seen.append(tx.revision())

    database.subscribe(broken)
    database.subscribe(reads)
    with database.write(internal("t")) as tx:
        tx.touch(PORT)
    assert seen == [1]
    assert "ZeroDivisionError" in caplog.text


def test_transactions_do_not_nest(database: Database) -> None:
    """A transaction inside another is a bug that shows at once, and leaves the outer one whole."""
    with database.write(internal("t")) as tx:
        insert(tx, 1)
        with pytest.raises(RuntimeError), database.read():
            pass
    assert stored(database) == [1]
    with database.read() as tx, pytest.raises(RuntimeError):
        tx.touch(PORT)


def test_old_requests_age_out(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest calls are kept, so many as set, with their objects."""
    monkeypatch.setattr(module, "REQUESTS_KEPT", 3)
    for _ in range(5):
        with database.write(internal("t")) as tx:
            tx.touch(PORT)
    with database.read() as tx:
        assert sorted(tx.execute(select(requests.c.revision)).scalars()) == [3, 4, 5]
        assert sorted(tx.execute(select(request_objects.c.revision)).scalars()) == [3, 4, 5]


def test_epoch_and_revision_last(tmp_path: Path) -> None:
    """Closing and opening keeps epoch and revision; another file has another epoch."""
    one = Database(tmp_path / "x.sqlite")
    with one.write(internal("t")) as tx:
        tx.touch(PORT)
    one.close()
    again, other = Database(tmp_path / "x.sqlite"), Database(tmp_path / "y.sqlite")
    with again.read() as tx:
        assert (again.epoch, tx.revision()) == (one.epoch, 1)
    assert other.epoch != one.epoch
    again.close()
    other.close()
