"""A lab of an ordinary user: no privilege, the same commands; and clear lines where the machine stands in the way."""

import json
import os
import sys
from collections.abc import Iterator

import pytest

from tests.netns.lab_machine import USER, Machine

_NEBULACTL = (sys.executable, "-m", "nebulactl")


@pytest.fixture(scope="module")
def lab() -> Iterator[Machine]:
    """A machine with a user's lab of two nodes on it."""
    machine = Machine()
    try:
        ended = machine.call(*_NEBULACTL, "lab", "up", "--nodes", "2", user=True)
        if not machine.private and "/dev/net/tun" in ended.stderr:
            pytest.skip(ended.stderr)
        assert ended.returncode == 0, ended.stderr
        yield machine
    finally:
        machine.call(*_NEBULACTL, "lab", "down", user=True)
        machine.close()


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A machine for one test, which may spoil it."""
    one = Machine()
    yield one
    one.close()


def test_nodes_are_their_own_machines(lab: Machine) -> None:
    """A node has its own host name, processes, network, /run and Open vSwitch."""
    names = [lab.nebulactl("lab", "exec", node, "hostname", user=True).strip() for node in ("net1", "compute1")]
    bridges = lab.nebulactl("lab", "exec", "net1", "--", "ovs-vsctl", "list-br", user=True).split()
    processes = lab.nebulactl("lab", "exec", "net1", "--", "ps", "-e", "-o", "comm=", user=True).split()
    assert names == ["net1", "compute1"]
    assert "br-int" in bridges
    assert processes.count("ovs-vswitchd") == 1


def test_exec_passes_exit_code_input_and_output(lab: Machine) -> None:
    """``lab exec`` is the command: its exit code, what it reads, what it writes, flags like ours."""
    code = lab.call(*_NEBULACTL, "lab", "exec", "net1", "--", "sh", "-c", "exit 7", user=True)
    echo = lab.call(*_NEBULACTL, "lab", "exec", "net1", "--", "cat", user=True, stdin="a\nb")
    flag = lab.call(*_NEBULACTL, "lab", "exec", "net1", "echo", "--name", "-h", user=True)
    none = lab.call(*_NEBULACTL, "lab", "exec", "net1", "nosuch", user=True)
    assert (code.returncode, echo.stdout, flag.stdout) == (7, "a\nb", "--name -h\n")
    assert (none.returncode, "nosuch" in none.stderr) == (127, True)


@pytest.mark.parametrize("node", ["net1", "compute1"])
def test_a_node_needs_no_flags_for_its_own_plan(lab: Machine, node: str) -> None:
    """``nebula-agent plan`` typed on a node reads the configuration of the agent there: nothing is to change."""
    plan = lab.nebulactl("lab", "exec", node, "--", "nebula-agent", "plan", user=True)
    assert plan.startswith(f"# {node}: 0 changes")


def test_a_terminal_works(lab: Machine) -> None:
    """``lab shell`` gives an interactive shell on a terminal, with the node in the prompt."""
    line = "nebulactl lab shell compute1".replace("nebulactl", " ".join(_NEBULACTL))
    ended = lab.call("script", "-qec", line, "/dev/null", user=True, stdin="tty && hostname\nexit 3\n")
    assert "[compute1] / #" in ended.stdout
    assert "compute1" in ended.stdout.splitlines()
    assert ended.returncode == 3


def test_an_idle_lab_is_silent(lab: Machine) -> None:
    """Nobody asked for anything: underlay and provider segment carry nothing at all.

    The nodes greet each other once when the lab comes up; the kernel confirms what it learnt from that by ARP 5 s
    later (``delay_first_probe_time``, arp(7)): a lab is idle when nothing was heard for longer than that.
    """

    def heard(segment: str, seconds: int) -> str:
        script = f'timeout {seconds} "$0" -m nebula_lab.listen "$1" | wc -c'
        return lab.nebulactl("lab", "exec", "fabric", "--", "sh", "-c", script, sys.executable, segment, user=True)

    for _attempt in range(3):
        if (underlay := heard("underlay", 7)) == "24\n":
            break
    assert (underlay, heard("provider", 3)) == ("24\n", "24\n"), "more than a capture file's header"


def test_the_outside_world_answers_with_the_clients_address(lab: Machine) -> None:
    """The web server says whom it saw; the outside world has no way back to private addresses."""
    curl = ("curl", "-s", "-m5", "http://198.51.100.10/")
    routes = lab.nebulactl("lab", "exec", "outside", "ip", "route", user=True).splitlines()
    assert lab.nebulactl("lab", "exec", "outside", "--", *curl, user=True) == "198.51.100.1\n"
    assert sorted(route.split()[0] for route in routes) == ["198.51.100.0/24", "203.0.113.0/24"]


def test_wrong_names_are_clear_lines(lab: Machine) -> None:
    """A node or a lab that does not exist is named, with what there is or what to do."""
    node = lab.call(*_NEBULACTL, "lab", "exec", "compute7", "true", user=True)
    other = lab.call(*_NEBULACTL, "lab", "status", "--name", "nix", user=True)
    bad = lab.call(*_NEBULACTL, "lab", "up", "--name", "../x", user=True)
    assert (node.returncode, "has no node 'compute7': it has net1, compute1" in node.stderr) == (1, True)
    assert (other.returncode, "'nix' is not up: start it with" in other.stderr) == (1, True)
    assert (bad.returncode, "lab name" in bad.stderr) == (1, True)


def test_env_works_for_the_unmodified_client(lab: Machine) -> None:
    """``eval "$(nebulactl lab env)"`` is all that the openstack client needs; a clouds.yaml entry does as well."""
    script = 'eval "$("$0" -m nebulactl lab env)" && openstack network list -f json'
    listed = lab.run("bash", "-c", script, sys.executable, user=True)
    lab.nebulactl("lab", "env", "--clouds-yaml", user=True)
    again = lab.run("openstack", "--os-cloud", "nebula", "network", "list", "-f", "json", user=True)
    assert [network["Name"] for network in json.loads(listed)] == ["public"]
    assert json.loads(again) == json.loads(listed)


@pytest.mark.skipif(os.geteuid() != 0, reason="spoils a machine of its own, which needs root")
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ("chmod 0600 /dev/net/tun", "sudo chmod 0666 /dev/net/tun"),
        ("rm /dev/net/tun", "sudo modprobe tun"),
        (
            "touch /run/x; for p in tini dnsmasq; do mount --bind /run/x $(which $p); done",
            "apt install dnsmasq-base tini",
        ),
    ],
)
def test_a_machine_that_cannot_carry_a_lab(machine: Machine, spoil: str, words: str) -> None:
    """What is missing is one line that says what to do, and nothing is left behind."""
    machine.run("sh", "-ec", spoil)
    before = machine.inventory()
    ended = machine.call(*_NEBULACTL, "lab", "up", user=True)
    assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1)
    assert words in ended.stderr
    assert machine.settled_inventory(before) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="spoils a machine of its own, which needs root")
def test_a_full_disk(machine: Machine) -> None:
    """Where the lab's folder has no room, a line says so, and nothing is left behind."""
    machine.run("sh", "-ec", f"mount -t tmpfs -o size=100k,mode=700,uid={USER} full /run/user/{USER}")
    before = machine.inventory()
    env = {"XDG_RUNTIME_DIR": f"/run/user/{USER}"}
    ended = machine.call(*_NEBULACTL, "lab", "up", user=True, env=env)
    assert (ended.returncode, f"MiB are free in /run/user/{USER}/nebula/labs" in ended.stderr) == (1, True)
    assert machine.settled_inventory(before) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="spoils a machine of its own, which needs root")
def test_a_folder_without_exec(machine: Machine) -> None:
    """An instance's DHCP client runs a script out of the lab's folder: where that is forbidden a line says so."""
    machine.run("mount", "-o", "remount,noexec", f"/run/user/{USER}")
    before = machine.inventory()
    env = {"XDG_RUNTIME_DIR": f"/run/user/{USER}"}
    ended = machine.call(*_NEBULACTL, "lab", "up", user=True, env=env)
    assert (ended.returncode, "noexec: set XDG_RUNTIME_DIR" in ended.stderr) == (1, True)
    assert machine.settled_inventory(before) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="spoils a machine of its own, which needs root")
def test_namespaces_forbidden(machine: Machine) -> None:
    """Where no user namespace may be made, a line names the setting; nothing is left behind."""
    before = machine.inventory()
    inner = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
    argv = ("unshare", "--user", "--map-user=1", "--keep-caps", "--", "sh", "-c", inner, "sh")
    ended = machine.call(*argv, *_NEBULACTL, "lab", "up")
    assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1)
    assert "forbids user namespaces (user.max_user_namespaces = 0): run 'sudo sysctl -w " in ended.stderr
    assert machine.settled_inventory(before) == before
