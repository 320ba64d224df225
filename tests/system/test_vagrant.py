"""The Vagrantfile is one, for both providers. The machines themselves are brought up by hand: ``make test-vagrant``."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_FOLDER = Path(__file__).resolve().parents[2] / "vagrant"


def test_vagrantfile(tmp_path: Path) -> None:
    """Vagrant takes it, with proxies and another number of nodes, and names its machines."""
    if shutil.which("vagrant") is None:
        pytest.skip("vagrant is not installed")
    changes = {"VAGRANT_HOME": str(tmp_path / "home"), "VAGRANT_DOTFILE_PATH": str(tmp_path / "dot")}
    changes |= {"NEBULA_NODES": "3", "https_proxy": "http://192.0.2.1:3128", "NEBULA_DRIVER": "qemu"}

    def vagrant(*words: str) -> str:
        argv = ["vagrant", *words]
        environment = {**os.environ, **changes}
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, env=environment, cwd=_FOLDER, timeout=100
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "validated successfully" in vagrant("validate", "--ignore-provider")
    shown = vagrant("status", "--machine-readable")
    assert {line.split(",")[1] for line in shown.splitlines()} >= {"controller", "net1", "compute1", "compute3"}
