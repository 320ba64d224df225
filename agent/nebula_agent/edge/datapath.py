"""Which datapath and which overlay: what the kernel has, and what was asked for.

Effects: one netlink request for each question, on which the kernel may load its ``openvswitch`` or ``vxlan`` module.
"""

from __future__ import annotations

import struct

from nebula.errors import ConfigError, KernelRefused
from nebula_agent.edge.netlink import Netlink
from nebula_agent.edge.rtnl import NLM_F_ACK, NLM_F_CREATE, RTM_NEWLINK, Message, attribute, link_body

_NETLINK_GENERIC = 16
_GENL_ID_CTRL = 16
_CTRL_CMD_GETFAMILY = 3
_CTRL_ATTR_FAMILY_NAME = 2
_VXLAN_ID = 1
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


def kernel_has_vxlan() -> bool:
    """True when the kernel knows VXLAN devices: one with a VNI of over 24 bits is refused for that, not its kind."""
    impossible = link_body("vxlan-none", 1450, "vxlan", attribute(_VXLAN_ID, b"\xff\xff\xff\xff"))
    with Netlink() as netlink:
        refused = netlink.requests([Message(RTM_NEWLINK, NLM_F_CREATE, impossible)])[0]
    return refused is not None and refused.errno_name == "ERANGE"


def choose_datapath(wanted: str) -> str:
    """``system`` or ``netdev``; ``auto`` is system where the kernel can."""
    if wanted != "auto":
        return wanted
    return "system" if kernel_has_openvswitch() else "netdev"


def choose_vxlan_devices(wanted: str, datapath_type: str) -> bool:
    """Whether the overlay is VXLAN devices of the kernel; ``wanted`` is auto, kernel or ovs. Raises ConfigError.

    The kernel's datapath has its tunnels in the kernel anyway: there the one flow-based port serves all.
    """
    if datapath_type == "system":
        if wanted == "kernel":
            raise ConfigError(
                "--overlay kernel goes with --datapath-type netdev: in system, OVS's tunnels are kernel's"
            )
        return False
    if wanted == "kernel" and not kernel_has_vxlan():
        raise ConfigError("--overlay kernel: this kernel has no VXLAN devices: load its vxlan module, or say ovs")
    return wanted == "kernel" or (wanted == "auto" and kernel_has_vxlan())
