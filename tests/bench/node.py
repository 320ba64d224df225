"""One node with many ports, beside the same kernel objects made by hand. Needs root.

Everything happens in private namespaces (network, mount, PID), so nothing of it is seen outside.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.bench.figures import Figure

ROOT = Path(__file__).resolve().parents[2]


def inside(module: str, *arguments: str) -> dict[str, Any]:
    """Run a module in namespaces of its own; its figures by name."""
    argv = ["unshare", "-n", "-m", "-p", "-u", "-i", "--fork", "--kill-child", "--mount-proc", sys.executable, "-m"]
    argv += [module, *arguments]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{argv[9:]}: exit {done.returncode}\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def measure(ports: int, *, restart: bool) -> dict[str, float]:
    """So many ports by hand and by the agent."""
    return inside("tests.bench.node_inside", str(ports), "restart" if restart else "once")


def figures() -> list[Figure]:
    """200 ports beside the floor (three runs), 1,000 ports beside 200, a restart, memory."""
    runs = [measure(200, restart=number == 0) for number in range(3)]
    large = measure(1000, restart=False)

    idle = inside("tests.bench.node_idle", "200", "130")

    def samples(name: str) -> tuple[float, ...]:
        return tuple(run[name] for run in runs if name in run)

    ratios = tuple(run["agent_s"] / run["floor_s"] for run in runs)
    per_port = (large["agent_s"] / 1000) / (sorted(samples("agent_s"))[1] / 200)
    return [
        Figure("200 ports by hand (ip -batch, one ovs-vsctl, one ovs-ofctl): the floor", "s", samples("floor_s")),
        Figure("200 ports by the agent, first view → pass done", "s", samples("agent_s")),
        Figure("200 ports: agent / floor", "ratio", ratios, "3"),
        Figure("1,000 ports by hand", "s", (large["floor_s"],)),
        Figure("1,000 ports by the agent", "s", (large["agent_s"],)),
        Figure("cost of a port among 1,000 / among 200", "ratio", (per_port,), "1.3"),
        Figure("flows per local port (br-int and br-tun)", "flows", samples("flows_per_port"), "12", "59"),
        Figure("one more port with 200 on the node: view → pass done", "ms", samples("one_more_ms")),
        Figure("agent restart with 200 ports: in sync after", "s", samples("restart_s"), "2", "30 with 50 ports"),
        Figure("agent restart: changes", "n", samples("restart_changes"), "0"),
        Figure("agent restart: lost of 100 pings/s", "pings", samples("restart_lost"), "0", "hundreds"),
        Figure("agent idle with 200 ports, scraped: of one core", "%", (idle["idle_percent"],), "1"),
        Figure("agent idle with 200 ports, scraped: memory (PSS)", "MiB", (idle["idle_mib"],), "50"),
        Figure("agent's memory with 200 ports (PSS)", "MiB", samples("agent_mib"), "50"),
        Figure("agent's memory with 1,000 ports (PSS)", "MiB", (large["agent_mib"],)),
    ]
