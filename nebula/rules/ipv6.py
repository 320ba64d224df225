"""IPv6 subnets: their mode pairs, and the addresses that follow from a port's MAC address. Pure; Neutron's words."""

from __future__ import annotations

import ipaddress

from nebula.errors import InvalidAttribute, NebulaError
from nebula.eui64 import interface_identifier
from nebula.model.subnet import DHCPV6_STATELESS, SLAAC, Subnet

AUTO_PREFIX_LENGTH = 64
"""RFC 4862 section 5.5.3: prefix and interface identifier make 128 bits, and EUI-64 has 64."""


def is_auto_address(subnet: Subnet) -> bool:
    """Whether hosts make their own addresses, so that every port of the network has one."""
    auto = (SLAAC, DHCPV6_STATELESS)
    return subnet.ipv6_address_mode in auto or subnet.ipv6_ra_mode in auto


def eui64(cidr: str, mac_address: str) -> str:
    """The address of a /64 that a host with this MAC address makes (RFC 4862 section 5.5)."""
    return str(ipaddress.IPv6Network(cidr)[interface_identifier(mac_address)])


def check_modes(subnet: Subnet) -> list[NebulaError]:
    """The pair of modes by itself, with DHCP, and with the length of the prefix."""
    modes = {"ipv6_ra_mode": subnet.ipv6_ra_mode, "ipv6_address_mode": subnet.ipv6_address_mode}
    given = {name: mode for name, mode in modes.items() if mode is not None}
    if not given:
        return []
    if subnet.ip_version == 4:
        return [_invalid(name, f"{name} is not valid when ip_version is 4") for name in given]
    problems = []
    if not subnet.enable_dhcp:
        problems.append(
            _invalid("enable_dhcp", "ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False")
        )
    if len(set(given.values())) > 1:
        problems.append(
            _invalid(
                "ipv6_ra_mode",
                f"ipv6_ra_mode set to '{subnet.ipv6_ra_mode}' with ipv6_address_mode set to "
                f"'{subnet.ipv6_address_mode}' is not valid. If both attributes are set, they must be the same value",
            )
        )
    if is_auto_address(subnet) and ipaddress.ip_network(subnet.cidr).prefixlen != AUTO_PREFIX_LENGTH:
        problems.append(
            _invalid(
                "cidr",
                f"Invalid CIDR {subnet.cidr} for IPv6 address mode. OpenStack uses the EUI-64 address format, which "
                "requires the prefix to be /64",
            )
        )
    return problems


def _invalid(attribute: str, problem: str) -> NebulaError:
    return InvalidAttribute(attribute, problem, type_name="InvalidInput")
