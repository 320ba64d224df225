"""The golden files of every scenario say what compile makes of its view today."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from golden import INPUT, golden, scenarios


@pytest.mark.parametrize("folder", scenarios(), ids=lambda folder: folder.name)
def test_golden_files_are_up_to_date(folder: Path) -> None:
    """Every file equals what is made now, and there is none too many; `make golden` rewrites them."""
    actual = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.name not in INPUT}
    assert actual == golden(folder)


@pytest.mark.parametrize("folder", scenarios(), ids=lambda folder: folder.name)
def test_commands_are_shell(folder: Path) -> None:
    """bash parses every line of commands.sh."""
    done = subprocess.run(
        ["bash", "-n", str(folder / "commands.sh")], capture_output=True, text=True, check=False, timeout=10
    )
    assert (done.returncode, done.stderr) == (0, "")
