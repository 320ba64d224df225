"""What an administrator sets of the network service. Pure."""

from __future__ import annotations

import msgspec

from nebula.model.network import VNI_FIRST


class NetworkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``vni_first``..``vni_last``: the VNIs that networks get when nobody asks for one (Neutron's ``vni_ranges``).

    ``underlay_mtu_bytes`` is the MTU of the network between the nodes (Neutron's ``global_physnet_mtu``).
    """

    vni_first: int = VNI_FIRST
    vni_last: int = 65_535
    underlay_mtu_bytes: int = 1500
