"""Metrics in the text format of Prometheus (version 0.0.4).

Effects: numbers in memory, /proc/self. Not the library prometheus-client: importing it costs 0.2 s and 5.4 MiB in every
agent, a quarter of what one takes.
"""

from __future__ import annotations

import bisect
import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

_NAME = re.compile(r"[a-z][a-z0-9_]*")

Labels = tuple[str, ...]


class Family:
    """A metric with all its label values. ``labels`` are names; methods take as many values, in their order."""

    kind = ""

    def __init__(self, name: str, text: str, labels: Sequence[str] = ()) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name} is not the name of a metric")
        self.name = name
        self.text = text
        self.labels = tuple(labels)
        self._lock = threading.Lock()
        self._values: dict[Labels, float] = {}

    def lines(self) -> Iterator[str]:
        """As Prometheus reads them: help, type, samples."""
        yield f"# HELP {self.name} {self.text}"
        yield f"# TYPE {self.name} {self.kind}"
        with self._lock:
            found = sorted(self._values.items())
        for values, number in found:
            yield f"{self.name}{self._labelled(values)} {_number(number)}"

    def _labelled(self, values: Labels, **more: str) -> str:
        pairs = [*zip(self.labels, values, strict=True), *more.items()]
        return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs) + "}" if pairs else ""


class Counter(Family):
    """It only grows, from 0 at the program's start."""

    kind = "counter"

    def add(self, *values: str, amount: float = 1) -> None:
        with self._lock:
            self._values[values] = self._values.get(values, 0) + amount


class Gauge(Family):
    """It is as it is."""

    kind = "gauge"

    def set(self, number: float, *values: str) -> None:
        with self._lock:
            self._values[values] = number

    def replace(self, numbers: Mapping[Labels, float]) -> None:
        """All of them: what is not among ``numbers`` is gone."""
        with self._lock:
            self._values = dict(numbers)


class Histogram(Family):
    """Seconds, counted by the bounds that they stay below."""

    kind = "histogram"

    def __init__(self, name: str, text: str, labels: Sequence[str] = (), *, bounds_s: Sequence[float]) -> None:
        super().__init__(name, text, labels)
        self._bounds_s = tuple(bounds_s)
        self._counts: dict[Labels, list[int]] = {}

    def observe(self, seconds: float, *values: str) -> None:
        with self._lock:
            counts = self._counts.get(values)
            if counts is None:
                counts = self._counts[values] = [0] * (len(self._bounds_s) + 1)
            counts[bisect.bisect_left(self._bounds_s, seconds)] += 1
            self._values[values] = self._values.get(values, 0) + seconds

    def lines(self) -> Iterator[str]:
        yield f"# HELP {self.name} {self.text}"
        yield f"# TYPE {self.name} histogram"
        with self._lock:
            found = sorted((values, list(counts), self._values[values]) for values, counts in self._counts.items())
        for values, counts, total in found:
            below = 0
            for bound, count in zip((*(_number(bound) for bound in self._bounds_s), "+Inf"), counts, strict=True):
                below += count
                yield f"{self.name}_bucket{self._labelled(values, le=bound)} {below}"
            yield f"{self.name}_sum{self._labelled(values)} {_number(total)}"
            yield f"{self.name}_count{self._labelled(values)} {below}"


class ProcessMetrics:
    """What Prometheus expects of every process, under the usual names."""

    def __init__(self) -> None:
        self.families: tuple[Family, ...] = (
            cpu := Counter("process_cpu_seconds_total", "User and system time spent."),
            memory := Gauge("process_resident_memory_bytes", "Resident memory."),
            files := Gauge("process_open_fds", "Open file descriptors."),
            started := Gauge("process_start_time_seconds", "Start, in seconds since the epoch."),
        )
        self._cpu, self._memory, self._files, self._started = cpu, memory, files, started

    def look(self) -> None:
        """Read /proc/self."""
        ticks = os.sysconf("SC_CLK_TCK")
        stat = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime"))
        self._cpu._values[()] = (int(stat[11]) + int(stat[12])) / ticks
        self._memory.set(int(stat[21]) * os.sysconf("SC_PAGE_SIZE"))
        self._files.set(len(os.listdir("/proc/self/fd")))  # noqa: PTH208
        self._started.set(int(boot.split()[1]) + int(stat[19]) / ticks)


def exposition(families: Iterable[Family]) -> bytes:
    """The whole answer."""
    return ("\n".join(line for family in families for line in family.lines()) + "\n").encode()


def _number(number: float) -> str:
    return str(int(number)) if number == int(number) and abs(number) < 2**53 else repr(float(number))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
