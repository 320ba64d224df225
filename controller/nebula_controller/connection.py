"""What a client may take of the server with one TCP connection: bytes, time, and its place among the others.

Effects: the sockets of the event loop. uvicorn's protocol bounds none of these: heads, trailers and chunk extensions of
any size are kept in memory, requests sent ahead pile up, and who sends nothing or reads nothing stays for ever.
"""

from __future__ import annotations

import asyncio
import http
import resource
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

HEAD_LIMIT_BYTES = 64 * 1024
"""Request line and headers; also what a body may have around it (chunk sizes, trailers)."""
HEAD_TIMEOUT_S = 10.0
"""From the connection, or the first byte of a further request, to the end of its headers."""
BODY_TIMEOUT_S = 60.0
"""From the headers' end to the body's: the largest body (a node's receipt, 16 MiB) at 2.2 Mbit/s."""
LINGER_S = 2.0
"""From an answer to the end of a body that nobody wants: closing at once would reset the connection, answer and all."""
STALL_TIMEOUT_S = 60.0
"""So long an answer may wait for a client that reads nothing of it."""
PIPELINE_LIMIT = 32
"""Requests that a connection may have waiting for their turn."""
CONNECTIONS_LIMIT = 2048
"""Beyond it the connection that has been without a request for the longest gives way to a new one."""

_SPARE_FILES = 128
"""What the process has open besides connections: database, log, keys, directories."""


class TooMuch(Exception):
    """The client sends more than it may; ``status`` is the answer's."""

    def __init__(self, status: http.HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


def prepare_files() -> int:
    """Let the process have as many files as the limit on connections asks for; how many connections that allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS_LIMIT + _SPARE_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return CONNECTIONS_LIMIT if soft == resource.RLIM_INFINITY else max(min(CONNECTIONS_LIMIT, soft - _SPARE_FILES), 1)


class Connections:
    """The open ones that have no request under way, in the order in which they became so."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._resting: dict[Connection, None] = {}

    def came(self, connection: Connection, count: int) -> None:
        """One more, ``count`` with it: somebody gives way where there are too many, at worst the new one."""
        self._resting[connection] = None
        if count > self._limit:
            next(iter(self._resting)).abort()

    def works(self, connection: Connection) -> None:
        """It has a request under way, or is gone."""
        self._resting.pop(connection, None)

    def rests(self, connection: Connection) -> None:
        """Its answer is sent."""
        self._resting[connection] = None


class Connection(HttpToolsProtocol):
    """uvicorn's protocol within limits."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        among: Connections,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._among = among
        self._whole = True  # no request has begun that has not been received to its end
        self._in_body = False
        self._around_bytes = 0  # received of the present request, its body not counted
        self._requests = 0
        self._refusal: TooMuch | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._awaited = (-1, False)  # what the deadline is for: the request's number, whether its body
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As uvicorn's; a first request has to come soon."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(HEAD_TIMEOUT_S, self._too_slow)
        self._among.came(self, len(self.connections))

    def connection_lost(self, exc: Exception | None) -> None:
        """As uvicorn's; no timer stays."""
        super().connection_lost(exc)
        self._among.works(self)
        self._cancel_deadline()
        if self._stalled is not None:
            self._stalled.cancel()

    def data_received(self, data: bytes) -> None:
        """As uvicorn's, within the limits."""
        self._around_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._whole:
            self._around_bytes = 0
            if self.cycle is not None:  # blank lines alone are no request
                self._cancel_deadline()
                self._keep_alive()
        elif self._around_bytes > HEAD_LIMIT_BYTES:
            self._refuse(http.HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif self._awaited != (self._requests, self._in_body):
            self._expect_end(BODY_TIMEOUT_S if self._in_body else HEAD_TIMEOUT_S)

    def send_400_response(self, msg: str) -> None:
        """uvicorn's for what is no HTTP; what is too much has its own status. No answer into another's midst."""
        if self._answering():
            self.transport.abort()
        elif self._refusal is None:
            super().send_400_response(msg)
        else:
            self._refuse(self._refusal.status)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._whole, self._in_body = False, False
        self._requests += 1
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        """A part of it."""
        super().on_url(url)
        self._count_head(len(url), http.HTTPStatus.REQUEST_URI_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header or trailer."""
        self._count_head(len(name) + len(value) + 4, http.HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if not self._in_body:  # nobody asks for trailers
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """As uvicorn's, while not too many are waiting."""
        if len(self.pipeline) >= PIPELINE_LIMIT:
            self._too_much(http.HTTPStatus.TOO_MANY_REQUESTS)
        super().on_headers_complete()
        self._in_body = True
        self._among.works(self)

    def on_body(self, body: bytes) -> None:
        """A part of it."""
        self._around_bytes = max(self._around_bytes - len(body), 0)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is received."""
        super().on_message_complete()
        self._whole = True
        self._around_bytes = 0

    def on_response_complete(self) -> None:
        """As uvicorn's."""
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self.pipeline:
            self.flow.pause_reading()  # uvicorn reads on, so that more and more wait
        elif self._whole:
            self._among.rests(self)
        else:
            self._unset_keepalive_if_required()
            if self._in_body:
                self._expect_end(LINGER_S)

    def pause_writing(self) -> None:
        """The client does not read as fast as it is answered."""
        super().pause_writing()
        self._watch_writing(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """It has caught up."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def abort(self) -> None:
        """Close at once."""
        self._among.works(self)
        self.transport.abort()

    def _count_head(self, size: int, status: http.HTTPStatus) -> None:
        self._head_bytes += size
        if self._head_bytes > HEAD_LIMIT_BYTES:
            self._too_much(status)

    def _too_much(self, status: http.HTTPStatus) -> None:
        """From a callback of the parser, which ends with ``send_400_response``."""
        self._refusal = TooMuch(status)
        raise self._refusal

    def _answering(self) -> bool:
        """Whether a request is being answered, so that no other answer may come between."""
        cycle: RequestResponseCycle | None = self.cycle
        return bool(self.pipeline) or (cycle is not None and cycle.response_started and not cycle.response_complete)

    def _too_slow(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            if self._whole or (self._in_body and self.cycle.response_complete):
                self.transport.close()
            else:
                self._refuse(http.HTTPStatus.REQUEST_TIMEOUT)

    def _refuse(self, status: http.HTTPStatus) -> None:
        """Answer in the place of the application, which has not, and close."""
        if self._answering():
            self.transport.abort()
            return
        words = status.phrase.encode()
        head = f"HTTP/1.1 {status} {status.phrase}\r\ncontent-type: text/plain\r\ncontent-length: {len(words)}\r\n"
        self.transport.write(head.encode() + b"connection: close\r\n\r\n" + words)
        self.transport.close()

    def _keep_alive(self) -> None:
        """Where nothing is under way wait for the next request; uvicorn forgets to after a blank line."""
        if self.cycle.response_complete and not self.pipeline and self.timeout_keep_alive_task is None:
            self._among.rests(self)
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _expect_end(self, within_s: float) -> None:
        """Of the head or body that is being received."""
        self._cancel_deadline()
        self._awaited = (self._requests, self._in_body)
        self._deadline = self.loop.call_later(within_s, self._too_slow)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
            self._awaited = (-1, False)

    def _watch_writing(self, left_bytes: int) -> None:
        def look() -> None:
            now_bytes = self.transport.get_write_buffer_size()
            if now_bytes >= left_bytes:
                self.transport.abort()
            else:
                self._watch_writing(now_bytes)

        self._stalled = self.loop.call_later(STALL_TIMEOUT_S, look)
