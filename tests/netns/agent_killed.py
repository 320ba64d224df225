"""An agent that dies by ``kill -9`` right after a change, as often as asked: for tests.

Effects: the agent's, and its own end. ``NEBULA_DIE_AFTER`` is the number of the change. With ``NEBULA_LIVES`` it is
started again and again in forks of one process (which saves the start of Python) until a life ends by itself.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

from nebula_agent import commands  # noqa: F401 - loaded once, before the forks
from nebula_agent.main import main

from nebula.desired.diff import Change

_COUNT = 0
_QUIET_S = 2.0
"""On a busy machine an agent needs a second from its start to its first change."""


def _applied(_change: Change) -> None:
    global _COUNT  # noqa: PLW0603 - one counter per life
    _COUNT += 1
    if int(os.environ["NEBULA_DIE_AFTER"]) == _COUNT:
        os.kill(os.getpid(), signal.SIGKILL)


def _one_life() -> int:
    """Serve until in sync and quiet for a moment; the exit code, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        threading.Thread(target=_end_when_quiet, daemon=True).start()
        os._exit(main(sys.argv[1:], applied=_applied))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _end_when_quiet() -> None:
    seen = -1
    while seen != _COUNT or _COUNT == 0:
        seen = _COUNT
        time.sleep(_QUIET_S)
        if seen == 0 and _COUNT == 0:
            break
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    if "NEBULA_LIVES" not in os.environ:
        sys.exit(main(applied=_applied))
    LIVES = 1
    while _one_life() == -signal.SIGKILL:
        LIVES += 1
    print(f"lives={LIVES}", file=sys.stderr)
