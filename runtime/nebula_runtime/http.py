"""A small HTTP/1.1 client on the standard library, over TCP or a unix socket, with keep-alive.

Effects: sockets. No redirects, no cookies, no proxies: it talks to a Nebula controller only. It is used instead
of httpx because importing that costs 0.4 s and 20 MiB, more than a whole ``nebulactl`` call may take.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from nebula.errors import BadRequest, Unavailable


class Response(msgspec.Struct, frozen=True):
    """An answer. ``headers`` have lower-case names."""

    status: int
    headers: dict[str, str]
    body: bytes


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix stream socket; the Host header says localhost."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Client:
    """Requests to one server, one at a time over one kept connection. Not for use by two threads at once.

    ``url`` is ``http://host:port[/prefix]`` or ``unix:///path/of/socket``.
    """

    def __init__(self, url: str, *, timeout_s: float = 30.0) -> None:
        parts = urlsplit(url)
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._connection: http.client.HTTPConnection
        if parts.scheme == "unix":
            self._prefix = ""
            self._connection = _UnixConnection(parts.path, timeout_s)
        elif parts.scheme == "http" and parts.hostname:
            self._prefix = parts.path.rstrip("/")
            self._connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=timeout_s)
        else:
            raise BadRequest(f"{url!r} is not a URL of a controller: give http://HOST:PORT or unix:///PATH")

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float | None = None,
    ) -> Response:
        """Send one request and read the whole answer.

        A kept connection that the server has closed meanwhile is opened again once, except for a POST, which may
        have been carried out (RFC 9110 section 9.2.2). Raises Unavailable where nobody answers.
        """
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        fresh = self._connection.sock is None
        try:
            return self._exchange(method, path, headers or {}, body, limit_s)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError) as error:
            self.close()
            if fresh or method == "POST":
                raise Unavailable(f"{self.url} closed the connection: {error}") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unavailable(f"{self.url} does not answer: {_reason(error)}") from error
        try:
            return self._exchange(method, path, headers or {}, body, limit_s)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unavailable(f"{self.url} does not answer: {_reason(error)}") from error

    def _exchange(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, limit_s: float
    ) -> Response:
        self._connection.timeout = limit_s
        if self._connection.sock is not None:
            self._connection.sock.settimeout(limit_s)
        self._connection.request(method, self._prefix + path, body=body, headers=dict(headers))
        answer = self._connection.getresponse()
        content = answer.read()
        return Response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, content)

    def close(self) -> None:
        """Close the connection; the next request opens a new one. Another thread may call this to end a long poll."""
        sock = self._connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._connection.close()


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
