"""``/v2.0/networks``. Effects: SQL in a transaction."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import bindparam, select

from nebula.errors import Conflict, InvalidAttribute, NebulaError
from nebula.ids import Owner, OwnerKind
from nebula.model.attribute import raise_all
from nebula.model.network import Network
from nebula.model.port import AUTO_DELETED, DHCP
from nebula.model.rbac import EXTERNAL, SHARED
from nebula.rules import networks as rules
from nebula_controller.api.context import RequestContext
from nebula_controller.api.readable import Row
from nebula_controller.network import (
    floating_ips_api,
    floating_rows,
    ports,
    qos,
    rows,
    segments,
    sharing,
    subnet_pools,
    zones,
)
from nebula_controller.network.sharing import Shareable
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables import network as tables
from nebula_controller.store.tables.pools import subnet_pools as pool_table

_ports_of = (
    select(tables.ports.c.id)
    .where(tables.ports.c.network_id == bindparam("network"), tables.ports.c.device_owner.not_in(sorted(AUTO_DELETED)))
    .order_by(tables.ports.c.id)
    .limit(11)
)
_auto_ports_of = select(tables.ports.c.id).where(
    tables.ports.c.network_id == bindparam("network"), tables.ports.c.device_owner.in_(sorted(AUTO_DELETED))
)
_gateways = select(tables.routers.c.id).where(tables.routers.c.gateway_network_id == bindparam("network")).limit(1)
_subnets_of = (
    select(tables.subnets.c.network_id, tables.subnets.c.id)
    .where(rows.among(tables.subnets.c.network_id))
    .order_by(rows.OLDEST_SUBNET_FIRST)
)
_served = select(tables.ports.c.network_id).where(
    rows.among(tables.ports.c.network_id), tables.ports.c.device_owner == DHCP, tables.ports.c.host != ""
)

_scopes_of = (
    select(tables.subnets.c.network_id, tables.subnets.c.ip_version, pool_table.c.address_scope_id)
    .distinct()
    .join(pool_table, pool_table.c.id == tables.subnets.c.subnetpool_id)
    .where(rows.among(tables.subnets.c.network_id), pool_table.c.address_scope_id.is_not(None))
)
_default_external = select(tables.networks.c.id).where(
    tables.networks.c.is_default, tables.networks.c.id != bindparam("network")
)


class Networks(Shareable[Network]):
    """A project sees its own networks, and those that are shared with it or external."""

    of = (rows.NETWORKS,)
    seen_by = (SHARED, EXTERNAL)

    def touch(self, tx: Transaction, record: Network) -> None:
        tx.touch(Owner(OwnerKind.NETWORK, record.id))

    def create(self, tx: Transaction, context: RequestContext, values: Row) -> Network:
        qos.may_assign(tx, context, values)
        if values.get("qos_policy_id") is None:
            values = {**values, "qos_policy_id": qos.default_of(tx, str(values["project_id"]))}
        if "provider:network_type" not in values:
            given = [name for name in values if name.startswith("provider:") and values[name] is not None]
            if given:
                raise InvalidAttribute(given[0], "network_type required")
        network = self.draft(values)
        underlay = self.settings.underlay_mtu_bytes
        problems = [*rules.check(network, underlay), *zones.check(network.availability_zone_hints)]
        problems += _check_default(tx, network)
        if network.network_type == "flat" and network.physical_network:
            problems += segments.check_flat(tx, network.physical_network)
        raise_all(problems)
        vni = network.segmentation_id
        if network.network_type == segments.VXLAN:
            if vni is None:
                vni = segments.allocate(tx)
            else:
                segments.take(tx, vni)
        made = rows.NETWORKS.insert(
            tx,
            msgspec.structs.replace(
                network,
                segmentation_id=vni,
                mtu=network.mtu or rules.largest_mtu_bytes(network.network_type, underlay),
            ),
        )
        self.share(tx, made, values)
        if made.external:
            sharing.grant(tx, self.object_type, made, EXTERNAL)
        self.touch(tx, made)
        return made

    def update(self, tx: Transaction, context: RequestContext, old: Network, values: Row) -> None:
        qos.may_assign(tx, context, values, old.qos_policy_id)
        new = self.resource.change(old, values)
        underlay = self.settings.underlay_mtu_bytes
        if not new.mtu:
            new = msgspec.structs.replace(new, mtu=rules.largest_mtu_bytes(new.network_type, underlay))
        has_ipv6 = any(subnet.ip_version == 6 for subnet in rows.subnets_of(tx, old.id))
        problems = [*rules.check(new, underlay, has_ipv6=has_ipv6), *_check_default(tx, new)]
        if old.external and not new.external and tx.execute(_gateways, {"network": old.id}).first():
            problems.append(
                Conflict(
                    f"External network {old.id} cannot be updated to be made non-external, since it has existing "
                    "gateway ports.",
                    type_name="ExternalNetworkInUse",
                )
            )
        raise_all(problems)
        reshared = self.share(tx, old, values)
        if new.external and not old.external:
            sharing.grant(tx, self.object_type, old, EXTERNAL)
        elif not new.external:
            sharing.forget(tx, old.id, EXTERNAL)
        if reshared or msgspec.structs.replace(new, shared=old.shared) != old:
            rows.NETWORKS.save(tx, old, new, always=reshared)
            self.touch(tx, new)

    def delete(self, tx: Transaction, context: RequestContext, old: Network) -> None:
        key = {"network": old.id}
        for floating in floating_rows.free_of_network(tx, old.id):
            floating_ips_api.remove(tx, floating)
        raise_all(rules.in_use(old.id, tx.execute(_ports_of, key).scalars().all()))
        for port in tx.execute(_auto_ports_of, key).scalars().all():
            ports.delete(tx, port)
        for subnet in rows.subnets_of(tx, old.id):
            rows.SUBNETS.delete(tx, subnet.id)
            subnet_pools.release(tx, subnet)
            tx.touch(Owner(OwnerKind.SUBNET, subnet.id))
        super().delete(tx, context, old)
        if old.network_type == segments.VXLAN and old.segmentation_id is not None:
            segments.give_back(tx, self.settings, old.segmentation_id)
        self.touch(tx, old)

    def expand(self, tx: Transaction, shown: Sequence[Row]) -> None:
        key = rows.ids(shown)
        subnets = rows.grouped(tx.execute(_subnets_of, key))
        served = set(tx.execute(_served, key).scalars())
        scopes = {(network, version): scope for network, version, scope in tx.execute(_scopes_of, key)}
        for row in shown:
            row["subnets"] = subnets.get(row["id"], [])
            row["availability_zones"] = [zones.ZONE] if row["id"] in served else []
            for version in (4, 6):
                row[f"ipv{version}_address_scope"] = scopes.get((row["id"], version))


def _check_default(tx: Transaction, network: Network) -> list[NebulaError]:
    """One network at most is the default for the way out."""
    if not network.is_default:
        return []
    return [
        Conflict(f"A default external network already exists: {other}.", type_name="DefaultExternalNetworkExists")
        for other in tx.execute(_default_external, {"network": network.id}).scalars()
    ]
