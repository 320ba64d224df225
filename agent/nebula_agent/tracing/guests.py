"""Ports that something else plugged in, a virtual machine's say: their insides cannot be looked at.

Effects: none of its own. What is inside is taken to have what DHCP tells it (its subnets and their gateways), to answer
for its port's addresses, and to take what is for its hardware address.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface

import msgspec

from nebula.trace.packet import Packet, addressed, answer_to, group_mac, question_for
from nebula.trace.probe import Ends, Point, Probe, Step, Way
from nebula_agent.tracing.site import Site
from nebula_agent.tracing.trail import Trail

IntoBridge = Callable[[Trail, str, Packet], list[Way]]


class _Guest(msgspec.Struct, frozen=True):
    """The port as the view has it."""

    mac_address: str
    interfaces: tuple[IPv4Interface | IPv6Interface, ...]
    gateways: tuple[str, ...]

    def source(self, hop: str) -> str:
        """The address that it would ask for a neighbour with."""
        return next((str(item.ip) for item in self.interfaces if (":" in str(item.ip)) == (":" in hop)), "")

    def hop(self, destination: str) -> str:
        """The neighbour on the way: the destination itself, or the gateway of a subnet; '' where there is none."""
        wanted = ip_address(destination)
        if any(wanted in item.network for item in self.interfaces):
            return destination
        return next((item for item in self.gateways if ip_address(item).version == wanted.version), "")


class Guests:
    """``into_bridge`` lets a packet in by a device of br-int."""

    def __init__(self, site: Site, probe: Probe, into_bridge: IntoBridge) -> None:
        self._site = site
        self._probe = probe
        self._into_bridge = into_bridge

    def out(self, trail: Trail, device: str, packet: Packet) -> list[Way]:
        """What the guest behind ``device`` sends."""
        guest = self._guest(device)
        if guest is None:
            return [trail.end(Ends.FAILED, packet, f"nothing is known here of the port behind {device}")]
        if packet.mac_destination or packet.is_dhcp or packet.is_neighbour_question:
            packet = addressed(packet, packet.mac_source or guest.mac_address, group_mac(packet))
            return self._arrived(trail, device, packet)
        hop = guest.hop(packet.destination)
        if not hop:
            text = f"its subnet has no gateway: it knows no way to {packet.destination}"
            return [trail.end(Ends.DROPPED, packet, text)]
        asked = (item for item in self._probe.neighbours if not item.place and item.address == hop)
        known = next((item.mac_address for item in asked), "")
        question = question_for(guest.source(hop), hop, guest.mac_address)
        if not known:
            ways = self._arrived(Trail(), device, addressed(question, guest.mac_address, group_mac(question)))
            answers = (way.packet for way in ways if way.ends is Ends.DELIVERED and way.device == device)
            known = next((answer.mac_source for answer in answers if answer.source == hop), "")
        if not known:
            return [trail.end(Ends.RESOLVE, question, f"{hop} dev {device}", device=device)]
        step = Step("neighbour", "", device, f"{hop} is at {known}", "as it is taken to know")
        return self._arrived(trail.on(step), device, addressed(packet, guest.mac_address, known))

    def into(self, trail: Trail, device: str, packet: Packet) -> list[Way]:
        """What comes to it."""
        guest = self._guest(device)
        if guest is None:
            return [trail.end(Ends.IGNORED, packet, f"a copy to {device}")]
        answer = answer_to(packet) if packet.is_neighbour_question else None
        if answer is not None and packet.destination in {str(item.ip) for item in guest.interfaces}:
            return self._arrived(trail, device, addressed(answer, guest.mac_address, packet.mac_source))
        ends = Ends.DELIVERED if packet.mac_destination == guest.mac_address else Ends.IGNORED
        return [trail.end(ends, packet, "handed to what is plugged in", device=device)]

    def _arrived(self, trail: Trail, device: str, packet: Packet) -> list[Way]:
        step = Step("device", "", device, "in", point=Point("", device, False), packet=packet)
        return self._into_bridge(trail.on(step), device, packet)

    def _guest(self, device: str) -> _Guest | None:
        row, view = self._site.interface(device), self._site.view
        identity = row.external_ids.get("iface-id", "") if row is not None else ""
        if view is None or not identity:
            return None
        port = next((port for port in view.ports if port.id == identity), None)
        network = next((item for item in view.networks if port is not None and item.id == port.network_id), None)
        if port is None or network is None:
            return None
        subnets = {subnet.id: subnet for subnet in network.subnets}
        mine = [(ip, subnets[ip.subnet_id]) for ip in port.fixed_ips if ip.subnet_id in subnets]
        interfaces = (ip_interface(f"{ip.ip_address}/{subnet.cidr.partition('/')[2]}") for ip, subnet in mine)
        gateways = (subnet.gateway_ip for _ip, subnet in mine if subnet.gateway_ip)
        return _Guest(port.mac_address.lower(), tuple(interfaces), tuple(gateways))
