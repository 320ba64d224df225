"""``/v2.0/network-ip-availabilities``: how many addresses networks have, and have given out. Effects: reads.

For administrators; others see none (Neutron's default policy).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Select, func, select

from nebula.errors import BadRequest
from nebula.model.subnet import Pool
from nebula.rules.subnets import pool_ranges
from nebula_controller.api import query as queries
from nebula_controller.api.endpoint import Answer, Call, Operation
from nebula_controller.network import rows
from nebula_controller.store.database import Database, Transaction
from nebula_controller.store.tables.network import allocation_pools, fixed_ips, networks, subnets

_FILTERS = {
    "network_id": networks.c.id,
    "network_name": networks.c.name,
    "project_id": networks.c.project_id,
    "tenant_id": networks.c.project_id,
    "ip_version": subnets.c.ip_version,
}
_used = select(func.count()).select_from(fixed_ips).where(fixed_ips.c.subnet_id == subnets.c.id).scalar_subquery()
_subnets = (
    select(
        networks.c.id.label("network_id"),
        networks.c.name.label("network_name"),
        networks.c.project_id,
        subnets.c.id.label("subnet_id"),
        subnets.c.name.label("subnet_name"),
        subnets.c.cidr,
        subnets.c.ip_version,
        _used.label("used_ips"),
    )
    .select_from(networks.outerjoin(subnets, subnets.c.network_id == networks.c.id))
    .order_by(networks.c.id, rows.OLDEST_SUBNET_FIRST)
)
_pools = select(allocation_pools.c.subnet_id, allocation_pools.c.start, allocation_pools.c.end).where(
    rows.among(allocation_pools.c.subnet_id)
)


class IpAvailability:
    """The two operations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def operations(self) -> list[Operation]:
        """For the ``Service`` whose prefix is the network service's."""
        path = "/v2.0/network-ip-availabilities"
        return [Operation("GET", path, self._list), Operation("GET", f"{path}/{{id}}", self._show)]

    def _list(self, call: Call) -> Answer:
        query = queries.parse(call.query)
        unknown = [name for name in query.filters if name not in _FILTERS]
        if unknown:
            raise BadRequest(f"{unknown} is invalid attribute for filtering", type_name="HTTPBadRequest")
        statement = _subnets
        for name, values in query.filters.items():
            statement = statement.where(_FILTERS[name].in_(_typed(name, values)))
        found: list[dict[str, Any]] = []
        if call.context.allows("get_network_ip_availability", {}):
            with self._database.read() as tx:
                found = _availabilities(tx, statement)
        found, links = queries.page(found, query, call.url, call.query, key="network_id")
        body = {"network_ip_availabilities": [_only(row, query.fields) for row in found]}
        return Answer(200, body | ({"network_ip_availabilities_links": links} if links else {}))

    def _show(self, call: Call) -> Answer:
        key = call.path["id"]
        found = []
        if call.context.allows("get_network_ip_availability", {}):
            with self._database.read() as tx:
                found = _availabilities(tx, _subnets.where(networks.c.id == key))
        if not found:
            raise rows.NETWORKS.resource.not_found(key)
        fields = queries.parse([pair for pair in call.query if pair[0] == "fields"]).fields
        return Answer(200, {"network_ip_availability": _only(found[0], fields)})


def _availabilities(tx: Transaction, statement: Select[Any]) -> list[dict[str, Any]]:
    of_network: dict[str, dict[str, Any]] = {}
    shown = [dict(row._mapping) for row in tx.execute(statement)]
    sizes = _sizes(tx, [row["subnet_id"] for row in shown if row["subnet_id"]])
    for row in shown:
        network = of_network.setdefault(
            row["network_id"],
            {
                "network_id": row["network_id"],
                "network_name": row["network_name"],
                "project_id": row["project_id"],
                "tenant_id": row["project_id"],
                "subnet_ip_availability": [],
                "used_ips": 0,
                "total_ips": 0,
            },
        )
        if row["subnet_id"] is None:
            continue
        total = sizes.get(row["subnet_id"], ipaddress.ip_network(row["cidr"]).num_addresses)
        network["used_ips"] += row["used_ips"]
        network["total_ips"] += total
        names = ("subnet_id", "subnet_name", "cidr", "ip_version", "used_ips")
        network["subnet_ip_availability"].append({**{n: row[n] for n in names}, "total_ips": _number(total)})
    return [{**network, "total_ips": _number(network["total_ips"])} for network in of_network.values()]


def _sizes(tx: Transaction, subnet_ids: Sequence[str]) -> dict[str, int]:
    """How many addresses are in each subnet's pools."""
    sizes: dict[str, int] = {}
    for subnet_id, start, end in tx.execute(_pools, rows.ids([{"id": key} for key in subnet_ids])):
        first, last = pool_ranges([Pool(start, end)])[0]
        sizes[subnet_id] = sizes.get(subnet_id, 0) + last - first + 1
    return sizes


def _number(number: int) -> object:
    """JSON's numbers have no bounds, msgspec's have 64 bits: an IPv6 subnet has more addresses."""
    return number if number < 2**63 else msgspec.Raw(str(number).encode())


def _typed(name: str, values: Sequence[str]) -> list[object]:
    if name != "ip_version":
        return list(values)
    return [int(value) for value in values if value in ("4", "6")]


def _only(row: Mapping[str, Any], fields: frozenset[str]) -> Mapping[str, Any]:
    return {name: value for name, value in row.items() if name in fields} if fields else row
