"""``lab up`` on a lab that is up starts again what has died, and changes nothing else; two labs do not meet."""

import json
import os
import sys
import time
from collections.abc import Iterator

import pytest

from tests.netns.lab_machine import Machine

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="plays a whole machine, which needs root")
_NEBULACTL = (sys.executable, "-m", "nebulactl")
Pids = dict[str, dict[str, int | None]]


@pytest.fixture(scope="module")
def lab() -> Iterator[Machine]:
    """A machine with a lab of two nodes on it."""
    machine = Machine()
    try:
        machine.nebulactl("lab", "up", "--nodes", "2")
        yield machine
    finally:
        machine.close()


def pids(machine: Machine) -> Pids:
    """Processes of each place by program, None for one that has died."""
    out = machine.call(*_NEBULACTL, "lab", "status", "-f", "json").stdout
    return {row["Node"]: row["Processes"] for row in json.loads(out)}


def endpoint(machine: Machine) -> str:
    return machine.nebulactl("lab", "list", "-f", "value", "-c", "API").strip()


def test_up_again_changes_nothing(lab: Machine) -> None:
    """A second ``up`` on a healthy lab starts nothing and restarts nothing."""
    before, inventory = pids(lab), lab.inventory()
    assert "nothing to do" in lab.nebulactl("lab", "up")
    assert pids(lab) == before
    assert lab.settled_inventory(inventory)["processes"] == inventory["processes"]


@pytest.mark.parametrize(
    ("place", "program"),
    [
        ("net1", "nebula-agent"),
        ("net1", "ovs-vswitchd"),
        ("compute1", "ovsdb-server"),
        ("fabric", "controller"),
        ("web", "web"),
    ],
)
def test_a_daemon_that_died_is_started_again(lab: Machine, place: str, program: str) -> None:
    """After ``kill -9`` of one daemon ``lab status`` says so, ``lab up`` starts that one and touches no other."""
    before, api = pids(lab), endpoint(lab)
    lab.run("kill", "-9", str(before[place][program]))
    died = lab.call(*_NEBULACTL, "lab", "status")
    said = lab.nebulactl("lab", "up")
    after = pids(lab)
    assert (died.returncode, "DEAD" in died.stdout) == (1, True)
    assert f"{place if place != 'fabric' else 'controller'}: " in said
    assert after[place].pop(program) not in (None, before[place].pop(program))
    assert (after, endpoint(lab)) == (before, api)
    lab.nebulactl("lab", "exec", "compute1", "--", "ping", "-c1", "-W3", "10.201.0.10")


@pytest.mark.parametrize("place", ["compute1", "outside"])
def test_a_node_that_died_is_built_again(lab: Machine, place: str) -> None:
    """A node whose init was killed comes back with its links, its Open vSwitch and what it had in /var/lib."""
    before = pids(lab)
    if place == "compute1":
        lab.nebulactl("lab", "exec", place, "--", "touch", "/var/lib/kept", "/run/lost")
    lab.run("kill", "-9", str(before[place]["init"]))
    said = lab.nebulactl("lab", "up")
    after = pids(lab)
    assert place in said or "web" in said
    for untouched in ("net1", "fabric"):
        assert after[untouched] == before[untouched]
    assert None not in after[place].values()
    if place == "compute1":
        assert lab.nebulactl("lab", "exec", place, "ls", "/var/lib").split() >= ["kept"]
        assert "lost" not in lab.nebulactl("lab", "exec", place, "ls", "/run")
        lab.nebulactl("lab", "exec", "net1", "--", "ping", "-c1", "-W3", "10.201.0.11")
    assert (
        lab.nebulactl("lab", "exec", "outside", "--", "curl", "-s", "-m5", "http://198.51.100.10/") == "198.51.100.1\n"
    )


def test_another_number_of_nodes_is_refused(lab: Machine) -> None:
    """A running lab does not grow or shrink: a clear line says what to do."""
    ended = lab.call(*_NEBULACTL, "lab", "up", "--nodes", "5")
    assert (ended.returncode, "has 2 nodes" in ended.stderr) == (1, True)


def test_two_labs_side_by_side(lab: Machine) -> None:
    """A second lab with the same addresses works beside the first and goes without it."""
    before, inventory = pids(lab), lab.inventory()
    lab.nebulactl("lab", "up", "--name", "other", "--nodes", "1")
    names = lab.nebulactl("lab", "list", "-f", "value", "-c", "Name").split()
    lab.nebulactl("lab", "exec", "--name", "other", "net1", "--", "ping", "-c1", "-W3", "10.200.0.1")
    missing = lab.call(*_NEBULACTL, "lab", "exec", "--name", "other", "net1", "--", "ping", "-c1", "-W1", "10.200.0.11")
    lab.nebulactl("lab", "down", "--name", "other")
    assert names == ["nebula", "other"]
    assert missing.returncode == 1
    assert pids(lab) == before
    assert lab.settled_inventory(inventory) == inventory


def test_a_lab_that_was_killed_comes_back_with_its_database(lab: Machine) -> None:
    """After ``kill -9`` of everything ``lab up`` builds the lab again, on the same port, with what users had made."""
    api = endpoint(lab)
    lab.nebulactl("network", "create", "survivor")
    lab.run("kill", "-9", str(pids(lab)["fabric"]["init"]))
    time.sleep(0.1)
    dead = lab.call(*_NEBULACTL, "lab", "exec", "net1", "true")
    lab.nebulactl("lab", "up")
    assert (dead.returncode, "has died" in dead.stderr) == (1, True)
    assert endpoint(lab) == api
    assert "survivor" in lab.nebulactl("network", "list", "-f", "value", "-c", "Name")
