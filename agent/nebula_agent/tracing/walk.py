"""A packet's ways through this node: from where it enters to where each copy ends or leaves.

Effects: reads of the node (``Site``) and of its switch. The steps are what is asked of the kernel and of Open vSwitch,
in the order in which the packet would meet it; nothing here knows what Nebula meant to be there.
"""

from __future__ import annotations

from nebula.errors import CommandFailed, KernelRefused, NebulaError
from nebula.ids import VXLAN_PORT, Owner, OwnerKind
from nebula.trace import actions, rules
from nebula.trace.packet import Packet
from nebula.trace.probe import Ends, Enters, Point, Probe, Step, Way
from nebula_agent.drivers.kernel import Space
from nebula_agent.edge.rtnl import Link
from nebula_agent.edge.vxlan import UDP_PORT
from nebula_agent.tracing import switch
from nebula_agent.tracing.guests import Guests
from nebula_agent.tracing.inside import Inside
from nebula_agent.tracing.site import Site, refused
from nebula_agent.tracing.trail import Trail, rule_step

_FLOOD = "00:00:00:00:00:00"
_VXLAN_BYTES = 50
"""Outer Ethernet is not counted by an MTU: IPv4, UDP, VXLAN and the inner Ethernet header (RFC 7348, 5)."""
MOST_WAYS = 64


