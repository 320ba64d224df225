"""A stream of numbered packets through a fault: which were lost, and when they were sent.

Effects: runs ping(8). It prints each answer with the time at which it came (``-D``), and each number that had no answer
when the next was sent (``-O``).
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.netns.agent_node import eventually

EVERY_S = 0.05


def ping(prefix: str, address: str) -> str:
    """The shell line that sends, and prints its process number first; ``prefix`` enters the place to send from."""
    return f"echo $$; exec {prefix} ping -n -O -D -i {EVERY_S} -W 1 {address}"


def now() -> float:
    """The clock by which the packets are noted."""
    return time.time()


@dataclass
class Stream:
    """What became of the packets; ``lost`` has the number of each that nobody answered, and when it was sent."""

    _file: int
    pid: str = ""
    sent: int = 0
    lost: dict[int, float] = field(default_factory=dict)

    @classmethod
    @contextlib.contextmanager
    def running(cls, argv: list[str], stop: Callable[[str], list[str]]) -> Iterator[Stream]:
        """Packets for the time of the block, from before its begin to after its end.

        ``argv`` runs a line of :func:`ping`; ``stop`` makes the command line that interrupts it of the number that it
        printed.
        """
        with tempfile.TemporaryFile() as output:
            running = subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT)
            stream = cls(output.fileno())
            try:
                eventually(lambda: stream.look() > 3, f"packets of {argv[-1]}")
                yield stream
                sent = stream.look()
                eventually(lambda: stream.look() > sent + 1, f"the last packets of {argv[-1]}")
            finally:
                subprocess.run(stop(stream.pid), check=False, timeout=20)
                running.wait(10)
                stream.look()

    def look(self) -> int:
        """Read what was printed so far; the number of the last packet that was answered."""
        text = os.pread(self._file, 1 << 24, 0).decode(errors="replace")
        self.pid = text.partition("\n")[0]
        answered = {int(number) for number in re.findall(r"bytes from .* icmp_seq=(\d+) ", text)}
        late = re.findall(r"\[([\d.]+)\] no answer yet for icmp_seq=(\d+)", text)
        self.sent = max(answered, default=0)
        self.lost = {
            int(number): float(at) - EVERY_S
            for at, number in late
            if int(number) not in answered and int(number) < self.sent
        }
        return self.sent

    def lost_outside(self, began: float, ended: float) -> list[int]:
        """Those lost that were sent before the fault began or after it ended."""
        return [number for number, at in self.lost.items() if not began - 2 * EVERY_S <= at <= ended + EVERY_S]

    def __str__(self) -> str:
        return f"{len(self.lost)} of {self.sent} lost"
