"""What compile must know of the node itself, beside the view.

Pure records. The agent fills them in from its configuration, the kernel and OVS.
"""

from __future__ import annotations

import msgspec

from nebula.ids import Host


class BridgeMapping(msgspec.Struct, frozen=True, order=True):
    """A physical network's bridge on this node, and the interface to put into it when the agent makes the bridge."""

    physical_network: str
    bridge: str
    interface: str | None = None


class Facts(msgspec.Struct, frozen=True):
    """The node's own facts.

    ``datapath_type`` is ``system`` or ``netdev``. ``state_folder`` holds what a process of ours needs on disk
    (absolute). ``local_vlans`` are (network id, tag) as br-int has them now. ``plugged`` are (port id, device) of
    interfaces on br-int that something else plugged. ``foreign_bridges`` exist and are not ours.
    ``dhcp_client_script`` is the absolute path of the script that udhcpc calls.
    ``vxlan_devices``: the overlay is a VXLAN device of the kernel for each network, not a tunnel port of OVS's.
    ``segmentation_offload``: OVS's userspace datapath takes and gives unsegmented TCP, checksums unfinished.
    """

    host: Host
    datapath_type: str
    vtep_ip: str
    state_folder: str
    dhcp_client_script: str
    bridge_mappings: tuple[BridgeMapping, ...] = ()
    local_vlans: tuple[tuple[str, int], ...] = ()
    plugged: tuple[tuple[str, str], ...] = ()
    foreign_bridges: tuple[str, ...] = ()
    vxlan_devices: bool = False
    segmentation_offload: bool = False
