"""A packet inside a network namespace: routes, neighbours, iptables and its connections, and who takes it in.

Effects: reads of the node through ``Site``. Routers and instances are the same here: a namespace does with a packet
what its routes, rules and sysctls say.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from nebula.errors import KernelRefused
from nebula.trace import rules
from nebula.trace.packet import (
    ADVERTISEMENT,
    DHCP_CLIENT,
    DHCP_SERVER,
    UNKNOWN_MAC,
    Connection,
    Packet,
    addressed,
    answer_to,
    flow_of,
    group_mac,
    question_for,
)
from nebula.trace.probe import Ends, Point, Probe, Step, Way
from nebula_agent.drivers.kernel import Space
from nebula_agent.edge.fib import Found
from nebula_agent.edge.rtnl import Link
from nebula_agent.tracing import dhcp
from nebula_agent.tracing.site import Site, refused
from nebula_agent.tracing.trail import NEW, Seen, Trail, rule_step

Emit = Callable[[Trail, Space, Link, Packet], list[Way]]


class Inside:
    """``emit`` sends the packet out of a device."""

    def __init__(self, site: Site, probe: Probe, emit: Emit) -> None:
        self._site = site
        self._probe = probe
        self._emit = emit

    # Out of the namespace where the packet is made.

    def out(self, trail: Trail, space: Space, packet: Packet, link: Link | None) -> list[Way]:
        """``link``: the device that ARP, DHCP and neighbour questions leave by; others are routed."""
        if packet.mac_destination or packet.protocol == "arp" or packet.is_dhcp or packet.is_neighbour_question:
            if link is None:
                return [trail.end(Ends.FAILED, packet, f"{space.name} has no such device")]
            return self._emit(trail, space, link, addressed(packet, link.mac_address, group_mac(packet)))
        if packet.source not in self._site.addresses(space):
            return [trail.end(Ends.DROPPED, packet, f"no device of {space.name} has the address {packet.source}")]
        try:
            route = self._site.route(space, packet)
        except KernelRefused as error:
            step = Step("route", space.name, "route", f"to {packet.destination}", refused(error))
            return [trail.on(step).end(Ends.DROPPED, packet, f"to {packet.destination}: {refused(error)}")]
        trail = trail.on(self._route_step(space, packet, route))
        if route.type == "local":
            return [trail.end(Ends.DELIVERED, packet, "the address is its own", place=space.name)]
        return self._hooks(trail, space, packet, route, ("OUTPUT", "POSTROUTING"), in_device="")

    def _route_step(self, space: Space, packet: Packet, route: Found) -> Step:
        link = self._site.link(space, route.index)
        via = f" via {route.via}" if route.via else ""
        device = link.name if link is not None else "?"
        text = f"{packet.destination}{via} dev {device}" + (f" ({route.matched})" if route.matched else "")
        effect = "" if route.type == "unicast" else route.type
        return Step("route", space.name, "route", text, effect, owner=space.owner)

    # Into a namespace.

    def into(self, trail: Trail, space: Space, link: Link, packet: Packet) -> list[Way]:
        """By the device ``link``."""
        owner = self._site.owner_of_link(link)
        point = Point(space.name, link.name, False)
        trail = trail.on(Step("device", space.name, link.name, "in", owner=owner, point=point, packet=packet))
        if not link.up:
            return [trail.end(Ends.DROPPED, packet, f"{link.name} in {space.name} is down")]
        if not packet.flood and packet.mac_destination != link.mac_address:
            text = f"{link.name} has {link.mac_address}: it does not take what is for {packet.mac_destination}"
            return [trail.end(Ends.DROPPED, packet, text)]
        if packet.is_neighbour_question:
            return self._asked(trail, space, link, packet)
        if packet.protocol == "arp" or (packet.protocol == "icmp6" and packet.type == ADVERTISEMENT):
            taken = packet.destination in self._site.addresses(space, link.index)
            text = f"{packet.source} is at {packet.mac_source}"
            return [trail.end(Ends.DELIVERED if taken else Ends.IGNORED, packet, text, place=space.name)]
        if packet.is_dhcp:
            return [self._dhcp(trail, space, link, packet)]
        return [trail.end(Ends.IGNORED, packet)] if packet.flood else self._arrived(trail, space, link, packet)

    def _asked(self, trail: Trail, space: Space, link: Link, packet: Packet) -> list[Way]:
        """ARP, or neighbour discovery: who has the address answers at once."""
        strict = self._site.sysctl(space, "net.ipv4.conf.all.arp_ignore") not in ("", "0") or packet.version == 6
        if packet.destination not in self._site.addresses(space, link.index if strict else 0):
            return [trail.end(Ends.IGNORED, packet)]
        step = Step("process", space.name, "kernel", f"has {packet.destination}", f"answers: {link.mac_address}")
        answer = answer_to(packet)
        assert answer is not None
        back = msgspec.structs.replace(answer, mac_source=link.mac_address, mac_destination=packet.mac_source)
        return self._emit(trail.on(step), space, link, back)

    def _dhcp(self, trail: Trail, space: Space, link: Link, packet: Packet) -> Way:
        if packet.destination_port == DHCP_CLIENT:
            taken = packet.mac_destination == link.mac_address
            return trail.end(Ends.DELIVERED if taken else Ends.IGNORED, packet, place=space.name, device=link.name)
        if packet.destination_port != DHCP_SERVER:
            return trail.end(Ends.IGNORED, packet)
        server = self._site.dhcp_server(space)
        listens = self._site.listens(space, "udp", DHCP_SERVER)
        if server is None and not listens:
            return trail.end(Ends.IGNORED, packet)
        owner = server.owner if server is not None else None
        if not listens:
            step = Step("process", space.name, "dnsmasq", "does not run", owner=owner)
            return trail.on(step).end(Ends.DROPPED, packet, "nobody listens on UDP port 67: dnsmasq does not run")
        offered, text = dhcp.offer(server, packet.mac_source)
        step = Step("process", space.name, "dnsmasq", f"listens on UDP port 67; {text}", owner=owner)
        if not offered:
            return trail.on(step).end(Ends.DROPPED, packet, text)
        source = next(iter(self._site.addresses(space, link.index)), "")
        answer = msgspec.structs.replace(
            packet,
            source=source, destination=offered, mac_source=link.mac_address, mac_destination=packet.mac_source,
            source_port=DHCP_SERVER, destination_port=DHCP_CLIENT, answer=True,
        )  # fmt: skip
        return trail.on(step).end(Ends.DELIVERED, answer, text, place=space.name, device=link.name)

    def _arrived(self, trail: Trail, space: Space, link: Link, packet: Packet) -> list[Way]:
        seen, looked = trail.state(space.name, packet), packet
        packet = seen.towards(packet)
        if packet != looked:
            trail = trail.on(_known(space, seen, packet))
        look = rules.Look(packet, seen.state, in_device=link.name)
        trail, packet, dropped = self._verdicts(trail, space, "PREROUTING", look)
        if dropped:
            return [trail.end(Ends.DROPPED, packet, dropped)]
        try:
            route = self._site.route(space, packet, link.index)
        except KernelRefused as error:
            step = Step("route", space.name, "route", f"to {packet.destination}", refused(error))
            return [trail.on(step).end(Ends.DROPPED, packet, f"to {packet.destination}: {refused(error)}")]
        trail = trail.on(self._route_step(space, packet, route))
        if route.type == "local":
            return [self._taken(trail, space, packet, rules.Look(packet, seen.state, in_device=link.name))]
        if route.type != "unicast":
            return [trail.end(Ends.IGNORED, packet)]
        if packet.ttl <= 1:
            return [trail.end(Ends.DROPPED, packet, "its time to live is over")]
        forwarded = msgspec.structs.replace(packet, ttl=packet.ttl - 1)
        return self._hooks(
            trail, space, forwarded, route, ("FORWARD", "POSTROUTING"), in_device=link.name, first=looked, seen=seen
        )

    def _taken(self, trail: Trail, space: Space, packet: Packet, look: rules.Look) -> Way:
        trail, packet, dropped = self._verdicts(trail, space, "INPUT", look)
        if dropped:
            return trail.end(Ends.DROPPED, packet, dropped)
        text = ""
        if packet.protocol in ("tcp", "udp") and not packet.answer:
            listens = self._site.listens(space, packet.protocol, packet.destination_port)
            refusal = "RST" if packet.protocol == "tcp" else "ICMP port unreachable"
            what = f"{packet.protocol} port {packet.destination_port}"
            text = (
                f"somebody listens on {what}" if listens else f"nobody listens on {what}: the kernel answers {refusal}"
            )
            trail = trail.on(Step("process", space.name, "socket", text))
        elif not packet.answer:
            trail = trail.on(Step("process", space.name, "kernel", f"has {packet.destination}", "answers"))
        if trail.state(space.name, packet).state == NEW:
            trail = trail.remembering([Connection(space.name, flow_of(packet), flow_of(packet).back)])
        return trail.end(Ends.DELIVERED, packet, text, place=space.name)

    # Rules, and out by a route.

    def _verdicts(self, trail: Trail, space: Space, hook: str, look: rules.Look) -> tuple[Trail, Packet, str]:
        """The trail with what iptables says, the packet as it is then, and why it is dropped ('' where it is not)."""
        packet = look.packet
        for verdict in rules.verdicts(self._site.rules(space, packet.version), hook, look):
            step = rule_step(space.name, verdict)
            if verdict.target in ("DROP", "REJECT"):
                return trail.on(step), packet, f"{verdict.table} {verdict.chain} says {verdict.target}"
            if verdict.target in rules.TRANSLATING:
                packet = self._translate(space, packet, verdict, look.out_device, look.in_device)
                step = msgspec.structs.replace(step, packet=packet)
            trail = trail.on(step)
        return trail, packet, ""

    def _translate(self, space: Space, packet: Packet, verdict: rules.Verdict, out: str, came_by: str) -> Packet:
        to, _, port = verdict.to.rpartition(":") if verdict.to.count(":") == 1 else (verdict.to, "", "")
        if not to:  # MASQUERADE, REDIRECT: the device's own address
            link = space.links.get(out or came_by)
            to = next(iter(self._site.addresses(space, link.index)), "") if link is not None else ""
        to = to.partition("-")[0]
        if verdict.target in ("SNAT", "MASQUERADE"):
            return msgspec.structs.replace(packet, source=to)
        new_port = packet.destination_port
        if port:
            first, _, rest = port.partition("-")
            base = rest.partition("/")[2]
            new_port = int(first) + (packet.destination_port - int(base) if base else 0)
        return msgspec.structs.replace(packet, destination=to, destination_port=new_port)

    def _hooks(
        self,
        trail: Trail,
        space: Space,
        packet: Packet,
        route: Found,
        hooks: tuple[str, str],
        *,
        in_device: str,
        first: Packet | None = None,
        seen: Seen | None = None,
    ) -> list[Way]:
        """``first`` and ``seen``: the packet as it came in, before PREROUTING, and conntrack's word on it."""
        link = self._site.link(space, route.index)
        if link is None:
            return [trail.end(Ends.FAILED, packet, f"{space.name} has no device with the number {route.index}")]
        began = first or packet
        if seen is None:
            seen = trail.state(space.name, packet)
            packet = seen.towards(packet)
        translated = packet.destination != began.destination
        for hook in hooks:
            if hook == "POSTROUTING" and packet != seen.leaving(packet):
                packet = seen.leaving(packet)
                trail = trail.on(_known(space, seen, packet))
            came_by = in_device if hook == "FORWARD" else ""
            look = rules.Look(packet, seen.state, in_device=came_by, out_device=link.name, translated=translated)
            trail, packet, dropped = self._verdicts(trail, space, hook, look)
            if dropped:
                return [trail.end(Ends.DROPPED, packet, dropped)]
            if packet.size_bytes > link.mtu_bytes:
                more = "the router answers 'fragmentation needed'" if hook == "FORWARD" else "it does not leave"
                step = Step("mtu", space.name, link.name, f"MTU {link.mtu_bytes}", more, self._site.owner_of_link(link))
                text = f"{packet.size_bytes} bytes are more than the MTU of {link.name}, {link.mtu_bytes}: {more}"
                return [trail.on(step).end(Ends.DROPPED, packet, text)]
        if seen.state == NEW:
            trail = trail.remembering([Connection(space.name, flow_of(began), flow_of(packet).back)])
        return self._to_neighbour(trail, space, link, packet, route.via or packet.destination)

    def _to_neighbour(self, trail: Trail, space: Space, link: Link, packet: Packet, hop: str) -> list[Way]:
        known = self._site.neighbour(space, hop, link.index)
        mac, how = known.mac_address, "known"
        if not mac:
            asked = {(item.place, item.address): item.mac_address for item in self._probe.neighbours}
            if (space.name, hop) in asked:
                mac, how = (
                    asked[space.name, hop],
                    "it answers ARP" if packet.version == 4 else "it answers neighbour discovery",
                )
                if mac == UNKNOWN_MAC:
                    how = "to be asked for outside"
                    if known.in_vain:
                        step = Step("neighbour", space.name, link.name, f"who has {hop}?", "the kernel asked in vain")
                        return [trail.on(step).end(Ends.DROPPED, packet, f"{hop} did not answer {_asking(packet)}")]
        if not mac:
            return self._ask(trail, space, link, packet, hop)
        text = f"{hop} is at {mac}" if mac != UNKNOWN_MAC else f"{hop} dev {link.name}"
        step = Step("neighbour", space.name, link.name, text, how)
        return self._emit(trail.on(step), space, link, addressed(packet, link.mac_address, mac))

    def _ask(self, trail: Trail, space: Space, link: Link, packet: Packet, hop: str) -> list[Way]:
        """ARP or neighbour discovery, first on this node."""
        source = next((item for item in self._site.addresses(space, link.index) if (":" in item) == (":" in hop)), "")
        question = question_for(source, hop, link.mac_address)
        ways = self._emit(Trail(), space, link, question)
        word = "ARP" if packet.version == 4 else "neighbour discovery"
        for way in ways:
            if way.ends is Ends.DELIVERED and way.packet.source == hop and way.place == space.name:
                text = f"{hop} is at {way.packet.mac_source}"
                step = Step("neighbour", space.name, link.name, text, f"{_answerer(way, word)}")
                found = addressed(packet, link.mac_address, way.packet.mac_source)
                return self._emit(trail.on(step), space, link, found)
        more = {"place": space.name, "device": link.name}
        if any(way.ends in (Ends.TUNNEL, Ends.PROVIDER) for way in ways):
            return [trail.end(Ends.RESOLVE, question, f"{hop} dev {link.name}", **more)]
        step = Step("neighbour", space.name, link.name, f"who has {hop}?", "nobody answers")
        return [trail.on(step).end(Ends.DROPPED, packet, f"{hop} does not answer {word}")]


def _known(space: Space, seen: Seen, packet: Packet) -> Step:
    text = f"established{', the way back' if seen.back else ''}: translated like the first packet"
    return Step("conntrack", space.name, "", text, packet=packet)


def _asking(packet: Packet) -> str:
    return "ARP" if packet.version == 4 else "neighbour discovery"


def _answerer(way: Way, word: str) -> str:
    for step in way.steps:
        if step.kind == "table" and "ARP_RESPONDER" in step.name and "IN_PORT" in step.effect:
            return f"answered by {step.place}, table {step.name}"
    return f"it answers {word}"
