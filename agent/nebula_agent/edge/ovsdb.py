"""Open vSwitch's database: a replica of the rows that matter here, and whole transactions on them.

Effects: a unix socket to ovsdb-server. Wraps the untyped ``ovs.db.idl``; nothing of it leaves this module. Does not
know what is ours: that is the drivers' business.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import ovs.db.idl
import ovs.poller

from nebula.errors import KernelRefused, Unavailable

_DATABASE = "Open_vSwitch"
_COLUMNS = {
    "Open_vSwitch": ["bridges", "next_cfg", "cur_cfg", "datapath_types", "ovs_version"],
    "Bridge": ["name", "ports", "datapath_type", "fail_mode", "external_ids", "flow_tables"],
    "Port": ["name", "interfaces", "tag", "external_ids"],
    "Interface": ["name", "type", "options", "external_ids", "ofport", "error", "mtu"],
    "Flow_Table": ["name"],
}
_CONNECT_TIMEOUT_S = 5.0
_COMMIT_TIMEOUT_S = 20.0


class InterfaceRow(msgspec.Struct, frozen=True):
    """A port with its (first) interface. ``ofport`` is None until ovs-vswitchd gave one, -1 where it could not."""

    name: str
    bridge: str
    tag: int | None
    type: str
    options: tuple[tuple[str, str], ...]
    port_external_ids: dict[str, str]
    external_ids: dict[str, str]
    ofport: int | None
    error: str


class BridgeRow(msgspec.Struct, frozen=True):
    """A bridge; ``table_names`` by OpenFlow table number."""

    name: str
    datapath_type: str
    fail_mode: str
    external_ids: dict[str, str]
    table_names: dict[int, str]


class OvsState(msgspec.Struct, frozen=True):
    """All bridges and ports, by name (a port's name is unique in the database)."""

    bridges: dict[str, BridgeRow]
    interfaces: dict[str, InterfaceRow]
    datapath_types: tuple[str, ...]
    version: str


class Ovsdb:
    """The replica. ``socket_path`` is ovsdb-server's unix socket. Raises Unavailable where nobody answers there."""

    def __init__(self, socket_path: Path) -> None:
        self._path = socket_path
        helper = ovs.db.idl.SchemaHelper(schema_json=_fetch_schema(socket_path))
        for table, columns in _COLUMNS.items():
            helper.register_columns(table, columns)
        self._idl: Any = ovs.db.idl.Idl(f"unix:{socket_path}", helper, probe_interval=0)
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

    def wait(self, poller: Any) -> None:
        """Register with an ``ovs.poller.Poller`` what :meth:`run` waits for."""
        self._idl.wait(poller)

    def state(self) -> OvsState:
        """The replica as records; the same object as long as nothing changed."""
        if self.seqno != self._seqno:
            self._seqno = self.seqno
            self._state = _read(self._idl)
        return self._state

    def transact(self, edit: Callable[[Transaction], None]) -> None:
        """One transaction; returns when ovs-vswitchd has carried it out. Raises KernelRefused, Unavailable."""
        for _attempt in range(4):
            raw = ovs.db.idl.Transaction(self._idl)
            transaction = Transaction(self._idl, raw)
            edit(transaction)
            root = _root(self._idl)
            root.increment("next_cfg")
            status = self._commit(raw)
            if status == raw.TRY_AGAIN:
                self._settle()
                continue
            if status not in (raw.SUCCESS, raw.UNCHANGED):
                raise KernelRefused(f"OVSDB refused the transaction: {raw.get_error() or status}")
            if status == raw.SUCCESS:
                self._wait_for_cfg(int(raw.get_increment_new_value()))
            return
        raise KernelRefused("OVSDB: the transaction met others' changes four times in a row")

    def _wait_for_cfg(self, number: int) -> None:
        what = "ovs-vswitchd (is it running?)"
        self._wait_until(lambda: _current_cfg(self._idl) >= number, _COMMIT_TIMEOUT_S, what)

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
                poller = ovs.poller.Poller()
                self._idl.wait(poller)
                raw.wait(poller)
                poller.timer_wait(500)
                poller.block()

    def _settle(self) -> None:
        poller = ovs.poller.Poller()
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
                poller = ovs.poller.Poller()
                self._idl.wait(poller)
                poller.timer_wait(500)
                poller.block()

    def close(self) -> None:
        """Close the connection."""
        self._idl.close()


class Transaction:
    """The edits of one transaction. Rows that are to exist may exist; rows that are to go may be gone."""

    def __init__(self, idl: Any, raw: Any) -> None:
        self._idl = idl
        self._raw = raw
        self._bridges: dict[str, Any] = {row.name: row for row in idl.tables["Bridge"].rows.values()}
        self._ports: dict[str, Any] = {row.name: row for row in idl.tables["Port"].rows.values()}
        self._homes: dict[str, Any] | None = None

    def set_bridge(
        self,
        name: str,
        *,
        datapath_type: str,
        fail_mode: str,
        external_ids: Mapping[str, str],
        table_names: Mapping[int, str],
    ) -> None:
        """Make the bridge with its local port, or bring it to this; other external_ids stay."""
        bridge = self._bridges.get(name)
        if bridge is None:
            bridge = self._raw.insert(self._idl.tables["Bridge"])
            bridge.name = name
            bridge.ports = [self._insert_port(name, "internal", {}, {})]
            _root(self._idl).addvalue("bridges", bridge)
            self._bridges[name] = bridge
        bridge.datapath_type = datapath_type
        bridge.fail_mode = fail_mode
        for key, value in external_ids.items():
            bridge.setkey("external_ids", key, value)
        tables = {}
        for number, table_name in table_names.items():
            row = self._raw.insert(self._idl.tables["Flow_Table"])
            row.name = table_name
            tables[number] = row
        bridge.flow_tables = tables

    def delete_bridge(self, name: str) -> None:
        """Take the bridge away, with its ports."""
        bridge = self._bridges.pop(name, None)
        if bridge is not None:
            _root(self._idl).delvalue("bridges", bridge)
            bridge.delete()

    def set_bridge_id(self, name: str, key: str, value: str | None) -> None:
        """Set one key of the bridge's external_ids; None takes it away."""
        bridge = self._bridges.get(name)
        if bridge is None:
            return
        if value is None:
            bridge.delkey("external_ids", key)
        else:
            bridge.setkey("external_ids", key, value)

    def set_port(
        self,
        bridge: str,
        name: str,
        *,
        type: str,
        options: Mapping[str, str],
        tag: int | None,
        port_external_ids: Mapping[str, str],
        external_ids: Mapping[str, str],
    ) -> None:
        """Make the port with an interface of its name, or bring both to this (on another bridge: move)."""
        port = self._ports.get(name)
        if port is not None and self._home(name) != bridge:
            self.delete_port(name)
            port = None
        if port is None:
            port = self._insert_port(name, type, options, external_ids)
            self._bridges[bridge].addvalue("ports", port)
            self._ports[name] = port
        else:
            interface = port.interfaces[0]
            interface.type = type
            interface.options = dict(options)
            for key, value in external_ids.items():
                interface.setkey("external_ids", key, value)
        port.tag = [] if tag is None else [tag]
        for key, value in port_external_ids.items():
            port.setkey("external_ids", key, value)

    def delete_port(self, name: str) -> None:
        """Take the port away from its bridge."""
        port = self._ports.pop(name, None)
        home = self._home(name)
        if port is not None and home in self._bridges:
            self._bridges[home].delvalue("ports", port)

    def _home(self, port: str) -> str:
        if self._homes is None:
            rows = self._idl.tables["Bridge"].rows.values()
            self._homes = {item.name: row.name for row in rows for item in row.ports}
        return str(self._homes.get(port, ""))

    def _insert_port(
        self, name: str, interface_type: str, options: Mapping[str, str], external_ids: Mapping[str, str]
    ) -> Any:
        interface = self._raw.insert(self._idl.tables["Interface"])
        interface.name = name
        interface.type = interface_type
        interface.options = dict(options)
        interface.external_ids = dict(external_ids)
        port = self._raw.insert(self._idl.tables["Port"])
        port.name = name
        port.interfaces = [interface]
        return port


def _root(idl: Any) -> Any:
    rows = idl.tables["Open_vSwitch"].rows
    if not rows:
        raise Unavailable("the Open vSwitch database is empty: run ovs-vsctl init")
    return next(iter(rows.values()))


def _current_cfg(idl: Any) -> int:
    return int(_root(idl).cur_cfg)


def _read(idl: Any) -> OvsState:
    bridges: dict[str, BridgeRow] = {}
    interfaces: dict[str, InterfaceRow] = {}
    for bridge in idl.tables["Bridge"].rows.values():
        bridges[bridge.name] = BridgeRow(
            name=bridge.name,
            datapath_type=bridge.datapath_type,
            fail_mode=bridge.fail_mode[0] if bridge.fail_mode else "",
            external_ids=dict(bridge.external_ids),
            table_names={int(number): row.name[0] for number, row in bridge.flow_tables.items() if row.name},
        )
        for port in bridge.ports:
            if port.interfaces:
                interfaces[port.name] = _interface_row(bridge.name, port)
    root = _root(idl)
    version = root.ovs_version[0] if root.ovs_version else ""
    return OvsState(bridges, interfaces, tuple(root.datapath_types), version)


def _interface_row(bridge: str, port: Any) -> InterfaceRow:
    interface = port.interfaces[0]
    return InterfaceRow(
        name=port.name,
        bridge=bridge,
        tag=port.tag[0] if port.tag else None,
        type=interface.type,
        options=tuple(sorted(interface.options.items())),
        port_external_ids=dict(port.external_ids),
        external_ids=dict(interface.external_ids),
        ofport=interface.ofport[0] if interface.ofport else None,
        error=interface.error[0] if interface.error else "",
    )


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
