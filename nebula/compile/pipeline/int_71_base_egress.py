"""Table 71 of br-int, BASE_EGRESS: may the port send this at all?

Frames that bring an 802.1Q tag are dropped: a tag chosen by a guest must never be taken for a local VLAN. A router
gateway with SNAT may send only from its own addresses, whatever iptables does at that moment (the gateway guard). A
port with port security may send IP from its own addresses only, and then its groups' egress rules decide.
Neutron: the same table, with anti-spoofing for ports with security groups; router ports pass it by.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from nebula.compile.pipeline import registers, tables, text
from nebula.desired.kinds import Flow
from nebula.ids import Owner

TABLE = tables.BASE_EGRESS


def guard_gateway(key: int, addresses: Mapping[IPv4Address | IPv6Address, Owner], owner: Owner) -> Iterator[Flow]:
    """ARP and IP with one of ``addresses`` as the sender pass, the rest of what this port sends is dropped.

    ``addresses`` are the port's own and the router's floating ones, each with its owner.
    """
    sender = text.match_register(registers.PORT, key)
    onward = text.goto(tables.ACCEPT_OR_INGRESS)
    for address, holder in addresses.items():
        if isinstance(address, IPv4Address):
            arp = f"arp,{sender},{text.UNTAGGED},arp_spa={address}"
            yield text.flow(TABLE, 100, arp, onward, holder)
            yield text.flow(TABLE, 100, f"ip,{sender},{text.UNTAGGED},nw_src={address}", onward, holder)
        else:
            yield text.flow(TABLE, 100, f"ipv6,{sender},{text.UNTAGGED},ipv6_src={address}", onward, holder)
    yield text.flow(TABLE, 90, sender, text.DROP, owner)


def own_address(key: int, mac_address: str, network: IPv4Network | IPv6Network, owner: Owner) -> Flow:
    """IP from the port's own address, or from an allowed address pair, under the hardware address that it goes with."""
    sender = text.match_register(registers.PORT, key)
    family, source = "ip" if network.version == 4 else "ipv6", text.address("src", network)
    match = text.join(family, sender, text.UNTAGGED, f"dl_src={mac_address}", source)
    return text.flow(TABLE, 65, match, text.goto(tables.RULES_EGRESS), owner)


def without_address(owner: Owner) -> Iterator[Flow]:
    """ARP (ARP_SPOOF has looked at it), and a DHCP client that has no address yet (RFC 2131, 4.1)."""
    onward = text.goto(tables.ACCEPT_OR_INGRESS)
    yield text.flow(TABLE, 95, f"arp,{text.secured()},{text.UNTAGGED}", onward, owner)
    client = "nw_src=0.0.0.0,tp_src=68,tp_dst=67"
    yield text.flow(TABLE, 80, text.whole(f"udp,{text.secured()},{text.UNTAGGED},{client}"), onward, owner)


def pass_untagged(owner: Owner) -> Flow:
    """Any other port without port security may send what has no tag."""
    match = f"{text.match_register(registers.PROTECTION, 0)},{text.UNTAGGED}"
    return text.flow(TABLE, 10, match, text.goto(tables.ACCEPT_OR_INGRESS), owner)


def drop_rest(owner: Owner) -> Flow:
    """Tagged frames, other sources, other protocols than ARP and IP."""
    return text.drop_rest(TABLE, owner)
