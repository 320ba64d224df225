"""What must hold for a network. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from nebula.errors import Conflict, InvalidAttribute, NebulaError
from nebula.model.network import Network

VXLAN_OVERHEAD_BYTES = 50
"""Outer Ethernet 14, IPv4 20, UDP 8, VXLAN 8 (RFC 7348 section 5)."""

MTU_SMALLEST_BYTES = 68
"""RFC 791 section 3.2: what every IPv4 link carries."""

MTU_SMALLEST_IPV6_BYTES = 1280
"""RFC 8200 section 5."""


def largest_mtu_bytes(network_type: str, underlay_mtu_bytes: int) -> int:
    """What fits through the underlay (IPv4 tunnels)."""
    return underlay_mtu_bytes - (VXLAN_OVERHEAD_BYTES if network_type == "vxlan" else 0)


def check(network: Network, underlay_mtu_bytes: int, *, has_ipv6: bool = False) -> list[NebulaError]:
    """The network by itself; ``mtu`` 0 stands for the largest."""
    problems: list[NebulaError] = []
    if network.network_type == "flat":
        if not network.physical_network:
            problems.append(
                InvalidAttribute("provider:physical_network", "physical_network required for flat provider network")
            )
        if network.segmentation_id is not None:
            problems.append(
                InvalidAttribute("provider:segmentation_id", "segmentation_id specified for flat provider network")
            )
    elif network.physical_network is not None:
        problems.append(
            InvalidAttribute("provider:physical_network", "physical_network specified for vxlan provider network")
        )
    largest = largest_mtu_bytes(network.network_type, underlay_mtu_bytes)
    if network.mtu and not MTU_SMALLEST_BYTES <= network.mtu <= largest:
        problems.append(
            InvalidAttribute("mtu", f"{network.mtu} is not in the range {MTU_SMALLEST_BYTES} to {largest} bytes")
        )
    return [*problems, *check_mtu(network, has_ipv6=has_ipv6)]


def check_mtu(network: Network, *, has_ipv6: bool) -> list[NebulaError]:
    """IPv6 subnets need larger packets than IPv4's, when the network changes and when they come."""
    if not has_ipv6 or not network.mtu or network.mtu >= MTU_SMALLEST_IPV6_BYTES:
        return []
    return [
        Conflict(
            f"MTU of {network.id} is not valid, subnet requires a minimum of {MTU_SMALLEST_IPV6_BYTES}",
            type_name="NetworkMTUSubnetConflict",
        )
    ]


def in_use(network_id: str, ports: Sequence[str]) -> list[NebulaError]:
    """A network cannot go while ports (ids) hold it."""
    if not ports:
        return []
    shown = ", ".join(ports[:10]) + (" ..." if len(ports) > 10 else "")
    return [
        Conflict(
            f"Unable to complete operation on network {network_id}. There are one or more ports still in use on the "
            f"network, id for these ports is: {shown}.",
            type_name="NetworkInUse",
        )
    ]
