"""Says when ovs-vswitchd, as it was started, lets no packet pass in the kernel datapath.

Effects: reads ovs-vswitchd's pid file and the names of its threads in /proc (proc(5)); logs. Open vSwitch 3.1 counts
no processors while the machine's monotonic clock is below 10 s ("Overriding n-handler-threads to 0" in its log): it
then starts no thread that takes packets from the kernel, until something makes it count again: a restart, at times a
change of a bridge. Flows and ports look as they should meanwhile.
"""

from __future__ import annotations

import logging
from pathlib import Path

from nebula_runtime.log import event

_log = logging.getLogger(__name__)


class UpcallCheck:
    """Looks at ovs-vswitchd, whichever runs. ``pid_file`` is its pid file."""

    def __init__(self, pid_file: Path, proc: Path = Path("/proc")) -> None:
        self._pid_file = pid_file
        self._proc = proc
        self._told = ""
        """The process of which the log says that it has no handlers."""

    def look(self) -> bool:
        """False where no packet can pass, with an error in the log once for each ovs-vswitchd; else True.

        Only when ovs-vswitchd has a bridge: before that it needs no handlers.
        """
        try:
            pid = self._pid_file.read_text(encoding="ascii").strip()
            names = {task.read_text().rstrip("0123456789\n") for task in self._proc.glob(f"{pid}/task/*/comm")}
        except (OSError, ValueError):
            return True  # not running, or just ending: others say so
        if "handler" in names or not names:
            if self._told == pid:
                event(_log, logging.INFO, "ovs-vswitchd has handler threads now", pid=pid)
            self._told = ""
            return True
        if self._told != pid:
            self._told = pid
            event(
                _log,
                logging.ERROR,
                "no packet passes: ovs-vswitchd was started within 10 s of the machine's boot and has no handler "
                "threads; restart it (systemctl restart ovs-vswitchd)",
                pid=pid,
            )
        return False
