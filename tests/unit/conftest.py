"""What tests of ``nebulactl`` share: a small cloud with the case study in it, and the program run in this process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_case_study import fill
from cli_cloud import Cloud, Ended, Nebulactl, running_cloud
from nebulactl.main import run


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with running_cloud() as running:
        fill(running)
        yield running


@pytest.fixture
def nebulactl(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Nebulactl:
    """Runs a command line in this process, as the cloud's user."""
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    for name, value in {**cloud.environment, "XDG_CACHE_HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)

    def call(*words: str) -> Ended:
        try:
            code = run(words)
        except SystemExit as end:  # click's way out of a completion
            code = int(end.code or 0)
        return Ended(code, *capsys.readouterr())

    return call
