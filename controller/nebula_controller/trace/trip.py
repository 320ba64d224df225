"""There and back: where a packet's journey begins, and where its answer's does. Effects: questions through Journey."""

from __future__ import annotations

import msgspec

from nebula.ids import Host
from nebula.model.snapshot import Snapshot
from nebula.trace.packet import UNKNOWN_MAC, Packet, answer_to
from nebula.trace.probe import Ends, Enters, Probe
from nebula_controller.trace import plan
from nebula_controller.trace.ends import End
from nebula_controller.trace.journey import OUTSIDE, Course, Journey, Leg


class Trip:
    """Of one packet."""

    def __init__(self, snapshot: Snapshot, journey: Journey, chosen: plan.Plan) -> None:
        self._snapshot = snapshot
        self._journey = journey
        self._chosen = chosen

    async def there(self) -> Course:
        """From its port; or from outside, to whoever on the segment answers for the address."""
        chosen, journey = self._chosen, self._journey
        if chosen.port is not None:
            return await journey.travel(chosen.port.host, Probe(Enters.INSIDE, chosen.packet, port=chosen.port.id))
        network = chosen.segment
        assert network is not None
        segment, hosts = network.physical_network or "", plan.hosts(self._snapshot, network)
        asked = plan.question(chosen.packet.source, chosen.hop)
        answer = await journey.from_segment(segment, hosts, asked)
        if not answer.packet.answer:
            is_known = answer.ends is not Ends.FAILED
            text = f"nobody on {network.name} answers for {chosen.hop}" if is_known else answer.text
            nowhere = (Leg(Host(OUTSIDE), ()),)
            return Course(nowhere, Ends.DROPPED if is_known else Ends.FAILED, text, Host(OUTSIDE), chosen.packet)
        mac = answer.packet.mac_source
        packet = msgspec.structs.replace(chosen.packet, mac_source=UNKNOWN_MAC, mac_destination=mac)
        return await journey.from_segment(segment, hosts, packet)

    async def back(self, there: Course) -> Course | None:
        """From where the packet arrived; None for what nobody answers."""
        packet, journey = there.packet, self._journey
        answer = packet if packet.is_dhcp and packet.answer else answer_to(packet)
        if answer is None:
            return None
        if there.outside:
            hosts = journey.on_segment(there.device)
            found = await journey.from_segment(there.device, hosts, _turned(answer, packet))
        elif there.place:
            probe = Probe(Enters.INSIDE, answer, place=there.place, device=there.device)
            found = await journey.travel(there.host, probe)
        else:
            probe = Probe(Enters.INSIDE, _turned(answer, packet), port=self._port_with(packet.mac_destination, there))
            found = await journey.travel(there.host, probe)
        return _as_an_answer(found, self._chosen.packet)

    def _port_with(self, mac_address: str, there: Course) -> str:
        rows = (self._snapshot.ports[key] for key in sorted(self._snapshot.ports_of_host(there.host)))
        return next((row.id for row in rows if row.mac_address.lower() == mac_address), "")


def where_meant(goal: End, there: Course) -> Course:
    """The course; dropped, for who asked, where somebody else took the packet than the port that it was for."""
    if there.ends is not Ends.DELIVERED or there.packet.answer or not goal.ports:
        return there
    devices = [step.owner for leg in there.legs for step in leg.steps if step.kind == "device" and step.owner]
    if not there.outside and (not devices or devices[-1].id in {port.id for port in goal.ports}):
        return there
    text = f"{there.place or 'somebody outside'} takes it, and not {goal.words}"
    return msgspec.structs.replace(there, ends=Ends.DROPPED, text=text)


def sent(packet: Packet, there: Course) -> Packet:
    """The packet with the hardware addresses that it is predicted to begin with, where it comes so far."""
    steps = (step for leg in there.legs for step in leg.steps)
    first = next((step.packet for step in steps if step.packet is not None), packet)
    return msgspec.structs.replace(packet, mac_source=first.mac_source, mac_destination=first.mac_destination)


def _turned(answer: Packet, question: Packet) -> Packet:
    """The answer goes back to the hardware address that the question came from."""
    source = question.mac_destination or UNKNOWN_MAC
    return msgspec.structs.replace(answer, mac_source=source, mac_destination=question.mac_source)


def _as_an_answer(back: Course, question: Packet) -> Course:
    """Who asked takes it as an answer only from whom was asked."""
    if back.ends is Ends.DELIVERED and not question.is_dhcp and back.packet.source != question.destination:
        text = f"the answer comes from {back.packet.source}, but {question.destination} was asked"
        return msgspec.structs.replace(back, ends=Ends.DROPPED, text=text)
    return back
