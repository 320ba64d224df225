"""Table 2 of br-tun, PATCH_LV_TO_TUN: unicast, ARP request or other flood.

Neutron: the same table and matches.
"""

from __future__ import annotations

from collections.abc import Iterator

from nebula.compile.pipeline import tables, text
from nebula.desired.kinds import Flow
from nebula.ids import Owner

TABLE = tables.PATCH_LV_TO_TUN


def sort_out(owner: Owner) -> Iterator[Flow]:
    """Broadcast ARP to the responder, unicast to its tunnel, the rest to the flood list."""
    broadcast_arp = "arp,dl_dst=ff:ff:ff:ff:ff:ff"
    yield text.flow(TABLE, 10, broadcast_arp, text.goto(tables.ARP_RESPONDER), owner)
    yield text.flow(TABLE, 0, text.UNICAST, text.goto(tables.UCAST_TO_TUN), owner)
    yield text.flow(TABLE, 0, text.MULTICAST, text.goto(tables.FLOOD_TO_TUN), owner)
