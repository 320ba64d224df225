"""The packet tests of ``tests/netns`` once more, with the kernel's own Open vSwitch datapath.

This machine's kernel need not have it: a stock Debian kernel runs in an emulated machine, which boots once for all
tests of this file and runs two of them at a time. ``docs/datapaths.md`` says which tests are left out, and why.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import kernelvm
import pytest

pytestmark = pytest.mark.timeout(1000)

_ROOT = Path(__file__).resolve().parents[2]
_TESTS = (
    "test_agent_crash.py::test_restart_is_silent",
    "test_agent_two_nodes.py::test_ping_between_nodes_after_dhcp",
    "test_agent_snat.py::test_outside_sees_only_the_gateway",
    "test_agent_drift.py::test_death_of_vswitchd_costs_what_passes_it",
    "test_security_two_nodes.py::test_a_remote_group_over_the_tunnel",
    "test_trace_overlays.py::test_through_the_tunnel_and_back",
)
_PATIENCE = "25"
_LIMIT_S = 900.0


@pytest.fixture(scope="module")
def outcomes() -> dict[str, dict[str, str]]:
    """What the tests came to in the virtual machine, by their names."""
    found: dict[str, dict[str, str]] = {}

    def on_line(line: str) -> None:
        if line.startswith("{"):
            one = json.loads(line)
            found[one["test"].rpartition("/")[2]] = one

    environment = {"NEBULA_TEST_DATAPATH": "system", "NEBULA_TEST_PATIENCE": _PATIENCE}
    argv = [sys.executable, "tests/system/kernelvm_tests.py", *(f"tests/netns/{test}" for test in _TESTS)]
    try:
        kernelvm.check()
    except kernelvm.NoVirtualMachine as error:
        pytest.skip(f"the kernel's Open vSwitch datapath is NOT tested here: {error}")
    ended = kernelvm.run(argv, folder=_ROOT, environment=environment, limit_s=_LIMIT_S, on_line=on_line)
    assert ended.status == 0, ended.output[-3000:]
    seconds = ", ".join(f"{name.partition('::')[2]} {float(one['seconds']):.0f}" for name, one in found.items())
    print(f"kernel {ended.kernel}: boot {ended.boot_s:.0f} s, whole {ended.whole_s:.0f} s ({seconds})", file=sys.stderr)
    return found


@pytest.mark.parametrize("test", _TESTS)
def test_packets_through_the_kernels_datapath(outcomes: dict[str, dict[str, str]], test: str) -> None:
    """The same test passes with ``datapath_type=system``."""
    assert test in outcomes, f"no outcome; the others: {outcomes}"
    assert outcomes[test]["outcome"] == "passed", outcomes[test]["text"]
