"""What must hold for a subnet pool: its prefixes, sizes, quota and address scope. Pure; the words are Neutron's."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from nebula.errors import BadRequest, Conflict, NebulaError
from nebula.model.accept import IpNetwork
from nebula.model.address_scope import AddressScope
from nebula.model.subnet_pool import SubnetPool
from nebula.rules.subnets import overlap

BITS = {4: 32, 6: 128}

SMALLEST_LENGTH = {4: 8, 6: 64}
"""``min_prefixlen`` where nobody says (Neutron's)."""

QUOTA_UNIT = {4: 32, 6: 64}
"""The prefix length that ``default_quota`` counts in."""


def compact(prefixes: Iterable[str]) -> tuple[str, ...]:
    """The same addresses of one IP version in as few prefixes as can be, sorted."""
    networks = [ipaddress.ip_network(prefix) for prefix in prefixes]
    version_4 = [network for network in networks if isinstance(network, ipaddress.IPv4Network)]
    version_6 = [network for network in networks if isinstance(network, ipaddress.IPv6Network)]
    merged = [*ipaddress.collapse_addresses(version_4), *ipaddress.collapse_addresses(version_6)]
    return tuple(str(network) for network in merged)


def minus(prefixes: Iterable[str], removed: Iterable[str]) -> tuple[str, ...]:
    """What is left of the prefixes without the addresses of ``removed``."""
    left = [ipaddress.ip_network(prefix) for prefix in compact(prefixes)]
    for gone in map(ipaddress.ip_network, compact(removed)):
        left = [rest for network in left for rest in _without(network, gone)]
    return compact(map(str, left))


def _without(network: IpNetwork, gone: IpNetwork) -> list[IpNetwork]:
    if not overlap(str(network), str(gone)):
        return [network]
    if network.prefixlen >= gone.prefixlen:
        return []
    if isinstance(network, ipaddress.IPv4Network) and isinstance(gone, ipaddress.IPv4Network):
        return list(network.address_exclude(gone))
    assert isinstance(network, ipaddress.IPv6Network) and isinstance(gone, ipaddress.IPv6Network)
    return list(network.address_exclude(gone))


def overlapping(ones: Iterable[str], others: Sequence[str]) -> list[str]:
    """The prefixes among ``ones`` that share an address with one of ``others``."""
    return [one for one in ones if any(overlap(one, other) for other in others)]


def check_prefixes(prefixes: Sequence[str], version: int | None = None) -> list[NebulaError]:
    """There is a prefix, and all are of one IP version (``version``, where the pool has one already)."""
    if not prefixes:
        return [BadRequest("Empty subnet pool prefix list.", type_name="EmptySubnetPoolPrefixList")]
    versions = {ipaddress.ip_network(prefix).version for prefix in prefixes}
    if len(versions | ({version} if version else set())) > 1:
        return [BadRequest("Cannot mix IPv4 and IPv6 prefixes in a subnet pool.", type_name="PrefixVersionMismatch")]
    return []


def complete(pool: SubnetPool, given: Collection[str]) -> SubnetPool:
    """The new pool with its version, its prefixes merged, and the lengths that are not among the ``given`` names."""
    version = ipaddress.ip_network(pool.prefixes[0]).version
    smallest = pool.min_prefixlen if "min_prefixlen" in given else SMALLEST_LENGTH[version]
    return msgspec.structs.replace(
        pool,
        prefixes=compact(pool.prefixes),
        ip_version=version,
        min_prefixlen=smallest,
        max_prefixlen=pool.max_prefixlen if "max_prefixlen" in given else BITS[version],
        default_prefixlen=pool.default_prefixlen if "default_prefixlen" in given else smallest,
    )


def check_lengths(pool: SubnetPool) -> list[NebulaError]:
    """Minimum, default and maximum are in that order, and no more than the version's bits."""
    bounds = [
        ("min_prefixlen", pool.min_prefixlen, "max_prefixlen", pool.max_prefixlen),
        ("max_prefixlen", pool.max_prefixlen, "ip_version_max", BITS[pool.ip_version]),
        ("default_prefixlen", pool.default_prefixlen, "max_prefixlen", pool.max_prefixlen),
    ]
    wrong = [bound for bound in bounds if bound[1] > bound[3]]
    if pool.default_prefixlen < pool.min_prefixlen:
        wrong.append(("default_prefixlen", pool.default_prefixlen, "min_prefixlen", pool.min_prefixlen))
    return [
        BadRequest(
            f"Illegal prefix bounds: {name}={length}, {other}={limit}.", type_name="IllegalSubnetPoolPrefixBounds"
        )
        for name, length, other, limit in wrong
    ]


def check_grown(old: SubnetPool, prefixes: Sequence[str]) -> list[NebulaError]:
    """A pool does not lose addresses by an update: ``remove_prefixes`` is for that."""
    if minus(old.prefixes, prefixes):
        return [_prefix_update("Existing prefixes must be a subset of the new prefixes")]
    return []


def check_removed(removed: Sequence[str], allocated: Sequence[str]) -> list[NebulaError]:
    """What a subnet has stays in the pool."""
    if overlapping(removed, allocated):
        return [_prefix_update("One or more of the prefixes to be removed is in use by a subnet")]
    return []


def check_onboarding(
    pool: SubnetPool, subnets: Sequence[tuple[str, str]], allocated: Sequence[str]
) -> list[NebulaError]:
    """Subnets (id, CIDR) that come into the pool share no address with those that were cut from it."""
    return [
        BadRequest(
            f"Illegal subnetpool update : Onboarding subnet {subnet_id}: {cidr} conflicts with allocated prefixes in "
            f"subnet pool {pool.id}.",
            type_name="IllegalSubnetPoolUpdate",
        )
        for subnet_id, cidr in subnets
        if overlapping([cidr], allocated)
    ]


def check_scope(pool: SubnetPool, scope: AddressScope, others: Sequence[SubnetPool]) -> list[NebulaError]:
    """The pool may be in the scope beside the ``others`` that are: the same IP version, and no address in common."""
    if pool.ip_version != scope.ip_version:
        return [
            BadRequest(
                f"Illegal subnetpool association: subnetpool {pool.id} cannot associate with address scope {scope.id} "
                f"because subnetpool ip_version is not {scope.ip_version}.",
                type_name="IllegalSubnetPoolIpVersionAssociationToAddressScope",
            )
        ]
    if any(overlapping(pool.prefixes, other.prefixes) for other in others if other.id != pool.id):
        return [
            Conflict(
                "Failed to associate address scope: subnetpools within an address scope must have unique prefixes.",
                type_name="AddressScopePrefixConflict",
            )
        ]
    return []


def check_length(pool: SubnetPool, prefixlen: int) -> list[NebulaError]:
    """A subnet of this length may be cut from the pool."""
    for wrong, word, name, bound in (
        (prefixlen > pool.max_prefixlen, "maximum", "MaxPrefixSubnetAllocationError", pool.max_prefixlen),
        (prefixlen < pool.min_prefixlen, "minimum", "MinPrefixSubnetAllocationError", pool.min_prefixlen),
    ):
        if wrong:
            return [
                BadRequest(
                    f"Unable to allocate subnet with prefix length {prefixlen}, {word} allowed prefix is {bound}.",
                    type_name=name,
                )
            ]
    return []


def check_quota(pool: SubnetPool, prefixlen: int, had: Mapping[int, int]) -> list[NebulaError]:
    """A project with so many subnets of each length may have one more; a quota of 0 is none, as in Neutron."""
    if not pool.default_quota:
        return []
    bits = BITS[pool.ip_version]
    used = sum(2 ** (bits - length) * count for length, count in had.items())
    if used + 2 ** (bits - prefixlen) > pool.default_quota * 2 ** (bits - QUOTA_UNIT[pool.ip_version]):
        return [Conflict("Per-tenant subnet pool prefix quota exceeded.", type_name="SubnetPoolQuotaExceeded")]
    return []


def _prefix_update(problem: str) -> BadRequest:
    return BadRequest(f"Illegal update to prefixes: {problem}.", type_name="IllegalSubnetPoolPrefixUpdate")
