"""The edits of one OVSDB transaction: bridges, ports with one interface, keys in external_ids.

Effects: only on the transaction that it is given (``ovs.db.idl``, untyped; nothing of it leaves the edge).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nebula_agent.edge.ovsdb_rows import root_row


class Transaction:
    """The edits of one transaction. Rows that are to exist may exist; rows that are to go may be gone."""

    def __init__(self, idl: Any, raw: Any, ports: Mapping[str, Any]) -> None:
        """``ports``: UUIDs of the Port rows by name."""
        self._idl = idl
        self._raw = raw
        self._bridges: dict[str, Any] = {row.name: row for row in idl.tables["Bridge"].rows.values()}
        rows = idl.tables["Port"].rows
        self._ports: dict[str, Any] = {name: rows[uuid] for name, uuid in ports.items() if uuid in rows}
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
            root_row(self._idl).addvalue("bridges", bridge)
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
            root_row(self._idl).delvalue("bridges", bridge)
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
