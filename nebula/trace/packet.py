"""The packet that a trace follows: its headers, its answer, and the connection that conntrack makes of it.

Pure. Only what decides a packet's way is here; its bytes are made where one is sent.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

import msgspec

ARP_REQUEST, ARP_ANSWER = 1, 2
ECHO, ECHO_ANSWER = 8, 0
ECHO6, ECHO6_ANSWER = 128, 129
SOLICITATION, ADVERTISEMENT = 135, 136
DHCP_SERVER, DHCP_CLIENT = 67, 68
BROADCAST = "ff:ff:ff:ff:ff:ff"
UNKNOWN_MAC = "02:00:00:00:00:01"
"""Stands for a hardware address outside that nobody has asked for yet."""
NUMBERS = {"icmp": 1, "tcp": 6, "udp": 17, "icmp6": 58}
"""IP protocol numbers by the words that ``ovs-fields(7)`` and iptables use."""


_ICMP_WORDS = {
    ("icmp", ECHO): "echo request",
    ("icmp", ECHO_ANSWER): "echo reply",
    ("icmp", 3): "destination unreachable",
    ("icmp", 11): "time exceeded",
    ("icmp6", ECHO6): "echo request",
    ("icmp6", ECHO6_ANSWER): "echo reply",
    ("icmp6", 1): "destination unreachable",
    ("icmp6", 2): "packet too big",
    ("icmp6", 3): "time exceeded",
    ("icmp6", SOLICITATION): "neighbour solicitation",
    ("icmp6", ADVERTISEMENT): "neighbour advertisement",
}


def solicited(address: str) -> str:
    """The multicast address that a neighbour solicitation goes to (RFC 4291, 2.7.1)."""
    return str(IPv6Address(0xFF02 << 112 | 0x1FF << 24 | int(IPv6Address(address)) & 0xFFFFFF))


def multicast_mac(address: str) -> str:
    """The hardware address of an IPv6 multicast address (RFC 2464, 7)."""
    return f"33:33:{IPv6Address(address).packed[-4:].hex(':')}"


class Packet(msgspec.Struct, frozen=True):
    """``protocol``: ``tcp``, ``udp``, ``icmp``, ``icmp6`` or ``arp``. Of ARP the addresses are sender's and target's.

    ``type``: ICMP's type, ARP's operation. An echo's two ports are its identifier, as conntrack has it. ``answer``: it
    is what the one who was asked says. ``size_bytes``: of the IP packet, never to be fragmented.
    """

    protocol: str
    source: str
    destination: str
    mac_source: str = ""
    mac_destination: str = ""
    source_port: int = 0
    destination_port: int = 0
    type: int = 0
    ttl: int = 64
    size_bytes: int = 0
    answer: bool = False

    @property
    def version(self) -> int:
        """4 or 6."""
        return ip_address(self.destination or self.source).version

    @property
    def is_dhcp(self) -> bool:
        return self.protocol == "udp" and {self.source_port, self.destination_port} == {DHCP_SERVER, DHCP_CLIENT}

    @property
    def is_neighbour_question(self) -> bool:
        """ARP, or neighbour solicitation."""
        return (self.protocol == "arp" and self.type == ARP_REQUEST) or (
            self.protocol == "icmp6" and self.type == SOLICITATION
        )

    @property
    def is_neighbour_answer(self) -> bool:
        return self.protocol == "icmp6" and self.type == ADVERTISEMENT

    @property
    def is_error(self) -> bool:
        """An ICMP message about a packet that could not be delivered."""
        return (self.protocol, self.type) in {("icmp", 3), ("icmp", 11), *(("icmp6", kind) for kind in (1, 2, 3))}

    @property
    def flood(self) -> bool:
        """Broadcast or multicast on its link."""
        return self.mac_destination != "" and int(self.mac_destination[:2], 16) & 1 == 1


class Flow(msgspec.Struct, frozen=True):
    """Who says something to whom: a conntrack tuple."""

    protocol: str
    source: str
    source_port: int
    destination: str
    destination_port: int

    @property
    def back(self) -> Flow:
        return Flow(self.protocol, self.destination, self.destination_port, self.source, self.source_port)


class Connection(msgspec.Struct, frozen=True):
    """What conntrack remembers at ``place`` (a namespace, or ``zone N`` of Open vSwitch): the way there, and what the
    way back looks like; other than the first one turned round where NAT translates."""

    place: str
    there: Flow
    back: Flow


def flow_of(packet: Packet) -> Flow:
    return Flow(packet.protocol, packet.source, packet.source_port, packet.destination, packet.destination_port)


def translated(packet: Packet, flow: Flow) -> Packet:
    """The packet with the addresses and ports of ``flow``."""
    return msgspec.structs.replace(
        packet,
        source=flow.source,
        source_port=flow.source_port,
        destination=flow.destination,
        destination_port=flow.destination_port,
    )


def answer_to(packet: Packet) -> Packet | None:
    """What the receiver says, without hardware addresses; None for what nobody answers."""
    kinds = {
        ("arp", ARP_REQUEST): ARP_ANSWER,
        ("icmp", ECHO): ECHO_ANSWER,
        ("icmp6", ECHO6): ECHO6_ANSWER,
        ("icmp6", SOLICITATION): ADVERTISEMENT,
    }
    if packet.answer or (packet.protocol in ("icmp", "icmp6", "arp") and (packet.protocol, packet.type) not in kinds):
        return None
    return msgspec.structs.replace(
        translated(packet, flow_of(packet).back),
        type=kinds.get((packet.protocol, packet.type), 0),
        mac_source="",
        mac_destination="",
        ttl=64,
        size_bytes=0 if packet.protocol == "tcp" else packet.size_bytes,
        answer=True,
    )


def question_for(source: str, target: str, mac_address: str) -> Packet:
    """ARP, or neighbour discovery: who has ``target``?"""
    if ":" in target:
        question = Packet("icmp6", source, target, type=SOLICITATION, ttl=255)
    else:
        question = Packet("arp", source, target, type=ARP_REQUEST)
    return addressed(question, mac_address, group_mac(question))


def group_mac(packet: Packet) -> str:
    """Where a packet goes whose receiver's hardware address is not known: the one it has, or its link's many."""
    if packet.mac_destination:
        return packet.mac_destination
    if packet.protocol == "icmp6" and packet.type == SOLICITATION:
        return multicast_mac(solicited(packet.destination))
    return BROADCAST


def addressed(packet: Packet, source: str, destination: str) -> Packet:
    """With hardware addresses."""
    return msgspec.structs.replace(packet, mac_source=source, mac_destination=destination)


def described(packet: Packet) -> str:
    """One line for people: ``192.168.50.3 > 192.168.50.5 TCP 40000 > 80``."""
    head = f"{packet.source} > {packet.destination}"
    if packet.protocol == "arp":
        if packet.type == ARP_REQUEST:
            return f"ARP who has {packet.destination}? tell {packet.source}"
        return f"ARP {packet.source} is at {packet.mac_source}"
    if packet.is_dhcp:
        return f"{head} DHCP {'offer' if packet.source_port == DHCP_SERVER else 'discover'}"
    if packet.protocol in ("tcp", "udp"):
        return f"{head} {packet.protocol.upper()} {packet.source_port} > {packet.destination_port}"
    family = "ICMPv6" if packet.protocol == "icmp6" else "ICMP"
    return f"{head} {family} {_ICMP_WORDS.get((packet.protocol, packet.type), f'type {packet.type}')}"
