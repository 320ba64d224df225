"""The demo: the whole case study with real packets, as root and as an ordinary user."""

import os
import sys

import pytest

from tests.netns.lab_machine import Machine


@pytest.mark.timeout(300)
@pytest.mark.parametrize("user", [pytest.param(False, id="root"), pytest.param(True, id="user")])
def test_case_study(user: bool) -> None:
    """Every check of the demo holds, its exit code says so, and it leaves the machine as it was."""
    if os.geteuid() != 0 and not user:
        pytest.skip("the lab of root needs root")
    machine = Machine()
    try:
        before = machine.inventory() if machine.private else {}
        ended = machine.call(sys.executable, "-m", "nebula_lab.demo", user=user, timeout_s=250)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "19 of 19 checks held" in ended.stdout
        if machine.private:
            assert machine.settled_inventory(before) == before
    finally:
        machine.close()
