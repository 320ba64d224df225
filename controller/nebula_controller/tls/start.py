"""TLS put together: the authorities, the listener and its sockets, what joining needs of them.

Effects: the authorities' folder; serves sockets.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from uvicorn.server import ServerState

from nebula_controller.connection import Connections
from nebula_controller.nodes.joining_api import Joining
from nebula_controller.settings import Settings
from nebula_controller.state import TLS
from nebula_controller.tls.accept import TlsServer
from nebula_controller.tls.authorities import Authorities
from nebula_controller.tls.listener import Listener, names_of
from nebula_controller.tls.protocol import NodeConnections, NodeProtocol


class Tls(msgspec.Struct, frozen=True):
    """``sockets`` listen; ``serve`` answers on them."""

    sockets: Sequence[socket.socket]
    listener: Listener
    joining: Joining
    connections: NodeConnections

    def serve(
        self, config: uvicorn.Config, server_state: ServerState, app_state: dict[str, Any], among: Connections
    ) -> list[TlsServer]:
        """The same application as on the other sockets, and the node beside each request. ``among``: all of both."""

        def protocol() -> NodeProtocol:
            return NodeProtocol(self.connections, config, server_state, app_state, among=among)

        return [TlsServer(sock, self.listener.context, protocol) for sock in self.sockets]


def start(state_dir: Path, settings: Settings, sockets: Sequence[socket.socket]) -> Tls:
    """An authority is made the first time. ConfigError."""
    folder, addresses = state_dir / TLS, settings.tls_addresses()
    authorities = Authorities(folder, lifetime_s=settings.certificate_lifetime_s)
    listener = Listener(authorities, folder, names_of(addresses, settings.public_url, settings.tls_name))
    connections = NodeConnections()
    joining = Joining(authorities, _url(settings, sockets), connections.cut)
    return Tls(sockets, listener, joining, connections)


def _url(settings: Settings, sockets: Sequence[socket.socket]) -> str:
    """Where nodes are told to call: a name of the settings, else the address listened on, else the machine's name."""
    host, port = sockets[0].getsockname()[:2]
    if settings.tls_name:
        host = settings.tls_name[0]
    elif host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
