"""Somebody else changes what is ours: it is mended. What is not ours is left alone."""

from __future__ import annotations

import re
import signal
import time

import packet_stream
import pytest
from agent_node import DATAPATH, AgentNode, eventually, two_nodes, underlay
from agent_views import (
    ADDRESSES,
    COMPUTE1_IP,
    DHCP_IP,
    MACS,
    NET,
    NS1,
    NS2,
    QDHCP,
    QROUTER,
    VM1_PORT,
    VM2_IP,
    VM2_PORT,
    VNI,
    compute1,
    net1,
)
from packet_stream import Stream

pytestmark = pytest.mark.sandbox

_TAP = f"tap{VM2_PORT[:11]}"


def _net1() -> AgentNode:
    node = AgentNode("net1", "10.0.0.1")
    underlay(node)
    node.run("ip", "link", "add", "inet0", "type", "veth", "peer", "name", "inet1")
    node.start_ovs()
    node.mappings = ("public:br-ex:inet0",)
    node.show(net1())
    return node


def _serves(node: AgentNode) -> bool:
    """The instance can get a lease and reach the DHCP server and the router."""
    ping = ("ping", "-c", "1", "-W", "1")
    return (
        VM2_IP in node.run("ip", "-4", "address", "show", "eth0", namespace=NS2)
        and node.status(*ping, DHCP_IP, namespace=NS2) == 0
        and node.status(*ping, "192.168.50.1", namespace=NS2) == 0
    )


def _break(node: AgentNode, what: str) -> None:
    commands = {
        "flow": ("ovs-ofctl", "del-flows", "br-int", "table=60"),
        "route": ("ip", "-n", QROUTER, "route", "del", "default"),
        "address": ("ip", "-n", QROUTER, "address", "flush", "dev", "qr-285e4d49-5c"),
        "rules": ("ip", "netns", "exec", QROUTER, "iptables", "-t", "nat", "-F"),
        "veth": ("ip", "link", "del", _TAP),
        "offload": ("ip", "netns", "exec", NS2, "ethtool", "-K", "eth0", "tx-udp-segmentation", "on"),
        "vxlan": ("ip", "link", "del", f"vxlan-{VNI}"),
        "fdb": ("bridge", "fdb", "del", MACS[VM1_PORT], "dev", f"vxlan-{VNI}", "dst", COMPUTE1_IP),
        "chain": ("iptables", "-t", "mangle", "-F", "INPUT"),
        "port": ("ovs-vsctl", "del-port", _TAP),
        "tag": ("ovs-vsctl", "set", "Port", _TAP, "tag=7"),
        "bridge": ("ovs-vsctl", "del-br", "br-int"),
        "dnsmasq": ("sh", "-c", "kill -9 $(cat /run/nebula-state/dhcp/*/pid)"),
        "namespace": ("ip", "netns", "del", QDHCP),
    }
    node.run(*commands[what])


def _is_back(node: AgentNode, what: str) -> bool:
    def shown(text: str, *argv: str) -> bool:
        return text in node.run("sh", "-c", f"{' '.join(argv)} 2>&1 || true")

    checks = {
        "flow": lambda: shown("priority=", "ovs-ofctl", "dump-flows", "br-int", "table=60"),
        "route": lambda: shown("default", "ip", "-n", QROUTER, "route"),
        "address": lambda: shown("192.168.50.1/24", "ip", "-n", QROUTER, "address"),
        "rules": lambda: shown("SNAT", "ip", "netns", "exec", QROUTER, "iptables-save"),
        "veth": lambda: node.status("ip", "link", "show", _TAP) == 0,
        "offload": lambda: shown("tx-udp-segmentation: off", "ip", "netns", "exec", NS2, "ethtool", "-k", "eth0"),
        "vxlan": lambda: shown(f"vxlan-{VNI}", "ovs-ofctl", "dump-ports-desc", "br-tun"),
        "fdb": lambda: shown(f"{MACS[VM1_PORT]} dst {COMPUTE1_IP}", "bridge", "fdb", "show", "dev", f"vxlan-{VNI}"),
        "chain": lambda: shown("-j nebula-vxlan", "iptables", "-t", "mangle", "-S", "INPUT"),
        "port": lambda: shown(_TAP, "ovs-vsctl", "list-ports", "br-int"),
        "tag": lambda: node.run("ovs-vsctl", "get", "Port", _TAP, "tag") != "7\n",
        "bridge": lambda: shown(_TAP, "ovs-vsctl", "list-ports", "br-int"),
        "dnsmasq": lambda: node.status("pgrep", "-x", "dnsmasq") == 0,
        "namespace": lambda: node.status("ip", "-n", QDHCP, "link", "show", "ns-3f7b94c3-c5") == 0,
    }
    return checks[what]()


_BREAKABLE = ["flow", "route", "address", "rules", "veth", "port", "tag", "bridge", "dnsmasq", "namespace"]
_WELL_KNOWN = 50
"""Packets; 2.5 s of a stream. ovs-vswitchd looks twice a second which flows it deletes."""
_IN_USERSPACE = ["offload", "vxlan", "fdb", "chain"]


@pytest.mark.parametrize("what", _BREAKABLE + (_IN_USERSPACE if DATAPATH == "netdev" else []))
def test_what_others_break_is_mended(what: str) -> None:
    """The thing is back within seconds, and the instance is served again."""
    node = _net1()
    node.start_agent()
    node.wait_sync(1)
    eventually(lambda: _serves(node), "service before")
    _break(node, what)
    eventually(lambda: _is_back(node, what), f"{what} is back", timeout_s=5)
    eventually(lambda: _serves(node), f"service after {what}", timeout_s=8)
    eventually(lambda: node.in_sync(1), "nothing left to do")


