"""Domains whose users and groups are in an LDAP directory: what was read there, kept in the tables as it was last seen.

Effects: directories (in threads of their own, with a time limit), the database. The rows make assignments, tokens and
names work as for users of SQL; the directory stays the only place where such users are made, changed and checked.
What the directory says anew counts at the user's next login, when the user or the domain is read, and every
``REFRESH_S`` for all. A user that is gone or disabled there is disabled here and its tokens are void; its assignments
stay, and hold again if it comes back.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec
from nebula_runtime.log import event
from sqlalchemy import Executable, Table, delete, insert, select, update

from nebula.errors import Forbidden, Unavailable
from nebula_controller.api.context import internal
from nebula_controller.api.endpoint import Answer, Call, Operation
from nebula_controller.identity.ldap import Directory, DirectoryGroup, DirectoryUser, LdapSettings
from nebula_controller.store.database import Database, Transaction
from nebula_controller.store.tables.identity import directory_names, domains, group_members, groups, users

log = logging.getLogger(__name__)

REFRESH_S = 60
_FRESH_S = 1.0
"""What was read so lately is not read again for another call."""
_THREADS = 2
"""For each directory: one that hangs keeps no other one waiting."""
_PATIENCE = 3
"""A call waits so many times the directory's own time limit, its turn included."""

T = TypeVar("T")


class Directories:
    """All of them, by the name of their domain. ``forget`` is called when a row has changed."""

    def __init__(
        self,
        database: Database,
        settings: Mapping[str, LdapSettings],
        forget: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._settings = settings
        self._forget = forget
        self._clock = clock
        self._read_at: dict[str, float] = {}
        self._found = {name: Directory(name, of) for name, of in settings.items()}
        self._threads = {name: ThreadPoolExecutor(_THREADS, thread_name_prefix=f"ldap-{name}") for name in settings}

    def domain_name(self, tx: Transaction, domain_id: str) -> str | None:
        """The name of a domain that has a directory; None for others."""
        if not self._found:
            return None
        name = tx.execute(select(domains.c.name).where(domains.c.id == domain_id)).scalar_one_or_none()
        return name if name in self._found else None

    def refuse_change(self, tx: Transaction, domain_id: str) -> None:
        """Forbidden where users and groups are the directory's."""
        name = self.domain_name(tx, domain_id)
        if name is not None:
            raise Forbidden(f"Users and groups of domain {name} are read from its directory; change them there.")

    async def check_password(self, domain: str, user_id: str | None, name: str | None, password: str) -> str | None:
        """The id of the user if the password is right, else None. Unavailable where the directory does not answer."""
        local_id = None
        if user_id is not None:
            local_id = self._local_id(user_id)
        directory = self._found[domain]

        def look() -> tuple[DirectoryUser | None, list[DirectoryGroup], bool]:
            known = user_id is None or local_id is not None
            matching = directory.users(name=name, local_id=local_id) if known else []
            user = matching[0] if len(matching) == 1 else None
            right = directory.password_is(user.dn if user is not None else None, password)
            return user, directory.groups(member_dn=user.dn) if user is not None and right else [], right

        user, their_groups, right = await self._run(domain, look)
        if user is None or not right:
            return None
        self._keep(domain, [user], their_groups, whole=False)
        return public_id(self._domain_id(domain), "user", user.local_id) if user.enabled else None

    def prepared(self, operation: Operation) -> Operation:
        """The operation, which first reads anew what it is about, where that is in a directory."""
        plural = next((p for p in ("users", "groups") if operation.path.startswith(f"/v3/{p}")), None)
        if not self._found or operation.open or operation.method not in {"GET", "HEAD"} or plural is None:
            return operation
        inner = operation.handler

        async def handler(call: Call) -> Answer:
            domain = self._concerned(plural, call)
            if domain is not None and time.monotonic() > self._read_at.get(domain, 0) + _FRESH_S:
                await self.refresh(domain)
            answer = inner(call)
            return await answer if inspect.isawaitable(answer) else answer

        return msgspec.structs.replace(operation, handler=handler)

    async def refresh(self, domain: str) -> None:
        """Read all users and groups of a domain anew. Unavailable where its directory does not answer."""
        directory = self._found[domain]
        found = await self._run(domain, lambda: (directory.users(), directory.groups()))
        self._keep(domain, *found, whole=True)
        self._read_at[domain] = time.monotonic()

    async def keep_fresh(self) -> None:
        """Read every directory now and then, until cancelled; one that is down is noted and left as it was."""
        while self._found:
            await asyncio.sleep(REFRESH_S)
            for domain in self._found:
                try:
                    await self.refresh(domain)
                except Unavailable as error:
                    event(log, logging.WARNING, "directory is down", domain=domain, reason=error.message)
                except Exception:
                    log.exception("directory could not be read", extra={"fields": {"domain": domain}})

    def close(self) -> None:
        """Stop the threads; what is under way ends by its time limit."""
        for threads in self._threads.values():
            threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, domain: str, work: Callable[[], T]) -> T:
        limit_s = _PATIENCE * self._settings[domain].timeout_s
        future = asyncio.get_running_loop().run_in_executor(self._threads[domain], work)
        try:
            return await asyncio.wait_for(future, limit_s)
        except TimeoutError as error:
            raise Unavailable(f"The directory of domain {domain} did not answer within {limit_s} s.") from error

    def _concerned(self, plural: str, call: Call) -> str | None:
        table = users if plural == "users" else groups
        object_id = call.path.get("id") or call.path.get("user_id")
        with self._database.read() as tx:
            if object_id is not None:
                where = select(table.c.domain_id).where(table.c.id == object_id)
                domain_id = tx.execute(where).scalar_one_or_none()
            else:
                domain_id = next((text for name, text in call.query if name == "domain_id"), None)
            return self.domain_name(tx, domain_id) if domain_id is not None else None

    def _domain_id(self, domain: str) -> str:
        with self._database.read() as tx:
            found = tx.execute(select(domains.c.id).where(domains.c.name == domain)).scalar_one_or_none()
        if found is None:
            raise Unavailable(f"There is no domain {domain} any more.")
        return str(found)

    def _local_id(self, object_id: str) -> str | None:
        with self._database.read() as tx:
            where = select(directory_names.c.local_id).where(directory_names.c.public_id == object_id)
            return tx.execute(where).scalar_one_or_none()

    def _keep(
        self, domain: str, found: Sequence[DirectoryUser], found_groups: Sequence[DirectoryGroup], *, whole: bool
    ) -> None:
        """Make the rows equal to what was read; ``whole``: there is nothing else. Equal rows are not written."""
        domain_id = self._domain_id(domain)
        with self._database.write(internal("directory")) as tx:
            rows = _Rows(tx, domain_id, self._clock())
            ids = {user.dn: rows.keep_user(user) for user in found}
            for group in found_groups:
                rows.keep_group(group)
            memberships = {
                (ids[dn], public_id(domain_id, "group", group.local_id))
                for group in found_groups
                for dn in group.member_dns
                if dn in ids
            }
            rows.keep_members(ids.values(), memberships)
            if whole:
                rows.disable_others(set(ids.values()))
                rows.drop_other_groups({public_id(domain_id, "group", group.local_id) for group in found_groups})
        if rows.changed:
            self._forget()


