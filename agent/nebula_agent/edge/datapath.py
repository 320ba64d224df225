"""Does the kernel have Open vSwitch's datapath?

Effects: one generic netlink request, on which the kernel may load its ``openvswitch`` module (genetlink).
"""

from __future__ import annotations

import struct

from nebula.errors import KernelRefused
from nebula_agent.edge.netlink import Netlink
from nebula_agent.edge.rtnl import NLM_F_ACK, Message, attribute

_NETLINK_GENERIC = 16
_GENL_ID_CTRL = 16
_CTRL_CMD_GETFAMILY = 3
_CTRL_ATTR_FAMILY_NAME = 2
_FAMILY = b"ovs_datapath\0"


def kernel_has_openvswitch() -> bool:
    """True when the generic netlink family ``ovs_datapath`` is there."""
    body = struct.pack("=BBxx", _CTRL_CMD_GETFAMILY, 1) + attribute(_CTRL_ATTR_FAMILY_NAME, _FAMILY)
    try:
        with Netlink(protocol=_NETLINK_GENERIC) as netlink:
            netlink.dump(Message(_GENL_ID_CTRL, NLM_F_ACK, body))
    except (KernelRefused, OSError):
        return False
    return True


def choose_datapath(wanted: str) -> str:
    """``system`` or ``netdev``; ``auto`` is system where the kernel can."""
    if wanted != "auto":
        return wanted
    return "system" if kernel_has_openvswitch() else "netdev"
