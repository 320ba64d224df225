"""The overlay between two nodes: whole frames on the wires, big packets, and nobody else's."""

from __future__ import annotations

import os
import struct
import subprocess
import tempfile

import msgspec
import pytest
from agent_node import DATAPATH, AgentNode, Space, eventually, sh, two_nodes
from agent_outside import WEB, Capture, Outside
from agent_views import (
    ADDRESSES,
    COMPUTE1_IP,
    MACS,
    NET1_IP,
    NS1,
    NS2,
    VM1_IP,
    VM1_PORT,
    VM2_IP,
    VM2_PORT,
    VNI,
    compute1,
    net1,
)
from nebula_agent.edge.packets import Frame, PacketSocket
from nebula_agent.edge.pcap_filter import compile_filter
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap

from nebula.capture.bpf import both, inside_vxlan, vxlan_of
from nebula.capture.frames import look
from nebula.ids import PortId

pytestmark = pytest.mark.sandbox

_CHECKED = [flag for name in ("ip", "udp", "tcp") for flag in ("-o", f"{name}.check_checksum:TRUE")]
_WRONG = "ip.checksum.status == 0 || udp.checksum.status == 0 || tcp.checksum.status == 0"
_LONGEST_BYTES = 1514
_SEND = """
import socket, struct, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
sock.sendto(bytes.fromhex(sys.argv[1]), (sys.argv[2], 0))
"""
_FIRST_FORGED = """
import socket, struct
sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
sock.settimeout(20)
print("listening", flush=True)
while True:
    kind, _code, _sum, number, sequence = struct.unpack("!BBHHH", sock.recv(2048)[20:28])
    if (kind, number) == (8, 7):
        break
print("forged", sequence)
"""
_UDP_SEGMENTS = """
import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.IPPROTO_UDP, 103, 1000)  # UDP_SEGMENT, linux/udp.h
sock.sendto(b"x" * 5000, ("{target}", 7000))
"""
_UDP_COUNT = """
import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("", 7000))
sock.settimeout({patience})
print("ready", flush=True)
print([len(sock.recv(9000)) for _ in range(5)])
"""


def _until(program: subprocess.Popen[str], text: str) -> str:
    """The first line of its output that has the text."""
    assert program.stdout is not None
    lines = []
    for line in program.stdout:
        lines.append(line)
        if text in line:
            return line
    raise AssertionError(f"it ended without {text!r}: {''.join(lines)}")


def _connected(first: AgentNode, second: AgentNode, **gateway: None) -> None:
    """The small case study on both nodes, and both instances with their addresses."""
    for node, view in ((first, net1(**gateway)), (second, compute1())):
        node.show(view)
        node.start_agent()
    for node, namespace, address in ((first, NS2, VM2_IP), (second, NS1, VM1_IP)):
        node.wait_sync(1)
        eventually(lambda: address in node.run("ip", "-4", "address", namespace=namespace), "lease")  # noqa: B023


def _transfer(server: Space, server_space: str, client: Space, client_space: str, address: str) -> None:
    """Some megabytes of TCP from the client to the server."""
    listener = server.start("iperf3", "--server", "--one-off", "--forceflush", namespace=server_space)
    _until(listener, "listening")
    client.run("iperf3", "--client", address, "--bytes", "6M", "--connect-timeout", "3000", namespace=client_space)
    assert listener.wait(10) == 0


def _count(frames: list[Ether], what: str) -> int:
    """How many of the frames tshark finds to be such."""
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        wrpcap(file.name, frames)
        return len(sh("tshark", "-n", "-r", file.name, *_CHECKED, "-Y", what, timeout_s=60).splitlines())


def test_frames_on_the_underlay_are_whole() -> None:
    """TCP in bulk between the nodes: each frame on the underlay fits its MTU, and every checksum in it is right."""
    with two_nodes() as (first, second):
        _connected(first, second, gateway=None)
        capture = Capture(first, "underlay0")
        _transfer(first, NS2, second, NS1, VM2_IP)
        frames = capture.stop()
        assert _count(frames, f"vxlan && tcp && frame.len > {_LONGEST_BYTES // 2}") > 1000
        assert _count(frames, f"frame.len > {_LONGEST_BYTES} || {_WRONG}") == 0


