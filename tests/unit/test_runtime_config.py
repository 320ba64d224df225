"""Which configuration file a program reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from nebula_runtime import config


def test_flag_then_variable_then_the_machines_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The nearest wins; where nothing is named and the machine has none, none is read."""
    monkeypatch.setattr(config, "FOLDER", tmp_path)
    monkeypatch.delenv("NEBULA_AGENT_CONFIG", raising=False)
    assert config.chosen(None, "agent") is None
    (tmp_path / "agent.toml").touch()
    assert config.chosen(None, "agent") == tmp_path / "agent.toml"
    assert config.chosen(None, "controller") is None
    monkeypatch.setenv("NEBULA_AGENT_CONFIG", "/named")
    assert config.chosen(None, "agent") == Path("/named")
    assert config.chosen(Path("/given"), "agent") == Path("/given")
