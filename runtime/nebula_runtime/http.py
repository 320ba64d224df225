"""A small HTTP/1.1 client on the standard library, over TCP, TLS or a unix socket, with keep-alive.

Effects: sockets. No redirects, no cookies, no proxies: it talks to a Nebula controller only. It is used instead
of httpx because importing that costs 0.4 s and 20 MiB, more than a whole ``nebulactl`` call may take.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from nebula.errors import BadRequest, ConfigError, Unavailable, UnknownAuthority, Untrusted


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


class Tls(Protocol):
    """Whom to trust over https, and what to show."""

    @property
    def server_name(self) -> str:
        """The name that the server's certificate must have; empty: the host of the URL."""
        ...

    def context(self) -> ssl.SSLContext:
        """For the next request. Another one than before: on a new connection. Raises NebulaError."""
        ...


class Trust:
    """Trust in what the machine trusts, or in the authorities in a file alone. ``anybody``: in who ever answers.

    Raises ConfigError.
    """

    server_name = ""

    def __init__(self, authority_file: str = "", *, anybody: bool = False) -> None:
        self._file = authority_file
        self._anybody = anybody
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        if self._context is None and self._anybody:
            self._context = ssl.create_default_context()
            self._context.check_hostname, self._context.verify_mode = False, ssl.CERT_NONE
        if self._context is None:
            try:
                self._context = ssl.create_default_context(cafile=self._file or None)
            except OSError as error:
                what = error.strerror if not isinstance(error, ssl.SSLError) else "no certificates in PEM are in it"
                raise ConfigError(f"cannot use the authority in {Path(self._file)}: {what}") from error
        return self._context


class _TlsConnection(http.client.HTTPConnection):
    """HTTP over TLS; the context is set before it connects."""

    default_port = 443
    context: ssl.SSLContext | None = None
    server_name = ""

    def connect(self) -> None:
        super().connect()
        assert self.context is not None
        try:
            self.sock = self.context.wrap_socket(self.sock, server_hostname=self.server_name or self.host)
        except BaseException:
            self.sock.close()
            raise


class Client:
    """Requests to one server, one at a time over one kept connection. Not for use by two threads at once.

    ``url`` is ``http[s]://host:port[/prefix]`` or ``unix:///path/of/socket``. ``tls`` is for https.
    """

    def __init__(self, url: str, *, timeout_s: float = 30.0, tls: Tls | None = None) -> None:
        parts = urlsplit(url)
        self._tls = tls or Trust()
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._connection: http.client.HTTPConnection
        if parts.scheme == "unix":
            self._prefix = ""
            self._connection = _UnixConnection(parts.path, timeout_s)
        elif parts.scheme in ("http", "https") and parts.hostname:
            kind = http.client.HTTPConnection if parts.scheme == "http" else _TlsConnection
            self._prefix = parts.path.rstrip("/")
            self._connection = kind(parts.hostname, parts.port or kind.default_port, timeout=timeout_s)
        else:
            raise BadRequest(f"{url!r} is not a URL of a controller: give http[s]://HOST:PORT or unix:///PATH")

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
        have been carried out (RFC 9110 section 9.2.2). Raises Unavailable where nobody answers, Untrusted where
        somebody does who is not believed.
        """
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        self._choose_context()
        fresh = self._connection.sock is None
        try:
            return self._exchange(method, path, headers or {}, body, limit_s)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError, ssl.SSLEOFError) as error:
            self.close()
            if fresh or method == "POST":
                raise Unavailable(f"{self.url} closed the connection: {error}") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._failure(error) from error
        try:
            return self._exchange(method, path, headers or {}, body, limit_s)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> Unavailable:
        kind: type[Unavailable] = Unavailable
        if isinstance(error, ssl.SSLCertVerificationError):
            kind = UnknownAuthority if error.verify_code in _OF_AUTHORITY else Untrusted
        return kind(f"{self.url} does not answer: {_reason(error)}")

    def _choose_context(self) -> None:
        """A connection that was opened with another certificate than the one to be shown now is closed."""
        if isinstance(self._connection, _TlsConnection):
            context = self._tls.context()
            if context is not self._connection.context:
                self.close()
                self._connection.context, self._connection.server_name = context, self._tls.server_name

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
            with contextlib.suppress(OSError):  # not SSLSocket's own: under another thread's read it would not end well
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        self._connection.close()


_OF_TIME = (9, 10)
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL."""

_OF_AUTHORITY = (18, 19, 20, 21)
"""X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, SELF_SIGNED_CERT_IN_CHAIN, UNABLE_TO_GET_ISSUER_CERT_LOCALLY and
UNABLE_TO_VERIFY_LEAF_SIGNATURE."""

_OF_NAME = (62, 64)
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""

_ALERTS = {
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it says that the certificate shown to it has expired",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it does not accept the certificate shown to it",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not accept the certificate shown to it",
    "TLSV1_ALERT_UNKNOWN_CA": "the certificate shown to it is of another authority than its own",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it and this machine have no kind of TLS in common",
    "TLSV1_ALERT_PROTOCOL_VERSION": "it and this machine have no version of TLS in common",
    "WRONG_VERSION_NUMBER": "it does not speak TLS there (http:// instead of https://, or another port?)",
}


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message
        if error.verify_code in _OF_AUTHORITY:
            why = "it is of an authority that is not trusted here"
        elif error.verify_code in _OF_NAME:
            why = f"{why.rstrip('.')}: call it by a name that is in it, or let it have this one (tls_name)"
        elif error.verify_code in _OF_TIME:
            why += time.strftime(" (the clock here says %Y-%m-%d %H:%M UTC)", time.gmtime())
        return f"its certificate is not to be trusted: {why}"
    if isinstance(error, ssl.SSLError):
        return _ALERTS.get(error.reason or "", f"TLS: {error.reason or error}")
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
