"""The oracle: who reaches whom, worked out from the logical model alone.

Pure. A packet is followed from hand to hand as the documentation says, network by network and router by router: port
security and groups of the sender, the network, routers (translation, routes), groups of the receiver. No flow, rule
of iptables or view is looked at; what Nebula says it does not do (``docs/api.md``) is not asked.

Several equal routes are several fates, of which one must come true.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from nebula.ids import NetworkId
from nebula.model.port import ROUTER_GATEWAY
from nebula.model.snapshot import PortRow, RouterRow
from nebula.view.records import SecurityRule
from tests.reachability import routing
from tests.reachability.packet import SCTP, TCP, UDP, Fate, Journey, Memory, Packet
from tests.reachability.topology import (
    GUEST,
    NODES,
    PROVIDER_HOSTS,
    Address,
    Station,
    Topology,
    link_local,
    public_addresses,
)

_MOST_ROUTERS = 8
"""A packet that has met so many goes in a circle."""


class Oracle:
    """Answers for one topology."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self._routers = {port.id: router for router in topology.routers for port in topology.interfaces(router)}

    def fates(self, sender: Station, macs: tuple[str, str], packet: Packet, known: Memory = ()) -> list[Fate]:
        """Of a packet that a station puts on the wire from one MAC to another. ``known``: what the packet that this
        one answers has left behind."""
        port = sender.port
        if port is not None:
            if not self.is_live(port):
                return [_lost(packet, "the sender's port is down")]
            if port.port_security_enabled and not self.may_speak(port, macs[0], packet.source):
                return [_lost(packet, "port security: not the sender's address")]
            if not self._passes(port, "egress", packet, known):
                return [_lost(packet, "no egress rule of the sender")]
        return list(self._switch(sender, macs[1], packet, Journey(known).past(sender.name, packet, packet)))

    def is_live(self, port: PortRow) -> bool:
        """The port sends and receives: up, its network too, bound to a node that has the network's segment."""
        network = self.topology.network[port.network_id]
        hosts = [node.host for node in NODES] if network.network_type == "vxlan" else list(PROVIDER_HOSTS)
        up = port.admin_state_up and network.admin_state_up and port.host in hosts
        if port.device_owner == GUEST:
            return up
        router = self._routers.get(port.id)
        return up and router is not None and router.admin_state_up

    def may_speak(self, port: PortRow, mac_address: str, address: Address) -> bool:
        """Port security lets it send from here: its own addresses, and allowed address pairs."""
        own = {ip_address(ip.ip_address) for ip in port.fixed_ips}
        if mac_address == port.mac_address and address in own:
            return True
        macs = {port.mac_address, *(pair.mac_address for pair in port.allowed_address_pairs)}
        if mac_address in macs and address == link_local(mac_address):
            return True
        return any(
            mac_address == pair.mac_address and address in ip_network(pair.ip_address, strict=False)
            for pair in port.allowed_address_pairs
        )

    def hears(self, sender: Station) -> set[str]:
        """The stations that hear a broadcast that claims nothing."""
        return {one.name for one in self.topology.stations.values() if one != sender and self._linked(sender, one)}

    def resolves(self, asker: Station, address: Address) -> set[str] | None:
        """The MACs that answer when a station asks who has an address on its network. None: nothing is promised."""
        found: set[str] = set()
        for mac, name in self.topology.holders(asker.network_id, address):
            station = self.topology.stations.get(name)
            if station is not None and not (self._linked(asker, station) and self._speaks(station, address)):
                continue
            if station is None and not self._is_up(asker):
                continue
            if station is None and not self.is_live(self._port(name)):
                return None  # the switch of another node may answer for a router that is down
            found.add(mac)
        return found

    def _linked(self, one: Station, other: Station) -> bool:
        """On one network, which carries their packets; what is outside on both sides is none of its business."""
        same = one.network_id == other.network_id
        return same and (one.port is other.port is None or (self._is_up(one) and self._is_up(other)))

    def _is_up(self, station: Station) -> bool:
        if station.port is not None:
            return self.is_live(station.port)
        return self.topology.network[station.network_id].admin_state_up

    def _port(self, name: str) -> PortRow:
        return next(port for port in self.topology.ports if port.id == name)

    def _speaks(self, station: Station, address: Address) -> bool:
        """Its answer to who asks for the address gets out."""
        port = station.port
        if port is None:
            return True
        if not self.is_live(port):
            return False
        return not port.port_security_enabled or self.may_speak(port, station.mac_of(address), address)

    # Networks

    def _switch(self, sender: Station | PortRow, mac: str, packet: Packet, journey: Journey) -> Iterator[Fate]:
        """From a station or a router's port to who has the MAC on the same network."""
        port = self._receiver(sender.network_id, mac)
        if mac == sender.mac_address or (port is not None and isinstance(sender, Station) and port is sender.port):
            yield _lost(packet, "nobody sends to itself")
            return
        if port is not None:
            if not self.is_live(port):
                yield _lost(packet, "the receiver's port is down")
            elif port.device_owner != GUEST:
                yield from self._route(self._routers[port.id], port, packet, journey)
            elif not self._passes(port, "ingress", packet, journey.known):
                yield _lost(packet, "no ingress rule of the receiver")
            else:
                yield Fate(port.id, packet, journey.past(port.id, packet, packet).memory)
            return
        for station in self.topology.outside:
            if station.network_id == sender.network_id and station.mac_address == mac and self._is_up(station):
                yield Fate(station.name, packet, journey.memory)
                return
        yield _lost(packet, "nobody on the network has the MAC")

    def _receiver(self, network: NetworkId, mac: str) -> PortRow | None:
        """Whose MAC it is: a port's own, or else that of an allowed address pair, for the guest that uses it."""
        ports = [port for port in self.topology.ports if port.network_id == network]
        own = [port for port in ports if port.mac_address == mac]
        paired = [port for port in ports if any(pair.mac_address == mac for pair in port.allowed_address_pairs)]
        used = [port for port in paired if port.id in self.topology.held]
        used = [port for port in used if self.topology.held[port.id].mac_address == mac]
        return next(iter((*own, *used)), None)

    # Security groups

    def _passes(self, port: PortRow, direction: str, packet: Packet, known: Memory) -> bool:
        if not port.port_security_enabled:
            return True
        groups = [self.topology.group[group] for group in port.security_groups]
        stateful = any(group.stateful for group in groups)
        if stateful and any(one.place == port.id and one.before.answer() == packet for one in known):
            return True
        if stateful and not packet.begins:
            return False  # conntrack calls it INVALID
        return any(self._matches(rule, direction, packet) for group in groups for rule in group.rules)

    def _matches(self, rule: SecurityRule, direction: str, packet: Packet) -> bool:
        if rule.direction != direction or rule.ip_version != packet.source.version:
            return False
        if rule.protocol is not None and rule.protocol != packet.protocol:
            return False
        other = packet.source if direction == "ingress" else packet.destination
        return _ports_match(rule, packet) and self._remote_matches(rule, other)

    def _remote_matches(self, rule: SecurityRule, other: Address) -> bool:
        if rule.remote_ip_prefix is not None:
            named = [rule.remote_ip_prefix]
        elif rule.remote_group_id is not None:
            members = [port for port in self.topology.ports if rule.remote_group_id in port.security_groups]
            named = [ip.ip_address for port in members for ip in port.fixed_ips]
            named += [pair.ip_address for port in members for pair in port.allowed_address_pairs]
        elif rule.remote_address_group_id is not None:
            groups = [one for one in self.topology.address_groups if one.id == rule.remote_address_group_id]
            named = [address for one in groups for address in one.addresses]
        else:
            return True
        return any(other in ip_network(one, strict=False) for one in named)

    # Routers

    def _route(self, router: RouterRow, entry: PortRow, packet: Packet, journey: Journey) -> Iterator[Fate]:
        """In at ``entry``: translate the destination, find the way, translate the source, out."""
        if packet.source.version == 6:
            yield _lost(packet, "routers do not route IPv6")
            return
        if sum(one.place == router.id for one in journey.memory) >= _MOST_ROUTERS:
            yield _lost(packet, "it goes in a circle")
            return
        if str(packet.source) in routing.own_addresses(self.topology, router):
            yield _lost(packet, "it says that it comes from the router itself (RFC 1812, 5.3.8)")
            return
        answered = next((one for one in journey.known if one.place == router.id and one.after.answer() == packet), None)
        before = packet
        if answered is not None:
            packet = answered.before.answer()
        elif packet.begins:  # conntrack calls the others INVALID, and nothing translates them
            packet = routing.translate_destination(self.topology, router, packet)
        if str(packet.destination) in routing.own_addresses(self.topology, router):
            yield Fate(router.id, packet, journey.past(router.id, before, packet).memory)
            return
        translated = packet.destination != before.destination
        gateway = self.topology.gateway(router)
        guarded = gateway is not None and router.enable_snat
        if guarded and entry is gateway and answered is None and not translated:
            yield _lost(packet, "a router with SNAT lets in only what it translates or what answers")
            return
        for exit_port, hop in routing.ways(self.topology, router, packet.destination) or [(None, None)]:
            if exit_port is None or hop is None:
                yield _lost(packet, "the router has no route")
                continue
            if guarded and exit_port is gateway and answered is None and not packet.begins:
                yield _lost(packet, "a router with SNAT lets out no answer to what it has not seen")
                continue
            out = packet
            if answered is None and packet.begins:
                out = routing.translate_source(self.topology, router, exit_port, packet, translated=translated)
            yield from self._leave(router, exit_port, hop, out, journey.past(router.id, before, out))

    def _leave(
        self, router: RouterRow, exit_port: PortRow, hop: Address, packet: Packet, journey: Journey
    ) -> Iterator[Fate]:
        """Out of a router's port to a next hop on its network."""
        if exit_port.device_owner == ROUTER_GATEWAY and router.enable_snat:
            own = {ip.ip_address for ip in exit_port.fixed_ips} | public_addresses(router)
            if str(packet.source) not in own:
                yield _lost(packet, "the gateway guard")
                return
        if not self.is_live(exit_port):
            yield _lost(packet, "the router's port is down")
            return
        answers = {
            mac
            for mac, name in self.topology.holders(exit_port.network_id, hop)
            if name != exit_port.id
            and (name not in self.topology.stations or self._speaks(self.topology.stations[name], hop))
        }
        if not answers:
            yield _lost(packet, "the router's next hop does not answer")
        for mac in answers:
            yield from self._switch(exit_port, mac, packet, journey)

    def answers_of_router(self, name: str, fate: Fate) -> list[Fate]:
        """Of what a router says itself to a packet for one of its own addresses."""
        router = next(one for one in self.topology.routers if one.id == name)
        packet = fate.packet.answer()
        return [
            found
            for exit_port, hop in routing.ways(self.topology, router, packet.destination)
            for found in self._leave(router, exit_port, hop, packet, Journey(fate.memory))
        ]


def _lost(packet: Packet, why: str) -> Fate:
    return Fate(None, packet, (), why)


def _ports_match(rule: SecurityRule, packet: Packet) -> bool:
    if rule.port_min is None:
        return True
    if packet.icmp is not None:
        return packet.icmp[0] == rule.port_min and rule.port_max in (None, packet.icmp[1])
    last = rule.port_min if rule.port_max is None else rule.port_max
    return packet.protocol in (TCP, UDP, SCTP) and rule.port_min <= packet.destination_port <= last
