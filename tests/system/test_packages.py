"""The Debian packages: installed, run with their units' rights, removed under traffic, purged."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from nebula.view import codec
from tests.netns.agent_views import net1

HERE = Path(__file__).resolve().parent
STORY = """\
nebula-agent runs
nebula-controller, runs
nebulactl runs
compiled at a start: 0
manual pages: 4
completion: 1
units: fine
controller answers as nebula: 1
joined: 1
to change with the unit's capabilities: 0
made: 1 router, 1 dnsmasq
removed: all goes on
purged: what is others is as it was
left behind:
all purged:
"""


@pytest.mark.timeout(240)
def test_same_checkout_same_packages(debs: Path, build_debs: Callable[[Path], Path], tmp_path: Path) -> None:
    """Made again they are the same, byte by byte: a machine that has them can tell so and is left alone."""
    again = build_debs(tmp_path)
    assert {file.name: file.read_bytes() == (debs / file.name).read_bytes() for file in again.iterdir()} == {
        file.name: True for file in debs.iterdir()
    }


def test_licences_of_the_libraries_are_named(debs: Path, tmp_path: Path) -> None:
    """Each paragraph has a licence, and its files are in the package: all that lies beside our own code."""
    (package,) = debs.glob("nebula-common_*.deb")
    subprocess.run(["dpkg-deb", "--extract", str(package), str(tmp_path)], check=True)
    paragraphs = (tmp_path / "usr/share/doc/nebula-common/copyright").read_text().split("\n\n")[2:]
    listed: set[Path] = set()
    for paragraph in paragraphs:
        files, _label, about = paragraph.partition("\nCopyright: ")
        assert about.partition("\nLicense: ")[2].strip() not in ("", "None"), paragraph
        for pattern in files.removeprefix("Files: ").split():
            found = tmp_path / pattern.removesuffix("/*")
            assert found.exists(), paragraph
            listed.add(found)
    site = next(tmp_path.glob("usr/lib/nebula/lib/python3*/site-packages"))
    ours = {entry for entry in site.iterdir() if entry.name.startswith("nebula") or entry.name == "__pycache__"}
    assert set(site.iterdir()) - ours == listed


@pytest.mark.timeout(240)
def test_the_life_of_the_packages(debs: Path, tmp_path: Path) -> None:
    """Removing the agent's package leaves all that it made as it is; purging it takes that away, and of what somebody
    else has there, bridges, flows, rules, namespaces, devices and daemons of the same kinds, nothing."""
    if os.geteuid() != 0:
        pytest.skip("packages are installed by root")
    view = tmp_path / "view.json"
    view.write_bytes(codec.encode(net1()))
    private = tmp_path / "private"
    private.mkdir()
    argv = [str(HERE / "deb_root.sh"), str(private), "bash", str(HERE / "deb_story.sh"), str(debs), str(view)]
    told = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=180, stdin=subprocess.DEVNULL)
    lines = [line.removeprefix("story: ").rstrip() for line in told.stdout.splitlines() if line.startswith("story: ")]
    assert lines == STORY.splitlines(), told.stdout + told.stderr
    assert told.returncode == 0, told.stderr
