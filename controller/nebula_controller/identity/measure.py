"""What a token costs with each provider: validations per second and database look-ups, measured.

Effects: databases in temporary folders, processor time. Every validation is a whole ``GET /v3/auth/tokens`` through the
application, from the ASGI request to the encoded answer; only the socket and uvicorn's parser are left out, which
cost the same for both. Each token is validated twice: the first time it is looked at in earnest, the second time the
controller remembers it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from sqlalchemy import Engine, event, func, select
from starlette.applications import Starlette

from nebula_controller.api.application import create_application
from nebula_controller.assembly import identity_site
from nebula_controller.identity.bootstrap import ADMIN_PROJECT, ADMIN_USER, bootstrap
from nebula_controller.identity.passwords import hash_password, random_password
from nebula_controller.identity.service import identity_service
from nebula_controller.settings import Settings
from nebula_controller.store.database import Database
from nebula_controller.store.tables.identity import tokens

_ROUNDS = 4
"""bcrypt's least: passwords are not what is measured."""


class Figures(msgspec.Struct, frozen=True):
    """Of one provider. ``lookups_*`` are SELECT statements for each validation; ``rows`` those kept for each token."""

    provider: str
    token_characters: int
    rows: float
    first_per_s: float
    first_lookups: float
    again_per_s: float
    again_lookups: float


def measure(count: int) -> list[Figures]:
    """Both providers, with ``count`` tokens each."""
    return [asyncio.run(_measure(provider, count)) for provider in ("fernet", "uuid")]


async def _measure(provider: str, count: int) -> Figures:
    password = random_password()
    settings = msgspec.convert({"token_provider": provider, "password_hash_rounds": _ROUNDS}, Settings)
    with TemporaryDirectory(prefix="nebula-tokens-") as name:
        folder = Path(name)
        database = Database(folder / "tokens.sqlite")
        site = identity_site(database, folder, settings)
        try:
            bootstrap(database, hash_password(password, _ROUNDS))
            application = create_application(site.authenticator, [identity_service(site)])
            texts = [await _log_in(application, password) for _ in range(count + 1)]
            caller, subjects = texts[0], texts[1:]
            await _validate(application, caller, caller)
            first_s, first = await _validate_all(application, caller, subjects)
            again_s, again = await _validate_all(application, caller, subjects)
            with database.read() as tx:
                rows = tx.execute(select(func.count()).select_from(tokens)).scalar_one()
        finally:
            site.passwords.close()
            site.directories.close()
            database.close()
    return Figures(
        provider=provider,
        token_characters=len(caller),
        rows=rows / (count + 1),
        first_per_s=count / first_s,
        first_lookups=first / count,
        again_per_s=count / again_s,
        again_lookups=again / count,
    )


async def _validate_all(application: Starlette, caller: str, subjects: Sequence[str]) -> tuple[float, int]:
    """Seconds and look-ups."""
    with _counted() as statements:
        started = time.perf_counter()
        for subject in subjects:
            await _validate(application, caller, subject)
        return time.perf_counter() - started, len(statements)


@contextmanager
def _counted() -> Iterator[list[str]]:
    """The SELECT statements that any database runs meanwhile."""
    seen: list[str] = []

    def look(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            seen.append(statement)

    event.listen(Engine, "before_cursor_execute", look)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", look)


async def _log_in(application: Starlette, password: str) -> str:
    user = {"name": ADMIN_USER, "domain": {"id": "default"}, "password": password}
    scope = {"project": {"name": ADMIN_PROJECT, "domain": {"id": "default"}}}
    auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
    headers = await _call(application, "POST", [], msgspec.json.encode({"auth": auth}), 201)
    return headers[b"x-subject-token"].decode()


async def _validate(application: Starlette, caller: str, subject: str) -> None:
    names = [(b"x-auth-token", caller.encode()), (b"x-subject-token", subject.encode())]
    await _call(application, "GET", names, b"", 200)


async def _call(
    application: Starlette, method: str, headers: list[tuple[bytes, bytes]], body: bytes, status: int
) -> dict[bytes, bytes]:
    """One request to ``/v3/auth/tokens``; the answer's headers. RuntimeError for another status."""
    path = "/identity/v3/auth/tokens"
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"nocatalog",
        "headers": [(b"host", b"localhost"), *headers],
        "scheme": "http",
        "server": ("localhost", 80),
        "root_path": "",
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await application(scope, receive, send)
    if sent[0]["status"] != status:
        raise RuntimeError(f"{method} {path}: {sent[0]['status']}")
    return dict(sent[0]["headers"])
