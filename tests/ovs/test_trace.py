"""Where packets go, asked of a real ovs-vswitchd with the compiled flows in it (``ofproto/trace``)."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from dummy_ovs import DummyOvs

from nebula.compile import compile_node
from nebula.ids import BR_INT
from nebula.trace import ofproto

sys.path.append(str(Path(__file__).parents[1] / "scenarios"))
from golden import HERE, load

VNI, OTHER_VNI = 7527, 7528
VM1, VM1_OTHER = "tap5759c106-0c", "tape69cbf32-9f"
VM1_MAC, VM2_MAC, DHCP_MAC = "fa:16:3e:9d:3c:34", "fa:16:3e:41:9f:40", "fa:16:3e:19:e2:44"
ROUTER_MAC, GATEWAY_MAC = "fa:16:3e:7c:51:9f", "fa:16:3e:87:82:94"
BROADCAST = "ff:ff:ff:ff:ff:ff"
NET1, COMPUTE1, COMPUTE2 = "10.0.0.1", "10.0.0.11", "10.0.0.12"


def _scenario(name: str) -> Iterator[DummyOvs]:
    view, facts = load(HERE / name)
    plugged = [device for _, device in facts.plugged]
    with tempfile.TemporaryDirectory(prefix="ovs-") as folder, DummyOvs(Path(folder)) as ovs:
        ovs.build(compile_node(view, facts), plugged=plugged)
        ovs.underlay(facts.vtep_ip, view.peers)
        yield ovs


@pytest.fixture(scope="module")
def compute1() -> Iterator[DummyOvs]:
    yield from _scenario("case-study-compute1")


@pytest.fixture(scope="module")
def net1() -> Iterator[DummyOvs]:
    yield from _scenario("case-study-net1")


@pytest.fixture(scope="module")
def overlapping() -> Iterator[DummyOvs]:
    yield from _scenario("overlapping-projects")


def _ip(source: str, destination: str, ip_source: str = "192.168.50.227", ip_destination: str = "192.168.50.74") -> str:
    return f"icmp,dl_src={source},dl_dst={destination},nw_src={ip_source},nw_dst={ip_destination}"


def _arp(source: str, sender: str, target: str) -> str:
    head = f"arp,dl_src={source},dl_dst={BROADCAST}"
    return f"{head},arp_op=1,arp_sha={source},arp_spa={sender},arp_tha=00:00:00:00:00:00,arp_tpa={target}"


def _from(ovs: DummyOvs, device: str, packet: str) -> tuple[str, ...]:
    return ovs.trace(BR_INT, f"in_port={ovs.ofport(device)},{packet}")


def test_unicast_takes_one_tunnel(compute1: DummyOvs) -> None:
    """A packet to an instance on another node goes to that node only, under the network's VNI."""
    assert _from(compute1, VM1, _ip(VM1_MAC, VM2_MAC)) == (f"{COMPUTE2} vni {VNI}",)


def test_broadcast_goes_where_the_network_is(compute1: DummyOvs) -> None:
    """A DHCP DISCOVER is flooded to the nodes that have the network, and not back to its sender."""
    discover = f"udp,dl_src={VM1_MAC},dl_dst={BROADCAST},nw_src=0.0.0.0,nw_dst=255.255.255.255,udp_src=68,udp_dst=67"
    assert _from(compute1, VM1, discover) == (f"{NET1} vni {VNI}", f"{COMPUTE2} vni {VNI}")


def test_broadcast_on_the_network_node(net1: DummyOvs) -> None:
    """A flood reaches the local ports of the network (here the router's) and never the provider network."""
    actual = _from(net1, "tap3f7b94c3-c5", _ip(DHCP_MAC, BROADCAST))
    assert actual == (f"{COMPUTE1} vni {VNI}", f"{COMPUTE2} vni {VNI}", "tap285e4d49-5c")


def test_arp_for_a_remote_port_is_answered(compute1: DummyOvs) -> None:
    """The answer has the remote port's MAC, and comes to the one who asked. The request goes to the one who is asked,
    and to no other: he may have to learn that 192.168.50.227 has another MAC now."""
    packet = _arp(VM1_MAC, "192.168.50.227", "192.168.50.74")
    actual = compute1.datapath_actions(BR_INT, f"in_port={compute1.ofport(VM1)},{packet}")
    assert actual.startswith(f"set(eth(dst={VM2_MAC})),clone(tnl_push(")
    assert actual.endswith(
        f",set(eth(src={VM2_MAC},dst={VM1_MAC})),"
        f"set(arp(sip=192.168.50.74,tip=192.168.50.227,op=2,sha={VM2_MAC},tha={VM1_MAC})),{VM1}"
    )
    assert _from(compute1, VM1, packet) == (f"{COMPUTE2} vni {VNI}", VM1)


