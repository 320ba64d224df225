"""Subnet pools and address scopes as rows, and cutting subnets from pools. Effects: SQL in a transaction."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import msgspec
from sqlalchemy import bindparam, func, select

from nebula.errors import BadRequest, Conflict
from nebula.model.address_scope import ADDRESS_SCOPE, AddressScope
from nebula.model.attribute import raise_all
from nebula.model.subnet import Subnet
from nebula.model.subnet_pool import SUBNET_POOL, SubnetPool
from nebula.rules import subnet_pools as rules
from nebula_controller.api.context import RequestContext
from nebula_controller.network import prefixes, sharing
from nebula_controller.store.database import Transaction
from nebula_controller.store.records import RecordTable
from nebula_controller.store.tables import pools as tables
from nebula_controller.store.tables.network import subnets

POOLS = RecordTable(SUBNET_POOL)
SCOPES = RecordTable(ADDRESS_SCOPE)

_of_scope = POOLS.query(tables.subnet_pools.c.address_scope_id == bindparam("scope"), tables.subnet_pools.c.id)
_default = select(tables.subnet_pools.c.id).where(
    tables.subnet_pools.c.is_default, tables.subnet_pools.c.ip_version == bindparam("version")
)
_cut_from = select(subnets.c.cidr).where(subnets.c.subnetpool_id == bindparam("pool"))
_length = func.substr(subnets.c.cidr, func.instr(subnets.c.cidr, "/") + 1)
_cut_for = (
    select(_length, func.count())
    .where(subnets.c.subnetpool_id == bindparam("pool"), subnets.c.project_id == bindparam("project"))
    .group_by(_length)
)
_pools_beside = (
    select(subnets.c.subnetpool_id, tables.subnet_pools.c.address_scope_id)
    .distinct()
    .select_from(subnets.outerjoin(tables.subnet_pools, tables.subnet_pools.c.id == subnets.c.subnetpool_id))
    .where(subnets.c.network_id == bindparam("network"), subnets.c.ip_version == bindparam("version"))
)
_beside = subnets.alias()
_strangers = (
    select(_beside.c.id)
    .where(
        _beside.c.network_id.in_(select(subnets.c.network_id).where(subnets.c.subnetpool_id == bindparam("pool"))),
        _beside.c.ip_version == bindparam("version"),
        _beside.c.subnetpool_id.is_distinct_from(bindparam("pool")),
    )
    .limit(1)
)


def pool_for(tx: Transaction, context: RequestContext, pool_id: str) -> SubnetPool:
    """The pool, where the caller may cut from it; raises ``NotFound``."""
    return sharing.usable(tx, context, POOLS, pool_id)


def scope_for(tx: Transaction, context: RequestContext, scope_id: str) -> AddressScope:
    """The scope, where the caller may put pools into it; raises ``NotFound``."""
    return sharing.usable(tx, context, SCOPES, scope_id)


def of_scope(tx: Transaction, scope_id: str) -> list[SubnetPool]:
    """The pools of an address scope."""
    return POOLS.all(tx, _of_scope, {"scope": scope_id})


def default_of(tx: Transaction, version: int) -> str | None:
    """The default pool of an IP version."""
    return tx.execute(_default, {"version": version}).scalar_one_or_none()


def allocated(tx: Transaction, pool_id: str) -> Sequence[str]:
    """The CIDRs of the subnets that are cut from the pool."""
    return tx.execute(_cut_from, {"pool": pool_id}).scalars().all()


def shares_networks(tx: Transaction, pool: SubnetPool) -> bool:
    """Whether a network with a subnet of the pool has another of the same IP version that is not."""
    return tx.execute(_strangers, {"pool": pool.id, "version": pool.ip_version}).first() is not None


def chosen(tx: Transaction, context: RequestContext, subnet: Subnet) -> SubnetPool | None:
    """The pool that a request for a subnet names; None where it gives a CIDR alone. Raises Neutron's errors."""
    if subnet.cidr and subnet.prefixlen is not None:
        raise _bad_request("cidr and prefixlen must not be supplied together")
    pool_id = subnet.subnetpool_id
    if subnet.use_default_subnetpool:
        if pool_id:
            raise _bad_request("subnetpool_id and use_default_subnetpool cannot both be specified")
        version = ipaddress.ip_network(subnet.cidr).version if subnet.cidr else subnet.ip_version
        pool_id = default_of(tx, version)
        if pool_id is None:
            raise _bad_request(f"No default subnetpool found for IPv{version}")
    if not pool_id:
        if not subnet.cidr:
            raise _bad_request("a subnetpool must be specified in the absence of a cidr")
        return None
    if subnet.allocation_pools and not subnet.cidr:
        raise _bad_request("allocation_pools allowed only for specific subnet requests.")
    pool = pool_for(tx, context, pool_id)
    if pool.ip_version != subnet.ip_version:
        raise _bad_request(f"Cannot allocate IPv{subnet.ip_version} subnet from IPv{pool.ip_version} subnet pool")
    return pool


