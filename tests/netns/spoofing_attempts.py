"""What a guest may try to pretend, frame by frame, and what it may honestly say.

Pure. Guest 0 sends; guest 1 of its network and a guest of another project with the same addresses listen. The names are
those of the table in ``docs/firewall.md``.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dhcp6 import DHCP6_Advertise, DHCP6_Reply, DHCP6_Solicit
from scapy.layers.inet import ICMP, IP, UDP, fragment
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_Redirect,
    ICMPv6ND_RS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
    fragment6,
)
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.packet import Packet, Raw
from security_guests import ip, mac

from nebula.compile.features.security import link_local

ME, VICTIM, STRANGER = mac(0), mac(1), "fa:16:3e:99:99:99"
LOCAL, VICTIM_LOCAL, OTHER_LOCAL = (str(link_local(address).network_address) for address in (ME, VICTIM, STRANGER))
FOREIGN = "2001:db8::9"
ALL, ALL_NODES = "ff:ff:ff:ff:ff:ff", "33:33:00:00:00:01"
VRRP_MAC, VRRP_IP = "00:00:5e:00:01:07", "192.168.48.200"
"""An allowed address pair of guest 0."""
DATA = Raw(b"spoofed")
PING, PING6 = ICMP() / DATA, ICMPv6EchoRequest(data=b"spoofed")
ROUTER = ICMPv6ND_RA() / ICMPv6NDOptSrcLLAddr(lladdr=ME)
EXTENSIONS = IPv6ExtHdrHopByHop() / IPv6ExtHdrRouting() / IPv6ExtHdrDestOpt()


def own(destination: str = VICTIM, source: str = ME) -> Packet:
    """A frame's head."""
    return Ether(src=source, dst=destination)


def honest_ip(destination: str = ip(1)) -> Packet:
    """IPv4 from the guest's own address."""
    return IP(src=ip(0), dst=destination)


def _offer(kind: str = "offer") -> Packet:
    return UDP(sport=67, dport=68) / BOOTP(op=2, yiaddr=ip(1)) / DHCP(options=[("message-type", kind), "end"])


def _arp(sender: str, hardware: str, operation: int = 2, **rest: int) -> Packet:
    return own(ALL) / ARP(op=operation, hwsrc=hardware, psrc=sender, hwdst=VICTIM, pdst=ip(1), **rest)


def _neighbour(message: Packet, source: str = LOCAL) -> Packet:
    return own(ALL_NODES) / IPv6(src=source, dst="ff02::1", hlim=255) / message


def _advert(target: str, hardware: str) -> Packet:
    return ICMPv6ND_NA(tgt=target, S=0, O=1) / ICMPv6NDOptDstLLAddr(lladdr=hardware)


def _vxlan(vni: int) -> Packet:
    """A frame for the other project's guest, as one node sends it to another (RFC 7348, section 5)."""
    header = struct.pack("!II", 0x08000000, vni << 8)
    return UDP(sport=50000, dport=4789) / Raw(header + bytes(own() / honest_ip() / PING))


def _pieces(whole: Packet, size: int = 1280) -> Sequence[Packet]:
    """An IP packet in fragments, each in a frame to the victim."""
    parts = fragment6(whole, size) if IPv6 in whole else fragment(IP(bytes(whole)), size)
    return [own() / part for part in parts]


def _six(*layers: Packet, source: str = LOCAL) -> Packet:
    packet = IPv6(src=source, dst=VICTIM_LOCAL, hlim=255)
    for layer in layers:
        packet = packet / layer
    return packet


