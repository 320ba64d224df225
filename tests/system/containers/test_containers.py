"""Nodes as containers: the case study with packages and joining as on hosts, and what namespaces cannot show.

A node that is stopped, killed or paused, a network that is cut, a disk that is full, a controller that does not answer:
a stream of numbered packets runs through each, and the test says which were lost. docs/operations.md has the table.
One test leaves the cloud as the next one finds it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from container_cloud import WEB_IP, Cloud, cloud
from container_engine import NoContainers

from tests.netns.agent_node import eventually
from tests.netns.packet_stream import now

pytestmark = pytest.mark.timeout(600)

_PUBLIC = "--external --provider-network-type flat --provider-physical-network provider"
_MAKE = (
    f"network create public {_PUBLIC}",
    "subnet create public_subnet --network public --subnet-range 203.0.113.0/24 --gateway 203.0.113.1 --no-dhcp "
    "--allocation-pool start=203.0.113.10,end=203.0.113.200",
    "network create n",
    "subnet create s --network n --subnet-range 192.168.50.0/24",
    "router create r",
    "router add subnet r s",
    "router set r --external-gateway public",
)
_DATABASE = "/var/lib/nebula-controller/nebula.sqlite"
_EMPTY_LOG = f"""setpriv --reuid nebula --regid nebula --clear-groups /usr/lib/nebula/bin/python -c '
import sqlite3
sqlite3.connect("{_DATABASE}").execute("PRAGMA wal_checkpoint(TRUNCATE)")'"""
"""Otherwise SQLite's log may have room for some more calls."""
_SLOW = """touch /run/slow; pid=$(cat /var/lib/nebula-controller/lock); setsid --fork sh -c '
while [ -e /run/slow ]; do kill -STOP $0; sleep 0.9; kill -CONT $0; sleep 0.1; done' $pid > /run/slow.log 2>&1"""
"""The controller runs for a tenth of the time."""


@pytest.fixture(scope="module")
def nodes(debs: Path) -> Iterator[Cloud]:
    """``web`` on compute1 and ``db`` on compute2 in one network, with a router on net1."""
    try:
        with cloud(debs) as made:
            for line in _MAKE:
                made.nebulactl(line)
            made.instance("web", "compute1")
            made.instance("db", "compute2")
            yield made
    except NoContainers as error:
        pytest.skip(f"nodes as containers are NOT tested here: {error}")


def test_case_study(nodes: Cloud) -> None:
    """East-west goes through VXLAN and never in clear, north-south leaves with the router's address alone."""
    web, db = nodes.addresses["web"], nodes.addresses["db"]
    nodes.answers("web", db)
    nodes.answers("web", WEB_IP)
    with nodes.capture("underlay") as east_west:
        assert nodes.inside("web", f"ping -c 3 -i 0.1 -W 2 {db}")[0] == 0
    inner = {(packet.inner.source, packet.inner.target) for packet in east_west if packet.inner is not None}
    assert {(web, db), (db, web)} <= inner
    assert not [packet.line for packet in east_west if packet.source.startswith("192.168.")]
    router = json.loads(nodes.nebulactl("port list --device-owner network:router_gateway -f json"))
    (address,) = {ip["ip_address"] for port in router for ip in port["Fixed IP Addresses"]}
    with nodes.capture("provider") as north_south:
        assert nodes.inside("web", f"curl -s --max-time 8 http://{WEB_IP}/") == (0, f"{address}\n")
    assert not [packet.line for packet in north_south if packet.source.startswith("192.168.")]
    nodes.nebulactl("audit")


def test_a_node_that_reboots_while_the_controller_is_away(nodes: Cloud, tell: Callable[..., None]) -> None:
    """Killed and started again: what is sent to it meanwhile is lost, no more, and it needs nobody to come back."""
    db = nodes.addresses["db"]
    nodes.docker("kill", "controller")
    with nodes.stream("web", db) as east_west, nodes.stream("web", WEB_IP) as north_south:
        began = now()
        nodes.docker("kill", "compute2")
        nodes.docker("start", "compute2")
        started = now()
        nodes.answers("web", db)
        ended = now()
    tell(east_west=east_west, north_south=north_south)
    print(f"compute2 answers {ended - started:.1f} s after its start")
    assert (east_west.lost_outside(began, ended), north_south.lost) == ([], {})
    nodes.docker("start", "controller")
    nodes.wait_alive()
    assert ": 0 changes" in nodes.on("compute2", "nebula-agent plan")


