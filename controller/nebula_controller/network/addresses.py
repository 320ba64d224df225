"""Addresses of ports: allocation from the pools, and giving back. Effects: SQL in a transaction."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam, delete, insert, select

from nebula.errors import Conflict
from nebula.ids import SubnetId
from nebula.model.attribute import raise_all
from nebula.model.port import Port
from nebula.model.subnet import Pool, Subnet
from nebula.rules import addresses as rules
from nebula.rules.subnets import pool_ranges
from nebula.view.records import FixedIp
from nebula_controller.store.database import Transaction
from nebula_controller.store.ranges import FreeRanges, without
from nebula_controller.store.tables.network import allocation_pools, fixed_ips, free_addresses


def _packed(number: int) -> bytes:
    """16 bytes sort alike for both versions; a subnet has only one."""
    return number.to_bytes(16, "big")


def _number(stored: object) -> int:
    assert isinstance(stored, bytes)
    return int.from_bytes(stored, "big")


_free = FreeRanges(free_addresses, free_addresses.c.subnet_id, _packed, _number)
_holder = select(fixed_ips.c.port_id).where(
    fixed_ips.c.subnet_id == bindparam("subnet"), fixed_ips.c.ip_address == bindparam("address")
)
_of_subnet = select(fixed_ips.c.ip_address).where(fixed_ips.c.subnet_id == bindparam("subnet"))
_of_port = (
    select(fixed_ips.c.subnet_id, fixed_ips.c.ip_address)
    .where(fixed_ips.c.port_id == bindparam("port"))
    .order_by(fixed_ips.c.position)
)
_pools = (
    select(allocation_pools.c.start, allocation_pools.c.end)
    .where(allocation_pools.c.subnet_id == bindparam("subnet"))
    .order_by(allocation_pools.c.position)
)
_insert = insert(fixed_ips)
_delete = delete(fixed_ips).where(fixed_ips.c.port_id == bindparam("port"))
_leave = delete(fixed_ips).where(fixed_ips.c.port_id == bindparam("port"), fixed_ips.c.subnet_id == bindparam("subnet"))
_insert_pool = insert(allocation_pools)
_delete_pools = delete(allocation_pools).where(allocation_pools.c.subnet_id == bindparam("subnet"))


def pools(tx: Transaction, subnet_id: str) -> tuple[Pool, ...]:
    """The subnet's pools in the order in which they were given."""
    return tuple(Pool(start, end) for start, end in tx.execute(_pools, {"subnet": subnet_id}))


def set_pools(tx: Transaction, subnet: Subnet) -> None:
    """Write the subnet's pools, and work out what in them is free."""
    tx.execute(_delete_pools, {"subnet": subnet.id})
    for position, pool in enumerate(subnet.allocation_pools):
        tx.execute(_insert_pool, {"subnet_id": subnet.id, "position": position, "start": pool.start, "end": pool.end})
    taken = sorted(int(ipaddress.ip_address(a)) for a in tx.execute(_of_subnet, {"subnet": subnet.id}).scalars())
    _free.fill(tx, subnet.id, without(pool_ranges(subnet.allocation_pools), taken))


def of_port(tx: Transaction, port_id: str) -> tuple[FixedIp, ...]:
    """The port's addresses in their order."""
    return tuple(FixedIp(SubnetId(s), address) for s, address in tx.execute(_of_port, {"port": port_id}))


def holder(tx: Transaction, subnet_id: str, address: str) -> str | None:
    """The port that has the address."""
    return tx.execute(_holder, {"subnet": subnet_id, "address": address}).scalar_one_or_none()


