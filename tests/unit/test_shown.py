"""The list in docs/firewall.md of where each line is shown: its scenarios, tests and pages are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| (.+) \| (`[^|]+`) \| `(test_\w+\.py)` \|$", re.MULTILINE)
_RESTART = re.compile(r"\.changes\(|_restart_silently\(")


def test_every_line_has_its_scenario_packets_and_restart() -> None:
    """Each folder of tests/scenarios has golden flows, each test file sends packets and counts what a start writes."""
    text = (ROOT / "docs/firewall.md").read_text(encoding="utf-8")
    rows = _ROW.findall(text.partition("## Where each line is shown")[2])
    assert len(rows) == 18
    for line, scenarios, test in rows:
        for scenario in re.findall(r"`([\w-]+)`", scenarios):
            assert (ROOT / "tests/scenarios" / scenario / "flows.br-int.txt").exists(), line
        content = (ROOT / "tests/netns" / test).read_text(encoding="utf-8")
        assert "pytest.mark.sandbox" in content, line
        assert _RESTART.search(content) or test in _RESTARTED_ELSEWHERE, line
        for page in re.findall(r"\(([\w-]+\.md)\)", line):
            assert (ROOT / "docs" / page).exists(), line


_RESTARTED_ELSEWHERE = {
    "test_agent_snat.py": "test_floating_ips.py restarts with SNAT in place",
    "test_overlay.py": "test_security_two_nodes.py restarts with the tunnels in place",
    "test_security_floods.py": "kills eight times, and counts packets",
}
"""Tests whose line another test restarts with."""