_FRAGMENT = IPv6ExtHdrFragment(id=7)
_FILL = Raw(bytes(1600))
ATTEMPTS: dict[str, Packet | Sequence[Packet]] = {
    "another MAC": own(source=STRANGER) / honest_ip() / PING,
    "the victim's own MAC": own(source=VICTIM) / honest_ip() / PING,
    "the pair's IPv4 under the own MAC": own() / IP(src=VRRP_IP, dst=ip(1)) / PING,
    "the own IPv4 under the pair's MAC": own(source=VRRP_MAC) / honest_ip() / PING,
    "another IPv4": own() / IP(src=ip(9), dst=ip(1)) / PING,
    "the victim's own IPv4": own() / IP(src=ip(1), dst=ip(1)) / PING,
    "another IPv4, broadcast": own(ALL) / IP(src=ip(9), dst="255.255.255.255") / UDP(dport=9) / DATA,
    "another IPv4, multicast": own("01:00:5e:00:00:fb") / IP(src=ip(9), dst="224.0.0.251") / UDP(dport=5353) / DATA,
    "another IPv4, in fragments": _pieces(IP(src=ip(9), dst=ip(1), id=70) / UDP(dport=9) / Raw(bytes(3000))),
    "no IPv4": own() / IP(src="0.0.0.0", dst=ip(1)) / UDP(dport=9) / DATA,
    "an ICMP redirect in the router's name": own() / IP(src="192.168.48.1", dst=ip(1)) / ICMP(type=5, code=1, gw=ip(0)),
    "another IPv6": own() / _six(PING6, source=FOREIGN),
    "another link-local": own() / _six(PING6, source=OTHER_LOCAL),
    "another IPv6 behind extension headers": own() / _six(EXTENSIONS, PING6, source=FOREIGN),
    "another IPv6, in fragments": _pieces(_six(_FRAGMENT, UDP(dport=9), _FILL, source=FOREIGN)),
    "an 802.1Q tag": own() / Dot1Q(vlan=2) / honest_ip() / PING,
    "an 802.1Q tag, to all": own(ALL) / Dot1Q(vlan=2) / honest_ip("255.255.255.255") / PING,
    "a priority tag": own() / Dot1Q(vlan=0, prio=5) / honest_ip() / PING,
    "an 802.1ad tag": own() / Dot1AD(vlan=2) / honest_ip() / PING,
    "two 802.1Q tags": own() / Dot1Q(vlan=1) / Dot1Q(vlan=2) / honest_ip() / PING,
    "802.1Q inside 802.1ad": own() / Dot1AD(vlan=1) / Dot1Q(vlan=2) / honest_ip() / PING,
    "a tag around IPv6": own() / Dot1Q(vlan=2) / _six(PING6),
    "a tag around a router advertisement": own(ALL_NODES) / Dot1Q(vlan=0) / _six(ROUTER),
    "a tag around ARP": own(ALL) / Dot1Q(vlan=1) / ARP(op=2, hwsrc=ME, psrc=ip(0), pdst=ip(1)),
    "a tag around another's ARP": own(ALL) / Dot1Q(vlan=1) / ARP(op=2, hwsrc=ME, psrc=ip(9), pdst=ip(1)),
    "an ARP answer for another": _arp(ip(9), ME),
    "an ARP answer for the victim": _arp(ip(1), ME),
    "an ARP answer with another MAC": _arp(ip(0), STRANGER),
    "an ARP question in another's name": _arp(ip(9), ME, 1),
    "an ARP announcement for another": own(ALL) / ARP(op=1, hwsrc=ME, psrc=ip(9), pdst=ip(9)),
    "an ARP answer without an address": _arp("0.0.0.0", ME),
    "ARP under another MAC": own(ALL, STRANGER) / ARP(op=2, hwsrc=ME, psrc=ip(0), pdst=ip(1)),
    "ARP of other hardware": _arp(ip(9), ME, hwtype=6),
    "RARP": Ether(src=ME, dst=ALL, type=0x8035) / ARP(op=4, hwsrc=ME, psrc=ip(9), pdst=ip(1)),
    "a neighbour advertisement for another": _neighbour(_advert(FOREIGN, ME)),
    "a neighbour advertisement for the victim": _neighbour(_advert(VICTIM_LOCAL, ME)),
    "a neighbour advertisement with another MAC": _neighbour(_advert(LOCAL, STRANGER)),
    "a neighbour advertisement from another": _neighbour(_advert(LOCAL, ME), OTHER_LOCAL),
    "a neighbour advertisement behind extension headers": own() / _six(EXTENSIONS, _advert(VICTIM_LOCAL, ME)),
    "a neighbour advertisement in fragments": _pieces(_six(_FRAGMENT, _advert(VICTIM_LOCAL, ME), _FILL)),
    "a neighbour solicitation from another": _neighbour(
        ICMPv6ND_NS(tgt=VICTIM_LOCAL) / ICMPv6NDOptSrcLLAddr(lladdr=ME), OTHER_LOCAL
    ),
    "a neighbour solicitation with another MAC": _neighbour(
        ICMPv6ND_NS(tgt=VICTIM_LOCAL) / ICMPv6NDOptSrcLLAddr(lladdr=STRANGER)
    ),
    "a duplicate address probe for the victim": _neighbour(ICMPv6ND_NS(tgt=VICTIM_LOCAL), "::"),
    "a router advertisement": _neighbour(ROUTER),
    "a router advertisement in the router's name": _neighbour(ROUTER, "fe80::1"),
    "a router advertisement behind extension headers": own() / _six(EXTENSIONS, ROUTER),
    "a router advertisement in one fragment": own() / _six(_FRAGMENT, ROUTER),
    "a router advertisement in fragments": _pieces(_six(_FRAGMENT, ROUTER, _FILL)),
    "a router advertisement whose type is in the second fragment": _pieces(
        _six(_FRAGMENT, *[IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(250))])] * 6, ROUTER)
    ),
    "an ICMPv6 redirect": _neighbour(ICMPv6ND_Redirect(tgt=LOCAL, dst=FOREIGN)),
    "an ICMPv6 redirect behind extension headers": own() / _six(EXTENSIONS, ICMPv6ND_Redirect(tgt=LOCAL, dst=FOREIGN)),
    "a DHCP offer": own() / honest_ip() / _offer(),
    "a DHCP offer, broadcast": own(ALL) / honest_ip("255.255.255.255") / _offer(),
    "a DHCP acknowledgement": own() / honest_ip() / _offer("ack"),
    "a DHCP offer in fragments": _pieces(IP(src=ip(0), dst=ip(1), id=77) / _offer() / Raw(bytes(1400)), 1200),
    "a DHCP offer in tiny fragments": _pieces(IP(src=ip(0), dst=ip(1), id=78) / _offer(), 64),
    "a DHCPv6 advertisement": own() / _six(UDP(sport=547, dport=546), DHCP6_Advertise()),
    "a DHCPv6 reply behind extension headers": own() / _six(EXTENSIONS, UDP(sport=547, dport=546), DHCP6_Reply()),
    "a DHCPv6 advertisement in fragments": _pieces(
        _six(_FRAGMENT, UDP(sport=547, dport=546), DHCP6_Advertise(), _FILL)
    ),
    "another protocol": Ether(src=ME, dst=VICTIM, type=0x88B5) / DATA,
    "a spanning tree frame": Ether(src=ME, dst="01:80:c2:00:00:00", type=38) / Raw(b"\x42\x42\x03" + bytes(35)),
}
"""What must not arrive anywhere: one frame, or the frames of one datagram."""
NOT_EVEN_A_CONNECTION = {"a router advertisement whose type is in the second fragment"}
"""What conntrack calls invalid."""

