"""Lets whole TCP windows wait for the userspace datapath: what it cannot read at once is not lost.

Effects through ``edge/receivebuffers``; logs. ovs-vswitchd reads a veth's packets from a socket whose buffer has room
for two or three segments of 64 KiB by default (net.core.rmem_default, 208 KiB). A sender's window is larger, so that a
third of a fast stream's packets were dropped there and sent again (measured: docs/performance.md).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from nebula_runtime.log import event

from nebula_agent.edge.receivebuffers import enlarge

_log = logging.getLogger(__name__)

ROOM_BYTES = 4 << 20
"""Twice that of memory, as the kernel counts it: more than the largest window of TCP by default, 6 MiB (tcp_rmem)."""


class Backlog:
    """Which devices of which ovs-vswitchd have the room. ``pid_file`` is ovs-vswitchd's."""

    def __init__(self, pid_file: Path, enlarge: Callable[[int, frozenset[str], int], int] = enlarge) -> None:
        self._pid_file = pid_file
        self._enlarge = enlarge
        self._done: tuple[int, frozenset[tuple[str, int]]] | None = None
        self._told = False

    def make_room(self, devices: frozenset[tuple[str, int]]) -> None:
        """For devices as (name, index in the kernel); looks only when they or ovs-vswitchd are others than before."""
        if not devices:
            return
        try:
            pid = int(self._pid_file.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return  # ovs-vswitchd does not run: others say so
        if self._done == (pid, devices):
            return
        try:
            found = self._enlarge(pid, frozenset(name for name, _index in devices), ROOM_BYTES)
            self._done = (pid, devices) if found >= len(devices) else None  # else: not all are open yet
        except PermissionError as error:
            self._done = (pid, devices)
            if not self._told:
                self._told = True
                hint = f"sysctl net.core.rmem_default={2 * ROOM_BYTES} before ovs-vswitchd starts does the same"
                event(_log, logging.WARNING, "fast streams lose packets here", error=str(error), do=hint)
        except OSError:
            self._done = None  # it is just ending
