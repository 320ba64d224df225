"""Handshakes that fail and say why: asyncio and uvloop close such a connection before OpenSSL's alert has gone out.

No effects of its own: the event loop reads and writes for it.
"""

from __future__ import annotations

import ssl
from typing import Any

_IN_CLEAR = "HTTP_REQUEST"
"""OpenSSL's word for HTTP without TLS; it has no alert for that."""

_BODY = b'{"error": {"code": 400, "title": "Bad Request", "message": "TLS is spoken here: call https:// instead of http://."}}'
_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
    % (len(_BODY), _BODY)
)


class Context(ssl.SSLContext):
    """For servers on an event loop."""

    def __init__(self, _protocol: int) -> None:
        self.sslobject_class = _Handshake

    def wrap_bio(
        self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *arguments: Any, **named: Any
    ) -> ssl.SSLObject:
        made = super().wrap_bio(incoming, outgoing, *arguments, **named)
        assert isinstance(made, _Handshake)
        made.incoming, made.outgoing = incoming, outgoing
        return made


class _Handshake(ssl.SSLObject):
    """One that has failed looks as if it waited for the client, who ends the connection when the alert has come; who
    does not is ended by the time limit of all handshakes. What a client sends meanwhile is taken and thrown away: a
    connection that is closed before that is reset, and then the alert may be lost."""

    incoming: ssl.MemoryBIO
    outgoing: ssl.MemoryBIO
    failed = False

    def do_handshake(self) -> None:
        if self.failed:
            self.incoming.read()
            raise _waits()
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            if error.reason == _IN_CLEAR:
                self.outgoing.write(_ANSWER)
            if not self.outgoing.pending:
                raise
            self.failed = True
            raise _waits() from error


def _waits() -> ssl.SSLWantReadError:
    return ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "the other end hears of it first")
