"""Who is at the other end of a TLS connection: uvicorn's protocol, with the node's certificate beside each request.

Effects: closes connections. uvicorn tells an application nothing of a client's certificate.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from typing import Any

from nebula_runtime.log import event

from nebula.ids import Host
from nebula_controller.api.context import NODE, NodeCertificate
from nebula_controller.connection import Connection
from nebula_controller.tls.authority import read_node

log = logging.getLogger(__name__)


class NodeConnections:
    """The open connections of each node."""

    def __init__(self) -> None:
        self._open: defaultdict[Host, set[NodeProtocol]] = defaultdict(set)

    def cut(self, host: Host) -> int:
        """End all connections of the node now, whatever is under way on them; how many there were."""
        found = self._open.pop(host, set())
        for protocol in found:
            protocol.transport.abort()
        return len(found)

    def enter(self, protocol: NodeProtocol, host: Host) -> None:
        self._open[host].add(protocol)

    def leave(self, protocol: NodeProtocol, host: Host) -> None:
        self._open[host].discard(protocol)


class NodeProtocol(Connection):
    """One connection. What the certificate says is read once, when the handshake is over."""

    def __init__(self, connections: NodeConnections, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._of_nodes = connections
        self._node: NodeCertificate | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        found = transport.get_extra_info("ssl_object")
        certificate = found.getpeercert(binary_form=True) if found is not None else None
        if certificate:
            try:
                self._node = read_node(certificate)
            except ValueError as error:
                event(log, logging.WARNING, "a client's certificate cannot be read", error=str(error))
                transport.abort()
                return
        if self._node is not None:
            self._of_nodes.enter(self, self._node.host)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._node is not None:
            self._of_nodes.leave(self, self._node.host)
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """The scope of the next request."""
        super().on_message_begin()
        if self._node is not None:
            self.scope[NODE] = self._node  # type: ignore[literal-required]
