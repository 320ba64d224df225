"""What a connection may take of the server: real sockets against uvicorn in this process, with short limits."""

from __future__ import annotations

import asyncio
import functools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import uvicorn
from nebula_controller import connection
from nebula_controller.connection import Connection, Connections, prepare_files

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
LIMIT = 4
"""Connections of the server."""


class Serving:
    """A server on 127.0.0.1; ``seen`` are the methods of the requests that came whole; ``GET /big`` answers 8 MiB."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.connections = Connections(LIMIT)
        protocol: Any = functools.partial(Connection, among=self.connections)
        config = uvicorn.Config(
            self._answer, interface="asgi3", http=protocol, lifespan="off", log_config=None, timeout_keep_alive=60
        )
        self.server = uvicorn.Server(config)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=lambda: asyncio.run(self.server.serve([self.listener])))
        self.thread.start()

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        size = 0
        if scope["path"] != "/unread":
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                size += len(message["body"])
                if not message["more_body"]:
                    break
        self.seen.append(scope["method"])
        body = b"x" * (8 * 1024 * 1024) if scope["path"] == "/big" else str(size).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def connect(self, data: bytes = b"") -> socket.socket:
        """A connection on which something was sent."""
        made = socket.create_connection(self.listener.getsockname(), timeout=20)
        with suppress(ConnectionError):
            made.sendall(data)
        return made

    def told(self, data: bytes) -> str:
        """Status line and body of what comes until the server closes."""
        with self.connect(data) as made:
            head, _, body = received(made).partition(b"\r\n\r\n")
        return f"{head.splitlines()[0].decode().partition(' ')[2]}: {body.decode()}" if head else "closed"

    def stop(self) -> None:
        self.server.should_exit = True
        self.server.force_exit = True
        self.thread.join()
        self.listener.close()


def received(made: socket.socket) -> bytes:
    """All until the end."""
    found = b""
    with suppress(ConnectionError):
        while part := made.recv(65536):
            found += part
    return found


def one_answer(made: socket.socket) -> None:
    """Read a whole answer with one octet of body."""
    found = b""
    while not found.endswith(b"\r\n\r\n0"):
        found += made.recv(1)
    assert found.startswith(b"HTTP/1.1 200 OK")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """All waits are short."""
    for name in ("HEAD_TIMEOUT_S", "BODY_TIMEOUT_S", "LINGER_S", "STALL_TIMEOUT_S"):
        monkeypatch.setattr(connection, name, 0.2)


@pytest.fixture
def serving() -> Iterator[Serving]:
    made = Serving()
    yield made
    made.stop()


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"", "closed"),
        (b"\r\n\r\n", "closed"),
        (b"GET / HTT", "408 Request Timeout: Request Timeout"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", "408 Request Timeout: Request Timeout"),
        (POST + b"Content-Length: 5\r\n\r\nab", "408 Request Timeout: Request Timeout"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n", "408 Request Timeout: Request Timeout"),
        (b"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab", "200 OK: 0"),
    ],
    ids=["silent", "blank-lines", "line", "headers", "body", "chunks", "body-nobody-wants"],
)
@pytest.mark.usefixtures("impatient")
def test_who_sends_too_slowly(serving: Serving, sent: bytes, answer: str) -> None:
    """Who begins and does not end is told so and let go; an answer that was given is not followed by another."""
    assert serving.told(sent) == answer


@pytest.mark.usefixtures("impatient")
def test_a_kept_connection(serving: Serving) -> None:
    """Between two requests a client may think for longer than within one; a blank line changes nothing."""
    with serving.connect(GET) as kept:
        one_answer(kept)
        kept.sendall(b"\r\n")
        kept.settimeout(0.5)
        with pytest.raises(TimeoutError):
            kept.recv(1)
        kept.settimeout(20)
        kept.sendall(GET)
        one_answer(kept)
        kept.sendall(b"GET / HT")
        assert b"408" in received(kept)


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"GET /?" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", "414 "),
        (b"GET / HTTP/1.1\r\nX-A: " + b"a" * 70_000 + b"\r\n\r\n", "431 "),
        (b"GET / HTTP/1.1\r\nX-A: " + b"a" * 70_000, "431 "),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 12_000 + b"\r\n", "431 "),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 12_000 + b"\r\n", "431 "),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\na: " + b"b" * 70_000, "431 "),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"a" * 70_000, "431 "),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", "400 Bad Request: Invalid"),
        (GET * 100, "closed"),
    ],
    ids=["url", "header", "open-header", "headers", "trailers", "open-trailer", "chunk-extension", "tls", "pipelined"],
)
def test_who_sends_too_much(serving: Serving, sent: bytes, answer: str) -> None:
    """Heads, trailers and what is around chunks have an end, and so have requests that are sent ahead."""
    assert serving.told(sent).startswith(answer)
    assert len(serving.seen) <= connection.PIPELINE_LIMIT + 1


def test_a_few_requests_ahead(serving: Serving) -> None:
    """Pipelined requests within the limit are answered, each once."""
    with serving.connect(GET * 10 + GET.replace(b"Host", b"Connection: close\r\nHost")) as made:
        assert received(made).count(b"HTTP/1.1 200 OK") == 11


def test_large_bodies_pass(serving: Serving) -> None:
    """The limits are of what is around a body, not of the body."""
    body = b"x" * 3_000_000
    plain = POST + b"Connection: close\r\nContent-Length: 3000000\r\n\r\n" + body
    assert serving.told(plain) == "200 OK: 3000000"
    chunk = b"%x\r\n" % 1000 + b"x" * 1000 + b"\r\n"
    chunked = POST + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 3000 + b"0\r\n\r\n"
    assert serving.told(chunked) == "200 OK: 3000000"


@pytest.mark.usefixtures("impatient")
def test_who_does_not_read(serving: Serving) -> None:
    """An answer waits for its client as long as the client reads on, and no longer."""
    with serving.connect() as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.sendall(GET.replace(b"/ ", b"/big ") * 2)
        while not serving.seen:
            time.sleep(0.01)
        with pytest.raises(ConnectionError):
            while True:  # the server has let go
                made.sendall(GET)
                time.sleep(0.05)


def test_the_longest_idle_gives_way(serving: Serving) -> None:
    """Beyond the limit the connection that has been idle for the longest is closed, none that works."""
    with serving.connect(POST + b"Content-Length: 2\r\n\r\na") as works:
        while not serving.server.server_state.tasks:
            time.sleep(0.01)
        idle = [serving.connect() for _ in range(LIMIT + 1)]
        assert [received(made) for made in idle[:2]] == [b"", b""]
        works.sendall(b"b")
        assert b"200 OK" in works.recv(1000)
        idle[-1].sendall(GET)
        one_answer(idle[-1])
        for made in idle:
            made.close()


def test_files_for_all_connections() -> None:
    """The process may have as many files as it serves connections, and some more."""
    assert prepare_files() == connection.CONNECTIONS_LIMIT
