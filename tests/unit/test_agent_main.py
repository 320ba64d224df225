"""The program's edges: what becomes of its output."""

from __future__ import annotations

import os
import sys

import pytest
from nebula_agent import commands
from nebula_agent.main import main
from nebula_agent.settings import Settings


@pytest.mark.parametrize("lines", [1, 100_000])
def test_reader_who_has_enough_ends_plan_quietly(
    lines: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``nebula-agent plan | head``: no traceback, whether the pipe breaks while printing or at the end."""

    def plan(_settings: Settings, *, script: bool) -> int:
        assert not script
        for number in range(lines):
            print(f"# change {number}")
        return 0

    monkeypatch.setattr(commands, "plan", plan)
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert main(["--vtep-ip", "10.0.0.1", "plan"]) == 1
    assert capsys.readouterr().err == ""
