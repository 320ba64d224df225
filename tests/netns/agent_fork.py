"""The agent in a fork of this process, inside a node: loading it anew takes longer than much of what tests do with it.

Effects: a child process in the node's namespaces; it ends with the sandbox.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import pkgutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import nebula_agent
from nebula_agent.main import main

_NAMESPACES = ("net", "mnt")
_MOST_FILES = 4096
"""More than a test has open."""


def load() -> None:
    """All of the agent's modules: what is imported before a fork is there in every fork."""
    for module in pkgutil.walk_packages(nebula_agent.__path__, f"{nebula_agent.__name__}."):
        importlib.import_module(module.name)


class AgentFork:
    """A running ``nebula-agent`` with these flags in the namespaces of the process ``node``; ``log`` gets its output.

    As much of ``subprocess.Popen`` as tests use.
    """

    def __init__(self, node: int, flags: Sequence[str], log: Path) -> None:
        self._code: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            _child(node, flags, log)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def poll(self) -> int | None:
        """The exit code, minus the signal's number where one ended it; None while it runs."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code

    def wait(self, timeout_s: float) -> int:
        """The exit code. Raises subprocess.TimeoutExpired."""
        end = time.monotonic() + timeout_s
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("nebula-agent", timeout_s)
            time.sleep(0.01)
        return code


def _child(node: int, flags: Sequence[str], log: Path) -> None:
    """Never returns."""
    code = 1
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        for fd, target in ((os.open(os.devnull, os.O_RDONLY), 0), (output, 1), (output, 2)):
            os.dup2(fd, target)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        spaces = [os.open(f"/proc/{node}/ns/{name}", os.O_RDONLY) for name in _NAMESPACES]
        for space in spaces:
            if ctypes.CDLL(None, use_errno=True).setns(space, 0) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        os.closerange(3, _MOST_FILES)
        code = main(flags)
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