def test_frames_on_the_provider_network_are_whole() -> None:
    """The same through the router and its SNAT to the outside, as the outside sees it, and the way back."""
    with two_nodes() as (first, second):
        outside = Outside(first)
        _connected(first, second)
        capture = Capture(outside)
        ping = ("ping", "-c", "1", "-W", "1", WEB)
        eventually(lambda: second.status(*ping, namespace=NS1) == 0, "ping to the outside")
        _transfer(outside, "", second, NS1, WEB)
        frames = capture.stop()
        assert _count(frames, f"tcp && frame.len > {_LONGEST_BYTES // 2}") > 1000
        assert _count(frames, f"frame.len > {_LONGEST_BYTES} || {_WRONG}") == 0


def test_big_datagrams_arrive() -> None:
    """Fragments of ICMP, and UDP that a guest leaves to its device to cut up, between the nodes."""
    with two_nodes() as (first, second):
        _connected(first, second, gateway=None)
        ping = ("ping", "-c", "2", "-i", "0.1", "-s", "8000", "-W", "1", VM2_IP)
        assert "2 received" in second.run(*ping, namespace=NS1)
        assert second.status("ping", "-c", "1", "-s", "1423", "-M", "do", "-W", "1", VM2_IP, namespace=NS1) != 0
        listener = first.start("python3", "-c", _UDP_COUNT.format(patience=10), namespace=NS2)
        _until(listener, "ready")
        assert listener.stdout is not None
        second.run("python3", "-c", _UDP_SEGMENTS.format(target=VM2_IP), namespace=NS1)
        assert listener.stdout.read() == f"{[1000] * 5}\n"


def _forged(
    source: str,
    destination: str,
    number: int,
    ports: tuple[PortId, PortId] = (VM2_PORT, VM1_PORT),
) -> str:
    """A VXLAN packet, in hexadecimal, with a ping in it from one guest's port to another's."""
    one, other = ports
    inner = Ether(src=MACS[one], dst=MACS[other]) / IP(src=ADDRESSES[one], dst=ADDRESSES[other])
    inner = inner / ICMP(id=7, seq=number)
    header = struct.pack("!II", 0x08000000, VNI << 8)  # RFC 7348, section 5; scapy's sets a bit of another protocol's
    return bytes(IP(src=source, dst=destination) / UDP(sport=50000, dport=4789) / (header + bytes(inner))).hex()


def test_vxlan_from_strangers_is_dropped() -> None:
    """A frame forged on the underlay gets in under the address of a node; not under another, nor to another address."""
    with two_nodes() as (first, second):
        _connected(first, second, gateway=None)
        first.run("ip", "link", "set", "underlay0", "down")
        second.run("iptables", "-t", "raw", "-A", "PREROUTING", "-p", "udp", "--dport", "4789")
        second.run("ip", "address", "add", "10.0.0.211/24", "dev", "underlay0")
        for address in (NET1_IP, "10.0.0.99"):
            sh("ip", "address", "add", f"{address}/24", "dev", "underlay")
        guest = second.start("python3", "-c", _FIRST_FORGED, namespace=NS1)
        _until(guest, "listening")
        tries = [("10.0.0.99", COMPUTE1_IP), (NET1_IP, "10.0.0.211"), (NET1_IP, COMPUTE1_IP)]
        for number, (source, destination) in enumerate(tries):
            sh("python3", "-c", _SEND, _forged(source, destination, number), destination)
            eventually(lambda: _arrived(second) == number + 1, "it has come to the node")  # noqa: B023
        assert _until(guest, "forged") == "forged 2\n"


