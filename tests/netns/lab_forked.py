"""nebulactl in a fork of this process, where loading it anew takes longer than what it does: an emulated machine.

Effects: a child process for each call.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence

_LONGEST_S = 900


def forked(words: Sequence[str], variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """As a program of its own with this environment: output, and exit code."""
    with contextlib.suppress(ModuleNotFoundError):  # an option before the command
        importlib.import_module(f"nebulactl.commands.{words[0]}")
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as error:
        pid = os.fork()
        if pid == 0:
            _child(words, variables, out.fileno(), error.fileno())
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        out.seek(0)
        error.seek(0)
        return subprocess.CompletedProcess(["nebulactl", *words], code, out.read(), error.read())


def _child(words: Sequence[str], variables: Mapping[str, str], out: int, error: int) -> None:
    """Never returns."""
    code = 1
    try:
        signal.alarm(_LONGEST_S)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(error, 2)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        os.environ.clear()
        os.environ.update(variables)
        from nebulactl.main import run

        code = run(words)
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