def _forwarded(node: AgentNode) -> int:
    """How many packets one and the same flow of the datapath, the most used one, has forwarded by now."""
    used = re.findall(r" packets:(\d+),", node.run("ovs-appctl", "dpctl/dump-flows"))
    return max(map(int, used), default=0)


def test_death_of_vswitchd_costs_what_passes_it() -> None:
    """ovs-vswitchd dies and comes back with empty tables: the agent loads the flows, and traffic flows again. Lost is
    what is sent from its death on, or, where the kernel forwards what it knows, from its new start on; no packet more.
    """
    with two_nodes() as (first, second):
        for node, view in ((first, net1(gateway=None)), (second, compute1())):
            node.show(view)
            node.start_agent()
            node.wait_sync(1)
        ping = ("ping", "-c", "1", "-W", "1", VM2_IP)
        eventually(lambda: second.status(*ping, namespace=NS1) == 0, "ping before")
        for node, space, port in ((first, NS2, VM1_PORT), (second, NS1, VM2_PORT)):  # neighbours may be asked for anew
            way = ("lladdr", MACS[port], "dev", "eth0", "nud", "permanent")
            node.run("ip", "neighbour", "replace", ADDRESSES[port], *way, namespace=space)
        argv = second.argv("sh", "-c", packet_stream.ping(f"ip netns exec {NS1}", VM2_IP))
        with Stream.running(argv, lambda pid: second.argv("kill", "-INT", pid)) as stream:
            if DATAPATH == "system":
                eventually(
                    lambda: _forwarded(second) > _WELL_KNOWN, "flows of the kernel's that stay while they are used"
                )
            died = packet_stream.now()
            second.kill_vswitchd()
            time.sleep(1)
            began = packet_stream.now()
            second.start_vswitchd()
            second.set_vtep()
            eventually(lambda: second.status(*ping, namespace=NS1) == 0, "ping after", timeout_s=10)
            ended = packet_stream.now()
        print(f"{stream}, {ended - died:.1f} s from its death, {ended - began:.1f} s from its new start")
        assert stream.lost_outside(died if DATAPATH == "netdev" else began, ended) == []
        assert stream.lost or DATAPATH == "system"


def test_death_of_ovsdb_server_fails_nothing() -> None:
    """A view that comes while ovsdb-server is just being started again is carried out; no port was in ERROR for it."""
    with two_nodes() as (first, second):
        for node, view in ((first, net1(gateway=None)), (second, compute1(instance=False))):
            node.show(view)
            node.start_agent()
            node.wait_sync(1)
        second.run("sh", "-c", "kill -9 $(cat /run/openvswitch/ovsdb-server.pid)")
        second.show(compute1(2))
        second.start_database()
        second.wait_sync(2)
        assert "FAILED" not in second.log.read_text().upper()
        eventually(lambda: second.status("ping", "-c", "1", "-W", "1", VM2_IP, namespace=NS1) == 0, "ping")


def test_what_is_not_ours_stays() -> None:
    """Foreign bridges, ports, flows, namespaces, links and files outlive the agent, drift and ``clean``."""
    node = _net1()
    node.run("ovs-vsctl", "add-br", "br-other", "--", "set", "bridge", "br-other", "datapath_type=netdev")
    node.run("ovs-vsctl", "add-port", "br-other", "p0", "--", "set", "interface", "p0", "type=internal")
    node.run("ip", "netns", "add", "theirs")
    node.run("ip", "link", "add", "tapother", "type", "veth", "peer", "name", "eth0", "netns", "theirs")
    node.run("iptables", "-A", "FORWARD", "-s", "192.0.2.1", "-j", "DROP")
    node.start_agent()
    node.wait_sync(1)
    node.run("ovs-ofctl", "add-flow", "br-int", "table=60,priority=9,cookie=0x77,actions=drop")
    node.run("ip", "netns", "exec", QROUTER, "ip", "route", "add", "192.0.2.0/24", "via", "192.168.50.9")
    node.run("sh", "-c", "mkdir -p /run/nebula-state/mine && echo kept > /run/nebula-state/mine/file")
    node.stop_agent(signal.SIGTERM)
    since = len(node.passes())
    node.start_agent()
    node.wait_sync(1, since)
    assert node.changes(since) == 0
    assert "cookie=0x77" in node.run("ovs-ofctl", "dump-flows", "br-int")
    assert "192.0.2.0/24" in node.run("ip", "route", namespace=QROUTER)
    node.stop_agent()
    node.agent("clean")
    objects = node.objects()
    assert objects["namespaces"] == ["theirs"]
    assert sorted(objects["bridges"]) == ["br-other"]
    assert [link for link in objects["links"] if "tap" in link] == ["tapother@if2"]
    assert node.run("ovs-vsctl", "list-ports", "br-other").split() == ["p0"]
    assert not [link for link in objects["links"] if "vxlan" in link]
    rules = node.run("iptables-save")
    assert ("192.0.2.1" in rules, "nebula" in rules) == (True, False)
    assert node.run("cat", "/run/nebula-state/mine/file") == "kept\n"
    assert node.run("sh", "-c", "pgrep -x dnsmasq; pgrep -x udhcpc; true") == ""
    assert node.run("ls", "/run/nebula-state") == "mine\n"
    assert NET not in node.run("ovs-vsctl", "show")
