"""A controller's southbound side behind real TLS sockets on the loopback address, in a thread of this process."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
import uvloop
from nebula_agent import identity
from nebula_agent.access import Access
from nebula_agent.join import join
from nebula_controller.api.application import create_application
from nebula_controller.connection import Connections
from nebula_controller.network.service import network_service
from nebula_controller.network.settings import NetworkSettings
from nebula_controller.nodes.southbound import Southbound
from nebula_controller.serve import _Server
from nebula_controller.settings import Settings
from nebula_controller.store.database import Database
from nebula_controller.tls.start import Tls, start
from nebula_runtime.http import Client, Response
from southbound_world import ADMIN, Tokens, empty_database


class TlsController:
    """``wall`` is the clock of certificates and tokens: the machine's, moved by ``wall.ahead_s``."""

    class Wall:
        ahead_s = 0.0

        def __call__(self) -> float:
            return time.time() + self.ahead_s

    def __init__(self, folder: Path, *, lifetime_s: int = 3600, secret: bytes | None = None) -> None:
        self.folder = folder
        self.wall = self.Wall()
        self._lifetime_s = lifetime_s
        self._secret = secret
        self.requests: list[str] = []
        """Method and path of each, as they came."""
        self._ready = threading.Event()
        folder.mkdir(exist_ok=True)
        self.path = folder / "nebula.sqlite"
        self.path.write_bytes(empty_database())
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        self.url = f"https://127.0.0.1:{self.tls.sockets[0].getsockname()[1]}"
        self.people = Client(self.url, tls=_Authority(folder / "tls/authority.pem"))

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        settings = Settings(listen_tls=("127.0.0.1:0",), certificate_lifetime_s=self._lifetime_s)
        with socket.create_server(("127.0.0.1", 0)) as sock:
            sock.setblocking(False)
            self.tls: Tls = start(self.folder, settings, [sock])
            self.tls.joining.authorities._wall_s = self.wall
            self.database = Database(self.path)
            self.southbound = Southbound(
                self.database, node_secret=self._secret, joining=self.tls.joining, wall_s=self.wall
            )
            network = network_service(self.database, NetworkSettings())
            application = create_application(Tokens(), [network, *self.southbound.services()])

            async def counted(scope: Any, receive: Any, send: Any) -> None:
                if scope["type"] == "http":
                    self.requests.append(f"{scope['method']} {scope['path']}")
                await application(scope, receive, send)

            config = uvicorn.Config(counted, http="httptools", ws="none", log_config=None, timeout_graceful_shutdown=1)
            self._server = _Server(config, Connections(100), self.tls)
            self._server.tell_when_ready(self._ready.set)
            self._loop = asyncio.get_running_loop()
            await self._server.serve([])
            self.database.close()

    def stop(self) -> None:
        self.people.close()

        def end() -> None:
            self.southbound.release()
            self._server.should_exit = True

        self._loop.call_soon_threadsafe(end)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def in_loop(self, action: Callable[[], Any]) -> Any:
        """Run it in the controller's thread: the database is for that alone."""

        async def run() -> Any:
            return action()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    def call(self, method: str, path: str, body: object = None, *, expect: int = 200) -> Any:
        """As the administrator."""
        content = None if body is None else msgspec.json.encode(body)
        answer = self.people.request(method, f"/nebula/v1{path}", headers=ADMIN, body=content)
        assert answer.status == expect, answer.body
        return msgspec.json.decode(answer.body) if answer.body else None

    def token(self, **more: object) -> str:
        return str(self.call("POST", "/join-tokens", more, expect=201)["join_token"]["token"])

    def joined(self, host: str, folder: Path, token: str = "") -> Access:
        """A node that joins."""
        join(self.url, token or self.token(host=host), host, folder)
        return Access(self.url, identity.Identity(folder))


class _Authority(msgspec.Struct):
    """A ``Tls`` as nebulactl has with OS_CACERT, made when it is first needed."""

    file: Path
    server_name: str = ""
    made: Any = None

    def context(self) -> Any:
        import ssl

        if self.made is None:
            self.made = ssl.create_default_context(cafile=self.file)
        return self.made


def ask(access: Access, method: str, path: str, body: bytes | None = None, timeout_s: float = 10.0) -> Response:
    """One request of a node, on a connection of its own."""
    client = access.client(timeout_s)
    try:
        return client.request(method, path, headers=access.headers, body=body)
    finally:
        client.close()