def test_a_network_node_that_is_stopped(nodes: Cloud, tell: Callable[..., None]) -> None:
    """What goes outside is lost until it is back; what goes between the others is not its business."""
    with nodes.stream("web", nodes.addresses["db"]) as east_west, nodes.stream("web", WEB_IP) as north_south:
        began = now()
        nodes.docker("stop", "net1")
        nodes.docker("start", "net1")
        nodes.answers("web", WEB_IP)
        ended = now()
    tell(east_west=east_west, north_south=north_south)
    assert (north_south.lost_outside(began, ended), east_west.lost) == ([], {})


def test_a_node_that_is_paused(nodes: Cloud, tell: Callable[..., None]) -> None:
    """It falls silent for two seconds and goes on: at most what was sent to it meanwhile is lost, and no one else's."""
    db = nodes.addresses["db"]
    with nodes.stream("web", db) as east_west, nodes.stream("web", WEB_IP) as north_south:
        began = now()
        nodes.docker("pause", "compute2")
        time.sleep(2)
        nodes.docker("unpause", "compute2")
        ended = now()
        nodes.answers("web", db)
    tell(east_west=east_west, north_south=north_south)
    assert (east_west.lost_outside(began, ended), north_south.lost) == ([], {})


def test_nodes_that_do_not_reach_each_other(nodes: Cloud, tell: Callable[..., None]) -> None:
    """The underlay's device is taken from a node and given back: lost is what was sent meanwhile, no packet more."""
    db = nodes.addresses["db"]
    with nodes.stream("web", db) as east_west, nodes.stream("web", WEB_IP) as north_south:
        began = now()
        nodes.cut("underlay", "compute2")
        eventually(lambda: nodes.inside("web", f"ping -c 1 -W 1 {db}")[0] != 0, "nothing comes through")
        nodes.mend("underlay", "compute2")
        nodes.answers("web", db)
        ended = now()
    tell(east_west=east_west, north_south=north_south)
    assert len(east_west.lost) > 0
    assert (east_west.lost_outside(began, ended), north_south.lost) == ([], {})


def test_a_node_that_does_not_reach_the_controller(nodes: Cloud, tell: Callable[..., None]) -> None:
    """No packet is lost; what is asked for meanwhile is made when the network is whole again."""
    with nodes.stream("web", nodes.addresses["db"]) as east_west, nodes.stream("web", WEB_IP) as north_south:
        nodes.cut("mgmt", "compute1")
        nodes.nebulactl("instance create late --network n --node compute1 --no-wait")
        time.sleep(1)
        assert nodes.on("compute1", "ls /run/netns | wc -l") == "1\n"
        nodes.mend("mgmt", "compute1")
        eventually(lambda: nodes.state("late") == "ACTIVE", "what was asked for meanwhile", 40)
    tell(east_west=east_west, north_south=north_south)
    assert (east_west.lost, north_south.lost) == ({}, {})
    nodes.nebulactl("instance delete late --wait")


def test_a_node_that_is_revoked(nodes: Cloud, tell: Callable[..., None]) -> None:
    """Its agent and Open vSwitch run on, but nothing goes to it or comes from it until it has joined again."""
    db = nodes.addresses["db"]
    with nodes.stream("web", db) as east_west, nodes.stream("web", WEB_IP) as north_south:
        began = now()
        nodes.nebulactl("node revoke compute2 --wait")
        assert nodes.inside("web", f"ping -c 2 -i 0.2 -W 1 {db}")[0] != 0
        assert nodes.inside("db", f"ping -c 2 -i 0.2 -W 1 {nodes.addresses['web']}")[0] != 0
        nodes.join_node("compute2")
        nodes.answers("web", db)
        ended = now()
    tell(east_west=east_west, north_south=north_south)
    assert (east_west.lost_outside(began, ended), north_south.lost) == ([], {})
    nodes.wait_alive()


def test_another_authority_takes_over(nodes: Cloud, tell: Callable[..., None]) -> None:
    """By the packages' own programs, beside a controller that runs as nebula: all nodes renew by themselves."""
    command = "setpriv --reuid nebula --regid nebula --clear-groups nebula-controller authority"

    def shown_by() -> list[str]:
        return [line.rpartition(" by ")[2] for line in nodes.on("controller", f"{command} status").splitlines()]

    with nodes.stream("web", nodes.addresses["db"]) as east_west, nodes.stream("web", WEB_IP) as north_south:
        nodes.on("controller", f"{command} rotate")
        eventually(lambda: shown_by() == ["no node", "compute1, compute2, net1"], "all nodes have renewed", 40)
        nodes.on("controller", f"{command} retire")
        nodes.nebulactl("network create z --wait")
        nodes.nebulactl("network delete z --wait")
    tell(east_west=east_west, north_south=north_south)
    assert (east_west.lost, north_south.lost) == ({}, {})
    nodes.wait_alive()


