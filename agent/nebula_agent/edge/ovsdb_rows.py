"""Rows of Open vSwitch's database as records.

Pure reading of the replica that ``ovs.db.idl`` keeps (untyped; nothing of it leaves the edge). A port's record is
made again only when its rows have changed: with hundreds of ports that is most of the cost of a change.
"""

from __future__ import annotations

from typing import Any

import msgspec

from nebula.errors import Unavailable

COLUMNS = {
    "Open_vSwitch": ["bridges", "next_cfg", "cur_cfg", "datapath_types", "ovs_version", "other_config"],
    "Bridge": ["name", "ports", "datapath_type", "fail_mode", "external_ids", "flow_tables"],
    "Port": ["name", "interfaces", "tag", "external_ids"],
    "Interface": ["name", "type", "options", "external_ids", "ofport", "error"],
    "Flow_Table": ["name"],
}
"""Of the tables and columns that the agent reads or writes."""


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
    segmentation_offload: bool = False
    """As ``other_config:userspace-tso-enable`` says; ovs-vswitchd reads it at its start only."""


class RowReader:
    """Reads the replica; remembers the records of ports that have not changed."""

    def __init__(self) -> None:
        self._by_port: dict[Any, InterfaceRow] = {}
        self._port_of_interface: dict[Any, Any] = {}
        self.ports: dict[str, Any] = {}
        """UUIDs of the Port rows by name, as of the last read."""

    def noticed(self, _event: str, row: Any, _updates: Any = None) -> None:
        """``Idl.notify``: a row has come, changed or gone."""
        table = row._table.name
        if table == "Port":
            self._by_port.pop(row.uuid, None)
        elif table == "Interface":
            self._by_port.pop(self._port_of_interface.get(row.uuid), None)

    def read(self, idl: Any) -> OvsState:
        """The replica as it is now."""
        bridges: dict[str, BridgeRow] = {}
        by_port: dict[Any, InterfaceRow] = {}
        self.ports = {}
        for bridge in idl.tables["Bridge"].rows.values():
            record = _bridge_row(bridge)
            bridges[record.name] = record
            for port in bridge.ports:
                known = self._by_port.get(port.uuid)
                if known is None or known.bridge != record.name:
                    known = self._port_row(record.name, port)
                if known is not None:
                    by_port[port.uuid] = known
                    self.ports[known.name] = port.uuid
        self._by_port = by_port
        root = root_row(idl)
        version = root.ovs_version[0] if root.ovs_version else ""
        interfaces = {row.name: row for row in by_port.values()}
        offload = root.other_config.get("userspace-tso-enable") == "true"
        return OvsState(bridges, interfaces, tuple(root.datapath_types), version, offload)

    def _port_row(self, bridge: str, port: Any) -> InterfaceRow | None:
        if not port.interfaces:
            return None
        interface = port.interfaces[0]
        self._port_of_interface[interface.uuid] = port.uuid
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


def root_row(idl: Any) -> Any:
    """The one row of table Open_vSwitch. Raises Unavailable where there is none."""
    rows = idl.tables["Open_vSwitch"].rows
    if not rows:
        raise Unavailable("the Open vSwitch database is empty: run ovs-vsctl init")
    return next(iter(rows.values()))


def _bridge_row(bridge: Any) -> BridgeRow:
    return BridgeRow(
        name=bridge.name,
        datapath_type=bridge.datapath_type,
        fail_mode=bridge.fail_mode[0] if bridge.fail_mode else "",
        external_ids=dict(bridge.external_ids),
        table_names={int(number): row.name[0] for number, row in bridge.flow_tables.items() if row.name},
    )