def check_network(tx: Transaction, network_id: str, version: int, pool: SubnetPool | None) -> None:
    """The subnets of a network and IP version are of one pool, or of pools of one address scope."""
    found = tx.execute(_pools_beside, {"network": network_id, "version": version}).all()
    pools = {pool_id for pool_id, _ in found}
    scope = next((scope_id for _, scope_id in found if scope_id), None)
    if scope is not None and pool is not None:
        if pool.address_scope_id != scope:
            raise affinity_error()
    elif pools - {pool.id if pool is not None else None}:
        raise BadRequest(
            "Subnets hosted on the same network must be allocated from the same subnet pool.",
            type_name="NetworkSubnetPoolAffinityError",
        )


def allocate(tx: Transaction, pool: SubnetPool, subnet: Subnet) -> Subnet:
    """The subnet with a CIDR of the pool, its own or else one of the wanted length, which no other is given."""
    if subnet.cidr:
        prefixlen = ipaddress.ip_network(subnet.cidr).prefixlen
    else:
        prefixlen = pool.default_prefixlen if subnet.prefixlen is None else subnet.prefixlen
    raise_all(rules.check_length(pool, prefixlen))
    if pool.default_quota:
        rows = tx.execute(_cut_for, {"pool": pool.id, "project": subnet.project_id}).all()
        had = {int(length): count for length, count in rows}
        raise_all(rules.check_quota(pool, prefixlen, had))
    cidr: str | None = subnet.cidr
    if not subnet.cidr:
        cidr = prefixes.take_any(tx, pool.id, pool.ip_version, prefixlen)
        if cidr is None:
            raise _exhausted(f"Insufficient prefix space to allocate subnet size /{prefixlen}")
    elif not prefixes.take(tx, pool.id, subnet.cidr):
        raise _exhausted("Cannot allocate requested subnet from the available set of prefixes")
    return msgspec.structs.replace(subnet, cidr=cidr, subnetpool_id=pool.id)


def release(tx: Transaction, subnet: Subnet) -> None:
    """The subnet is gone, or goes to another pool: its block is free again."""
    if subnet.subnetpool_id is not None:
        prefixes.give_back(tx, subnet.subnetpool_id, [subnet.cidr])


def affinity_error() -> BadRequest:
    """Neutron's words."""
    return BadRequest(
        "Subnets of the same address family hosted on the same network must all participate in the same address scope.",
        type_name="NetworkAddressScopeAffinityError",
    )


def _bad_request(problem: str) -> BadRequest:
    return BadRequest(f"Bad subnets request: {problem}.", type_name="BadRequest")


def _exhausted(problem: str) -> Conflict:
    return Conflict(f"Failed to allocate subnet: {problem}.", type_name="SubnetAllocationError")