class Walk:
    """One probe."""

    def __init__(self, site: Site, probe: Probe) -> None:
        self._site = site
        self._probe = probe
        self._inside = Inside(site, probe, self.emit)
        self._guests = Guests(site, probe, self._into_bridge)

    def ways(self) -> tuple[Way, ...]:
        """All ways, or only those in which something cares for the packet. Raises NebulaError."""
        trail = Trail(connections=self._probe.connections)
        starts = {Enters.INSIDE: self._begin, Enters.TUNNEL: self._from_tunnel, Enters.PROVIDER: self._from_provider}
        found = starts[self._probe.enters](trail, self._probe.packet)
        cared = [way for way in found if way.ends is not Ends.IGNORED]
        return tuple((cared or found)[:MOST_WAYS])

    # Where a packet comes from.

    def _begin(self, trail: Trail, packet: Packet) -> list[Way]:
        probe = self._probe
        if probe.place:
            space = self._site.spaces.get(probe.place)
            if space is None:
                return [trail.end(Ends.FAILED, packet, f"there is no namespace {probe.place} here")]
            return self._inside.out(trail, space, packet, space.links.get(probe.device))
        found = self._site.device_of_port(Owner(OwnerKind.PORT, probe.port).mark)
        if found is not None:
            return self._inside.out(trail, found[0], packet, found[1])
        row = self._site.plugged(probe.port)
        if row is None:
            text = "nothing is plugged in for this port: it has no device here"
            return [trail.end(Ends.DROPPED, packet, text)]
        return self._guests.out(trail, row.name, packet)

    def _from_provider(self, trail: Trail, packet: Packet) -> list[Way]:
        bridge = self._site.provider_bridge(self._probe.physical_network)
        wire = self._site.wire_of(bridge) if bridge else ""
        if not wire:
            text = f"nothing here is connected to the physical network {self._probe.physical_network}"
            return [trail.end(Ends.FAILED, packet, text)]
        return self._into_bridge(trail.on(self._arrival(wire, packet)), wire, packet)

    def _from_tunnel(self, trail: Trail, packet: Packet) -> list[Way]:
        probe, site = self._probe, self._site
        outer = Packet("udp", probe.vtep_ip, site.vtep_ip, destination_port=UDP_PORT, source_port=UDP_PORT)
        underlay = self._underlay_device(probe.vtep_ip)
        said = f"VXLAN VNI {probe.vni}, {probe.vtep_ip} > {site.vtep_ip}"
        point = Point("", underlay, outward=False, encapsulated=True) if underlay else None
        trail = trail.on(Step("underlay", "", underlay or "underlay", said, point=point, packet=packet))
        if site.interface(VXLAN_PORT) is not None and not site.vxlan_device(probe.vni):
            tunnel = {"tun_id": str(probe.vni), "tun_src": probe.vtep_ip, "tun_dst": site.vtep_ip}
            return self._into_bridge(trail, VXLAN_PORT, packet, **tunnel)
        look = rules.Look(outer, "NEW", in_device=underlay)
        for verdict in rules.verdicts(site.rules(site.root, 4), "INPUT", look):
            if verdict.rule is not None or verdict.target in ("DROP", "REJECT"):
                trail = trail.on(rule_step("", verdict))
            if verdict.target in ("DROP", "REJECT"):
                return [trail.end(Ends.DROPPED, packet, "the node takes no VXLAN from this address")]
        device = site.vxlan_device(probe.vni)
        if not device:
            return [trail.end(Ends.DROPPED, packet, f"no VXLAN device here has the VNI {probe.vni}")]
        if not site.root.links[device].up:
            return [trail.end(Ends.DROPPED, packet, f"the VXLAN device {device} is down")]
        return self._into_bridge(trail.on(self._arrival(device, packet)), device, packet)

    # Devices.

    def emit(self, trail: Trail, space: Space, link: Link, packet: Packet) -> list[Way]:
        """Out of a device inside a namespace, and into the bridge on its other end."""
        if trail.endless:
            return [trail.end(Ends.DROPPED, packet, "it goes round in circles")]
        owner = self._site.owner_of_link(link)
        trail = trail.on(
            Step(
                "device",
                space.name,
                link.name,
                "out",
                owner=owner,
                point=Point(space.name, link.name, True),
                packet=packet,
            )
        )
        if not link.up:
            return [trail.end(Ends.DROPPED, packet, f"{link.name} is down")]
        outer = self._site.outer_end(space, link)
        if outer is None:
            return [trail.end(Ends.DROPPED, packet, f"{link.name} leads to no device of this node")]
        if not outer.up:
            return [trail.end(Ends.DROPPED, packet, f"{outer.name}, the other end of {link.name}, is down")]
        return self._into_bridge(trail.on(self._arrival(outer.name, packet)), outer.name, packet)

    def _arrival(self, device: str, packet: Packet) -> Step:
        owner = self._site.owner_of_device(device)
        return Step("device", "", device, "in", owner=owner, point=Point("", device, False), packet=packet)

    def _departure(self, device: str, packet: Packet) -> Step:
        owner = self._site.owner_of_device(device)
        return Step("device", "", device, "out", owner=owner, point=Point("", device, True), packet=packet)

    def _into_bridge(self, trail: Trail, device: str, packet: Packet, **tunnel: str) -> list[Way]:
        row = self._site.interface(device)
        if row is None:
            return [trail.end(Ends.DROPPED, packet, f"{device} is in no bridge of Open vSwitch")]
        if row.ofport is None or row.ofport < 0:
            return [
                trail.end(Ends.DROPPED, packet, f"Open vSwitch cannot use {device}: {row.error or 'no number yet'}")
            ]
        try:
            results = switch.through(self._site, trail, row.bridge, device, packet, **tunnel)
        except CommandFailed as error:
            return [trail.end(Ends.FAILED, packet, error.message)]
        found: list[Way] = []
        for result in results:
            if result.output is not None:
                found += self._out_of(result.trail, result.output, came_by=device)
            else:
                found.append(result.trail.end(Ends.DROPPED, packet, result.remark))
        return found

    def _out_of(  # noqa: PLR0911 - one for each kind of port
        self, trail: Trail, output: actions.Output, came_by: str
    ) -> list[Way]:
        packet, device = output.packet, output.port
        if output.vtep_ip:
            return self._underlay(trail, packet, output.vtep_ip, output.vni)
        if self._site.tunnel(device) is not None:
            return self._into_vxlan(trail, device, packet)
        row, inner = self._site.interface(device), self._site.inner_end(device)
        segment = self._site.physical_network(row.bridge) if row is not None else ""
        if row is None or device == row.bridge or (segment and device == came_by):
            return [trail.end(Ends.IGNORED, packet, f"a copy to {device}")]
        link = self._site.root.links.get(device)
        if link is not None and not link.up:
            return [trail.end(Ends.DROPPED, packet, f"{device} is down")]
        trail = trail.on(self._departure(device, packet))
        if inner is not None:
            return self._inside.into(trail, *inner, packet)
        if segment:
            return [trail.end(Ends.PROVIDER, packet, physical_network=segment)]
        return self._guests.into(trail, device, packet)

    # Tunnels.

    def _into_vxlan(self, trail: Trail, device: str, packet: Packet) -> list[Way]:
        tunnel = self._site.tunnel(device)
        assert tunnel is not None
        link = self._site.root.links[device]
        trail = trail.on(self._departure(device, packet))
        if not link.up:
            return [trail.end(Ends.DROPPED, packet, f"{device} is down")]
        entries = self._site.forwarding(device)
        wanted = [item for item in entries if item.mac_address == packet.mac_destination] if not packet.flood else []
        wanted = wanted or [item for item in entries if item.mac_address == _FLOOD]
        if not wanted:
            what = "an entry for floods" if packet.flood else f"an entry for {packet.mac_destination}"
            return [trail.end(Ends.DROPPED, packet, f"the FDB of {device} lacks {what}")]
        found: list[Way] = []
        for entry in wanted:
            text = f"{entry.mac_address} dst {entry.vtep_ip}" + (" (floods)" if entry.mac_address == _FLOOD else "")
            fdb = Step("fdb", "", device, text, owner=self._site.owner_of_entry(device, entry))
            found += self._underlay(trail.on(fdb), packet, entry.vtep_ip, tunnel.vni, tunnel.vtep_ip)
        return found

    def _underlay(self, trail: Trail, packet: Packet, vtep_ip: str, vni: int, source: str = "") -> list[Way]:
        source = source or self._site.vtep_ip
        said = f"VXLAN VNI {vni}, {source} > {vtep_ip}"
        outer = Packet("udp", source, vtep_ip, source_port=UDP_PORT, destination_port=UDP_PORT)
        try:
            route = self._site.route(self._site.root, outer)
        except KernelRefused as error:
            step = Step("underlay", "", "underlay", said)
            return [trail.on(step).end(Ends.DROPPED, packet, f"to {vtep_ip}: {refused(error)}")]
        link = self._site.link(self._site.root, route.index)
        name = self._site.tunnel_device(link.name) if link is not None else "underlay"
        step = Step("underlay", "", name, said, point=Point("", name, True, encapsulated=True), packet=packet)
        return [trail.on(step).end(Ends.TUNNEL, packet, vtep_ip=vtep_ip, vni=vni)]

    def _underlay_device(self, vtep_ip: str) -> str:
        try:
            outer = Packet("udp", "", vtep_ip, source_port=UDP_PORT, destination_port=UDP_PORT)
            link = self._site.link(self._site.root, self._site.route(self._site.root, outer).index)
        except NebulaError:
            return ""
        return self._site.tunnel_device(link.name) if link is not None else ""
