"""What a guest pretends is stopped at its port."""

from __future__ import annotations

import pytest
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dhcp6 import DHCP6_Advertise, DHCP6_Solicit
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
    fragment6,
)
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Raw
from security_guests import ALL_OUT, GROUP, Tap, ip, mac, secured_node, view

from nebula.compile.features.security import link_local
from nebula.view.records import AddressPair

pytestmark = pytest.mark.sandbox

ME, VICTIM, STRANGER = mac(0), mac(1), "fa:16:3e:99:99:99"
LOCAL = str(link_local(ME).network_address)
OTHER_LOCAL = str(link_local(STRANGER).network_address)
TO, ALL, ALL_NODES = "fe80::f816:3eff:fe01:1", "ff:ff:ff:ff:ff:ff", "33:33:00:00:00:01"
VRRP_MAC, VRRP_IP = "00:00:5e:00:01:07", "192.168.48.200"
DATA = Raw(b"spoofed")


def _own(destination: str = VICTIM, source: str = ME) -> Ether:
    return Ether(src=source, dst=destination)


def _offer() -> Packet:
    return UDP(sport=67, dport=68) / BOOTP(op=2, yiaddr=ip(1)) / DHCP(options=[("message-type", "offer"), "end"])


def _arp(sender: str, hardware: str, operation: int = 2) -> Packet:
    return _own(ALL) / ARP(op=operation, hwsrc=hardware, psrc=sender, hwdst=VICTIM, pdst=ip(1))


def _neighbour(message: Packet, source: str = LOCAL) -> Packet:
    return _own(ALL_NODES) / IPv6(src=source, dst="ff02::1", hlim=255) / message


def _advert(target: str, hardware: str) -> Packet:
    return ICMPv6ND_NA(tgt=target, S=0, O=1) / ICMPv6NDOptDstLLAddr(lladdr=hardware)


_RA = ICMPv6ND_RA() / ICMPv6NDOptSrcLLAddr(lladdr=ME)
_ATTEMPTS: dict[str, Packet] = {
    "another MAC": Ether(src=STRANGER, dst=VICTIM) / IP(src=ip(0), dst=ip(1)) / ICMP() / DATA,
    "another IPv4": _own() / IP(src=ip(9), dst=ip(1)) / ICMP() / DATA,
    "another IPv4, broadcast": _own(ALL) / IP(src=ip(9), dst="255.255.255.255") / UDP(dport=9) / DATA,
    "no IPv4": _own() / IP(src="0.0.0.0", dst=ip(1)) / UDP(dport=9) / DATA,
    "another IPv6": _own() / IPv6(src="2001:db8::9", dst=TO) / ICMPv6EchoRequest(data=b"spoofed"),
    "another link-local": _own() / IPv6(src=OTHER_LOCAL, dst=TO) / ICMPv6EchoRequest(data=b"spoofed"),
    "another IPv6 behind extension headers": _own()
    / IPv6(src="2001:db8::9", dst=TO)
    / IPv6ExtHdrHopByHop()
    / IPv6ExtHdrDestOpt()
    / ICMPv6EchoRequest(data=b"spoofed"),
    "tag inside": _own() / Dot1Q(vlan=2) / IP(src=ip(0), dst=ip(1)) / ICMP() / DATA,
    "two tags": _own() / Dot1Q(vlan=1) / Dot1Q(vlan=2) / IP(src=ip(0), dst=ip(1)) / ICMP() / DATA,
    "priority tag": _own() / Dot1Q(vlan=0, prio=5) / IP(src=ip(0), dst=ip(1)) / ICMP() / DATA,
    "tagged ARP": _own(ALL) / Dot1Q(vlan=1) / ARP(op=2, hwsrc=ME, psrc=ip(0), pdst=ip(1)),
    "ARP answer for another": _arp(ip(9), ME),
    "ARP answer with another MAC": _arp(ip(0), STRANGER),
    "ARP request for another": _arp(ip(9), ME, 1),
    "ARP answer without an address": _arp("0.0.0.0", ME),
    "ARP under another MAC": Ether(src=STRANGER, dst=ALL) / ARP(op=2, hwsrc=ME, psrc=ip(0), pdst=ip(1)),
    "advertisement for another": _neighbour(_advert("2001:db8::9", ME)),
    "advertisement with another MAC": _neighbour(_advert(LOCAL, STRANGER)),
    "advertisement from another": _neighbour(_advert(LOCAL, ME), OTHER_LOCAL),
    "solicitation from another": _neighbour(ICMPv6ND_NS(tgt=TO) / ICMPv6NDOptSrcLLAddr(lladdr=ME), OTHER_LOCAL),
    "solicitation with another MAC": _neighbour(ICMPv6ND_NS(tgt=TO) / ICMPv6NDOptSrcLLAddr(lladdr=STRANGER)),
    "router advertisement": _neighbour(_RA),
    "router advertisement behind extension headers": _own(ALL_NODES)
    / IPv6(src=LOCAL, dst="ff02::1", hlim=255)
    / IPv6ExtHdrHopByHop()
    / IPv6ExtHdrDestOpt()
    / _RA,
    "redirect": _neighbour(ICMPv6ND_Redirect(tgt=LOCAL, dst="2001:db8::9")),
    "DHCP offer": _own() / IP(src=ip(0), dst=ip(1)) / _offer(),
    "DHCP offer, broadcast": _own(ALL) / IP(src=ip(0), dst="255.255.255.255") / _offer(),
    "DHCPv6 advertise": _own() / IPv6(src=LOCAL, dst=TO) / UDP(sport=547, dport=546) / DHCP6_Advertise(),
    "other protocol": Ether(src=ME, dst=VICTIM, type=0x88B5) / DATA,
    "pair's address under the own MAC": _own() / IP(src=VRRP_IP, dst=ip(1)) / ICMP() / DATA,
    "own address under the pair's MAC": _own(source=VRRP_MAC) / IP(src=ip(0), dst=ip(1)) / ICMP() / DATA,
}
_HONEST: dict[str, Packet] = {
    "DHCP discover": _own(ALL) / IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67) / BOOTP() / DHCP(),
    "DHCP renew": _own() / IP(src=ip(0), dst=ip(1)) / UDP(sport=68, dport=67) / BOOTP() / DHCP(),
    "DHCPv6 solicit": _own() / IPv6(src=LOCAL, dst=TO) / UDP(sport=546, dport=547) / DHCP6_Solicit(),
    "ARP": _arp(ip(0), ME),
    "ARP probe": _arp("0.0.0.0", ME, 1),
    "advertisement": _neighbour(_advert(LOCAL, ME)),
    "advertisement without a MAC": _neighbour(ICMPv6ND_NA(tgt=LOCAL)),
    "solicitation": _neighbour(ICMPv6ND_NS(tgt=TO) / ICMPv6NDOptSrcLLAddr(lladdr=ME)),
    "router solicitation": _neighbour(ICMPv6ND_RS()),
    "ping": _own() / IP(src=ip(0), dst=ip(1)) / ICMP(id=7) / DATA,
    "pair": _own(source=VRRP_MAC) / IP(src=VRRP_IP, dst=ip(1)) / ICMP(id=8) / DATA,
    "ARP of the pair": _own(ALL, VRRP_MAC) / ARP(op=2, hwsrc=VRRP_MAC, psrc=VRRP_IP, pdst=ip(1)),
}
_MARKER = b"all has been sent"


