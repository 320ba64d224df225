"""An agent that is started before its node has joined: it waits for that, and goes on by itself.

Effects: looks for the identity; systemd is told that the service is ready, and what it waits for.
"""

from __future__ import annotations

import logging
import signal
import sys
import time
from types import FrameType

from nebula_runtime.daemon import notify
from nebula_runtime.log import event

from nebula_agent.access import Access, NotJoined, find_access
from nebula_agent.settings import Settings

_log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.5


def access_once_joined(settings: Settings) -> Access | None:
    """As ``find_access``, once the node has joined. Raises ConfigError. SIGTERM meanwhile ends the process, code 0."""
    told = False
    while True:
        try:
            return find_access(settings)
        except NotJoined as error:
            if not told:
                _stand_by(error.message)
                told = True
        notify("WATCHDOG=1")
        time.sleep(_LOOK_EVERY_S)


def _stand_by(what: str) -> None:
    signal.signal(signal.SIGTERM, _end)
    for number in (signal.SIGHUP, signal.SIGUSR1):  # there is no view to read again, and nothing held back
        signal.signal(number, signal.SIG_IGN)
    event(_log, logging.WARNING, f"{what}; the agent waits for that, and starts by itself then")
    notify("READY=1\nSTATUS=Waits for 'nebula-agent join URL TOKEN'")


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)
