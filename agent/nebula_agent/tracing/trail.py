"""A packet on its way through this node: what it has met so far, and what conntrack knows by now. Pure records."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from nebula.trace import rules
from nebula.trace.packet import Connection, Flow, Packet, flow_of
from nebula.trace.probe import Ends, Step, Way

NEW, ESTABLISHED, INVALID = "NEW", "ESTABLISHED", "INVALID"
MOST_STEPS = 400
"""A packet that meets more goes round in circles."""


class Seen(msgspec.Struct, frozen=True):
    """What conntrack knows of a packet: its word, whether it is of the way back, and how it is to look afterwards."""

    state: str
    back: bool = False
    afterwards: Flow | None = None

    def towards(self, packet: Packet) -> Packet:
        """Before it is routed: with the destination of a known connection's translation."""
        if self.afterwards is None:
            return packet
        flow = self.afterwards
        return msgspec.structs.replace(
            packet, destination=flow.destination, destination_port=flow.destination_port
        )  # fmt: skip

    def leaving(self, packet: Packet) -> Packet:
        """Before it leaves: with the source too."""
        if self.afterwards is None:
            return packet
        return msgspec.structs.replace(packet, source=self.afterwards.source, source_port=self.afterwards.source_port)


class Trail(msgspec.Struct, frozen=True):
    """Frozen, so that a copied packet may go on in several directions from one trail."""

    steps: tuple[Step, ...] = ()
    connections: tuple[Connection, ...] = ()

    def on(self, *steps: Step) -> Trail:
        """With more steps."""
        return Trail((*self.steps, *steps), self.connections)

    def remembering(self, connections: Iterable[Connection]) -> Trail:
        """With more connections, each once."""
        known = dict.fromkeys((*self.connections, *connections))
        return Trail(self.steps, tuple(known))

    def end(self, ends: Ends, packet: Packet, text: str = "", **more: object) -> Way:
        """The way that ends here."""
        return Way(self.steps, ends, packet, text, connections=self.connections, **more)  # type: ignore[arg-type]

    @property
    def endless(self) -> bool:
        return len(self.steps) > MOST_STEPS

    def state(self, place: str, packet: Packet) -> Seen:
        """Conntrack's word at ``place``.

        An answer to what conntrack has not seen is INVALID where the protocol tells (TCP's SYN with ACK, echo replies).
        """
        flow = flow_of(packet)
        for known in self.connections:
            if known.place == place and flow in (known.there, known.back):
                back = flow == known.back and flow != known.there
                return Seen(ESTABLISHED, back, known.there.back if back else known.back.back)
        invalid = packet.answer and packet.protocol in ("tcp", "icmp", "icmp6")
        return Seen(INVALID if invalid else NEW)


def rule_step(place: str, verdict: rules.Verdict) -> Step:
    """What iptables said."""
    target = verdict.target + (f" {verdict.to}" if verdict.to else "")
    text = verdict.rule.text if verdict.rule is not None else f"-P {verdict.chain} {verdict.target}"
    if verdict.unknown:
        text += f" ({len(verdict.unknown)} rules before it were not judged: {'; '.join(verdict.unknown)})"
    owner = verdict.rule.owner if verdict.rule is not None else None
    return Step("rule", place, f"{verdict.table} {verdict.chain}", text, target, owner=owner)
