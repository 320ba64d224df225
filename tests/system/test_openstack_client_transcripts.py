"""The lecture's commands, literally, in the real ``openstack`` client: what it prints, and its exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest
from openstack_cloud import Controller
from transcript import FOLDER, play


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_a_transcript_reads_the_same_again(tmp_path: Path, path: Path) -> None:
    """Every answer, refusal and exit code of a fresh cloud is the one that was reviewed."""
    controller = Controller(tmp_path, "--password-hash-rounds=4")  # each call logs in
    try:
        assert play(controller, path.read_text()).splitlines() == path.read_text().splitlines()
    finally:
        controller.stop()
