"""The Debian packages of the checkout, for the tests that install them. Effects: deb/build.py, temporary folders."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def build_debs() -> Callable[[Path], Path]:
    """Makes them in a folder, and gives that back."""

    def build(folder: Path) -> Path:
        argv = [sys.executable, str(_ROOT / "deb/build.py"), str(folder)]
        subprocess.run(argv, check=True, capture_output=True, timeout=120, cwd=_ROOT)
        return folder

    return build


@pytest.fixture(scope="session")
def debs(build_debs: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The folder that has them. Workers of one run share it: the first that wants it makes it, the others wait."""
    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / "packages"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            build_debs(tmp_path_factory.mktemp("packages-made")).rename(folder)
    return folder
