"""Security groups on one node: 1,000 rules over 500 ports, and one rule more. Needs root."""

from __future__ import annotations

from tests.bench import node
from tests.bench.figures import Figure


def figures() -> list[Figure]:
    """Compile, apply, and one changed rule until it is in force."""
    found = node.inside("tests.bench.firewall_inside")
    what = "1,000 rules in 50 groups over 500 ports"
    return [
        Figure(f"{what}: compile of the whole node", "ms", tuple(found["compile_ms"]), "300"),
        Figure(f"{what}: from none to all, view → pass done", "s", tuple(found["apply_s"]), "1"),
        Figure("one rule more for ten of the 500 ports: view → in force", "ms", tuple(found["change_ms"]), "100"),
        Figure(f"{what}: flows of br-int per port", "flows", tuple(found["flows_per_port"])),
    ]
