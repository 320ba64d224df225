"""The parts of kernel and Open vSwitch that a node may lack, and what it then cannot do.

Pure. The agent looks at its start and reports those that are there; the controller refuses what needs one that is not.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from types import MappingProxyType


class Capability(enum.StrEnum):
    """What a node reports, by the names that ``agent show`` has."""

    CONNTRACK = "conntrack"
    NAT = "nat"
    NAT_SCTP = "nat-sctp"
    NAT_DCCP = "nat-dccp"
    KERNEL_VXLAN = "kernel-vxlan"
    IPV6 = "ipv6"


WITHOUT: Mapping[Capability, str] = MappingProxyType(
    {
        Capability.CONNTRACK: "its Open vSwitch datapath does not track connections (the kernel has no nf_conntrack): "
        "no stateful security groups",
        Capability.NAT: "its kernel cannot translate addresses, or not end what it translates (iptables with nf_nat, "
        "xt_conntrack and xt_comment; nf_conntrack_netlink): no SNAT, floating IPs and port forwardings",
        Capability.NAT_SCTP: "its kernel cannot translate the ports of SCTP (xt_sctp): no such port forwardings",
        Capability.NAT_DCCP: "its kernel cannot translate the ports of DCCP (xt_dccp): no such port forwardings",
        Capability.KERNEL_VXLAN: "its kernel has no VXLAN devices (vxlan): the userspace datapath uses Open vSwitch's "
        "own tunnels, which are slower",
        Capability.IPV6: "IPv6 is switched off in its kernel: instances of the agent's own have none",
    }
)
"""What follows where a part is missing: a clause about the node."""


def missing(reported: Collection[str]) -> dict[Capability, str]:
    """What the node lacks, and what follows. Nothing for an agent that does not report such things."""
    return {part: text for part, text in WITHOUT.items() if part not in reported} if reported else {}
