"""The daemon: sockets, the event loop, readiness, a clean stop.

Effects: all of a daemon's. Stops within ``GRACE_S`` of SIGTERM or SIGINT: calls that wait are let go first, then
what is being answered may end.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import gc
import logging
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
import uvloop
from nebula_runtime.config import host_and_port, read_secret
from nebula_runtime.daemon import notify, pid_file, watchdog_s
from nebula_runtime.log import event

from nebula.errors import ConfigError
from nebula_controller.connection import Connection, Connections, prepare_files
from nebula_controller.settings import Settings
from nebula_controller.state import LOCK, open_folder

if TYPE_CHECKING:
    from nebula_controller.assembly import Controller
    from nebula_controller.tls.start import Tls

log = logging.getLogger(__name__)

GRACE_S = 1
_SCRAPE_S = 5.0
KEEP_ALIVE_S = 75
"""Longer than an agent's heartbeats are apart, so that a kept connection is not closed under a request."""

_BACKLOG = 1024


def run(settings: Settings) -> None:
    """Serve until told to stop. ConfigError where the configuration or the machine does not allow it.

    What can be refused is looked at before the database library is imported, which takes longer than all the rest.
    """
    started = time.monotonic()
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    state_dir = open_folder(Path(settings.state_dir))
    with contextlib.ExitStack() as stack:
        stack.enter_context(pid_file(state_dir / LOCK))
        sockets = stack.enter_context(_sockets(settings))
        secret = read_secret(Path(settings.node_secret_file)) if settings.node_secret_file else None
        tls = _tls(stack, settings, state_dir) if settings.listen_tls else None
        password = read_secret(Path(settings.admin_password_file)) if settings.admin_password_file else None
        from nebula_controller.assembly import assemble

        controller = assemble(state_dir, settings, secret, tls.joining if tls is not None else None)
        stack.callback(controller.close)
        _first_admin(controller, password, settings.password_hash_rounds)
        if settings.pid_file:  # the sockets are open: who calls from now on is answered
            stack.enter_context(pid_file(Path(settings.pid_file)))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(controller, sockets, tls, started, settings.metrics_listen))


async def _serve(
    controller: Controller, sockets: list[socket.socket], tls: Tls | None, started: float, metrics: str
) -> None:
    among = Connections(prepare_files())
    config = uvicorn.Config(
        controller.application,
        http=functools.partial(Connection, among=among),  # type: ignore[arg-type]
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        backlog=_BACKLOG,
    )
    server = _Server(config, among, tls)
    listening = " ".join([*map(_name, sockets), *(f"https://{_name(sock)}" for sock in (tls.sockets if tls else ()))])

    def stop(name: str) -> None:
        event(log, logging.INFO, "stopping", signal=name)
        notify("STOPPING=1")
        controller.release()
        server.should_exit = True

    loop, watched_s = asyncio.get_running_loop(), watchdog_s()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number.name)

    def alive() -> None:
        notify("WATCHDOG=1")
        loop.call_later(watched_s, alive)

    def ready() -> None:
        gc.freeze()  # what the start made stays: collections need not look at it again
        gc.enable()
        notify("READY=1")
        if watched_s:
            alive()
        seconds = round(time.monotonic() - started, 3)
        event(log, logging.INFO, "listening", addresses=listening, start_s=seconds, epoch=controller.database.epoch)

    server.tell_when_ready(ready)
    async with _given_out(controller, metrics):
        await server.serve(sockets)
    event(log, logging.INFO, "stopped")


@contextlib.asynccontextmanager
async def _given_out(controller: Controller, address: str) -> AsyncIterator[None]:
    """The metrics, to Prometheus, meanwhile; collected on the loop's thread. ConfigError."""
    if not address:
        yield
        return
    from nebula_runtime.metrics_server import MetricsServer

    loop = asyncio.get_running_loop()

    async def scraped() -> bytes:
        return controller.scraped()

    def collect() -> bytes:
        return asyncio.run_coroutine_threadsafe(scraped(), loop).result(_SCRAPE_S)

    server = MetricsServer(host_and_port("metrics_listen", address), collect)
    server.start()
    try:
        yield
    finally:
        await asyncio.to_thread(server.stop)  # it may be waiting for this loop


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers, with a word when it listens, and with TLS on sockets of their own."""

    def __init__(self, config: uvicorn.Config, among: Connections, tls: Tls | None) -> None:
        super().__init__(config)
        self._among = among
        self._tls = tls
        self._fresh: asyncio.Task[None] | None = None

    def tell_when_ready(self, ready: Callable[[], None]) -> None:
        """``ready`` is called once, when every socket is served."""
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """``_serve`` has its own: uvicorn's would raise the signal again after the clean stop."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, then the sockets with TLS, then ``ready``."""
        await super().startup(sockets)
        if self._tls is not None and not self.should_exit:
            served = self._tls.serve(self.config, self.server_state, self.lifespan.state, self._among)
            self.servers += served  # type: ignore[arg-type]  # they are closed and waited for, as those are
            self._fresh = asyncio.create_task(self._tls.listener.keep_fresh(), name="certificate")
        if not self.should_exit:
            self._ready()


def _tls(stack: contextlib.ExitStack, settings: Settings, state_dir: Path) -> Tls:
    """Imported only where it is wanted: it takes a tenth of the start."""
    from nebula_controller.tls.start import start

    addresses = settings.tls_addresses()
    return start(state_dir, settings, [stack.enter_context(_listening(host, port)) for host, port in addresses])


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    with _bind(host, port) as sock:
        sock.setblocking(False)
        yield sock


def _first_admin(controller: Controller, password: str | None, rounds: int) -> None:
    from nebula_controller.identity.bootstrap import bootstrap, has_admin
    from nebula_controller.identity.passwords import hash_password

    with controller.database.read() as tx:
        if has_admin(tx):
            return
    if password is None:
        event(log, logging.WARNING, "there is no administrator yet: run nebula-controller bootstrap")
        return
    bootstrap(controller.database, hash_password(password, rounds))
    event(log, logging.INFO, "bootstrapped", user="admin")


@contextlib.contextmanager
def _sockets(settings: Settings) -> Iterator[list[socket.socket]]:
    """Listening sockets: bound here, and inherited. ConfigError says which cannot be had."""
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(_bind(host, port)) for host, port in settings.addresses()]
        for number in settings.listen_fd:
            try:
                sock = stack.enter_context(socket.socket(fileno=number))
                listening = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            except OSError as error:
                raise ConfigError(f"listen_fd {number} is not an open socket: {error.strerror}") from error
            if not listening:
                raise ConfigError(f"listen_fd {number} is a socket that does not listen")
            found.append(sock)
        for sock in found:
            sock.setblocking(False)
        yield found


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        hint = "another program has the port; choose one with --listen" if error.errno == errno.EADDRINUSE else ""
        raise ConfigError(f"cannot listen on {host}:{port}: {hint or error.strerror}") from error
    return sock


def _name(sock: socket.socket) -> str:
    name = sock.getsockname()
    if not isinstance(name, tuple):
        return str(name)
    return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"
