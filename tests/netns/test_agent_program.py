"""The program: its commands, and what it says where something is missing."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from agent_node import AgentNode, eventually, two_nodes, underlay
from agent_views import DHCP_IP, MACS, NS2, VM1_IP, VM1_PORT, VM2_IP, compute1, net1

pytestmark = pytest.mark.sandbox


def _net1() -> AgentNode:
    node = AgentNode("net1", "10.0.0.1")
    underlay(node)
    node.start_ovs()
    node.show(net1(gateway=None))
    return node


def _refusal(node: AgentNode, *command: str) -> str:
    done = subprocess.run(node.agent_argv(*command), capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("flags", [(), ("--script",)])
def test_plan_changes_nothing_and_its_lines_do_the_work(flags: tuple[str, ...]) -> None:
    """The lines of ``plan``, run by bash, make what the agent would make: started then, it finds nothing to change."""
    node = _net1()
    before = node.objects()
    lines = node.agent("plan", *flags)
    assert node.objects() == before
    done = subprocess.run(node.argv("bash", "-e"), input=lines, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    node.start_program()
    node.wait_sync(1)
    assert node.changes(0) == 0, node.log.read_text()
    eventually(lambda: VM2_IP in node.run("ip", "-4", "address", namespace=NS2), "lease")


def test_what_the_kernel_lacks_is_said_at_the_start() -> None:
    """All parts that are there are found by trying them; where iptables refuses DCCP, the log names that and what
    follows."""
    node = _net1()
    refusing = Path(f"/proc/{node.pid}/root/run/iptables-restore")
    refusing.write_text(
        '#!/bin/sh\nrules=$(cat); case $rules in *"-p dccp"*) exit 2;; esac\n'
        'echo "$rules" | exec /usr/sbin/iptables-restore "$@"\n'
    )
    refusing.chmod(0o755)
    node.start_program(PATH=f"/run:{os.environ['PATH']}")
    node.wait_sync(1)
    log = node.log.read_text()
    found = next(line for line in log.splitlines() if " capabilities=" in line).partition(" capabilities=")[2]
    assert set(found.split()[0].strip('"').split(",")) >= {"conntrack", "nat"}
    assert "this node lacks nat-dccp: its kernel cannot translate the ports of DCCP" in log


def _has_flows(node: AgentNode, device: str) -> bool:
    return device in node.run("ovs-ofctl", "dump-flows", "br-int", "--names")


def test_what_others_plug_is_bound() -> None:
    """An interface that somebody puts on br-int with ``iface-id`` is wired until it or its device goes.

    It is left alone when the agent cleans.
    """
    with two_nodes() as (first, second):
        first.show(net1(gateway=None))
        second.show(compute1(instance=False))
        for node in (first, second):
            node.start_program()
            node.wait_sync(1)
        second.run("ip", "netns", "add", "guest")
        mac = ("address", MACS[VM1_PORT])
        second.run("ip", "link", "add", "tapguest", "type", "veth", "peer", "eth0", *mac, "netns", "guest")
        second.run("ip", "link", "set", "tapguest", "up")
        for argv in (("link", "set", "eth0", "up", "mtu", "1450"), ("address", "add", f"{VM1_IP}/24", "dev", "eth0")):
            second.run("ip", *argv, namespace="guest")
        second.run("ethtool", "-K", "eth0", "tx", "off", namespace="guest")
        iface = ("set", "interface", "tapguest", f"external_ids:iface-id={VM1_PORT}")
        second.run("ovs-vsctl", "add-port", "br-int", "tapguest", "--", *iface)
        ping = ("ping", "-c", "1", "-W", "1", DHCP_IP)
        eventually(lambda: second.status(*ping, namespace="guest") == 0, "ping from the guest")
        second.run("ovs-vsctl", "del-port", "tapguest")
        eventually(lambda: not _has_flows(second, "tapguest"), "flows gone")
        second.run("ovs-vsctl", "add-port", "br-int", "tapguest", "--", *iface)
        eventually(lambda: _has_flows(second, "tapguest"), "flows again")
        second.run("ip", "link", "del", "tapguest")
        eventually(lambda: not _has_flows(second, "tapguest"), "flows gone with the device")
        second.stop_agent()
        second.agent("clean")
        assert second.run("ip", "netns", "list").split()[0] == "guest"


def test_what_is_missing_is_said() -> None:
    """No Open vSwitch, no VTEP address, another agent, a broken flag: one line on what to do, exit code 1."""
    node = AgentNode("net1", "10.0.0.1")
    underlay(node)
    node.show(net1(gateway=None))
    assert "start Open vSwitch, or set --ovs-db" in _refusal(node)
    node.start_ovs()
    node.run("ip", "address", "flush", "dev", "underlay0")
    assert "the VTEP address 10.0.0.1 is not on this node" in _refusal(node)
    node.run("ip", "address", "add", "10.0.0.1/24", "dev", "underlay0")
    assert "only through a bridge of its own" in _refusal(node, "--overlay", "ovs").replace("\n", " ")
    node.run("ip", "address", "flush", "dev", "underlay0")
    node.set_vtep()
    assert "--datapath-type 'fast'" in _refusal(node, "--datapath-type", "fast")
    node.start_program()
    node.wait_sync(1)
    assert f"already running as process {node.agent_pid}" in _refusal(node)
    assert "already running" in _refusal(node, "clean")
    assert node.stop_agent(signal.SIGTERM) == 0
    assert node.run("sh", "-c", "ls /run/nebula/agent.pid 2>/dev/null || true") == ""
    assert "no agent is running" in _refusal(node, "confirm")


def test_mass_removal_waits_for_a_person() -> None:
    """A view that would take most of many ports away is held, with an alarm, until ``confirm``."""
    from agent_views import many

    node = AgentNode("compute1", "10.0.0.11")
    underlay(node)
    node.start_ovs()
    node.show(many(25))
    node.start_program()
    node.wait_sync(1)
    node.show(many(0, 2))
    eventually(lambda: "25 of 25 ports would be removed" in node.log.read_text(), "alarm")
    assert len(node.run("ip", "netns", "list").splitlines()) == 25
    node.agent("confirm")
    eventually(lambda: node.run("ip", "netns", "list") == "", "removal after confirm")
