"""Table 21 of br-tun, ARP_RESPONDER: ARP requests for ports of other nodes are answered here, not flooded.

A copy goes to the one who is asked, and to nobody else: he learns from it where the one who asks lives (RFC 826, packet
reception), which matters when an address has got another MAC. The request itself is turned into its own answer and goes
back to br-int, and from there to the one who asked.
Neutron: the same table and actions (``arp_responder``, l2population), without the copy.
"""

from __future__ import annotations

from collections.abc import Sequence

from nebula.compile.pipeline import tables, text
from nebula.desired.kinds import Flow
from nebula.ids import Owner

TABLE = tables.ARP_RESPONDER


def answer(tag: int, ip_address: str, mac_address: str, onward: Sequence[str], owner: Owner) -> Flow:
    """``ip_address`` (IPv4) is at ``mac_address``; ``onward`` are the actions that send an untagged frame there."""
    actions = (
        f"set_field:{mac_address}->eth_dst",
        "pop_vlan",
        *onward,
        text.push_vlan(tag),
        "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]",
        f"set_field:{mac_address}->eth_src",
        "set_field:2->arp_op",
        "move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[]",
        "move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[]",
        f"set_field:{mac_address}->arp_sha",
        f"set_field:{ip_address}->arp_spa",
        "IN_PORT",
    )
    return text.flow(TABLE, 10, f"arp,dl_vlan={tag},arp_tpa={ip_address},arp_op=1", ",".join(actions), owner)


def flood_rest(owner: Owner) -> Flow:
    """Who has an address that the controller does not know? Ask every node of the network."""
    return text.flow(TABLE, 0, "", text.goto(tables.FLOOD_TO_TUN), owner)
