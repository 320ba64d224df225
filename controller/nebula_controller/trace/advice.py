"""What would let a packet through that was dropped: by whom, and with which call. Pure.

Only what follows from where it was dropped; for what is missing or wrong on a node the audit knows better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from nebula.ids import Owner, OwnerKind, SecurityGroupId
from nebula.model.port import ROUTER_GATEWAY
from nebula.model.snapshot import PortRow, Snapshot
from nebula.trace.ofproto import NO_MATCH
from nebula.trace.packet import Packet
from nebula.trace.probe import Step
from nebula_controller.trace.journey import Course

Named = Callable[[Owner], str]


_OF_RECEIVER = ("BASE_INGRESS", "RULES_INGRESS")
_OF_SENDER = ("ARP_SPOOF", "MAC_SPOOF", "TRANSIENT", "BASE_EGRESS", "RULES_EGRESS")


class Advice(msgspec.Struct, frozen=True):
    """``text`` for people; ``command`` that would do it, '' where there is none."""

    text: str
    command: str = ""


class Dropped(msgspec.Struct, frozen=True):
    """Where the packet ended, as far as the advice needs it. ``table`` is the last table but DROPPED_TRAFFIC."""

    step: Step | None
    table: str
    packet: Packet
    text: str
    host: str

    def why(self) -> str:
        """One line; of a table, its flow."""
        if self.text or self.step is None:
            return self.text
        where = f"{self.step.place} {self.step.name}".strip()
        said_of_none = self.step.text in ("all else", NO_MATCH)
        if self.table and self.step.name.endswith(("DROPPED_TRAFFIC", self.table)) and said_of_none:
            return f"no flow of table {self.table} on {self.step.place} lets it through"
        return f"{where}: {self.step.text}"

    def owner(self, snapshot: Snapshot) -> Owner | None:
        """Whose the rule is: of a flow that is the same for all ports, the port's that it stood for."""
        found = self.step.owner if self.step is not None and self.step.kind != "device" else None
        if self.table and (found is None or found.kind is OwnerKind.NODE):
            sender, receiver = sender_and_receiver(snapshot, self.packet)
            port = receiver if self.table in _OF_RECEIVER else sender if self.table in _OF_SENDER else None
            found = Owner(OwnerKind.PORT, port.id) if port is not None else found
        return found


def dropped(course: Course) -> Dropped:
    """Of a course that ended so."""
    steps = [step for leg in course.legs for step in leg.steps]
    last = steps[-1] if steps else None
    tables = [step.name.partition(" ")[2] for step in steps if step.kind == "table"]
    table = next((name for name in reversed(tables) if name != "DROPPED_TRAFFIC"), "")
    if last is None or last.kind != "table":
        table = ""
    return Dropped(last, table, course.packet, course.text, course.host)


def sender_and_receiver(snapshot: Snapshot, packet: Packet) -> tuple[PortRow | None, PortRow | None]:
    """The ports with the packet's hardware addresses, as they were in the network where it was dropped."""
    rows = list(snapshot.ports.values())
    sender = next((port for port in rows if port.host and port.mac_address.lower() == packet.mac_source), None)
    receivers = [port for port in rows if port.host and port.mac_address.lower() == packet.mac_destination]
    if sender is not None:
        receivers.sort(key=lambda port: port.network_id != sender.network_id)
    return sender, receivers[0] if receivers else None


def advise(snapshot: Snapshot, found: Dropped, named: Named) -> list[Advice]:
    """In order of use; at least one."""
    sender, receiver = sender_and_receiver(snapshot, found.packet)
    makers: Mapping[str, Callable[[], Iterator[Advice]]] = {
        "RULES_INGRESS": lambda: _rule(receiver, found.packet, "ingress", named),
        "RULES_EGRESS": lambda: _rule(sender, found.packet, "egress", named),
        "BASE_EGRESS": lambda: _address(sender, found.packet, named),
        "MAC_SPOOF": lambda: _disabled(snapshot, sender, found.packet, named),
        "ARP_SPOOF": lambda: _address(sender, found.packet, named),
        "TRANSIENT": lambda: _disabled(snapshot, sender, found.packet, named),
        "UCAST_TO_TUN": lambda: _nowhere(snapshot, receiver, named),
        "ACCEPTED_EGRESS": lambda: _nowhere(snapshot, receiver, named),
    }
    advice = list(makers[found.table]()) if found.table in makers else list(_elsewhere(found))
    if found.table not in ("RULES_INGRESS", "RULES_EGRESS"):
        command = f"nebulactl audit --node {found.host}" if found.host else "nebulactl audit"
        advice.append(Advice("whether the node has all that it shall have", command))
    return advice


