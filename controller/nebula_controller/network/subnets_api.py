"""``/v2.0/subnets``. Effects: SQL in a transaction."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import ColumnElement, bindparam, or_, select

from nebula.errors import Conflict
from nebula.ids import Owner, OwnerKind
from nebula.model.attribute import raise_all
from nebula.model.port import AUTO_DELETED, ROUTER_GATEWAY, ROUTER_INTERFACE
from nebula.model.subnet import Subnet
from nebula.rules import ipv6
from nebula.rules import subnets as rules
from nebula.rules.networks import check_mtu
from nebula_controller.api.context import RequestContext
from nebula_controller.api.policy import Target
from nebula_controller.api.readable import PROJECT, Row
from nebula_controller.network import addresses, ports, routers, rows, sharing, subnet_pools
from nebula_controller.network.limited import Limited
from nebula_controller.network.visibility import network_for, network_owner
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables import network as tables

table = tables.subnets

_users = (
    select(tables.ports.c.id, tables.ports.c.device_owner)
    .join(tables.fixed_ips, tables.fixed_ips.c.port_id == tables.ports.c.id)
    .where(tables.fixed_ips.c.subnet_id == bindparam("subnet"))
    .distinct()
)
_blocking = _users.where(tables.ports.c.device_owner.not_in(sorted(AUTO_DELETED))).limit(1)
_interfaces = _users.where(tables.ports.c.device_owner == ROUTER_INTERFACE).limit(1)
_hosts = (
    select(tables.ports.c.id)
    .where(tables.ports.c.network_id == bindparam("network"), tables.ports.c.device_owner != ROUTER_INTERFACE)
    .order_by(tables.ports.c.id)
)
"""The ports that have an address of every subnet whose hosts make their own."""

_pool = tables.allocation_pools.c
_pools_of = (
    select(_pool.subnet_id, _pool.start, _pool.end)
    .where(rows.among(_pool.subnet_id))
    .order_by(_pool.subnet_id, _pool.position)
)


class Subnets(Limited[Subnet]):
    """A project sees its own subnets, and those of its networks and of shared ones."""

    of = (rows.SUBNETS,)
    rule_texts = {
        "create": "rule:admin_or_net_owner_member",
        "get": "rule:admin_or_net_owner_reader or rule:admin_or_project_reader",
        "update": "rule:admin_or_net_owner_member or rule:admin_or_project_member",
        "delete": "rule:admin_or_net_owner_member or rule:admin_or_project_member",
    }

    def visible(self) -> ColumnElement[bool]:
        network = tables.networks.c
        mine = select(network.id).where(network.project_id == PROJECT)
        granted = sharing.granted_ids("network")
        return or_(table.c.project_id == PROJECT, table.c.network_id.in_(mine), table.c.network_id.in_(granted))

    def owners(self, tx: Transaction, context: RequestContext, values: Row) -> Target:
        return network_owner(tx, context, values)

    def record(self, tx: Transaction, key: str) -> Subnet:
        return rows.subnet(tx, key)

    def touch(self, tx: Transaction, record: Subnet) -> None:
        tx.touch(Owner(OwnerKind.SUBNET, record.id), Owner(OwnerKind.NETWORK, record.network_id))

    def create(self, tx: Transaction, context: RequestContext, values: Row) -> Subnet:
        network = network_for(tx, context, str(values["network_id"]))
        subnet = self._draft(tx, context, values)
        if "gateway_ip" not in values:
            subnet = msgspec.structs.replace(subnet, gateway_ip=rules.default_gateway(subnet.cidr))
        if not subnet.allocation_pools:
            pools = rules.default_pools(subnet.cidr, subnet.gateway_ip)
            subnet = msgspec.structs.replace(subnet, allocation_pools=pools)
        problems = rules.check(subnet, rows.subnets_of(tx, network.id))
        raise_all([*problems, *check_mtu(network, has_ipv6=subnet.ip_version == 6)])
        made = rows.SUBNETS.insert(tx, subnet)
        addresses.set_pools(tx, made)
        if ipv6.is_auto_address(made):
            for port_id in tx.execute(_hosts, {"network": network.id}).scalars().all():
                ports.join_subnets(tx, port_id)
        routers.extend_gateways(tx, made)
        rows.bump(tx, network)
        self.touch(tx, made)
        return made

    def _draft(self, tx: Transaction, context: RequestContext, values: Row) -> Subnet:
        """The subnet that is asked for, with the CIDR that its pool gives it."""
        wanted = {name: value for name, value in values.items() if name != "cidr" or value is not None}
        draft = self.draft(wanted)
        pool = subnet_pools.chosen(tx, context, draft)
        subnet_pools.check_network(tx, draft.network_id, draft.ip_version, pool)
        return draft if pool is None else subnet_pools.allocate(tx, pool, draft)

    def update(self, tx: Transaction, context: RequestContext, old: Subnet, values: Row) -> None:
        del context
        new = self.resource.change(old, values)
        if new == old:
            return
        problems = rules.check(new, [])
        if old.gateway_ip is not None and new.gateway_ip not in (None, old.gateway_ip):
            holder = addresses.holder(tx, old.id, old.gateway_ip)
            if holder is not None and rows.port(tx, holder).device_owner == ROUTER_INTERFACE:
                problems.append(
                    Conflict(
                        f"Current gateway ip {old.gateway_ip} already in use by port {holder}. Unable to update.",
                        type_name="GatewayIpInUse",
                    )
                )
        raise_all(problems)
        saved = rows.SUBNETS.save(tx, old, new, always=True)
        if new.allocation_pools != old.allocation_pools:
            addresses.set_pools(tx, saved)
        self.touch(tx, saved)

    def delete(self, tx: Transaction, context: RequestContext, old: Subnet) -> None:
        key = {"subnet": old.id}
        holding = _interfaces if ipv6.is_auto_address(old) else _blocking
        raise_all(rules.in_use(old.id, tx.execute(holding, key).scalars().all()))
        for port_id, device_owner in tx.execute(_users, key).all():
            left = ports.leave_subnet(tx, port_id, old.id)
            if device_owner == ROUTER_GATEWAY:
                rows.bump(tx, rows.router(tx, left.device_id))  # its ``external_gateway_info`` is another
            if not left.fixed_ips and device_owner in AUTO_DELETED:
                ports.delete(tx, port_id)
        super().delete(tx, context, old)
        subnet_pools.release(tx, old)
        rows.bump(tx, rows.network(tx, old.network_id))
        self.touch(tx, old)

    def expand(self, tx: Transaction, shown: Sequence[Row]) -> None:
        found: dict[object, list[dict[str, str]]] = {}
        for subnet_id, start, end in tx.execute(_pools_of, rows.ids(shown)).all():
            found.setdefault(subnet_id, []).append({"start": start, "end": end})
        for row in shown:
            row["allocation_pools"] = found.get(row["id"], [])