class _Rows:
    """One domain's rows while they are brought to what was read."""

    def __init__(self, tx: Transaction, domain_id: str, now: float) -> None:
        self._tx = tx
        self._domain_id = domain_id
        self._now = now
        self.changed = False

    def keep_user(self, user: DirectoryUser) -> str:
        user_id = public_id(self._domain_id, "user", user.local_id)
        values: dict[str, object] = {
            "name": user.name,
            "enabled": user.enabled,
            "description": user.description or None,
            "extra": {"email": user.email} if user.email else {},
        }
        self._keep(users, user_id, "user", user.local_id, values)
        return user_id

    def keep_group(self, group: DirectoryGroup) -> None:
        group_id = public_id(self._domain_id, "group", group.local_id)
        self._keep(groups, group_id, "group", group.local_id, {"name": group.name, "description": group.description})

    def keep_members(self, user_ids: Iterable[str], wanted: set[tuple[str, str]]) -> None:
        by_user: dict[str, set[str]] = {}
        for user_id, group_id in wanted:
            by_user.setdefault(user_id, set()).add(group_id)
        for user_id in user_ids:
            mine = group_members.c.user_id == user_id
            here = group_members.c.group_id.in_(select(groups.c.id).where(groups.c.domain_id == self._domain_id))
            present = set(self._tx.execute(select(group_members.c.group_id).where(mine, here)).scalars())
            now = by_user.get(user_id, set())
            for group_id in now - present:
                self._write(insert(group_members).values(user_id=user_id, group_id=group_id))
            for group_id in present - now:
                self._write(delete(group_members).where(mine, group_members.c.group_id == group_id))

    def disable_others(self, present: set[str]) -> None:
        read = select(directory_names.c.public_id).where(directory_names.c.domain_id == self._domain_id)
        theirs = select(users.c.id).where(users.c.id.in_(read), users.c.enabled)
        for user_id in set(self._tx.execute(theirs).scalars()) - present:
            values = {"enabled": False, "tokens_valid_after": self._now}
            self._write(update(users).where(users.c.id == user_id).values(**values))

    def drop_other_groups(self, present: set[str]) -> None:
        """A group that is gone has no members; its row stays, because assignments may name it."""
        read = select(directory_names.c.public_id).where(directory_names.c.domain_id == self._domain_id)
        theirs = select(groups.c.id).where(groups.c.id.in_(read))
        for group_id in set(self._tx.execute(theirs).scalars()) - present:
            of_it = group_members.c.group_id == group_id
            if self._tx.execute(select(group_members).where(of_it)).first() is not None:
                self._write(delete(group_members).where(of_it))

    def _keep(self, table: Table, object_id: str, kind: str, local_id: str, values: dict[str, object]) -> None:
        row = self._tx.execute(select(table).where(table.c.id == object_id)).one_or_none()
        if row is not None and all(getattr(row, name) == value for name, value in values.items()):
            return
        # The name may have gone from one entry to another: who had it before goes by its id until it is read.
        same = (table.c.domain_id == self._domain_id) & (table.c.name == values["name"]) & (table.c.id != object_id)
        self._tx.execute(update(table).where(same).values(name=table.c.id))
        if row is None:
            self._write(insert(table).values(id=object_id, domain_id=self._domain_id, **values))
            known = {"public_id": object_id, "domain_id": self._domain_id, "kind": kind, "local_id": local_id}
            self._write(insert(directory_names).values(**known))
            return
        if values.get("enabled") is False and row.enabled:
            values = {**values, "tokens_valid_after": self._now}
        self._write(update(table).where(table.c.id == object_id).values(**values))

    def _write(self, statement: Executable) -> None:
        self._tx.execute(statement)
        self.changed = True


def public_id(domain_id: str, kind: str, local_id: str) -> str:
    """The id by which the API knows an entry: the same whenever it is read, in whatever database (Keystone's way)."""
    return hashlib.sha256("\0".join((domain_id, kind, local_id)).encode()).hexdigest()