def test_a_node_whose_disk_is_full(nodes: Cloud, tell: Callable[..., None]) -> None:
    """No packet is lost; what cannot be made says why, and is made when there is room; a reboot then has all of it."""
    db = nodes.addresses["db"]
    with nodes.stream("web", db) as east_west:
        nodes.fill("compute2")
        names: list[str] = []
        while not names or nodes.state(names[-1]) == "ACTIVE":  # the last pages of its files have some room yet
            names.append(f"full{len(names)}")
            nodes.call("controller", nodes.calling(f"instance create {names[-1]} --network n --node compute2"))
            assert len(names) < 20
        why = nodes.nebulactl(f"instance show {names[-1]} -f json")
        nodes.empty("compute2")
        eventually(lambda: nodes.state(names[-1]) == "ACTIVE", "the last one is made", 60)
    assert (json.loads(why)["status"], "No space left on device" in why) == ("ERROR", True), why
    tell(east_west=east_west)
    assert east_west.lost == {}
    spaces = nodes.on("compute2", "ls /run/netns")
    nodes.docker("kill", "controller")
    nodes.docker("kill", "compute2")
    nodes.docker("start", "compute2")
    eventually(lambda: nodes.call("compute2", "ls /run/netns")[1] == spaces, "all are back without the controller", 20)
    nodes.docker("start", "controller")
    nodes.wait_alive()
    nodes.nebulactl(f"instance delete {' '.join(names)}")


def test_a_controller_whose_disk_is_full(nodes: Cloud, tell: Callable[..., None]) -> None:
    """It refuses what it cannot keep and says why, still answers what is asked, and goes on when there is room."""
    made: list[str] = []
    with nodes.stream("web", nodes.addresses["db"]) as east_west:
        nodes.on("controller", _EMPTY_LOG)
        nodes.fill("controller")
        while True:
            code, said = nodes.call("controller", nodes.calling(f"network create x{len(made)}"))
            if code != 0:
                break
            made.append(f"x{len(made)}")
        listed = nodes.nebulactl("network list -f value -c Name").split()
        nodes.empty("controller")
        nodes.nebulactl("network create y")
        assert set(nodes.nebulactl("network list -f value -c Name").split()) == {*listed, "y"}
    assert "disk is full" in said
    assert set(listed) == {"public", "n", *made}
    tell(east_west=east_west)
    assert east_west.lost == {}
    nodes.nebulactl(f"network delete y {' '.join(made)}")


def test_a_controller_that_does_not_answer(nodes: Cloud, tell: Callable[..., None]) -> None:
    """It takes connections and says nothing: a node that reboots meanwhile does not wait for it."""
    db = nodes.addresses["db"]
    with nodes.stream("web", WEB_IP) as north_south:
        nodes.docker("pause", "controller")
        nodes.docker("kill", "compute2")
        nodes.docker("start", "compute2")
        nodes.answers("web", db)
        nodes.docker("unpause", "controller")
        nodes.nebulactl("network create z --wait")
        nodes.nebulactl("network delete z")
    tell(north_south=north_south)
    assert north_south.lost == {}


def test_a_controller_that_is_slow(nodes: Cloud, tell: Callable[..., None]) -> None:
    """What is asked for is made all the same, no node is taken for down, and no packet is lost."""
    downs = "grep -c 'node down' /var/log/nebula-controller.log || true"
    before = nodes.on("controller", downs)
    with nodes.stream("web", nodes.addresses["db"]) as east_west, nodes.stream("web", WEB_IP) as north_south:
        nodes.on("controller", _SLOW)
        nodes.nebulactl("instance create slow --network n --node compute1 --wait")
        nodes.nebulactl("instance delete slow --wait")
        nodes.on("controller", "rm /run/slow; cat /run/slow.log >&2; test ! -s /run/slow.log")
    tell(east_west=east_west, north_south=north_south)
    assert nodes.on("controller", downs) == before
    assert (east_west.lost, north_south.lost) == ({}, {})
    nodes.wait_alive()
