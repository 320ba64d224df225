"""Table 71 of br-int, BASE_EGRESS: may the port send this at all?

Frames that bring an 802.1Q tag are dropped: a tag chosen by a guest must never be taken for a local VLAN. A router
gateway with SNAT may send only from its own addresses, whatever iptables does at that moment (the gateway guard).
Neutron: the same table, with anti-spoofing for ports with security groups; router ports pass it by.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address

from nebula.compile.pipeline import registers, tables, text
from nebula.desired.kinds import Flow
from nebula.ids import Owner

TABLE = tables.BASE_EGRESS


def guard_gateway(key: int, addresses: Sequence[IPv4Address | IPv6Address], owner: Owner) -> Iterator[Flow]:
    """ARP and IP with one of ``addresses`` as the sender pass, the rest of what this port sends is dropped."""
    sender = text.match_register(registers.PORT, key)
    onward = text.goto(tables.ACCEPT_OR_INGRESS)
    for address in addresses:
        if isinstance(address, IPv4Address):
            arp = f"arp,{sender},{text.UNTAGGED},arp_spa={address}"
            yield text.flow(TABLE, 100, arp, onward, owner)
            yield text.flow(TABLE, 100, f"ip,{sender},{text.UNTAGGED},nw_src={address}", onward, owner)
        else:
            yield text.flow(TABLE, 100, f"ipv6,{sender},{text.UNTAGGED},ipv6_src={address}", onward, owner)
    yield text.flow(TABLE, 90, sender, text.DROP, owner)


def pass_untagged(owner: Owner) -> Flow:
    """Any other port may send what has no tag."""
    return text.flow(TABLE, 10, text.UNTAGGED, text.goto(tables.ACCEPT_OR_INGRESS), owner)


def drop_rest(owner: Owner) -> Flow:
    """Tagged frames."""
    return text.drop_rest(TABLE, owner)
