"""End a lab: kill its inits, wait until the kernel has taken all of it back, remove the folder.

Effects: kills processes of this lab only, removes its folder. Works on whatever is left of a lab.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from nebula.errors import ConfigError, Unavailable
from nebula_lab import process, state
from nebula_lab.fabric import FABRIC
from nebula_lab.process import Process
from nebula_lab.space import LAB_MARK

_GONE_S = 20.0


def inits(folder: Path) -> list[Process]:
    """What keeps the lab alive: the fabric's init first, then any other that bears the lab's mark."""
    found: list[Process] = []
    with contextlib.suppress(ConfigError):  # a damaged record: the marks are enough
        record = state.load(folder)
        fabric = record.space(FABRIC) if record is not None else None
        if fabric is not None and process.is_alive(fabric.init):
            found.append(fabric.init)
    return found + [other for other in process.bearing({LAB_MARK: str(folder)}) if other not in found]


def end(folder: Path) -> None:
    """Leave nothing of the lab. Raises Unavailable where its processes do not end, ConfigError where a file stays."""
    for _round in range(3):  # 'lab up' may have been killed while it made another one
        alive = inits(folder)
        if not alive:
            break
        for init in alive:
            try:
                process.kill(init)
            except PermissionError as error:
                raise ConfigError(f"process {init.pid} of this lab is another user's: run this as that user") from error
        for init in alive:
            if not process.wait_gone(init, _GONE_S):
                raise Unavailable(f"process {init.pid} of the lab does not end: look at 'ps {init.pid}' and try again")
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"cannot remove {error.filename or folder}: {error.strerror}") from error
