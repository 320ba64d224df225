"""The whole controller in this process, for the machine of ``api_machine``.

Effects: a database in a temporary folder, taken back to the start for each sequence of calls.
"""

from __future__ import annotations

import asyncio
import sqlite3
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from api_network_client import Api
from api_records import ASKERS
from nebula_controller.api.context import Caller
from nebula_controller.assembly import assemble
from nebula_controller.settings import Settings

from nebula.errors import Unauthorized


class Names:
    """The token is the caller's name."""

    def authenticate(self, token: str) -> Caller:
        found = ASKERS.get(token)
        if found is None:
            raise Unauthorized("The request you have made requires authentication.")
        roles = {"reader"} | ({"member"} if found.writes else set()) | ({"admin"} if found.admin else set())
        return Caller(user_id=found.name, project_id=found.project, roles=frozenset(roles))


class Assembled(Api):
    """The whole controller, its database taken back to the start for each sequence."""

    def __init__(self, folder: Path) -> None:
        self.controller = assemble(folder, Settings(), "the secret of the nodes")
        self.database, self.application = self.controller.database, self.controller.application
        for route in self.application.routes:
            route.endpoint._authenticator = Names()  # type: ignore[attr-defined]
        self._start = sqlite3.connect(":memory:")
        self._file().backup(self._start)

    def rewind(self) -> None:
        self._start.backup(self._file())

    def _file(self) -> sqlite3.Connection:
        with self.database.read() as tx:
            found = tx.connection.connection.driver_connection
        assert isinstance(found, sqlite3.Connection)
        return found


@cache
def assembled() -> tuple[Assembled, TemporaryDirectory[str]]:
    folder = TemporaryDirectory(prefix="nebula-model-")
    made = Assembled(Path(folder.name))
    made.loop = asyncio.new_event_loop()
    return made, folder
