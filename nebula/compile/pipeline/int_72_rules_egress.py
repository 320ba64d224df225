"""Table 72 of br-int, RULES_EGRESS: do the groups of the sender let this out?

First what no rule decides: neighbour discovery and DHCP clients pass, routers' and DHCP servers' words do not. Then
conntrack, in a zone per network; answers and what belongs to a connection pass. What is left are packets of the one who
began: those a rule must let through, every one of them. Where no rule does any more the connection gets mark 1, and
with it its answers end too (``rules.py``). Neutron: the same table and mark, with flows per port where here the
register PROTECTION makes one do for all.
"""

from __future__ import annotations

from collections.abc import Iterator

from nebula.compile.pipeline import registers, rules, tables, text
from nebula.desired.kinds import Flow
from nebula.ids import Owner

TABLE = tables.RULES_EGRESS

_ND_ADVERT = "icmp_type=136"
_FORBIDDEN = (
    "icmp6,icmp_type=134",  # router advertisement (RFC 6105)
    "icmp6,icmp_type=135",  # solicitations and advertisements that came in fragments (RFC 6980), or
    "icmp6,icmp_type=136",  # with another's hardware address in them
    "icmp6,icmp_type=137",  # redirect
    "udp,tp_src=67,tp_dst=68",  # DHCP server (RFC 2131)
    "udp6,tp_src=547,tp_dst=546",  # DHCPv6 server (RFC 8415)
)


def advertise(key: int, mac_address: str, owner: Owner) -> Flow:
    """Neighbour advertisements that name the port's own hardware address (ARP_SPOOF has looked at the target)."""
    sender = text.match_register(registers.PORT, key)
    match = f"ct_state=-trk,icmp6,{sender},{_ND_ADVERT},nd_tll={mac_address}"
    return text.flow(TABLE, 110, text.whole(match), text.goto(tables.ACCEPT_OR_INGRESS), owner)


def sort_out(owner: Owner) -> Iterator[Flow]:
    """All that is the same for every port."""
    onward = text.goto(tables.ACCEPT_OR_INGRESS)
    for match in (
        "icmp6,icmp_type=130",  # multicast listener query (RFC 3810), as Neutron
        "icmp6,icmp_type=133",  # router solicitation
        "icmp6,icmp_type=135",
        f"icmp6,{_ND_ADVERT},nd_tll=00:00:00:00:00:00",
    ):
        yield text.flow(TABLE, 110, text.whole(f"ct_state=-trk,{match}"), onward, owner)
    for match in _FORBIDDEN:
        yield text.flow(TABLE, 105, match, text.goto(tables.DROPPED_TRAFFIC), owner)
    for match in ("udp,tp_src=68,tp_dst=67", "udp6,tp_src=546,tp_dst=547"):
        yield text.flow(TABLE, 100, text.whole(f"ct_state=-trk,{match}"), onward, owner)
    yield from rules.follow(TABLE, tables.ACCEPT_OR_INGRESS, owner)
