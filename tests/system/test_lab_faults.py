"""What is lost when a daemon dies or nodes do not reach each other: numbered packets through each fault, in a lab.

docs/operations.md has the table. Every test leaves the lab whole, with nothing left to change on any node.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from tests.netns.agent_node import eventually
from tests.netns.lab_machine import Machine
from tests.netns.packet_stream import Stream, now, ping

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="plays a whole machine, which needs root")
_NEBULACTL = (sys.executable, "-m", "nebulactl")
_WEB_IP = "198.51.100.10"
_MAKE = (
    "network create n",
    "subnet create s --network n --subnet-range 192.168.50.0/24",
    "router create r",
    "router add subnet r s",
    "router set r --external-gateway public",
)


class _Lab:
    """Three nodes; ``web`` on compute1, ``db`` on compute2."""

    def __init__(self) -> None:
        self.machine = Machine()
        self.db = ""
        self._web = ""

    def build(self) -> None:
        """The lab and what is in it."""
        self.call("lab up")
        for line in _MAKE:
            self.call(line)
        made = [json.loads(self.call(f"instance create {name} --network n --node {node} -f json"))
                for name, node in (("web", "compute1"), ("db", "compute2"))]  # fmt: skip
        self._web = f"instance-{made[0]['id']}"
        self.db = self.lease("compute2", f"instance-{made[1]['id']}")
        self.answers(self.db)
        self.answers(_WEB_IP)

    def call(self, words: str) -> str:
        """A call of nebulactl that must succeed."""
        return self.machine.good(*words.split())

    def on(self, place: str, script: str) -> str:
        """Output of a shell script that must succeed at a place of the lab."""
        return self.machine.good("lab", "exec", place, "--", "sh", "-c", script)

    def lease(self, node: str, space: str) -> str:
        """The address that an instance has by DHCP, once it has one."""
        found: list[str] = []

        def has_address() -> bool:
            shown = self.on(node, f"ip -n {space} -4 address show eth0 || true")  # it may just be being made
            found[:] = re.findall(r"inet (192\.168\.50\.\d+)/", shown)
            return bool(found)

        eventually(has_address, f"{space} has an address", 20)
        return found[0]

    def answers(self, address: str) -> None:
        """Wait until ``web`` gets an answer."""
        once = ("lab", "exec", "compute1", "--", *f"ip netns exec {self._web} ping -c 1 -W 1 {address}".split())
        eventually(lambda: self.machine.ctl(*once).returncode == 0, f"web reaches {address}", 20)

    def stream(self, address: str) -> contextlib.AbstractContextManager[Stream]:
        """Packets from ``web``."""
        at = (*_NEBULACTL, "lab", "exec", "compute1", "--")
        line = ping(f"ip netns exec {self._web}", address)
        argv = self.machine.argv(*at, "sh", "-c", line)
        return Stream.running(argv, lambda pid: self.machine.argv(*at, "kill", "-INT", pid))

    def kill(self, place: str, program: str) -> None:
        """kill -9."""
        if program == "dnsmasq":
            self.on(place, "kill -9 $(cat /var/lib/nebula/dhcp/*/pid)")
            return
        rows = json.loads(self.call("lab status -f json"))
        (pid,) = {row["Processes"][program] for row in rows if row["Node"] == place}
        self.machine.run("kill", "-9", str(pid))


@pytest.fixture(scope="module")
def lab() -> Iterator[_Lab]:
    made = _Lab()
    try:
        made.build()
        yield made
    finally:
        made.machine.close()


@pytest.mark.parametrize(
    ("place", "program"),
    [
        ("fabric", "controller"),
        ("compute1", "nebula-agent"),
        ("net1", "nebula-agent"),
        ("compute1", "ovsdb-server"),
        ("net1", "dnsmasq"),
    ],
)
def test_the_death_of_a_daemon_that_no_packet_passes(
    lab: _Lab, place: str, program: str, tell: Callable[..., None]
) -> None:
    """Killed for a second and started again: no packet is lost, between instances or to the outside."""
    with lab.stream(lab.db) as east_west, lab.stream(_WEB_IP) as north_south:
        lab.kill(place, program)
        time.sleep(1)
        lab.call("lab up")
        made = json.loads(lab.call("instance create new --network n --node compute1 -f json"))
        lab.lease("compute1", f"instance-{made['id']}")
        lab.call("instance delete new --wait")
    tell(east_west=east_west, north_south=north_south)
    assert (east_west.lost, north_south.lost) == ({}, {})
    lab.call("audit")


@pytest.mark.parametrize("place", ["compute2", "net1"])
def test_the_death_of_the_userspace_datapath(lab: _Lab, place: str, tell: Callable[..., None]) -> None:
    """ovs-vswitchd carries the packets of its node itself: what is sent until it and its flows are back is lost, and
    nothing that does not pass the node: without the network node's, instances of other nodes reach each other."""
    with lab.stream(lab.db) as east_west, lab.stream(_WEB_IP) as north_south:
        began = now()
        lab.kill(place, "ovs-vswitchd")
        lab.call("lab up")
        lab.answers(lab.db)
        lab.answers(_WEB_IP)
        ended = now()
    tell(east_west=east_west, north_south=north_south)
    hit, spared = (east_west, north_south) if place == "compute2" else (north_south, east_west)
    assert (hit.lost_outside(began, ended), spared.lost) == ([], {})
    assert len(hit.lost) > 0
    lab.call("audit")


def test_a_node_that_is_built_again(lab: _Lab, tell: Callable[..., None]) -> None:
    """Everything of a node dies: what is sent to it until it is back is lost, and nothing of the others'."""
    with lab.stream(lab.db) as east_west, lab.stream(_WEB_IP) as north_south:
        began = now()
        lab.kill("compute2", "init")
        lab.call("lab up")
        lab.answers(lab.db)
        ended = now()
    tell(east_west=east_west, north_south=north_south)
    assert (east_west.lost_outside(began, ended), north_south.lost) == ([], {})
    lab.call("audit")


def test_nodes_that_do_not_reach_each_other(lab: _Lab, tell: Callable[..., None]) -> None:
    """The underlay's wire to a node is cut: what is sent over it meanwhile is lost, no packet more."""
    with lab.stream(lab.db) as east_west, lab.stream(_WEB_IP) as north_south:
        began = now()
        lab.on("fabric", "ip link set u-compute2 down")
        time.sleep(1)
        lab.on("fabric", "ip link set u-compute2 up")
        ended = now()
        lab.answers(lab.db)
    tell(east_west=east_west, north_south=north_south)
    assert len(east_west.lost) > 0
    assert (east_west.lost_outside(began, ended), north_south.lost) == ([], {})


def test_a_node_that_does_not_reach_the_controller(lab: _Lab, tell: Callable[..., None]) -> None:
    """No packet is lost, and what is asked for meanwhile is made when the wire is whole again."""
    with lab.stream(lab.db) as east_west, lab.stream(_WEB_IP) as north_south:
        lab.on("fabric", "ip link set m-compute1 down")
        made = json.loads(lab.call("instance create late --network n --node compute1 --no-wait -f json"))
        time.sleep(1)
        assert made["id"] not in lab.on("compute1", "ls /run/netns")
        lab.on("fabric", "ip link set m-compute1 up")
        lab.lease("compute1", f"instance-{made['id']}")
        lab.call("instance delete late --wait")
    tell(east_west=east_west, north_south=north_south)
    assert (east_west.lost, north_south.lost) == ({}, {})
    lab.call("audit")
