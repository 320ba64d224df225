"""Run a program of the machine: an argument list, a time limit, one error class.

Effects: starts processes.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence

from nebula.errors import CommandFailed

_SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin")


def search_path(environ: Mapping[str, str] = os.environ) -> str:
    """PATH with the folders of system programs, which Debian leaves out for ordinary users."""
    folders = [folder for folder in environ.get("PATH", "").split(":") if folder]
    return ":".join([*folders, *(folder for folder in _SYSTEM_FOLDERS if folder not in folders)])


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The caller's environment with the whole PATH and plain messages, without what names another service manager."""
    mine = {name: value for name, value in os.environ.items() if name not in {"NOTIFY_SOCKET", "LISTEN_FDS"}}
    return {**mine, "PATH": search_path(), "LC_ALL": "C.UTF-8", **(extra or {})}


def run(argv: Sequence[str], *, stdin: str | None = None, timeout_s: float = 30.0) -> str:
    """Standard output of the program. Raises CommandFailed with its first line of standard error."""
    try:
        ended = subprocess.run(
            argv,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            env=environment(),
            check=False,
        )
    except FileNotFoundError as error:
        raise CommandFailed(argv, 127, f"{argv[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(argv, None, "") from error
    if ended.returncode != 0:
        raise CommandFailed(argv, ended.returncode, ended.stderr or ended.stdout)
    return ended.stdout