def _rule(port: PortRow | None, packet: Packet, direction: str, named: Named) -> Iterator[Advice]:
    if port is None:
        return
    remote = packet.source if direction == "ingress" else packet.destination
    bits = 128 if ":" in remote else 32
    protocol = "icmpv6" if packet.protocol == "icmp6" else packet.protocol
    ports = f" {packet.destination_port}" if packet.protocol in ("tcp", "udp") else ""
    flags = f"--{direction} --protocol {protocol}" + (f" --dst-port {packet.destination_port}" if ports else "")
    flags += (" --ethertype IPv6" if bits == 128 else "") + f" --remote-ip {remote}/{bits}"
    whose = named(Owner(OwnerKind.PORT, port.id))
    if not port.security_groups:
        yield Advice(f"a security group: {whose} has none, so it sends and gets nothing but ARP and DHCP")
    for group in sorted(port.security_groups):
        group_name = named(Owner(OwnerKind.SECURITY_GROUP, SecurityGroupId(group)))
        way = "from" if direction == "ingress" else "to"
        yield Advice(
            f"a rule of {group_name}, which {whose} has: {direction} {protocol}{ports} {way} {remote}/{bits}",
            f"nebulactl security group rule create {group} {flags}",
        )


def _address(port: PortRow | None, packet: Packet, named: Named) -> Iterator[Advice]:
    if port is not None and port.device_owner == ROUTER_GATEWAY:
        yield Advice(
            f"the router's SNAT rule: its gateway lets out what bears its own addresses, and {packet.source} is none"
        )
    if port is not None and port.port_security_enabled:
        whose = named(Owner(OwnerKind.PORT, port.id))
        yield Advice(
            f"an allowed address pair: {packet.source} is none of the addresses of {whose}",
            f"nebulactl port set {port.id} --allowed-address ip-address={packet.source}",
        )


def _disabled(snapshot: Snapshot, port: PortRow | None, packet: Packet, named: Named) -> Iterator[Advice]:
    if port is None:
        yield Advice(f"a port that may send from {packet.mac_source}: no port has it, nor as an allowed address pair")
        return
    whose = named(Owner(OwnerKind.PORT, port.id))
    network = snapshot.networks.get(port.network_id)
    if not port.admin_state_up:
        yield Advice(f"{whose} is disabled", f"nebulactl port set {port.id} --enable")
    if network is not None and not network.admin_state_up:
        name = named(Owner(OwnerKind.NETWORK, network.id))
        yield Advice(f"{name} is disabled", f"nebulactl network set {network.id} --enable")


def _nowhere(snapshot: Snapshot, port: PortRow | None, named: Named) -> Iterator[Advice]:
    if port is None:
        yield Advice("a port with this hardware address: the network has none that is on a node")
        return
    yield from _disabled(snapshot, port, Packet("", "", ""), named)


def _elsewhere(found: Dropped) -> Iterator[Advice]:
    step = found.step
    if step is None:
        return
    if (
        step.kind == "rule"
        and step.owner is not None
        and step.owner.kind is OwnerKind.ROUTER
        and "! --ctstate" in step.text
    ):
        yield Advice(
            "a floating IP or a port forwarding: through a gateway with SNAT nothing new comes in without",
            "nebulactl floating ip create NETWORK --port PORT",
        )
    elif step.kind == "rule" and step.owner is None:
        yield Advice(f"a rule that is not Nebula's drops it: {step.text}")
    elif step.kind == "route" and step.owner is not None and step.owner.kind is OwnerKind.ROUTER:
        yield Advice(
            f"a way to {found.packet.destination}: an external gateway, or a route of the router",
            f"nebulactl router set {step.owner.id} --external-gateway NETWORK",
        )
    elif step.kind == "route":
        yield Advice("a default route: a gateway_ip of its subnet, told by DHCP")
    elif step.kind == "mtu":
        yield Advice("a smaller packet, or a larger MTU of the network and of the underlay")
    elif step.kind == "neighbour":
        yield Advice("somebody who has the address that is asked for, on this network, and answers")
    elif step.kind == "process" and step.name == "dnsmasq":
        yield Advice("dnsmasq running, with the port's address in its hosts file: the agent sees to both")
