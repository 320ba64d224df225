"""The small server that gives metrics out to Prometheus. Effects: one listening socket with one thread.

Imported only where it is wanted.
"""

from __future__ import annotations

import http.server
import logging
import socket
import socketserver
import threading
from collections.abc import Callable

from nebula.errors import ConfigError
from nebula_runtime.log import event

_log = logging.getLogger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PATIENCE_S = 5.0


class MetricsServer:
    """``http://HOST:PORT/metrics``, in a thread, one request at a time. ``collect`` makes the answer, in that thread.

    ConfigError where the address cannot be had.
    """

    def __init__(self, address: tuple[str, int], collect: Callable[[], bytes]) -> None:
        host, port = address

        class Handler(_Handler):
            answer = staticmethod(collect)

        class Server(socketserver.TCPServer):
            allow_reuse_address = True
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

            def handle_error(self, request: object, client_address: object) -> None:
                """Who scrapes has gone: nothing to say."""

        try:
            self._server = Server((host, port), Handler)
        except OSError as error:
            raise ConfigError(f"cannot give metrics on {host}:{port}: {error.strerror}") from error
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.5,), name="metrics", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(_PATIENCE_S)
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    """GET /metrics."""

    timeout = _PATIENCE_S
    answer: Callable[[], bytes]

    def do_GET(self) -> None:  # http.server's name
        if self.path.partition("?")[0] != "/metrics":
            self._send(404, b"The metrics are at /metrics.\n", "text/plain")
            return
        try:
            content = type(self).answer()
        except Exception as error:  # a scrape that fails shall not end the thread, nor be an empty success
            event(_log, logging.ERROR, "the metrics cannot be collected", error=str(error) or type(error).__name__)
            self._send(503, b"The metrics cannot be collected now.\n", "text/plain")
            return
        self._send(200, content, CONTENT_TYPE)

    def _send(self, status: int, content: bytes, media_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        """Scrapes are no news."""
