"""The network service in this process: an ASGI client, a fake authenticator, and words for what tests make often."""

from __future__ import annotations

import asyncio
import functools
import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from nebula_controller.api.application import create_application
from nebula_controller.api.context import Caller
from nebula_controller.network.service import network_service
from nebula_controller.network.settings import NetworkSettings
from nebula_controller.store.database import Database

from nebula.errors import Unauthorized

Json = Any
"""A decoded answer: tests look into it freely."""


class TokensAreNames:
    """The token ``alice`` is user alice in project ``p-alice``; ``admin`` is an administrator; ``bad`` is refused."""

    def authenticate(self, token: str) -> Caller:
        """As the identity service would."""
        if token == "bad":
            raise Unauthorized("The request you have made requires authentication.")
        roles = frozenset({"member", "reader"}) | ({"admin"} if token == "admin" else set())
        return Caller(user_id=token, project_id=None if token == "unscoped" else f"p-{token}", roles=roles)


class Answered(msgspec.Struct):
    """Status, headers and body of an answer."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Json:
        """The decoded body."""
        return msgspec.json.decode(self.raw)

    @property
    def kind(self) -> str:
        """The type of a Neutron error."""
        return str(self.json["NeutronError"]["type"])

    @property
    def error(self) -> str:
        """``type: message`` of a Neutron error."""
        found = self.json["NeutronError"]
        return f"{found['type']}: {found['message']}"


class Api:
    """The application on a database of its own."""

    def __init__(self, folder: Path, settings: NetworkSettings | None = None) -> None:
        self.loop = asyncio.new_event_loop()
        self.database = Database(folder / "nebula.sqlite")
        service = network_service(self.database, settings or NetworkSettings())
        self.application = create_application(TokensAreNames(), [service])

    def close(self) -> None:
        """Let go of the file and the loop."""
        self.database.close()
        self.loop.close()

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = "alice",
        headers: dict[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Answered:
        """One request below ``/network`` (or anywhere, where the path starts with ``//``)."""
        content = raw if raw is not None else b"" if body is None else msgspec.json.encode(body)
        sent: dict[str, str] = {"host": "controller:9696", **(headers or {})}
        if token is not None:
            sent["x-auth-token"] = token
        route, _, query = (path[1:] if path.startswith("//") else f"/network/v2.0{path}").partition("?")
        scope: dict[str, Any] = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": route,
            "raw_path": route.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
            "server": ("controller", 9696),
        }
        messages: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Any) -> None:
            messages.append(message)

        self.loop.run_until_complete(self.application(scope, receive, send))
        start, *bodies = messages
        return Answered(
            start["status"],
            {name.decode(): value.decode() for name, value in start["headers"]},
            b"".join(message["body"] for message in bodies),
        )

    def make(self, noun: str, token: str = "alice", **values: object) -> Json:
        """POST one; ``router__external`` stands for ``router:external``."""
        body = {noun: {name.replace("__", ":"): value for name, value in values.items()}}
        answer = self.call("POST", f"/{noun.replace('_', '-')}s", body, token=token)
        assert answer.status == 201, answer.raw
        return answer.json[noun]

    def get(self, path: str, token: str = "alice") -> Json:
        """GET what must be there."""
        answer = self.call("GET", path, token=token)
        assert answer.status == 200, answer.raw
        return answer.json

    def put(self, noun: str, key: str, token: str = "alice", **values: object) -> Answered:
        """PUT some attributes of one."""
        body = {noun: {name.replace("__", ":"): value for name, value in values.items()}}
        return self.call("PUT", f"/{noun.replace('_', '-')}s/{key}", body, token=token)

    def network(
        self, cidr: str | None = "192.168.50.0/24", token: str = "alice", **subnet: object
    ) -> tuple[Json, Json]:
        """A network with one subnet."""
        network = self.make("network", token, name="net")
        if cidr is None:
            return network, None
        version = 6 if ":" in cidr else 4
        return network, self.make("subnet", token, network_id=network["id"], cidr=cidr, ip_version=version, **subnet)

    def external(self) -> tuple[Json, Json]:
        """The external network ``public`` with 203.0.113.0/24."""
        network = self.make(
            "network",
            "admin",
            name="public",
            router__external=True,
            provider__network_type="flat",
            provider__physical_network="public",
        )
        subnet = self.make(
            "subnet", "admin", network_id=network["id"], cidr="203.0.113.0/24", ip_version=4, enable_dhcp=False
        )
        return network, subnet

    def tables(self) -> dict[str, list[tuple[object, ...]]]:
        """All rows of all tables: to see that a refused call changed nothing."""
        with self.database.read() as tx:
            names = tx.connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars().all()
            return {
                name: [tuple(row) for row in tx.connection.exec_driver_sql(f'SELECT * FROM "{name}"')] for name in names
            }


class Rewound:
    """One application for many tests, its database taken back to the start for each.

    SQLAlchemy compiles each statement once an engine: an engine a test would take most of the tests' time.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        self._folder = TemporaryDirectory()
        self.api = Api(Path(self._folder.name), settings)
        self._start = sqlite3.connect(":memory:")
        self._file().backup(self._start)

    def start(self) -> Api:
        """The application, as if just started."""
        self._start.backup(self._file())
        return self.api

    def _file(self) -> sqlite3.Connection:
        with self.api.database.read() as tx:
            connection = tx.connection.connection.driver_connection
        assert isinstance(connection, sqlite3.Connection)
        return connection


@functools.cache
def _rewound(settings: NetworkSettings) -> Rewound:
    return Rewound(settings)


def fresh(settings: NetworkSettings | None = None) -> Api:
    """An application with an empty database, for one test."""
    return _rewound(settings or NetworkSettings()).start()