def assign(
    tx: Transaction,
    port: Port,
    wanted: Sequence[Mapping[str, str]] | None,
    *,
    subnets: Sequence[Subnet],
    kept: Sequence[FixedIp] = (),
) -> tuple[FixedIp, ...]:
    """Give a port its addresses and write them down, in place of those it had (``kept``).

    ``wanted`` None: of each IP version one address, from the first subnet that has one. Either way also those that the
    port makes for itself (SLAAC). ``subnets`` are all of the network. Raises Neutron's errors.
    """
    if wanted is None:
        lowest = _one_of_each_version(tx, port.network_id, rules.candidates(port, subnets))
        own, _ = rules.with_own(port, [], subnets, ())
        given = (*lowest, *_grant(tx, own, [], port.network_id))
    else:
        wishes, problems = rules.resolve(port.network_id, wanted, subnets)
        wishes, more = rules.with_own(port, wishes, subnets, kept)
        raise_all([*problems, *more])
        given = _grant(tx, wishes, list(kept), port.network_id)
    port_id = port.id
    for old in kept:
        if old not in given:
            _release(tx, old)
    if tuple(kept) == given:
        return given
    if kept:
        tx.execute(_delete, {"port": port_id})
    for position, fixed in enumerate(given):
        tx.execute(
            _insert,
            {
                "port_id": port_id,
                "position": position,
                "subnet_id": fixed.subnet_id,
                "ip_address": fixed.ip_address,
            },
        )
    return given


def leave(tx: Transaction, port: Port, subnet_id: str) -> tuple[FixedIp, ...]:
    """The subnet goes: the port loses its addresses there; returns those that it keeps."""
    for fixed in port.fixed_ips:
        if fixed.subnet_id == subnet_id:
            _release(tx, fixed)
    tx.execute(_leave, {"port": port.id, "subnet": subnet_id})
    return tuple(fixed for fixed in port.fixed_ips if fixed.subnet_id != subnet_id)


def release_all(tx: Transaction, port_id: str) -> None:
    """The port goes: its addresses are free again."""
    for fixed in of_port(tx, port_id):
        _release(tx, fixed)
    tx.execute(_delete, {"port": port_id})


def _one_of_each_version(tx: Transaction, network_id: str, subnets: Sequence[Subnet]) -> tuple[FixedIp, ...]:
    given = []
    for version in (4, 6):
        candidates = [subnet for subnet in subnets if subnet.ip_version == version]
        for subnet in candidates:
            number = _free.take_lowest(tx, subnet.id)
            if number is not None:
                given.append(FixedIp(SubnetId(subnet.id), _text(number, version)))
                break
        else:
            if candidates:
                raise _exhausted(network_id)
    return tuple(given)


def _grant(tx: Transaction, wishes: Sequence[rules.Wish], kept: list[FixedIp], network_id: str) -> tuple[FixedIp, ...]:
    """Addresses that were named come first, so that none of them is given out on the way; then kept, then new ones."""
    granted: dict[int, FixedIp] = {}
    for position, wish in enumerate(wishes):
        if wish.ip_address is None:
            continue
        fixed = FixedIp(SubnetId(wish.subnet.id), wish.ip_address)
        if fixed in kept:
            kept.remove(fixed)
        else:
            _take(tx, fixed)
        granted[position] = fixed
    for position, wish in enumerate(wishes):
        if wish.ip_address is not None:
            continue
        had = next((fixed for fixed in kept if fixed.subnet_id == wish.subnet.id), None)
        if had is not None:
            kept.remove(had)
            granted[position] = had
            continue
        number = _free.take_lowest(tx, wish.subnet.id)
        if number is None:
            raise _exhausted(network_id)
        granted[position] = FixedIp(SubnetId(wish.subnet.id), _text(number, wish.subnet.ip_version))
    return tuple(granted[position] for position in range(len(wishes)))


def _take(tx: Transaction, fixed: FixedIp) -> None:
    if holder(tx, fixed.subnet_id, fixed.ip_address) is not None:
        raise Conflict(
            f"IP address {fixed.ip_address} already allocated in subnet {fixed.subnet_id}",
            type_name="IpAddressAlreadyAllocated",
        )
    _free.take(tx, fixed.subnet_id, int(ipaddress.ip_address(fixed.ip_address)))


def _release(tx: Transaction, fixed: FixedIp) -> None:
    number = int(ipaddress.ip_address(fixed.ip_address))
    if any(first <= number <= last for first, last in pool_ranges(pools(tx, fixed.subnet_id))):
        _free.give_back(tx, fixed.subnet_id, number)


def _text(number: int, version: int) -> str:
    return str(ipaddress.IPv4Address(number) if version == 4 else ipaddress.IPv6Address(number))


def _exhausted(network_id: str) -> Conflict:
    return Conflict(f"No more IP addresses available on network {network_id}.", type_name="IpAddressGenerationFailure")
