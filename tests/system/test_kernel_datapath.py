"""The packet tests of ``tests/netns`` and of the labs once more, with the kernel's own Open vSwitch datapath.

This machine's kernel need not have it: a stock Debian kernel runs in an emulated machine, which boots once for all
tests of this file and runs them beside each other. ``docs/datapaths.md`` says which tests are left out, and why.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import kernelvm
import pytest

pytestmark = pytest.mark.timeout(1600)

_ROOT = Path(__file__).resolve().parents[2]
_TRACES = "tests/system/test_lab_trace.py::test"
_TESTS = (
    "tests/netns/test_agent_crash.py::test_restart_is_silent",
    "tests/netns/test_agent_drift.py::test_death_of_vswitchd_costs_what_passes_it",
    "tests/netns/test_security_two_nodes.py::test_a_remote_group_over_the_tunnel",
    f"{_TRACES}_what_arrives_is_seen_to[one node]",
    f"{_TRACES}_what_arrives_is_seen_to[two nodes]",
    f"{_TRACES}_what_arrives_is_seen_to[DHCP from another node]",
    f"{_TRACES}_what_arrives_is_seen_to[out with SNAT]",
    f"{_TRACES}_what_arrives_is_seen_to[out with a floating IP]",
    f"{_TRACES}_what_arrives_is_seen_to[in by a floating IP]",
    f"{_TRACES}_what_is_dropped_is_seen_no_further[a rule is missing]",
    f"{_TRACES}_a_fault_is_found_where_it_is[wrong VNI]",
    f"{_TRACES}_a_fault_is_found_where_it_is[missing flood entries]",
    "tests/netns/test_lab_capture.py::test_one_packet_at_all_points_of_its_way",
)
_PATIENCE = "25"
_LIMIT_S = 1500.0


@pytest.fixture(scope="module")
def outcomes() -> dict[str, dict[str, str]]:
    """What the tests came to in the virtual machine, by their names; '' is what the machine printed."""
    found: dict[str, dict[str, str]] = {}

    def on_line(line: str) -> None:
        if line.startswith("{"):
            one = json.loads(line)
            found[one["test"]] = one

    environment = {"NEBULA_TEST_DATAPATH": "system", "NEBULA_TEST_PATIENCE": _PATIENCE}
    argv = [sys.executable, "tests/system/kernelvm_tests.py", *_TESTS]
    try:
        kernelvm.check()
    except kernelvm.NoVirtualMachine as error:
        pytest.skip(f"the kernel's Open vSwitch datapath is NOT tested here: {error}")
    ended = kernelvm.run(argv, folder=_ROOT, environment=environment, limit_s=_LIMIT_S, on_line=on_line)
    assert ended.status == 0, ended.output[-3000:]
    seconds = ", ".join(f"{name.partition('::')[2]} {float(one['seconds']):.0f}" for name, one in found.items())
    print(f"kernel {ended.kernel}: boot {ended.boot_s:.0f} s, whole {ended.whole_s:.0f} s ({seconds})", file=sys.stderr)
    return {**found, "": {"text": ended.output[-3000:]}}


@pytest.mark.parametrize("test", _TESTS)
def test_packets_through_the_kernels_datapath(outcomes: dict[str, dict[str, str]], test: str) -> None:
    """The same test passes with ``datapath_type=system``."""
    assert test in outcomes, f"no outcome: {outcomes['']['text']}"
    assert outcomes[test]["outcome"] == "passed", outcomes[test]["text"]
