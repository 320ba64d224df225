"""Figures: samples with a goal, printed as one table. Nothing here passes or fails on a time."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """One line: ``samples`` in ``unit``; ``goal`` and ``openstack`` (a real Zed on such a machine) as text."""

    name: str
    unit: str
    samples: tuple[float, ...]
    goal: str = ""
    openstack: str = ""


def quantile(samples: Sequence[float], share: float) -> float:
    """The sample below which ``share`` of all lie (nearest rank)."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def quantiles(name: str, times: Sequence[float], goal: str = "", openstack: str = "") -> list[Figure]:
    """The median, and what one of a hundred takes, in milliseconds."""
    return [
        Figure(f"{name}, p50", "ms", (quantile(times, 0.5),), goal, openstack),
        Figure(f"{name}, p99", "ms", (quantile(times, 0.99),)),
    ]


def machine() -> str:
    """Kernel, cores, memory and the versions that matter, in one paragraph."""

    def first_line(*argv: str) -> str:
        try:
            done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
        except OSError:
            return f"{argv[0]} missing"
        return (done.stdout or done.stderr).splitlines()[0].strip()

    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, {memory_gib:.0f} GiB, load "
        f"{os.getloadavg()[0]:.1f}; Python {platform.python_version()}; {first_line('ovs-vswitchd', '--version')}; "
        f"{first_line('dnsmasq', '--version').split('  ')[0]}; {first_line('iptables', '--version')}"
    )


def pss_mib(pid: int) -> float:
    """Proportional set size of a process in MiB (``smaps_rollup`` of proc(5))."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def table(figures: Sequence[Figure]) -> str:
    """A Markdown table with minimum, median and maximum."""
    lines = [
        "| figure | unit | n | minimum | median | maximum | goal | OpenStack |",
        "|---|---|--:|--:|--:|--:|---|---|",
    ]
    for figure in figures:
        if not figure.samples:
            lines.append(
                f"| {figure.name} | {figure.unit} | 0 | - | not measured | - | {figure.goal} | {figure.openstack} |"
            )
            continue
        low, middle, high = min(figure.samples), statistics.median(figure.samples), max(figure.samples)
        lines.append(
            f"| {figure.name} | {figure.unit} | {len(figure.samples)} | {low:.4g} | {middle:.4g} | {high:.4g} "
            f"| {figure.goal} | {figure.openstack} |"
        )
    return "\n".join(lines)