HONEST: dict[str, Packet] = {
    "DHCP discover": own(ALL) / IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67) / BOOTP() / DHCP(),
    "DHCP renew": own() / honest_ip() / UDP(sport=68, dport=67) / BOOTP() / DHCP(),
    "DHCPv6 solicit": own() / _six(UDP(sport=546, dport=547), DHCP6_Solicit()),
    "ARP": _arp(ip(0), ME),
    "ARP probe": _arp("0.0.0.0", ME, 1),
    "advertisement": _neighbour(_advert(LOCAL, ME)),
    "advertisement without a MAC": _neighbour(ICMPv6ND_NA(tgt=LOCAL)),
    "solicitation": _neighbour(ICMPv6ND_NS(tgt=VICTIM_LOCAL) / ICMPv6NDOptSrcLLAddr(lladdr=ME)),
    "router solicitation": _neighbour(ICMPv6ND_RS()),
    "ping": own() / honest_ip() / ICMP(id=7) / DATA,
    "ping behind extension headers": own() / _six(EXTENSIONS, ICMPv6EchoRequest(id=9)),
    "pair": own(source=VRRP_MAC) / IP(src=VRRP_IP, dst=ip(1)) / ICMP(id=8) / DATA,
    "ARP of the pair": own(ALL, VRRP_MAC) / ARP(op=2, hwsrc=VRRP_MAC, psrc=VRRP_IP, pdst=ip(1)),
    "VXLAN for the other project": own() / honest_ip() / _vxlan(7528),
    "VXLAN for the node": own() / honest_ip("10.0.0.11") / _vxlan(7528),
}
"""What arrives as it was sent, in its own network and nowhere else: no node takes a guest's VXLAN for its own."""


def frames(attempt: Packet | Sequence[Packet]) -> list[bytes]:
    """As they are sent."""
    return [bytes(frame) for frame in ([attempt] if isinstance(attempt, Packet) else attempt)]
