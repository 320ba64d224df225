"""A bridge's flow monitor: says that some flow was added, changed or deleted, by whomever.

Effects: a unix socket to the bridge's management service, OpenFlow 1.0 with the Nicira extension
NXST_FLOW_MONITOR (openflow/nicira-ext.h in Open vSwitch). The updates themselves are not decoded.
"""

from __future__ import annotations

import socket
import struct
from pathlib import Path

_HEADER = struct.Struct("!BBHI")
_VERSION = 1
_HELLO, _ERROR, _ECHO_REQUEST, _ECHO_REPLY, _STATS_REQUEST, _STATS_REPLY = 0, 1, 2, 3, 16, 17
_NICIRA = 0x00002320
_FLOW_MONITOR = 2
_ADD_DELETE_MODIFY = 0b1110
_ALL_TABLES, _ANY_PORT = 0xFF, 0xFFFF


class FlowMonitor:
    """One bridge's monitor. ``ended`` once the bridge or ovs-vswitchd has gone."""

    def __init__(self, run_folder: Path, bridge: str) -> None:
        """Raises OSError where the bridge has no management socket."""
        self.ended = False
        self._received = b""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            self._socket.settimeout(2.0)
            self._socket.connect(str(run_folder / f"{bridge}.mgmt"))
            request = struct.pack("!HHIIxxxx", 0xFFFF, 0, _NICIRA, _FLOW_MONITOR)
            request += struct.pack("!IHHHB5x", 1, _ADD_DELETE_MODIFY, _ANY_PORT, 0, _ALL_TABLES)
            self._socket.sendall(_message(_HELLO, b"") + _message(_STATS_REQUEST, request))
        except OSError:
            self._socket.close()
            raise
        self._socket.setblocking(False)
        self._answered = False

    def fileno(self) -> int:
        """For poll."""
        return self._socket.fileno()

    def drain(self) -> bool:
        """Read what waits; True when a flow has changed since the last call, or the monitor has ended."""
        changed = False
        while True:
            try:
                data = self._socket.recv(1 << 16)
            except BlockingIOError:
                return changed
            except OSError:
                data = b""
            if not data:
                self.ended = True
                return True
            self._received += data
            changed = self._take_messages() or changed

    def _take_messages(self) -> bool:
        changed = False
        while len(self._received) >= _HEADER.size:
            _version, kind, length, number = _HEADER.unpack_from(self._received)
            if length < _HEADER.size or len(self._received) < length:
                break
            body = self._received[_HEADER.size : length]
            self._received = self._received[length:]
            if kind == _ECHO_REQUEST:
                self._socket.send(_message(_ECHO_REPLY, body, number))
            elif kind == _STATS_REPLY and not self._answered:
                self._answered = True  # the empty answer to the request itself
            elif kind not in (_HELLO, _ERROR):
                changed = True
        return changed

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


def _message(kind: int, body: bytes, number: int = 1) -> bytes:
    return _HEADER.pack(_VERSION, kind, _HEADER.size + len(body), number) + body
