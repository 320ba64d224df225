"""Which subnets a port gets its addresses of, wanted or not. Pure; the words are Neutron's."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

import msgspec

from nebula.errors import BadRequest, Conflict, NebulaError
from nebula.model.port import ROUTER_INTERFACE, Port
from nebula.model.subnet import Subnet
from nebula.rules import ipv6
from nebula.rules.subnets import is_host_address
from nebula.view.records import FixedIp


class Wish(msgspec.Struct, frozen=True):
    """One address to give: of this subnet; the lowest free one where ``ip_address`` is None."""

    subnet: Subnet
    ip_address: str | None


def candidates(port: Port, subnets: Sequence[Subnet]) -> list[Subnet]:
    """Where a port that names no address may get one: first the subnets for its device owner, then those for all.

    Those whose hosts make their own addresses are not among them. Raises ``Conflict`` where every subnet of the network
    is for other device owners.
    """
    serving = [subnet for subnet in subnets if _serves(subnet, port)]
    if subnets and not serving:
        raise Conflict(
            f"No valid service subnet for the given device owner, network_id {port.network_id}, service type "
            f"{port.device_owner}.",
            type_name="IpAddressGenerationFailureNoMatchingSubnet",
        )
    return sorted(
        (subnet for subnet in serving if not ipv6.is_auto_address(subnet)), key=lambda subnet: not subnet.service_types
    )


def with_own(
    port: Port, wishes: Sequence[Wish], subnets: Sequence[Subnet], kept: Sequence[FixedIp]
) -> tuple[list[Wish], list[NebulaError]]:
    """The wishes with the addresses that the port makes for itself, one of each subnet that has it so.

    They come whether they are wanted or not, and are never others; a router's interface has what it asks for.
    """
    if port.device_owner == ROUTER_INTERFACE:
        return list(wishes), []
    asked = {wish.subnet.id for wish in wishes}
    missing = [subnet for subnet in subnets if subnet.id not in asked and _serves(subnet, port)]
    found: dict[object, Wish] = {}
    problems: list[NebulaError] = []
    for wish in [*wishes, *[Wish(subnet, None) for subnet in missing if ipv6.is_auto_address(subnet)]]:
        if not ipv6.is_auto_address(wish.subnet):
            found[len(found)] = wish
            continue
        own = ipv6.eui64(wish.subnet.cidr, port.mac_address)
        had = [fixed.ip_address for fixed in kept if fixed.subnet_id == wish.subnet.id]
        if wish.ip_address not in (None, own, *had):
            problems.append(
                BadRequest(
                    f"Invalid input for operation: IPv6 address {wish.ip_address} cannot be directly assigned to a "
                    f"port on subnet {wish.subnet.id} as the subnet is configured for automatic addresses.",
                    type_name="AllocationOnAutoAddressSubnet",
                )
            )
        found[wish.subnet.id] = Wish(wish.subnet, own)
    return list(found.values()), problems


def _serves(subnet: Subnet, port: Port) -> bool:
    return not subnet.service_types or port.device_owner in subnet.service_types


def resolve(
    network_id: str, wanted: Sequence[Mapping[str, str]], subnets: Sequence[Subnet]
) -> tuple[list[Wish], list[NebulaError]]:
    """Each entry names a subnet, an address, or both; returns the wishes and all problems."""
    by_id = {subnet.id: subnet for subnet in subnets}
    wishes: list[Wish] = []
    problems: list[NebulaError] = []
    for entry in wanted:
        address, subnet_id = entry.get("ip_address"), entry.get("subnet_id")
        if subnet_id is not None:
            subnet = by_id.get(subnet_id)
            if subnet is None:
                problems.append(
                    BadRequest(
                        f"Invalid input for fixed_ips. Reason: Failed to create port on network {network_id}, because "
                        f"fixed_ips included invalid subnet {subnet_id}.",
                        type_name="InvalidInput",
                    )
                )
            elif address is not None and not is_host_address(ipaddress.ip_address(address), subnet.cidr):
                problems.append(
                    BadRequest(
                        f"Invalid input for fixed_ips. Reason: IP address {address} is not a valid IP for the "
                        "specified subnet.",
                        type_name="InvalidIpForSubnet",
                    )
                )
            else:
                wishes.append(Wish(subnet, address))
        elif address is not None:
            found = [s for s in subnets if is_host_address(ipaddress.ip_address(address), s.cidr)]
            if found:
                wishes.append(Wish(found[0], address))
            else:
                problems.append(
                    BadRequest(
                        f"Invalid input for fixed_ips. Reason: IP address {address} is not a valid IP for any of the "
                        "subnets on the specified network.",
                        type_name="InvalidIpForNetwork",
                    )
                )
        else:
            problems.append(
                BadRequest(
                    "Invalid input for fixed_ips. Reason: IP allocation requires subnet_id or ip_address.",
                    type_name="InvalidInput",
                )
            )
    return wishes, problems
