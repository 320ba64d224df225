"""One seed after the other on one cloud; where the oracle and the packets disagree, the smallest topology that does.

Effects: packets; prints.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence

from tests.reachability.change import changed
from tests.reachability.cloud import Cloud
from tests.reachability.compare import Comparison, Outcome
from tests.reachability.generate import topology
from tests.reachability.topology import Address, Topology
from tests.reachability.words import describe

PROBES = 120
"""Of each topology."""
STEPS, CALLS = 3, 4
"""Topologies of a seed, and the calls between one and the next."""
_SMALLEST_S = 240.0
"""How long to look for the smallest topology that still disagrees."""


class Runner:
    """Numbers probes through all topologies, so that no connection is another's."""

    def __init__(self) -> None:
        self.cloud = Cloud()
        self._number = 1
        self._used: set[Address] = set()

    def compare(self, wanted: Topology, rng: random.Random) -> Outcome:
        """Put a topology in force and ask everything."""
        self.cloud.show(wanted)
        outcome = Comparison(self.cloud, wanted).run(rng, self._number, PROBES, self._used)
        self._number += PROBES
        return outcome

    def seed(self, seed: int) -> Iterator[tuple[Topology, Topology, Outcome]]:
        """The topology of a seed, then what some calls make of it: what was in force before, what is now, what came of
        it."""
        before, wanted, self._used = Topology(), topology(seed), set()
        for step in range(STEPS):
            yield before, wanted, self.compare(wanted, random.Random(f"probes {seed} {step}"))
            before, wanted = wanted, changed(wanted, random.Random(f"calls {seed} {step}"), CALLS)

    def smallest(self, before: Topology, wanted: Topology, outcome: Outcome) -> tuple[Topology, Topology, Outcome]:
        """The smallest parts of two topologies, one in force before the other, of which the second still disagrees."""
        end = time.monotonic() + _SMALLEST_S
        smaller = True
        while smaller and time.monotonic() < end:
            smaller = False
            pairs = [(Topology(), wanted)] if before.networks else []
            for parts in (
                *pairs,
                *((before, part) for part in wanted.parts()),
                *((part, wanted) for part in before.parts()),
            ):
                if time.monotonic() > end or not all(part.whole() for part in parts):
                    continue
                self.cloud.show(parts[0])
                tried = self.compare(parts[1], random.Random(self._number))
                if tried.disagreements:
                    (before, wanted), outcome, smaller = parts, tried, True
                    break
        return before, wanted, outcome


def report(where: str, before: Topology, found: Topology, outcome: Outcome) -> str:
    """What a person needs to find the fault."""
    lines = [f"{where}: {len(outcome.disagreements)} of {outcome.asked} answers disagree, in this topology:"]
    lines += [f"  {line}" for line in describe(found)]
    if before.networks:
        old = list(describe(before))
        lines += [
            "which was before (where it differs):",
            *(f"  {line}" for line in old if line not in set(describe(found))),
        ]
    lines += [f"  {line}" for one in outcome.disagreements[:12] for line in str(one).splitlines()]
    return "\n".join(lines)


def run(seeds: Sequence[int], *, shrink: bool = True) -> int:
    """All seeds, a line each; how many disagreed."""
    began = time.monotonic()
    runner = Runner()
    print(f"three nodes are up after {time.monotonic() - began:.1f} s", flush=True)
    asked, arrived, again, seconds, failed = 0, 0, 0, 0.0, 0
    for seed in seeds:
        started = time.monotonic()
        outcomes: list[Outcome] = []
        for step, (before, found, outcome) in enumerate(runner.seed(seed)):
            outcomes.append(outcome)
            if outcome.disagreements:
                print(report(f"seed {seed}, step {step}", before, found, outcome), flush=True)
                if shrink:
                    print("looking for the smallest part of it ...", flush=True)
                    print(report(f"seed {seed}, step {step}", *runner.smallest(before, found, outcome)), flush=True)
                break
        words = (
            f"{sum(one.asked for one in outcomes)} questions, {sum(one.reached for one in outcomes)} packets arrived"
        )
        bad = any(one.disagreements for one in outcomes)
        print(f"seed {seed}: {words}, {time.monotonic() - started:.1f} s{', DISAGREES' if bad else ''}", flush=True)
        asked, arrived = asked + sum(one.asked for one in outcomes), arrived + sum(one.reached for one in outcomes)
        again += sum(one.again for one in outcomes)
        seconds, failed = seconds + sum(one.seconds for one in outcomes), failed + bad
    total = time.monotonic() - began
    print(f"{len(seeds)} seeds, {asked} questions, {arrived} packets arrived, {again} sent twice", flush=True)
    print(f"{failed} seeds disagree", flush=True)
    print(f"{total:.0f} s in all, {asked / max(seconds, 0.001):.0f} questions/s while asking")
    return failed
