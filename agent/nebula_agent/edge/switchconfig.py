"""How a bridge treats IP fragments: OpenFlow's switch configuration, read and set.

Effects: a unix socket to the bridge's management service for each call (OpenFlow 1.0, messages GET_CONFIG and
SET_CONFIG; ``nx-match`` is the extension OFPC_FRAG_NX_MATCH of openflow/nicira-ext.h). ovs-vswitchd keeps the setting
in memory only: after its restart it is back at the default.
"""

from __future__ import annotations

import socket
import struct
from pathlib import Path

_HEADER = struct.Struct("!BBHI")
_CONFIG = struct.Struct("!HH")
_VERSION = 1
_HELLO, _GET_CONFIG_REQUEST, _GET_CONFIG_REPLY, _SET_CONFIG = 0, 7, 8, 9
_MODES = {0: "normal", 1: "drop", 2: "reassemble", 3: "nx-match"}
_MISS_SEND_BYTES = 128


def fragments(run_folder: Path, bridge: str) -> str:
    """``normal``, ``drop``, ``reassemble`` or ``nx-match``, as ``ovs-ofctl get-frags`` says it. Raises OSError."""
    return _ask(run_folder, bridge, b"")


def set_fragments(run_folder: Path, bridge: str, mode: str) -> None:
    """Raises OSError, also where the switch does not take the mode up."""
    number = next(number for number, name in _MODES.items() if name == mode)
    found = _ask(run_folder, bridge, _message(_SET_CONFIG, _CONFIG.pack(number, _MISS_SEND_BYTES)))
    if found != mode:
        raise OSError(f"{bridge} treats fragments as {found}, not as {mode}")


def _ask(run_folder: Path, bridge: str, before: bytes) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as link:
        link.settimeout(2.0)
        link.connect(str(run_folder / f"{bridge}.mgmt"))
        link.sendall(_message(_HELLO, b"") + before + _message(_GET_CONFIG_REQUEST, b""))
        with link.makefile("rb") as stream:
            while True:
                _version, kind, length, _number = _HEADER.unpack(_exactly(stream.read(_HEADER.size), _HEADER.size))
                body = _exactly(stream.read(length - _HEADER.size), length - _HEADER.size)
                if kind == _GET_CONFIG_REPLY:
                    return _MODES.get(_CONFIG.unpack_from(body)[0] & 3, "normal")


def _exactly(data: bytes, count: int) -> bytes:
    if len(data) != count:
        raise ConnectionResetError("the switch has closed the connection")
    return data


def _message(kind: int, body: bytes) -> bytes:
    return _HEADER.pack(_VERSION, kind, _HEADER.size + len(body), 1) + body
