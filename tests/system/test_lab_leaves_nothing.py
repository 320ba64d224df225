"""A lab touches nothing of its machine, and whatever happens to it, ``lab down`` leaves the machine as it was.

The machine is a private set of namespaces with things of its own: a named namespace, a bridge, firewall rules, and an
Open vSwitch with a bridge that is called br-int too.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator

import pytest

from tests.netns.lab_machine import Machine

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="plays a whole machine, which needs root")

_FOREIGN = """
set -e
sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0
ip netns add blue
ip link add br0 type bridge; ip addr add 192.0.2.1/24 dev br0; ip link set br0 up
ip link add v0 type veth peer name v1 netns blue; ip link set v0 master br0 up
ip -n blue addr add 192.0.2.2/24 dev v1; ip -n blue link set v1 up
ip route add 198.51.100.0/24 via 192.0.2.2
iptables -A INPUT -s 192.0.2.66 -j DROP; iptables -t nat -A POSTROUTING -o br0 -j MASQUERADE
mkdir -p /run/openvswitch
ovsdb-tool create /run/openvswitch/conf.db /usr/share/openvswitch/vswitch.ovsschema
ovsdb-server /run/openvswitch/conf.db --remote=punix:/run/openvswitch/db.sock --pidfile --detach --log-file=/dev/null
ovs-vswitchd unix:/run/openvswitch/db.sock --pidfile --detach --log-file=/dev/null
ovs-vsctl add-br br-int -- set bridge br-int datapath_type=netdev fail_mode=secure
ovs-ofctl add-flow br-int cookie=0x7,priority=5,ip,actions=drop
"""
_NEBULACTL = (sys.executable, "-m", "nebulactl")


@pytest.fixture(params=[False, True], ids=["root", "user"])
def user(request: pytest.FixtureRequest) -> bool:
    """Whose lab it is."""
    return bool(request.param)


@pytest.fixture(scope="module")
def shared() -> Iterator[Machine]:
    """One busy machine for all tests: each of them shows that it leaves it as it was."""
    one = Machine()
    try:
        one.run("sh", "-c", _FOREIGN)
        yield one
    finally:
        one.close()


def lab_pids(machine: Machine, before: dict[str, list[str]]) -> list[str]:
    """Processes that were not there before, by the machine's pids."""
    known = set(before["processes"])
    return [line.split()[0] for line in machine.inventory()["processes"] if line not in known]


def test_up_and_down(shared: Machine, user: bool) -> None:
    """A lab that is up adds processes, namespaces and one socket to the machine, no more; down takes all back."""
    before = shared.inventory()
    shared.nebulactl("lab", "up", "--nodes", "2", user=user)
    during = shared.inventory()
    status = shared.nebulactl("lab", "status", "-f", "json", user=user)
    shared.nebulactl("lab", "down", user=user)
    changed = {name for name in before if before[name] != during[name]}
    assert changed <= {"processes", "namespaces", "sockets", "files"}
    assert "compute1" in status
    new_sockets = [line for line in during["sockets"] if line.startswith("tcp") and line not in before["sockets"]]
    assert [" 127.0.0.1:" in line for line in new_sockets] == [True]
    assert shared.settled_inventory(before) == before


def test_kill_everything_then_down(shared: Machine, user: bool) -> None:
    """After ``kill -9`` of every process of a lab, ``lab down`` leaves the machine as it was before ``lab up``."""
    before = shared.inventory()
    shared.nebulactl("lab", "up", "--nodes", "2", user=user)
    shared.call("kill", "-9", *lab_pids(shared, before))
    shared.nebulactl("lab", "down", user=user)
    assert shared.settled_inventory(before) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("after_s", [0.1, 0.3, 0.6])
def test_up_is_stopped_in_the_middle(shared: Machine, number: signal.Signals, after_s: float) -> None:
    """Ctrl-C and SIGTERM take down what ``up`` had made; what a ``kill -9`` leaves, ``lab down`` finds."""
    before = shared.inventory()
    child = shared.start(*_NEBULACTL, "lab", "up", "--nodes", "2")
    pid = ""
    while not pid and child.poll() is None:
        pid = shared.call("pgrep", "-f", "nebulactl lab up").stdout.strip()
    time.sleep(after_s)
    shared.call("kill", f"-{number.value}", pid)
    _out, words = child.communicate(timeout=60)
    whole = shared.call(*_NEBULACTL, "lab", "status").returncode == 0  # it was up before the signal came
    if number is signal.SIGKILL or whole:
        shared.nebulactl("lab", "down")
    assert "Traceback" not in words
    assert shared.settled_inventory(before) == before


def test_down_while_up_is_running(shared: Machine) -> None:
    """``lab down`` interrupts a running ``lab up``, says so, and leaves nothing."""
    before = shared.inventory()
    child = shared.start(*_NEBULACTL, "lab", "up", "--nodes", "3")
    time.sleep(0.45)
    down = shared.call(*_NEBULACTL, "lab", "down")
    _out, words = child.communicate(timeout=60)
    assert (down.returncode, child.returncode) == (0, 130)
    assert "interrupting it" in down.stderr
    assert "Traceback" not in words + down.stderr
    assert shared.settled_inventory(before) == before


def test_down_of_nothing_and_of_a_damaged_lab(shared: Machine) -> None:
    """``lab down`` succeeds where there is nothing to do, and where the lab's own record is broken."""
    before = shared.inventory()
    assert "nothing to do" in shared.nebulactl("lab", "down")
    shared.nebulactl("lab", "up", "--nodes", "1")
    shared.run("sh", "-c", "echo '{' > /run/nebula/labs/nebula/lab.json")
    assert "damaged" in shared.call(*_NEBULACTL, "lab", "up").stderr
    shared.nebulactl("lab", "down")
    assert shared.settled_inventory(before) == before