@pytest.mark.parametrize("tunnels", ["auto", "ovs"] if DATAPATH == "netdev" else ["auto"])
def test_a_node_that_is_shut_out_is_no_end_of_a_tunnel(tunnels: str) -> None:
    """Its own agent and Open vSwitch go on: what it sends comes to the other and no further, and nothing is sent to it;
    once it is a peer again, its packets get through."""
    with two_nodes(tunnels) as (first, second):
        _connected(first, second, gateway=None)
        ping = ("ping", "-c", "2", "-i", "0.2", "-W", "1", VM1_IP)
        eventually(lambda: first.status(*ping, namespace=NS2) == 0, "ping to the other node")
        view = compute1(2)
        (network,) = view.networks
        alone = msgspec.structs.replace(network, remote_ports=(), flood_vteps=())
        second.show(msgspec.structs.replace(view, networks=(alone,), peers=()))
        second.wait_sync(2)
        second.run("iptables", "-t", "raw", "-A", "PREROUTING", "-p", "icmp", namespace=NS1)
        captures = [Capture(node, "underlay0") for node in (first, second)]
        assert first.status(*ping, namespace=NS2) != 0
        assert second.status("ping", "-c", "2", "-i", "0.2", "-W", "1", VM2_IP, namespace=NS1) != 0
        to_first, to_second = (_count(capture.stop(), "vxlan") for capture in captures)
        assert (to_first, to_second >= 2) == (0, True)
        assert _arrived(second, "-p icmp", NS1) == 0
        second.show(compute1(3))
        second.wait_sync(3)
        eventually(lambda: first.status(*ping, namespace=NS2) == 0, "ping again")


def test_vxlan_from_a_tenant_network_is_dropped() -> None:
    """A guest sends VXLAN through its router to its own node, where the provider's gateway also leads to the underlay:
    it comes to the node from the router's address, and nothing of what is in it gets to anybody."""
    with two_nodes() as (node, _):
        outside = Outside(node)
        node.show(net1())
        node.start_agent()
        node.wait_sync(1)
        eventually(lambda: VM2_IP in node.run("ip", "-4", "address", namespace=NS2), "lease")
        sh("ip", "link", "add", "u9", "type", "veth", "peer", "name", "leg0", "netns", str(outside.pid))
        sh("ip", "link", "set", "u9", "master", "underlay", "up")
        outside.run("ip", "address", "add", "10.0.0.99/24", "dev", "leg0")
        outside.run("ip", "link", "set", "leg0", "up")
        outside.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        node.run("iptables", "-t", "raw", "-A", "PREROUTING", "-p", "udp", "--dport", "4789")
        guest = node.start("python3", "-c", _FIRST_FORGED, namespace=NS2)
        _until(guest, "listening")
        for number, source in enumerate((VM2_IP, COMPUTE1_IP)):
            forged = _forged(source, NET1_IP, number, (VM1_PORT, VM2_PORT))
            node.run("python3", "-c", _SEND, forged, NET1_IP, namespace=NS2)
            eventually(lambda: _arrived(node) == number + 1, "it has come to the node")  # noqa: B023
        sh("ip", "address", "add", f"{COMPUTE1_IP}/24", "dev", "underlay")  # in the name of the other node it does
        sh("python3", "-c", _SEND, _forged(COMPUTE1_IP, NET1_IP, 2, (VM1_PORT, VM2_PORT)), NET1_IP)
        assert _until(guest, "forged") == "forged 2\n"


def _arrived(node: AgentNode, what: str = "--dport 4789", namespace: str = "") -> int:
    """Packets, for VXLAN's port or others, that have come to the node or to a namespace of it, dropped or not."""
    saved = node.run("iptables-save", "-c", "-t", "raw", namespace=namespace)
    rule = next(line for line in saved.splitlines() if what in line)
    return int(rule[1:].partition(":")[0])


@pytest.mark.skipif(DATAPATH != "netdev", reason="about tunnels of the userspace datapath")
def test_a_capture_sees_the_userspace_datapaths_own_tunnels() -> None:
    """They pass by the bridge that has the tunnel address and cross its port: there the agent listens."""
    with two_nodes("ovs") as (first, second):
        _connected(first, second, gateway=None)
        fd = os.open(f"/proc/{second.pid}/ns/net", os.O_RDONLY)
        program = both(vxlan_of((VNI,)), inside_vxlan(compile_filter("icmp", 200)))
        listening = PacketSocket("underlay0", fd, program)
        beside = PacketSocket(second.vtep_device, fd, program)
        second.run("ping", "-c", "1", "-W", "3", VM2_IP, namespace=NS1)
        found: list[Frame] = []

        def heard() -> bool:
            listening.wait(0.1)
            found.extend(listening.read())
            return len(found) >= 2

        eventually(heard, "request and answer")
        assert [(frame.outgoing, look(frame.data)[0]) for frame in found] == [(True, VNI), (False, VNI)]
        assert beside.read() == []
        for one in (listening, beside):
            one.close()
        os.close(fd)
