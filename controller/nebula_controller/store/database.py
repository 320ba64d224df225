"""The database file and its transactions. Effects: one SQLite file (and its WAL) in the state folder.

For those who write a service:

- ``with database.read() as tx:`` and ``with database.write(context, status=201) as tx:`` give a ``Transaction``.
  Everything runs synchronously on the event loop's thread, one transaction at a time; they do not nest, and no
  ``await`` may stand inside one. Leaving the block commits; an exception rolls all of it back.
- Use SQLAlchemy Core: ``tx.execute(select(...))``. Build statements that run often once, at module level, with
  ``bindparam``: SQLAlchemy then finds their compiled form in its cache.
- A write that changes what a person asked for, or what a node must know, says so:
  ``tx.touch(Owner(OwnerKind.PORT, port_id), Owner(OwnerKind.NETWORK, network_id))``, the changed object first, then
  those whose kernel objects may follow from it. The commit then raises the global revision by one and records the call
  (tables ``requests``, ``request_objects``). A write that touches nothing (a heartbeat) raises and records nothing.
- ``database.before_commit(hook)``: ``hook(tx)`` runs inside each write that touched something, before its commit; it
  may change and touch more (the scheduler places routers and DHCP here, so that the placement is part of the call).
- ``database.subscribe(on_commit)``: ``on_commit(revision, touched)`` runs after a commit that raised the revision;
  ``touched`` is the frozenset of all owners touched or related. An exception in it is logged and goes no further.
- ``database.epoch`` is the file's UUID; ``tx.revision()`` the revision that the transaction sees.

``context`` is whatever has the five attributes of ``Origin``; ``api.context.RequestContext`` does, and
``api.context.internal(name)`` makes one for what no call caused.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec
from sqlalchemy import (
    Connection,
    CursorResult,
    Engine,
    Executable,
    bindparam,
    create_engine,
    delete,
    event,
    insert,
    update,
)
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import StaticPool

from nebula.errors import ConfigError
from nebula.ids import Owner
from nebula_controller.store import schema
from nebula_controller.store.tables.requests import database_state, request_objects, requests

log = logging.getLogger(__name__)

REQUESTS_KEPT = 20_000
"""So many of the newest rows of ``requests`` are kept."""

BUSY_TIMEOUT_MS = 5_000
"""How long a write waits for another process (a person's sqlite3 shell) to let go of the file."""

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class Origin(Protocol):
    """Who caused a write; recorded with the revision."""

    @property
    def request_id(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def user_id(self) -> str | None: ...
    @property
    def project_id(self) -> str | None: ...
    @property
    def dry_run(self) -> bool: ...


class Rehearsed(Exception):
    """A dry run's write came as far as its commit, and was rolled back. ``found``: what was looked up before that."""

    def __init__(self, found: object) -> None:
        super().__init__("rehearsed")
        self.found = found


class Transaction:
    """What a handler does its reads and writes with; lives only inside its ``with`` block."""

    def __init__(self, connection: Connection, origin: Origin | None) -> None:
        self.connection = connection
        self.origin = origin
        """None in a read."""
        self._touched: dict[Owner, bool] = {}
        self._settled: set[Owner] = set()

    def execute(self, statement: Executable, parameters: Parameters | None = None) -> CursorResult[*tuple[Any, ...]]:
        """Run one Core statement."""
        return self.connection.execute(statement, parameters)

    def touch(self, owner: Owner, *related: Owner) -> None:
        """Say that ``owner`` changed, and that what nodes have for ``related`` may change with it."""
        if self.origin is None:
            raise RuntimeError("touch() in a read transaction")
        self._touched[owner] = False
        for other in related:
            self._touched.setdefault(other, True)

    @property
    def touched(self) -> frozenset[Owner]:
        """All owners touched or related so far."""
        return frozenset(self._touched)

    def settle(self, owner: Owner) -> None:
        """Say that this write itself decided where ``owner`` is served: hooks before the commit leave that as it is."""
        self._settled.add(owner)

    def is_settled(self, owner: Owner) -> bool:
        """Whether hooks leave it as it is."""
        return owner in self._settled

    def is_related(self, owner: Owner) -> bool:
        """True for what was only named as concerned by a change of something else."""
        return self._touched.get(owner, False)

    def revision(self) -> int:
        """The global revision that this transaction sees."""
        return int(self.execute(_READ_REVISION).scalar_one())

    def record(self, status: int) -> int | None:
        """Raise the revision and write down the call; None (and nothing written) where nothing was touched."""
        if not self._touched or self.origin is None:
            return None
        revision = int(self.execute(_RAISE_REVISION).scalar_one())
        origin = self.origin
        self.execute(
            _INSERT_REQUEST,
            {
                "revision": revision,
                "request_id": origin.request_id,
                "method": origin.method,
                "path": origin.path[:2048],
                "user_id": origin.user_id,
                "project_id": origin.project_id,
                "status": status,
                "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            },
        )
        self.execute(
            _INSERT_OBJECT,
            [
                {"revision": revision, "kind": owner.kind.value, "id": owner.id, "related": related}
                for owner, related in self._touched.items()
            ],
        )
        self.execute(_AGE_OUT, {"oldest": revision - REQUESTS_KEPT})
        return revision


_READ_REVISION = database_state.select().with_only_columns(database_state.c.revision)
_RAISE_REVISION = (
    update(database_state).values(revision=database_state.c.revision + 1).returning(database_state.c.revision)
)
_INSERT_REQUEST = insert(requests)
_INSERT_OBJECT = insert(request_objects)
_AGE_OUT = delete(requests).where(requests.c.revision <= bindparam("oldest"))

CommitSubscriber = Callable[[int, frozenset[Owner]], None]
CommitHook = Callable[[Transaction], None]


class Database:
    """The one SQLite file. Made where it does not exist, migrated where it is older.

    Raises ``ConfigError`` where the folder cannot be written, the file is damaged or of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._hooks: list[CommitHook] = []
        self._subscribers: list[CommitSubscriber] = []
        self._busy = False
        self._rehearse: Callable[[Transaction], object] = lambda _transaction: None
        self._engine = _engine(path)
        try:
            self.epoch = schema.prepare(self._engine, path)
            self._connection = self._engine.connect()
        except DatabaseError as error:
            self._engine.dispose()
            raise ConfigError(
                f"Database {path} cannot be used ({error.orig}). Check the folder's permissions and space, or move the "
                "file away and restore a backup."
            ) from error
        except BaseException:
            self._engine.dispose()
            raise

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """One consistent snapshot."""
        with self._transaction(immediate=False):
            try:
                yield Transaction(self._connection, None)
            finally:
                self._connection.rollback()

    @contextmanager
    def write(self, context: Origin, *, status: int = 200) -> Iterator[Transaction]:
        """All or nothing. ``status`` is the HTTP status that the call will be answered with once this commits."""
        with self._transaction(immediate=True):
            transaction = Transaction(self._connection, context)
            try:
                yield transaction
                if transaction.touched:
                    for hook in self._hooks:
                        hook(transaction)
                if context.dry_run:
                    raise Rehearsed(self._rehearse(transaction))
                revision = transaction.record(status)
                self._connection.commit()
            except BaseException:
                self._connection.rollback()
                raise
        if revision is not None:
            self._tell(revision, transaction.touched)

    def before_commit(self, hook: CommitHook) -> None:
        """Run ``hook(transaction)`` inside each write that touched something, before it commits."""
        self._hooks.append(hook)

    def at_rehearsal(self, look: Callable[[Transaction], object]) -> None:
        """Run ``look(transaction)`` in the place of a dry run's commit; what it returns is ``Rehearsed.found``."""
        self._rehearse = look

    def subscribe(self, on_commit: CommitSubscriber) -> None:
        """Run ``on_commit(revision, touched)`` after each commit that raised the revision."""
        self._subscribers.append(on_commit)

    def close(self) -> None:
        """Close the file; the WAL is folded in."""
        self._connection.close()
        self._engine.dispose()

    @contextmanager
    def _transaction(self, *, immediate: bool) -> Iterator[None]:
        if self._busy:
            raise RuntimeError("transactions do not nest")
        self._busy = True
        try:
            self._connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
            yield
        finally:
            self._busy = False

    def _tell(self, revision: int, touched: frozenset[Owner]) -> None:
        for subscriber in self._subscribers:
            try:
                subscriber(revision, touched)
            except Exception:
                log.exception("a subscriber to commits failed", extra={"revision": revision})


def _engine(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=StaticPool,
        json_serializer=lambda value: msgspec.json.encode(value).decode(),
        json_deserializer=msgspec.json.decode,
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        """``isolation_level`` None: no BEGIN but ours, so that DDL too is transactional."""
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "cache_size=-16384",
            "temp_store=MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine
