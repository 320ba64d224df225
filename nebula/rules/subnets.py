"""What must hold for a subnet: gateway, pools, routes, and its neighbours. Pure; the words are Neutron's."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterable, Sequence

from nebula.errors import BadRequest, Conflict, InvalidAttribute, NebulaError
from nebula.model.accept import IpAddress, IpNetwork
from nebula.model.subnet import Pool, Subnet
from nebula.rules.ipv6 import check_modes

Range = tuple[int, int]

NAMESERVERS_LIMIT, HOST_ROUTES_LIMIT = 5, 20
"""Neutron's defaults of ``max_dns_nameservers`` and ``max_subnet_host_routes``."""


def usable(cidr: str) -> Range:
    """First and last number that a host may have: without network and broadcast address (RFC 919, RFC 3021).

    The IPv6 subnet-router anycast address (the first, RFC 4291 section 2.6.1) is not for hosts either.
    """
    network = ipaddress.ip_network(cidr)
    first, last = int(network.network_address), int(network.broadcast_address)
    if network.prefixlen >= network.max_prefixlen - 1:
        return first, last
    return (first + 1, last - 1) if network.version == 4 else (first + 1, last)


def default_gateway(cidr: str) -> str:
    """The first address that a host may have."""
    network = ipaddress.ip_network(cidr)
    return str(network[0] + (usable(cidr)[0] - int(network[0])))


def default_pools(cidr: str, gateway_ip: str | None) -> tuple[Pool, ...]:
    """All addresses for hosts, less the gateway's: at most two pools."""
    first, last = usable(cidr)
    version = ipaddress.ip_network(cidr).version
    ranges = [(first, last)]
    if gateway_ip is not None:
        gateway = int(ipaddress.ip_address(gateway_ip))
        if first <= gateway <= last:
            ranges = [(first, gateway - 1), (gateway + 1, last)]
    return tuple(Pool(_text(start, version), _text(end, version)) for start, end in ranges if start <= end)


def pool_ranges(pools: Iterable[Pool]) -> list[Range]:
    """The pools as numbers, sorted."""
    return sorted((int(ipaddress.ip_address(p.start)), int(ipaddress.ip_address(p.end))) for p in pools)


def check(subnet: Subnet, siblings: Sequence[Subnet]) -> list[NebulaError]:
    """The subnet by itself and beside the others of its network."""
    network = ipaddress.ip_network(subnet.cidr)
    if network.version != subnet.ip_version:
        return [InvalidAttribute("cidr", f"'{subnet.cidr}' does not match the ip_version '{subnet.ip_version}'")]
    problems = _block(subnet, network)
    problems += _gateway(subnet, network)
    problems += _pools(subnet, network)
    problems += _words(subnet)
    problems += check_modes(subnet)
    problems += [
        InvalidAttribute(
            "cidr",
            f"Requested subnet with cidr: {subnet.cidr} for network: {subnet.network_id} overlaps with another subnet",
            type_name="InvalidInput",
        )
        for other in siblings
        if other.id != subnet.id and overlap(subnet.cidr, other.cidr)
    ][:1]
    return problems


def overlap(one: str, other: str) -> bool:
    """Whether two CIDRs have an address in common; never across versions."""
    first, second = ipaddress.ip_network(one), ipaddress.ip_network(other)
    if isinstance(first, ipaddress.IPv4Network) and isinstance(second, ipaddress.IPv4Network):
        return first.overlaps(second)
    if isinstance(first, ipaddress.IPv6Network) and isinstance(second, ipaddress.IPv6Network):
        return first.overlaps(second)
    return False


def is_host_address(address: IpAddress, cidr: str) -> bool:
    """Whether a host on the subnet may have the address."""
    first, last = usable(cidr)
    return address.version == ipaddress.ip_network(cidr).version and first <= int(address) <= last


def _block(subnet: Subnet, network: IpNetwork) -> list[NebulaError]:
    problems: list[NebulaError] = []
    if network.prefixlen == 0:
        problems.append(InvalidAttribute("cidr", "0 is not allowed as CIDR prefix length", type_name="InvalidInput"))
    if subnet.enable_dhcp and network.is_multicast:
        problems.append(InvalidAttribute("cidr", "Multicast IP subnet is not supported if enable_dhcp is True"))
    if subnet.enable_dhcp and network.is_loopback:
        problems.append(InvalidAttribute("cidr", "Loopback IP subnet is not supported if enable_dhcp is True"))
    if subnet.enable_dhcp and network.version == 4 and int(network.network_address) == 0:
        problems.append(InvalidAttribute("cidr", "First IP '0.0.0.0' of network is not supported if DHCP is enabled"))
    if subnet.enable_dhcp and network.prefixlen > network.max_prefixlen - 2:
        problems.append(
            InvalidAttribute("cidr", "Subnet has a prefix length that is incompatible with DHCP service enabled")
        )
    return problems