def test_arp_for_an_unknown_address_is_flooded(compute1: DummyOvs) -> None:
    """Who has an address that the controller does not know is asked on every node of the network."""
    actual = _from(compute1, VM1, _arp(VM1_MAC, "192.168.50.227", "192.168.50.99"))
    assert actual == (f"{NET1} vni {VNI}", f"{COMPUTE2} vni {VNI}")


def test_from_a_tunnel_to_a_local_port(compute1: DummyOvs) -> None:
    """What a peer sends under the VNI reaches the instance."""
    assert compute1.from_tunnel(COMPUTE2, VNI, _ip(VM2_MAC, VM1_MAC), COMPUTE1) == (VM1,)


@pytest.mark.parametrize("destination", [BROADCAST, DHCP_MAC, "fa:16:3e:99:99:99"])
def test_nothing_goes_from_tunnel_to_tunnel(compute1: DummyOvs, destination: str) -> None:
    """Flood, unicast to a port of a third node, and unknown unicast from a tunnel reach local ports at most."""
    actual = compute1.from_tunnel(COMPUTE2, VNI, _ip(VM2_MAC, destination), COMPUTE1)
    assert actual == ((VM1,) if destination == BROADCAST else ())


def test_arp_from_a_tunnel_is_not_answered_into_a_tunnel(compute1: DummyOvs) -> None:
    """An ARP request that a peer flooded reaches the local ports only."""
    assert compute1.from_tunnel(COMPUTE2, VNI, _arp(VM2_MAC, "192.168.50.74", "192.168.50.1"), COMPUTE1) == (VM1,)


def test_unknown_peer_is_dropped(compute1: DummyOvs) -> None:
    """A VXLAN packet from an address that is no node of ours goes nowhere."""
    assert compute1.from_tunnel("10.0.0.99", VNI, _ip(VM2_MAC, VM1_MAC), COMPUTE1) == ()


def test_unknown_vni_is_dropped(compute1: DummyOvs) -> None:
    """A VNI that no network here has goes nowhere."""
    assert compute1.from_tunnel(COMPUTE2, 9999, _ip(VM2_MAC, VM1_MAC), COMPUTE1) == ()


@pytest.mark.parametrize("tag", ["dl_vlan=1", "dl_vlan=2", "vlan_tci=0xf000"])
def test_tagged_frames_from_ports_are_dropped(compute1: DummyOvs, tag: str) -> None:
    """No guest can choose a local VLAN, its own network's or another's, nor send a priority tag."""
    assert _from(compute1, VM1, f"{_ip(VM1_MAC, VM2_MAC)},{tag}") == ()


def test_unknown_unicast_is_dropped(compute1: DummyOvs) -> None:
    """A MAC that no port has is not flooded."""
    assert _from(compute1, VM1, _ip(VM1_MAC, "fa:16:3e:99:99:99")) == ()


def test_unbound_ports_are_dropped(compute1: DummyOvs) -> None:
    """An interface on br-int that stands for no port of the view gets nothing in."""
    compute1.vsctl("add-port", BR_INT, "stranger", "--", "set", "Interface", "stranger", "type=dummy")
    assert _from(compute1, "stranger", _ip(VM1_MAC, VM2_MAC)) == ()


@pytest.mark.parametrize(("source", "expected"), [("203.0.113.142", ("br-ex", "inet0")), ("192.168.50.227", ())])
def test_gateway_guard(net1: DummyOvs, source: str, expected: tuple[str, ...]) -> None:
    """From a gateway with SNAT only the gateway's own address reaches the provider network, untagged."""
    assert _from(net1, "tapb896f885-e9", _ip(GATEWAY_MAC, "00:00:5e:00:53:01", source, "198.51.100.10")) == expected


@pytest.mark.parametrize(("sender", "expected"), [("203.0.113.142", ("br-ex", "inet0")), ("192.168.50.1", ())])
def test_gateway_guard_on_arp(net1: DummyOvs, sender: str, expected: tuple[str, ...]) -> None:
    """Nor does an ARP request with a private sender get out."""
    assert _from(net1, "tapb896f885-e9", _arp(GATEWAY_MAC, sender, "203.0.113.1")) == expected


def test_gateway_guard_on_all_else(net1: DummyOvs) -> None:
    """What is neither ARP nor the gateway's own IP is not let out either."""
    ipv6 = f"ipv6,dl_src={GATEWAY_MAC},dl_dst=33:33:00:00:00:01,ipv6_src=fe80::1,ipv6_dst=ff02::1"
    assert _from(net1, "tapb896f885-e9", ipv6) == ()


