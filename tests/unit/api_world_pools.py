"""Of the model of the network API: subnet pools as sets of equal blocks, and address scopes. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from api_records import Asker, Pool, Refusals, Subnet
from api_world_addresses import Addresses

UNIT = {4: 32, 6: 64}
"""The length of the block that quotas and this model count in; pools of the machine hold few of them."""


class Pools(Addresses):
    """What is free, what may be cut, and which pools are together."""

    def cut(self, pool: str) -> dict[str, Subnet]:
        """The subnets that have their blocks of the pool."""
        return {key: subnet for key, subnet in self.subnets.items() if subnet.cut_from == pool}

    def free(self, pool: str) -> set[int]:
        return units(self.subnetpools[pool].prefixes) - units(s.cidr for s in self.cut(pool).values())

    def default_pool(self, version: int) -> str | None:
        return next((k for k, p in self.subnetpools.items() if p.default and p.version == version), None)

    def wrong_prefixes(self, prefixes: list[str], version: int | None = None) -> Refusals:
        """There are some, of one IP version (of the pool's)."""
        if not prefixes:
            return {(400, "EmptySubnetPoolPrefixList")}
        versions = {ipaddress.ip_network(prefix).version for prefix in prefixes} | ({version} if version else set())
        return {(400, "PrefixVersionMismatch")} if len(versions) > 1 else set()

    def wrong_lengths(self, lengths: tuple[int, int, int], version: int) -> Refusals:
        least, usual, most = lengths
        right = least <= usual <= most <= {4: 32, 6: 128}[version]
        return set() if right else {(400, "IllegalSubnetPoolPrefixBounds")}

    def wrong_scope(self, asker: Asker, scope: str, pool: Pool, key: str | None) -> Refusals:
        """What is wrong with a pool that is to be in a scope; ``key``: its id, None for a new one."""
        found = self.missing(asker, "address_scopes", scope)
        if found:
            return found
        if self.address_scopes[scope].version != pool.version:
            return {(400, "IllegalSubnetPoolIpVersionAssociationToAddressScope")}
        others = [p for k, p in self.subnetpools.items() if p.scope == scope and k != key]
        if any(units(pool.prefixes) & units(other.prefixes) for other in others):
            return {(409, "AddressScopePrefixConflict")}
        return set()

    def held_by_scope(self, asker: Asker, pool: str) -> Refusals:
        """A pool in another project's scope stays as it is."""
        scope = self.subnetpools[pool].scope
        if scope is None or asker.admin or self.address_scopes[scope].project == asker.project:
            return set()
        return {(400, "IllegalSubnetPoolUpdate")}

    def beside(self, network: str, version: int) -> list[Subnet]:
        return [subnet for subnet in self.subnets_of(network).values() if subnet.version == version]

    def strangers(self, pool: str) -> Refusals:
        """A network of the pool's subnets has another of the same version: the pool stays in its scope."""
        version = self.subnetpools[pool].version
        for subnet in self.cut(pool).values():
            if any(other.cut_from != pool for other in self.beside(subnet.network, version)):
                return {(400, "NetworkAddressScopeAffinityError")}
        return set()

    def scope_of(self, network: str, version: int) -> str | None:
        pools = [subnet.cut_from for subnet in self.beside(network, version) if subnet.cut_from]
        return next((self.subnetpools[pool].scope for pool in pools if self.subnetpools[pool].scope), None)

    def wrong_company(self, network: str, version: int, pool: str | None) -> Refusals:
        """All subnets of a network and version are of one pool, of pools of one scope, or of none."""
        scope = self.scope_of(network, version)
        if scope is not None and pool is not None:
            alike = self.subnetpools[pool].scope == scope
            return set() if alike else {(400, "NetworkAddressScopeAffinityError")}
        alike = all(other.cut_from == pool for other in self.beside(network, version))
        return set() if alike else {(400, "NetworkSubnetPoolAffinityError")}

    def wrong_cut(self, asker: Asker, pool: str, length: int, cidr: str | None) -> Refusals:
        """What is wrong with a block of this length (this very one) for a subnet of the asker's project."""
        found, wrong = self.subnetpools[pool], set()
        least, _, most = found.lengths
        if length < least:
            return {(400, "MinPrefixSubnetAllocationError")}
        if length > most:
            return {(400, "MaxPrefixSubnetAllocationError")}
        mine = units(s.cidr for s in self.cut(pool).values() if s.project == asker.project)
        size = 2 ** (UNIT[found.version] - length)
        if found.quota and len(mine) + size > found.quota:
            wrong |= {(409, "SubnetPoolQuotaExceeded")}
        free = self.free(pool)
        starts = [start for start in free if start % size == 0 and free.issuperset(range(start, start + size))]
        if not (starts if cidr is None else units([cidr]) <= free):
            wrong |= {(409, "SubnetAllocationError")}
        return wrong


def units(cidrs: Iterable[str]) -> set[int]:
    """The numbers of the blocks of ``UNIT``'s length in these (of one version)."""
    found: set[int] = set()
    for block in map(ipaddress.ip_network, cidrs):
        size = 2 ** (block.max_prefixlen - UNIT[block.version])
        first = int(block.network_address) // size
        found.update(range(first, first + block.num_addresses // size))
    return found


def same_blocks(some: Iterable[str], others: Iterable[str]) -> bool:
    """As sets of addresses."""
    return units(some) == units(others)
