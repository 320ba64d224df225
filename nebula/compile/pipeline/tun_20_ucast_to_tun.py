"""Table 20 of br-tun, UCAST_TO_TUN: unicast to the one node where the address lives.

Neutron: the same table with l2population; its last flow floods what is not known, here that is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence

from nebula.compile.pipeline import tables, text
from nebula.desired.kinds import Flow
from nebula.ids import VXLAN_PORT, Owner

TABLE = tables.UCAST_TO_TUN


def to_remote(tag: int, vni: int, mac_address: str, vtep_ips: Sequence[str], owner: Owner) -> Flow:
    """To the node with this tunnel address; to several where ports on several nodes may use the MAC."""
    actions = ("pop_vlan", text.set_tunnel(vni), *map(send_to, vtep_ips))
    return text.flow(TABLE, 10, f"dl_vlan={tag},dl_dst={mac_address}", ",".join(actions), owner)


def to_device(tag: int, mac_address: str, device: str, owner: Owner) -> Flow:
    """Out of the kernel's VXLAN device of the network, whose FDB knows the node."""
    return text.flow(TABLE, 10, f"dl_vlan={tag},dl_dst={mac_address}", f"pop_vlan,{text.output(device)}", owner)


def drop_rest(owner: Owner) -> Flow:
    """Addresses that nobody has."""
    return text.drop_rest(TABLE, owner)


def send_to(vtep_ip: str) -> str:
    """Actions: out of the tunnel port to this address."""
    return f"set_field:{vtep_ip}->tun_dst,{text.output(VXLAN_PORT)}"
