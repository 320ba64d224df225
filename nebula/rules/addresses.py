"""Which subnet each wanted fixed IP belongs to. Pure; the words are Neutron's."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

import msgspec

from nebula.errors import BadRequest, NebulaError
from nebula.model.subnet import Subnet
from nebula.rules.subnets import is_host_address


class Wish(msgspec.Struct, frozen=True):
    """One address to give: of this subnet; the lowest free one where ``ip_address`` is None."""

    subnet: Subnet
    ip_address: str | None


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