def _marker() -> Packet:
    return _own() / IP(src=ip(0), dst=ip(1)) / UDP(sport=9, dport=9) / Raw(_MARKER)


def test_spoofing_is_stopped_at_the_port() -> None:
    """Of 30 kinds of lies not one arrives, whole or in fragments, though the group lets everything out; what is
    honest does, every frame as it was sent."""
    pairs = (AddressPair(VRRP_MAC, VRRP_IP),)
    first = view(1, {GROUP: ALL_OUT}, [[GROUP], None], allowed_address_pairs=pairs)
    with secured_node(first) as node:
        sender, receiver = Tap(node, 0), Tap(node, 1)
        for name, frame in _ATTEMPTS.items():
            sender.send(Ether(bytes(frame)), _marker())
            assert (name, receiver.received(_MARKER)) == (name, [])
        arrived = {}
        for name, frame in _HONEST.items():
            sender.send(Ether(bytes(frame)), _marker())
            arrived[name] = [bytes(found) for found in receiver.received(_MARKER)]
        assert arrived == {name: [bytes(frame)] for name, frame in _HONEST.items()}


def test_fragments_hide_nothing() -> None:
    """DHCP offers and router advertisements in fragments do not arrive as a whole; honest fragments do."""
    first = view(1, {GROUP: ALL_OUT}, [[GROUP], None])
    with secured_node(first) as node:
        sender, receiver = Tap(node, 0), Tap(node, 1)
        offer = IP(bytes(IP(src=ip(0), dst=ip(1), id=77) / _offer()))
        advert = IPv6(bytes(IPv6(src=LOCAL, dst=TO, hlim=255) / IPv6ExtHdrFragment(id=7) / _RA / Raw(bytes(1600))))
        pieces = [_own() / piece for piece in fragment(offer, 64)]
        pieces += [_own() / piece for piece in fragment6(advert, 1280)]
        sender.send(*(Ether(bytes(piece)) for piece in pieces), _marker())
        assert receiver.received(_MARKER) == []
        honest = IP(bytes(IP(src=ip(0), dst=ip(1), id=78) / UDP(sport=5, dport=6) / Raw(bytes(3000))))
        sender.send(*(Ether(bytes(_own() / piece)) for piece in fragment(honest, 1400)), _marker())
        assert sum(len(found[IP].payload) for found in receiver.received(_MARKER)) == 3008


def test_without_port_security_all_passes() -> None:
    """A port with port_security_enabled false sends what it likes; a restart of the agent writes nothing."""
    with secured_node(view(1, {}, [None, None])) as node:
        sender, receiver = Tap(node, 0), Tap(node, 1)
        sender.send(_ATTEMPTS["another IPv4"], _ATTEMPTS["ARP answer for another"], _marker())
        assert len(receiver.received(_MARKER)) == 2
        node.stop_agent()
        since = len(node.passes())
        node.start_agent()
        node.wait_sync(1, since)
        assert node.changes(since) == 0
