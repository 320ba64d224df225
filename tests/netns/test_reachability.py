"""Who reaches whom in random topologies, and after random calls: the oracle's word and the packets agree.

``make test-reachability`` tries hundreds; see ``docs/reachability.md``.
"""

from __future__ import annotations

import pytest
from agent_node import DATAPATH

from tests.reachability.run import Runner, report

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(DATAPATH == "system", reason="the stations' devices are made for the userspace datapath"),
]


@pytest.mark.parametrize("first", [1, 3, 5, 7, 9, 11])
def test_packets_agree_with_the_oracle(first: int) -> None:
    """Two seeds, each a topology and what two times four calls make of it."""
    runner = Runner()
    for seed in range(first, first + 2):
        for step, (before, found, outcome) in enumerate(runner.seed(seed)):
            assert not outcome.disagreements, report(f"seed {seed}, step {step}", before, found, outcome)
            assert outcome.asked > 0
