"""Table 22 of br-tun, FLOOD_TO_TUN: a copy to every node that has the network, and to no other.

Head-end replication (RFC 7348 leaves multicast optional). Neutron: the same table with l2population.
"""

from __future__ import annotations

from collections.abc import Sequence

from nebula.compile.pipeline import tables, text
from nebula.compile.pipeline.tun_20_ucast_to_tun import send_to
from nebula.desired.kinds import Flow
from nebula.ids import Owner

TABLE = tables.FLOOD_TO_TUN


def to_all(tag: int, vni: int, vtep_ips: Sequence[str], owner: Owner) -> Flow:
    """To each of ``vtep_ips`` (at least one, sorted by the caller)."""
    actions = ("pop_vlan", text.set_tunnel(vni), *(send_to(vtep_ip) for vtep_ip in vtep_ips))
    return text.flow(TABLE, 10, f"dl_vlan={tag}", ",".join(actions), owner)


def to_device(tag: int, device: str, owner: Owner) -> Flow:
    """Out of the kernel's VXLAN device of the network, whose FDB has an all-zeros entry for each node."""
    return text.flow(TABLE, 10, f"dl_vlan={tag}", f"pop_vlan,{text.output(device)}", owner)


def drop_rest(owner: Owner) -> Flow:
    """Networks that are on no other node."""
    return text.drop_rest(TABLE, owner)
