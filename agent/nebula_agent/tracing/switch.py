"""A packet through the bridges of Open vSwitch: ``ofproto/trace`` of the real switch, read as steps.

Effects: asks ovs-vswitchd. What conntrack would say is not known to the switch before the packet comes; it is told
(``--ct-next``) what this trace's own packets have made of it: new, established, or the way back.
"""

from __future__ import annotations

import msgspec

from nebula.compile.pipeline.tables import table_names
from nebula.trace import actions, ofproto
from nebula.trace.packet import Connection, Packet, flow_of
from nebula.trace.probe import Step
from nebula_agent.tracing.site import Site
from nebula_agent.tracing.trail import ESTABLISHED, INVALID, Seen, Trail

_ATTEMPTS = 4
_NEW = "trk,new"
"""What the command takes where it is not told."""
_WORDS = {ESTABLISHED: "trk,est", INVALID: "trk,inv"}


class Result(msgspec.Struct, frozen=True):
    """One output with the steps that lead to it; no output: nothing comes out."""

    trail: Trail
    output: actions.Output | None
    remark: str = ""


def through(site: Site, trail: Trail, bridge: str, device: str, packet: Packet, **tunnel: str) -> list[Result]:
    """What comes out of the bridges. Raises CommandFailed."""
    flow = ofproto.flow_text(packet, device, **tunnel)
    guesses: list[str] = []
    for _attempt in range(_ATTEMPTS):
        options = [word for guess in guesses for word in ("--ct-next", guess)]
        reading = _Reading(site, trail, packet, ofproto.stages(site.ofproto_trace(*options, bridge, flow)))
        if (guesses + [_NEW] * len(reading.states))[: len(reading.states)] == reading.states:
            break
        guesses = reading.states
    return reading.results


class _Reading:
    """One run of the command. ``states`` are what conntrack would say at each recirculation, in order."""

    def __init__(self, site: Site, trail: Trail, packet: Packet, stages: list[ofproto.Stage]) -> None:
        self._site = site
        self._stages = {stage.recirculation: stage for stage in stages}
        self.states: list[str] = []
        self.results: list[Result] = []
        pending = [("", "", trail, packet)]
        while pending:
            identity, bridge, before, now = pending.pop(0)
            stage = self._stages.pop(identity, None)
            if stage is not None:
                for entry in stage.entries:
                    entry.bridge = entry.bridge or bridge
                pending += self._stage(stage, before, now)

    def _stage(self, stage: ofproto.Stage, trail: Trail, packet: Packet) -> list[tuple[str, str, Trail, Packet]]:
        """Takes in a stage; returns those that follow: id, bridge, and what leads there."""
        done = actions.read(stage.datapath_actions, packet)
        commits = [
            Connection(f"zone {item.zone}", flow_of(item.packet), flow_of(item.packet).back)
            for item in done
            if isinstance(item, actions.Tracked) and item.commit
        ]
        trail = trail.remembering(commits)
        tracking, outputs_by = stage.tracking(), stage.outputs()
        following: list[tuple[str, str, Trail, Packet]] = []
        outputs = 0
        for item in done:
            if isinstance(item, actions.Output):
                outputs += 1
                steps = self._steps(stage.way_to(outputs_by.get(item.port, -1)))
                self.results.append(Result(trail.on(*steps), item))
            elif item.recirculation:
                outputs += 1
                index = tracking.pop(0) if tracking else -1
                seen = trail.state(f"zone {item.zone}", item.packet)
                self.states.append(_WORDS.get(seen.state, _NEW) + (",rpl" if seen.back else ""))
                steps = (*self._steps(stage.way_to(index)), _conntrack(item.zone, seen))
                bridge = stage.entries[index].bridge if stage.entries else ""
                following.append((item.recirculation, bridge, trail.on(*steps), item.packet))
        if not outputs:
            entries = stage.way_to(-1)
            remarks = [line for entry in entries for line in entry.actions if line.startswith(">>")]
            self.results.append(Result(trail.on(*self._steps(entries)), None, " ".join(remarks)))
        return following

    def _steps(self, entries: list[ofproto.Entry]) -> tuple[Step, ...]:
        return tuple(self._step(entry) for entry in entries)

    def _step(self, entry: ofproto.Entry) -> Step:
        name = table_names(entry.bridge).get(entry.table, "")
        match = f"priority={entry.priority}" + (f",{entry.match}" if entry.match else "")
        whole = f"table={entry.table},{match}" if entry.match != ofproto.NO_MATCH else ""
        said = [line for line in entry.actions if not line.startswith(("->", ">>", "Resuming"))]
        return Step(
            kind="table",
            place=entry.bridge,
            name=f"{entry.table} {name}".strip(),
            text=entry.match or "all else",
            effect=",".join(word for word in said if word != "drop") or "drop",
            owner=self._site.owner_of_cookie(entry.cookie),
            match=whole,
            cookie=entry.cookie,
            table=entry.table,
        )


def _conntrack(zone: int, seen: Seen) -> Step:
    words = {ESTABLISHED: "established", INVALID: "invalid: an answer to nothing that it has seen"}
    text = words.get(seen.state, "new: not seen before") + (", the way back" if seen.back else "")
    return Step("conntrack", "", f"zone {zone}", text)