def _gateway(subnet: Subnet, network: IpNetwork) -> list[NebulaError]:
    if subnet.gateway_ip is None:
        return []
    gateway = ipaddress.ip_address(subnet.gateway_ip)
    if gateway.version != network.version:
        return [InvalidAttribute("gateway_ip", f"'{gateway}' does not match the ip_version '{subnet.ip_version}'")]
    link_local = gateway.version == 6 and gateway.is_link_local
    if not link_local and not is_host_address(gateway, subnet.cidr):
        return [InvalidAttribute("gateway_ip", "Gateway is not valid on subnet", type_name="InvalidInput")]
    return [
        Conflict(
            f"Gateway ip {gateway} conflicts with allocation pool {pool.start}-{pool.end}.",
            type_name="GatewayConflictWithAllocationPools",
        )
        for pool in subnet.allocation_pools
        if _ordered(pool)
        and ipaddress.ip_address(pool.start).version == gateway.version
        and int(ipaddress.ip_address(pool.start)) <= int(gateway) <= int(ipaddress.ip_address(pool.end))
    ]


def _ordered(pool: Pool) -> bool:
    start, end = ipaddress.ip_address(pool.start), ipaddress.ip_address(pool.end)
    return start.version == end.version and int(start) <= int(end)


def _pools(subnet: Subnet, network: IpNetwork) -> list[NebulaError]:
    problems: list[NebulaError] = []
    first, last = usable(subnet.cidr)
    good: list[tuple[Range, Pool]] = []
    for pool in subnet.allocation_pools:
        shown = f"{pool.start}-{pool.end}"
        start, end = ipaddress.ip_address(pool.start), ipaddress.ip_address(pool.end)
        if not _ordered(pool):
            problems.append(
                InvalidAttribute(
                    "allocation_pools", f"The allocation pool {shown} is not valid", type_name="InvalidAllocationPool"
                )
            )
        elif start.version != network.version or int(start) < first or int(end) > last:
            problems.append(
                InvalidAttribute(
                    "allocation_pools",
                    f"The allocation pool {shown} spans beyond the subnet cidr {subnet.cidr}",
                    type_name="OutOfBoundsAllocationPool",
                )
            )
        else:
            good.append(((int(start), int(end)), pool))
    good.sort(key=lambda entry: entry[0])
    for (before, one), (after, other) in itertools.pairwise(good):
        if after[0] <= before[1]:
            problems.append(
                Conflict(
                    f"Found overlapping allocation pools: {one.start}-{one.end} {other.start}-{other.end} for subnet "
                    f"{subnet.cidr}.",
                    type_name="OverlappingAllocationPools",
                )
            )
    return problems


def _words(subnet: Subnet) -> list[NebulaError]:
    problems: list[NebulaError] = [
        BadRequest(
            f"Unable to complete operation for {subnet.id}. The number of {words} exceeds the limit {limit}.",
            type_name=type_name,
        )
        for count, words, limit, type_name in (
            (len(subnet.dns_nameservers), "DNS nameservers", NAMESERVERS_LIMIT, "DNSNameServersExhausted"),
            (len(subnet.host_routes), "host routes", HOST_ROUTES_LIMIT, "HostRoutesExhausted"),
        )
        if count > limit
    ]
    problems += [
        InvalidAttribute("dns_nameservers", f"'{server}' does not match the ip_version '{subnet.ip_version}'")
        for server in subnet.dns_nameservers
        if ipaddress.ip_address(server).version != subnet.ip_version
    ]
    for route in subnet.host_routes:
        versions = {ipaddress.ip_network(route.destination).version, ipaddress.ip_address(route.nexthop).version}
        if versions != {subnet.ip_version}:
            problems.append(
                InvalidAttribute(
                    "host_routes",
                    f"'{route.destination}' via '{route.nexthop}' does not match the ip_version '{subnet.ip_version}'",
                )
            )
    return problems


def _text(number: int, version: int) -> str:
    return str(ipaddress.IPv4Address(number) if version == 4 else ipaddress.IPv6Address(number))


def in_use(subnet_id: str, ports: Sequence[str]) -> list[BadRequest | Conflict]:
    """A subnet cannot go while ports (ids) have addresses of it."""
    if not ports:
        return []
    return [
        Conflict(
            f"Unable to complete operation on subnet {subnet_id}: One or more ports have an IP allocation from this "
            "subnet.",
            type_name="SubnetInUse",
        )
    ]
