"""Table 4 of br-tun, VXLAN_TUN_TO_LV: from VNI to local VLAN.

A VNI that no network here has is dropped. Neutron: the same table, followed by table 10 that learns; here nothing is
learned, since the controller knows where every address lives.
"""

from __future__ import annotations

from nebula.compile.pipeline import tables, text
from nebula.desired.kinds import Flow
from nebula.ids import PATCH_INT, Owner

TABLE = tables.VXLAN_TUN_TO_LV


def to_int(vni: int, tag: int, owner: Owner) -> Flow:
    """Into br-int with the network's local VLAN as tag."""
    return text.flow(TABLE, 10, f"tun_id={vni:#x}", f"{text.push_vlan(tag)},{text.output(PATCH_INT)}", owner)


def drop_rest(owner: Owner) -> Flow:
    """Networks that this node does not have."""
    return text.drop_rest(TABLE, owner)
