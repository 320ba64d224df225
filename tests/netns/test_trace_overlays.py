"""A packet's way through two nodes, asked of each by itself, in both overlays and both datapaths."""

from __future__ import annotations

import subprocess

import msgspec
import pytest
from agent_node import DATAPATH, AgentNode, eventually, two_nodes
from agent_views import MACS, NS1, NS2, VM1_IP, VM1_PORT, VM2_IP, VM2_PORT, VNI, compute1, net1

from nebula.trace.packet import Packet, answer_to
from nebula.trace.probe import Ends, Enters, Probe, Way

pytestmark = pytest.mark.sandbox

SYN = Packet("tcp", VM1_IP, VM2_IP, source_port=50000, destination_port=80)


def ways(node: AgentNode, probe: Probe) -> list[Way]:
    """As the node's own agent would answer."""
    done = subprocess.run(
        node.agent_argv(module="agent_trace"), input=msgspec.json.encode(probe), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return msgspec.json.decode(done.stdout, type=list[Way])


def tables(way: Way) -> list[int]:
    """Of br-tun, in order."""
    return [step.table for step in way.steps if step.kind == "table" and step.place == "br-tun"]


@pytest.mark.skipif(DATAPATH == "system", reason="the kernel's datapath has one overlay")
def test_through_tunnels_of_ovs() -> None:
    """Open vSwitch's own userspace tunnels, in place of the kernel's VXLAN devices."""
    _there_and_back("ovs")


def test_through_the_tunnel_and_back() -> None:
    """The tables of both bridges on both nodes, the tunnel's VNI and end, and the answer as conntrack's way back."""
    _there_and_back("auto")


def _there_and_back(overlay: str) -> None:
    with two_nodes(overlay) as (first, second):
        for node, view in ((first, net1(gateway=None)), (second, compute1())):
            node.show(view)
            node.start_agent()
        first.wait_sync(1)
        second.wait_sync(1)
        eventually(lambda: VM2_IP in first.run("ip", "-4", "address", namespace=NS2), "lease on net1")
        eventually(lambda: VM1_IP in second.run("ip", "-4", "address", namespace=NS1), "lease on compute1")
        (out,) = ways(second, Probe(Enters.INSIDE, SYN, port=VM1_PORT))
        assert (out.ends, out.vni, out.vtep_ip) == (Ends.TUNNEL, VNI, first.vtep_ip), out
        assert out.packet.mac_destination == MACS[VM2_PORT]
        assert tables(out) == [0, 2, 20]
        (taken,) = ways(first, Probe(Enters.TUNNEL, out.packet, vtep_ip=second.vtep_ip, vni=out.vni))
        assert (taken.ends, taken.place) == (Ends.DELIVERED, NS2), taken
        assert tables(taken) == [0, 4]
        answer = answer_to(taken.packet)
        assert answer is not None
        (back,) = ways(first, Probe(Enters.INSIDE, answer, place=NS2, connections=taken.connections))
        assert (back.ends, back.vtep_ip) == (Ends.TUNNEL, second.vtep_ip), back
        (home,) = ways(
            second,
            Probe(Enters.TUNNEL, back.packet, vtep_ip=first.vtep_ip, vni=back.vni, connections=out.connections),
        )
        assert (home.ends, home.place) == (Ends.DELIVERED, NS1), home
        (stranger,) = ways(first, Probe(Enters.TUNNEL, out.packet, vtep_ip="10.0.0.99", vni=VNI))
        assert stranger.ends is Ends.DROPPED