def test_gateway_without_snat_is_not_guarded() -> None:
    """Where the router does not translate, private sources are routed out as they are."""
    for ovs in _scenario("gateway-without-snat"):
        actual = _from(ovs, "tapb896f885-e9", _ip(GATEWAY_MAC, "00:00:5e:00:53:01"))
        assert actual == ("br-ex", "inet0")


def test_from_the_provider_network(net1: DummyOvs) -> None:
    """An untagged frame for the gateway reaches its port; a tagged one does not come in."""
    packet = _ip("00:00:5e:00:53:01", GATEWAY_MAC, "198.51.100.10", "203.0.113.142")
    untagged = net1.trace("br-ex", f"in_port={net1.ofport('inet0')},{packet}")
    tagged = net1.trace("br-ex", f"in_port={net1.ofport('inet0')},{packet},dl_vlan=1")
    assert ("tapb896f885-e9" in untagged, "tapb896f885-e9" in tagged) == (True, False)


def test_overlapping_projects_are_isolated(overlapping: DummyOvs) -> None:
    """Two ports with the same MAC and address, in two networks: each flood and unicast stays in its own network."""
    flood, unicast = _ip(VM1_MAC, BROADCAST), _ip(VM1_MAC, VM2_MAC)
    actual = {
        device: (_from(overlapping, device, flood), _from(overlapping, device, unicast)) for device in (VM1, VM1_OTHER)
    }
    assert actual == {
        VM1: ((f"{NET1} vni {VNI}", f"{COMPUTE2} vni {VNI}"), (f"{COMPUTE2} vni {VNI}",)),
        VM1_OTHER: ((f"{NET1} vni {OTHER_VNI}", f"{COMPUTE2} vni {OTHER_VNI}"), (f"{COMPUTE2} vni {OTHER_VNI}",)),
    }


def test_overlapping_projects_are_isolated_on_the_way_in(overlapping: DummyOvs) -> None:
    """The VNI alone decides which of the two ports with one MAC gets the packet."""
    packet = _ip(VM2_MAC, VM1_MAC)
    actual = [overlapping.from_tunnel(COMPUTE2, vni, packet, COMPUTE1) for vni in (VNI, OTHER_VNI)]
    assert actual == [(VM1,), (VM1_OTHER,)]


def test_plugged_by_others_is_bound() -> None:
    """An interface that libvirt would plug sends and receives like one of ours."""
    for ovs in _scenario("plugged-by-others"):
        discover = _from(ovs, "vnet0", _ip(VM1_MAC, DHCP_MAC))
        offer = ovs.from_tunnel(NET1, VNI, _ip(DHCP_MAC, VM1_MAC), COMPUTE1)
        assert (discover, offer) == ((f"{NET1} vni {VNI}",), ("vnet0",))


@pytest.mark.parametrize("watched", [False, True])
def test_a_miss_on_another_bridge_is_read_as_one(watched: bool) -> None:
    """Whichever of its own flows Open vSwitch prints for it there: another one where a program watches the flows."""
    with tempfile.TemporaryDirectory(prefix="ovs-") as folder, DummyOvs(Path(folder)) as ovs:
        for bridge, port, peer in (("br0", "to1", "to0"), ("br1", "to0", "to1")):
            patch = ("add-port", bridge, port, "--", "set", "Interface", port, "type=patch", f"options:peer={peer}")
            secure = ("set", "Bridge", bridge, "datapath_type=dummy", "fail_mode=secure")
            ovs.vsctl("add-br", bridge, "--", *secure, "--", *patch)
        ovs.vsctl("add-port", "br0", "p", "--", "set", "Interface", "p", "type=dummy")
        ovs.ofctl("add-flow", "br0", "actions=to1")
        ovs.ofctl("add-flow", "br1", "actions=goto_table:20")
        argv = ["ovs-ofctl", "monitor", f"unix:{folder}/br1.mgmt", "watch:"] if watched else ["true"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, env={**os.environ, "OVS_RUNDIR": folder}) as watching:
            assert watching.stdout is not None
            watching.stdout.readline()  # it has its first answer
            text = ovs.appctl("ofproto/trace", "--names", "br0", "in_port=p,udp")
            watching.terminate()
        assert f"20. reg0={1 if watched else 2:#x}, priority 0\n" in text
        last = ofproto.stages(text)[0].entries[-1]
        assert (last.table, last.match, [word for word in last.actions if word != "drop"]) == (20, ofproto.NO_MATCH, [])
