"""OpenFlow tables of a bridge through ``ovs-ofctl``: dump, and bundles that change all or nothing.

Effects: runs ``ovs-ofctl`` against the bridge's management socket. Text in, text out: meaning is elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from nebula.ids import COOKIE_MARK
from nebula_agent.edge.run import run

_OVS_OFCTL = ("ovs-ofctl", "-O", "OpenFlow14", "--names")
_OURS = f"cookie={COOKIE_MARK << 56:#x}/{0xFF << 56:#x}"


def dump_flows(run_folder: Path, bridge: str) -> str:
    """Flows with our mark in their cookie, with names of ports and tables, no counters. Raises CommandFailed."""
    return run([*_OVS_OFCTL, "--no-stats", "dump-flows", _target(run_folder, bridge), _OURS])


def bundle(run_folder: Path, bridge: str, lines: Iterable[str]) -> None:
    """Carry out ``add ...`` and ``delete_strict ...`` lines as one atomic bundle. Raises CommandFailed."""
    run([*_OVS_OFCTL, "--bundle", "add-flows", _target(run_folder, bridge), "-"], stdin="\n".join(lines) + "\n")


def _target(run_folder: Path, bridge: str) -> str:
    return f"unix:{run_folder / bridge}.mgmt"
