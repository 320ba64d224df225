"""Accepting connections with TLS: those whose handshake is not over are bounded, so that they cannot take all files.

Effects: one listening socket on the event loop. asyncio's own servers let any number of connections wait for a
handshake, which no protocol hears of before its end.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable

from nebula_runtime.log import event

log = logging.getLogger(__name__)

HANDSHAKE_S = 10.0
HANDSHAKES_LIMIT = 64
"""Beyond it the oldest gives way: a handshake takes a few round trips, so that many at once are somebody's play."""

_AT_ONCE = 64
_NO_FILES_PAUSE_S = 0.1


class TlsServer:
    """What ``asyncio.Server`` is to others: ``close``, ``wait_closed``. It serves from its making on, on the loop.

    ``context`` is asked at each handshake.
    """

    def __init__(
        self, sock: socket.socket, context: Callable[[], ssl.SSLContext], protocol: Callable[[], asyncio.Protocol]
    ) -> None:
        self._sock = sock
        self._context = context
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._shaking: dict[asyncio.Task[None], None] = {}
        self._closed = False
        self._listen()

    def close(self) -> None:
        """Accept no more, and end what is still in its handshake."""
        self._closed = True
        self._loop.remove_reader(self._sock.fileno())
        for task in self._shaking:
            task.cancel()

    async def wait_closed(self) -> None:
        """Until no handshake is under way."""
        await asyncio.gather(*self._shaking, return_exceptions=True)

    def _listen(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._sock.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _address = self._sock.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    raise
                event(log, logging.WARNING, "no connection can be accepted", error=error.strerror)
                self._loop.remove_reader(self._sock.fileno())
                self._loop.call_later(_NO_FILES_PAUSE_S, self._listen)
                return
            connection.setblocking(False)
            task = self._loop.create_task(self._shake(connection))
            self._shaking[task] = None
            task.add_done_callback(lambda done: self._shaking.pop(done, None))
            if len(self._shaking) > HANDSHAKES_LIMIT:
                oldest = next(iter(self._shaking))
                del self._shaking[oldest]
                oldest.cancel()

    async def _shake(self, connection: socket.socket) -> None:
        """What comes to nothing is no news: a port scan, a client that does not trust us."""
        try:
            await self._loop.connect_accepted_socket(
                self._protocol, connection, ssl=self._context(), ssl_handshake_timeout=HANDSHAKE_S
            )
        except OSError as error:
            event(log, logging.DEBUG, "no TLS with a client", error=str(error) or type(error).__name__)
            connection.close()
        except asyncio.CancelledError:
            connection.close()
