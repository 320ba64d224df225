"""Table 0 of br-tun, TUN_INPUT: from br-int or from a known peer.

A VXLAN packet from an address that is no node of ours is dropped: VXLAN itself authenticates nobody (RFC 7348,
section 7). Where the tunnels are devices of the kernel, an iptables chain of the node drops it before.
Neutron: the same table, with one tunnel port per peer in place of the match on the outer source.
"""

from __future__ import annotations

from nebula.compile.pipeline import tables, text
from nebula.desired.kinds import Flow
from nebula.ids import PATCH_INT, VXLAN_PORT, Owner

TABLE = tables.TUN_INPUT


def from_int(owner: Owner) -> Flow:
    """From br-int, on the way out."""
    return text.flow(TABLE, 10, text.in_port(PATCH_INT), text.goto(tables.PATCH_LV_TO_TUN), owner)


def from_peer(vtep_ip: str, owner: Owner) -> Flow:
    """From the node with this tunnel address, on the way in."""
    match = f"tun_src={vtep_ip},{text.in_port(VXLAN_PORT)}"
    return text.flow(TABLE, 10, match, text.goto(tables.VXLAN_TUN_TO_LV), owner)


def from_device(device: str, vni: int, owner: Owner) -> Flow:
    """From the kernel's VXLAN device of one network, on the way in."""
    actions = f"{text.set_tunnel(vni)},{text.goto(tables.VXLAN_TUN_TO_LV)}"
    return text.flow(TABLE, 10, text.in_port(device), actions, owner)


def drop_rest(owner: Owner) -> Flow:
    """Strangers."""
    return text.drop_rest(TABLE, owner)
