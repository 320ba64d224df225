"""Open vSwitch's database: a replica of the rows that matter here, and whole transactions on them.

Effects: a unix socket to ovsdb-server. Wraps the untyped ``ovs.db.idl``; nothing of it leaves this module. Does not
know what is ours: that is the drivers' business.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import ovs.db.idl

from nebula.errors import KernelRefused, Unavailable
from nebula_agent.edge.ovsdb_edit import Transaction
from nebula_agent.edge.ovsdb_rows import COLUMNS, OvsState, RowReader, root_row
from nebula_agent.edge.waiter import Waiter

_DATABASE = "Open_vSwitch"
_CONNECT_TIMEOUT_S = 20.0
_COMMIT_TIMEOUT_S = 10.0
_AGAIN_S = 5.0
"""A restart of Open vSwitch takes two or three, the next try to connect included."""


class Ovsdb:
    """The replica. ``socket_path`` is ovsdb-server's unix socket. Raises Unavailable where nobody answers there."""

    def __init__(self, socket_path: Path) -> None:
        self._path = socket_path
        helper = ovs.db.idl.SchemaHelper(schema_json=_fetch_schema(socket_path))
        for table, columns in COLUMNS.items():
            helper.register_columns(table, columns)
        self._idl: Any = ovs.db.idl.Idl(f"unix:{socket_path}", helper, probe_interval=0)
        self._rows = RowReader()
        self._idl.notify = self._rows.noticed
        self._seqno = -1
        self._state = OvsState({}, {}, (), "")
        self._wait_until(self._idl.has_ever_connected, _CONNECT_TIMEOUT_S, "the first copy of the database")

    @property
    def seqno(self) -> int:
        """Grows with each change seen."""
        return int(self._idl.change_seqno)

    def run(self) -> bool:
        """Take in what has arrived; True when the replica is newer than the last :meth:`state`. Never blocks."""
        self._idl.run()
        return self.seqno != self._seqno

    def wait(self, poller: Waiter) -> None:
        """Register what :meth:`run` waits for."""
        self._idl.wait(poller)

    def state(self) -> OvsState:
        """The replica as records; the same object as long as nothing changed."""
        if self.seqno != self._seqno:
            self._seqno = self.seqno
            self._state = self._rows.read(self._idl)
        return self._state

    def transact(self, edit: Callable[[Transaction], None]) -> None:
        """One transaction; returns when ovs-vswitchd has carried it out. Raises KernelRefused, Unavailable.

        It is tried again where others changed the same rows, and where ovsdb-server is just being started again.
        """
        deadline = time.monotonic() + _AGAIN_S
        while time.monotonic() < deadline:
            raw = ovs.db.idl.Transaction(self._idl)
            self.state()
            edit(Transaction(self._idl, raw, self._rows.ports))
            root_row(self._idl).increment("next_cfg")
            status = self._commit(raw)
            if status == raw.TRY_AGAIN:
                self._settle()
                continue
            if status not in (raw.SUCCESS, raw.UNCHANGED):
                raise KernelRefused(f"OVSDB refused the transaction: {raw.get_error() or status}")
            if status == raw.SUCCESS:
                self._wait_for_cfg(int(raw.get_increment_new_value()))
            return
        raise Unavailable(f"ovsdb-server at {self._path} took no transaction in {_AGAIN_S:.0f} s")

    def _wait_for_cfg(self, number: int) -> None:
        what = "ovs-vswitchd (is it running?)"
        self._wait_until(lambda: int(root_row(self._idl).cur_cfg) >= number, _COMMIT_TIMEOUT_S, what)

    def _commit(self, raw: Any) -> str:
        deadline = time.monotonic() + _COMMIT_TIMEOUT_S
        while True:
            status = str(raw.commit())
            if status != raw.INCOMPLETE:
                return status
            if time.monotonic() > deadline:
                raw.abort()
                raise Unavailable(f"ovsdb-server at {self._path} does not answer")
            seqno = self.seqno
            self._idl.run()
            if seqno == self.seqno:
                poller = Waiter()
                self._idl.wait(poller)
                raw.wait(poller)
                poller.timer_wait(500)
                poller.block()

    def _settle(self) -> None:
        poller = Waiter()
        self._idl.wait(poller)
        poller.timer_wait(50)
        poller.block()
        self._idl.run()

    def _wait_until(self, reached: Callable[[], bool], timeout_s: float, what: str) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            seqno = self.seqno
            self._idl.run()
            if reached():
                return
            if time.monotonic() > deadline:
                raise Unavailable(f"Open vSwitch at {self._path}: no answer in {timeout_s:.0f} s from {what}")
            if seqno == self.seqno:
                poller = Waiter()
                self._idl.wait(poller)
                poller.timer_wait(500)
                poller.block()

    def close(self) -> None:
        """Close the connection."""
        self._idl.close()


def _fetch_schema(path: Path) -> object:
    """The server's own schema, so that no file of the machine's OVS version needs to be found."""
    request = msgspec.json.encode({"method": "get_schema", "params": [_DATABASE], "id": 0})
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
            sock.settimeout(_CONNECT_TIMEOUT_S)
            sock.connect(str(path))
            sock.sendall(request)
            received = b""
            while True:
                chunk = sock.recv(1 << 16)
                if not chunk:
                    raise Unavailable(f"ovsdb-server at {path} closed the connection")
                received += chunk
                try:
                    answer = msgspec.json.decode(received)
                except msgspec.DecodeError:
                    continue
                break
    except OSError as error:
        raise Unavailable(
            f"no ovsdb-server answers at {path} ({error.strerror}): start Open vSwitch, or set --ovs-db"
        ) from error
    if not isinstance(answer, dict) or not answer.get("result"):
        raise Unavailable(f"ovsdb-server at {path} has no database {_DATABASE}")
    return answer["result"]
