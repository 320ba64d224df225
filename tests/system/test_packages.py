"""The Debian packages: installed, run with their units' rights, removed under traffic, purged."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nebula.view import codec
from tests.netns.agent_views import net1

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
STORY = """\
nebula-agent runs
nebula-controller, runs
nebulactl runs
manual pages: 4
completion: 1
units: fine
controller answers as nebula: 1
joined: 1
to change with the unit's capabilities: 0
made: 1 router, 1 dnsmasq
removed: all goes on
purged: namespaces somebodys bridges br-phy dnsmasq 0
left behind:
all purged:
"""


@pytest.mark.timeout(240)
def test_the_life_of_the_packages(tmp_path: Path) -> None:
    """Removing the agent's package leaves all that it made as it is; purging it takes that away, and nothing else."""
    if os.geteuid() != 0:
        pytest.skip("packages are installed by root")
    debs, view = tmp_path / "debs", tmp_path / "view.json"
    build = [sys.executable, str(ROOT / "deb/build.py"), str(debs)]
    subprocess.run(build, check=True, capture_output=True, timeout=120, cwd=ROOT)
    view.write_bytes(codec.encode(net1()))
    private = tmp_path / "private"
    private.mkdir()
    argv = [str(HERE / "deb_root.sh"), str(private), "bash", str(HERE / "deb_story.sh"), str(debs), str(view)]
    told = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=180, stdin=subprocess.DEVNULL)
    lines = [line.removeprefix("story: ").rstrip() for line in told.stdout.splitlines() if line.startswith("story: ")]
    assert lines == STORY.splitlines(), told.stdout + told.stderr
    assert told.returncode == 0, told.stderr
