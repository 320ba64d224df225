"""Table 24 of br-int, ARP_SPOOF: may the port say that this address is here?

ARP (RFC 826) names the sender's hardware and protocol address, and everybody believes it, answers that nobody asked
for included; so do neighbour solicitations (source link-layer address option) and advertisements (target) of RFC 4861.
Only ports with port security come here. Neutron: the same table for its iptables firewall, table 71 for its OVS
firewall, both without a look at the hardware address inside ARP and neighbour discovery.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network

from nebula.compile.pipeline import tables, text
from nebula.desired.kinds import Flow
from nebula.ids import Owner

TABLE = tables.ARP_SPOOF
_NO_ADDRESS = "00:00:00:00:00:00"
"""What OVS reads where the link-layer address option is missing."""


def speak_for(device: str, mac_address: str, network: IPv4Network | IPv6Network, owner: Owner) -> Flow:
    """The port may answer for these addresses: ARP with its own hardware address, or a neighbour advertisement."""
    if isinstance(network, IPv4Network):
        sender = text.address("src", network).replace("nw_src", "arp_spa")
        match = text.join("arp", text.in_port(device), sender, f"arp_sha={mac_address}")
    else:
        target = text.address("src", network).replace("ipv6_src", "nd_target")
        match = text.join("icmp6", text.in_port(device), "icmp_type=136", target)
    return text.flow(TABLE, 100, match, text.goto(tables.MAC_SPOOF), owner)


def solicit(device: str, mac_address: str, owner: Owner) -> Flow:
    """Neighbour solicitations that name the port's own hardware address."""
    match = f"icmp6,{text.in_port(device)},icmp_type=135,nd_sll={mac_address}"
    return text.flow(TABLE, 100, match, text.goto(tables.MAC_SPOOF), owner)


def claim_nothing(owner: Owner) -> Iterator[Flow]:
    """Questions that put nothing into anybody's table: ARP probes (RFC 5227), solicitations without the option."""
    for match in ("arp,arp_spa=0.0.0.0,arp_op=1", f"icmp6,icmp_type=135,nd_sll={_NO_ADDRESS}"):
        yield text.flow(TABLE, 100, match, text.goto(tables.MAC_SPOOF), owner)


def drop_rest(owner: Owner) -> Flow:
    """Lies."""
    return text.drop_rest(TABLE, owner)
