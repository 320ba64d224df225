"""Ports by SQL, as the API would have written them: 100,000 by calls take five minutes.

Effects: writes the database of a running controller. A port of the network that the API made is the model of all; the
others are on networks of their own, 1,000 on each, copied from that port's network and subnet. Their VNIs are
above those that the API would give.
"""

from __future__ import annotations

import ipaddress
import sqlite3
import uuid
from pathlib import Path
from typing import Any

_ON_EACH = 1000
_FIRST_VNI = 10_000_000
_Rows = list[dict[str, Any]]


def seed_ports(database: Path, network_id: str, total: int) -> None:
    """Make ports until there are ``total``."""
    connection = sqlite3.connect(database, timeout=60)
    connection.row_factory = sqlite3.Row
    try:
        with connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("BEGIN IMMEDIATE")
            missing = total - connection.execute("SELECT count(*) FROM ports").fetchone()[0]
            while missing > 0:
                _network_of_ports(connection, network_id, min(missing, _ON_EACH))
                missing -= _ON_EACH
    finally:
        connection.close()


def _network_of_ports(connection: sqlite3.Connection, model_id: str, count: int) -> None:
    """A network with one subnet, and its ports."""
    network = _rows(connection, "networks", "id", model_id)[0]
    subnet = _rows(connection, "subnets", "network_id", model_id)[0]
    pools = _rows(connection, "allocation_pools", "subnet_id", subnet["id"])
    free = _rows(connection, "free_addresses", "subnet_id", subnet["id"])
    network_id, subnet_id = str(uuid.uuid4()), str(uuid.uuid4())
    number = connection.execute("SELECT count(*) FROM networks").fetchone()[0]
    vni = _FIRST_VNI + number
    _insert(connection, "networks", [{**network, "id": network_id, "segmentation_id": vni, "name": "seeded"}])
    _insert(connection, "subnets", [{**subnet, "id": subnet_id, "network_id": network_id}])
    _insert(connection, "allocation_pools", [{**row, "subnet_id": subnet_id} for row in pools])
    first = int(ipaddress.ip_address("10.0.0.2"))
    row = {**free[-1], "subnet_id": subnet_id, "first": (first + count).to_bytes(len(free[-1]["first"]), "big")}
    _insert(connection, "free_addresses", [row])
    port = _model_port(connection, model_id)
    groups = _rows(connection, "port_security_groups", "port_id", port["id"])
    made, addresses, members = [], [], []
    for index in range(count):
        key = f"{number * _ON_EACH + index:08x}"  # unique, as the API's are
        port_id = key + str(uuid.uuid4())[8:]
        mac = "fa:16:3e:" + index.to_bytes(3, "big").hex(":")
        made.append(
            {**port, "id": port_id, "key": key, "name": f"port-{key}", "mac_address": mac, "network_id": network_id}
        )
        address = str(ipaddress.ip_address(first + index))
        addresses.append({"port_id": port_id, "position": 0, "subnet_id": subnet_id, "ip_address": address})
        members += [{**group, "port_id": port_id} for group in groups]
    _insert(connection, "ports", made)
    _insert(connection, "fixed_ips", addresses)
    _insert(connection, "port_security_groups", members)


def _model_port(connection: sqlite3.Connection, network_id: str) -> dict[str, Any]:
    return _rows(connection, "ports", "network_id", network_id)[0]


def _rows(connection: sqlite3.Connection, table: str, column: str, value: str) -> _Rows:
    found = connection.execute(f"SELECT * FROM {table} WHERE {column} = ?", (value,)).fetchall()
    return [dict(row) for row in found]


def _insert(connection: sqlite3.Connection, table: str, rows: _Rows) -> None:
    if rows:
        names = ", ".join(f'"{name}"' for name in rows[0])
        marks = ", ".join(f":{name}" for name in rows[0])
        connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)
