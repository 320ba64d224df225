"""A lab's name and the folder that holds its state.

Effects: makes and checks folders. ``check_name`` and ``labs_folder`` only read what they are given.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from nebula.errors import ConfigError, InvalidAttribute

DEFAULT_NAME = "nebula"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")


def default_name(environ: Mapping[str, str] = os.environ) -> str:
    """The lab that is meant where nothing else says so: ``NEBULA_LAB``, else ``nebula``."""
    return environ.get("NEBULA_LAB") or DEFAULT_NAME


def check_name(name: str) -> str:
    """The name itself. Raises InvalidAttribute: it becomes a folder, a cloud's name and part of prompts."""
    if not _NAME.fullmatch(name):
        raise InvalidAttribute(
            "lab name", f"{name!r} must be 1 to 32 of a-z, 0-9 and '-', and neither start nor end with '-'"
        )
    return name


def labs_folder(uid: int, environ: Mapping[str, str]) -> Path:
    """The folder with one folder per lab: under /run for root, else in the user's runtime folder or /tmp."""
    if uid == 0:
        return Path("/run/nebula/labs")
    runtime = environ.get("XDG_RUNTIME_DIR")
    if runtime and _is_ours_alone(Path(runtime), uid):
        return Path(runtime) / "nebula" / "labs"
    return Path(f"/tmp/nebula-{uid}") / "labs"


def make_labs_folder(folder: Path) -> None:
    """Make it and its parent, 0700. Raises ConfigError where somebody else's file or folder is in the way."""
    for place in (folder.parent, folder):
        try:
            with contextlib.suppress(FileExistsError):
                place.mkdir(mode=0o755 if os.geteuid() == 0 and place == folder.parent else 0o700)
        except OSError as error:
            raise ConfigError(f"cannot make {place}: {error.strerror}") from error
        if not place.is_dir() or place.is_symlink() or place.stat().st_uid != os.geteuid():
            raise ConfigError(f"{place} is not a folder of yours: remove it, or set XDG_RUNTIME_DIR to one that is")


def drop_labs_folder(folder: Path) -> None:
    """Remove the folder and its parent where they are empty."""
    with contextlib.suppress(OSError):
        folder.rmdir()
        folder.parent.rmdir()


def _is_ours_alone(folder: Path, uid: int) -> bool:
    try:
        status = folder.stat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == uid and not status.st_mode & 0o022
