"""The oracle and the generator of topologies themselves, on what a person can see at a glance."""

from __future__ import annotations

import random
import re
from ipaddress import ip_address, ip_network
from itertools import combinations
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nebula.compile import compile_node
from nebula.compile.facts import BridgeMapping, Facts
from nebula.ids import NetworkId, PortId, RouterId, SecurityGroupId, SubnetId
from nebula.model.port import ROUTER_GATEWAY, ROUTER_INTERFACE
from nebula.model.snapshot import NetworkRow, PortRow, RouterRow
from nebula.view.project import project
from nebula.view.records import (
    AddressPair,
    FixedIp,
    FloatingIpView,
    HostRoute,
    PortForwardingView,
    SecurityGroupView,
    SecurityRule,
    SubnetView,
)
from tests.reachability.change import changed
from tests.reachability.generate import topology
from tests.reachability.oracle import Oracle
from tests.reachability.packet import ICMP, TCP, Fate, Packet
from tests.reachability.probes import choose
from tests.reachability.topology import GUEST, NODES, Held, Station, Topology, identity
from tests.reachability.words import describe

topologies = st.builds(
    lambda seed, calls: changed(topology(seed), random.Random(seed), calls), st.integers(0, 1 << 30), st.integers(0, 9)
)
HOST = NODES[0].host
PUBLIC, LEFT, RIGHT = (NetworkId(identity(name)) for name in ("public", "left", "right"))
CIDRS = {PUBLIC: "203.0.113.0/24", LEFT: "192.168.50.0/24", RIGHT: "192.168.51.0/24"}
WEB = Station("web", PUBLIC, "02:00:00:00:00:01", ("203.0.113.1",), None, ("198.51.100.10",))
OPEN, CLOSED = SecurityGroupId(identity("open")), SecurityGroupId(identity("closed"))
GROUPS = (
    SecurityGroupView(OPEN, True, (SecurityRule("a", "egress", 4), SecurityRule("b", "ingress", 4))),  # type: ignore[arg-type]
    SecurityGroupView(CLOSED, True, (SecurityRule("c", "egress", 4),)),  # type: ignore[arg-type]
)


def _port(name: str, network: NetworkId, last: int, *, device: str = "", **fields: object) -> PortRow:
    address = str(ip_network(CIDRS[network])[last])
    row = PortRow(
        PortId(name),
        network,
        f"fa:16:3e:00:{list(CIDRS).index(network):02x}:{last:02x}",
        (FixedIp(SubnetId(f"{network}-subnet"), address),),
        {1: ROUTER_INTERFACE, 10: ROUTER_GATEWAY}.get(last, GUEST),
        device,
        HOST,
        port_security_enabled=not device,
        security_groups=() if device else (OPEN,),
    )
    return msgspec.structs.replace(row, **fields)


def _small(**router: object) -> Topology:
    """``a`` and ``b`` on the left, ``c`` on the right, a router with a gateway between."""
    networks = tuple(
        NetworkRow(
            key,
            key,
            "p",
            "flat" if key == PUBLIC else "vxlan",
            None if key == PUBLIC else number,
            "public" if key == PUBLIC else None,
            1450,
            key == PUBLIC,
            subnets=(SubnetView(SubnetId(f"{key}-subnet"), "", cidr, 4, str(ip_network(cidr)[1]), False),),
        )
        for number, (key, cidr) in enumerate(CIDRS.items())
    )
    ports = (
        _port("a", LEFT, 20),
        _port("b", LEFT, 21),
        _port("c", RIGHT, 20),
        _port("r-left", LEFT, 1, device="r"),
        _port("r-right", RIGHT, 1, device="r"),
        _port("r-public", PUBLIC, 10, device="r"),
    )
    row = msgspec.structs.replace(RouterRow(RouterId("r"), "r", "p", HOST), **router)
    return Topology(networks, (row,), ports, GROUPS, (), (WEB,))


def _with(port: str, **fields: object) -> Topology:
    found = _small()
    row = next(one for one in found.ports if one.id == port)
    return found.replacing("ports", row, msgspec.structs.replace(row, **fields))


def _send(found: Topology, sender: str, to: str, port: int = 80) -> Fate:
    """A TCP SYN, and with port 0 an echo request; the one fate."""
    station, destination = found.stations[sender], ip_address(to)
    source = ip_address(station.addresses[0])
    packet = Packet(TCP, source, destination, 4000, port)
    if not port:
        packet = Packet(ICMP, source, destination, 4000, 0, (8, 0))
    hop = found.next_hop(station, destination)
    fates = Oracle(found).fates(station, (station.mac_address, hop or "none"), packet)
    assert len(fates) == 1
    return fates[0]


FLOATING = (FloatingIpView("f", "203.0.113.77", "192.168.50.21"),)  # type: ignore[arg-type]
FORWARDING = (PortForwardingView("w", "g", "203.0.113.78", "tcp", 8000, 8010, "192.168.51.20", 9000, 9010),)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "sender", "to", "at", "source"),
    [
        pytest.param(_small(), "a", "192.168.50.21", "b", "192.168.50.20", id="neighbour"),
        pytest.param(_small(), "a", "192.168.51.20", "c", "192.168.50.20", id="through a router"),
        pytest.param(_small(), "a", "198.51.100.10", "web", "203.0.113.10", id="SNAT"),
        pytest.param(_small(enable_snat=False), "a", "198.51.100.10", "web", "192.168.50.20", id="no SNAT"),
        pytest.param(_small(floating_ips=FLOATING), "b", "198.51.100.10", "web", "203.0.113.77", id="floating, out"),
        pytest.param(_small(floating_ips=FLOATING), "web", "203.0.113.77", "b", "203.0.113.1", id="floating, in"),
        pytest.param(_small(floating_ips=FLOATING), "a", "203.0.113.77", "b", "203.0.113.10", id="hairpin"),
        pytest.param(_small(floating_ips=FLOATING), "b", "203.0.113.77", "b", "203.0.113.10", id="to itself"),
        pytest.param(_small(), "web", "192.168.50.20", None, "", id="SNAT lets nobody in"),
        pytest.param(_small(enable_snat=False), "web", "192.168.50.20", "a", "203.0.113.1", id="in without SNAT"),
        pytest.param(_small(admin_state_up=False), "a", "192.168.51.20", None, "", id="router down"),
        pytest.param(_with("b", admin_state_up=False), "a", "192.168.50.21", None, "", id="port down"),
        pytest.param(_with("b", security_groups=(CLOSED,)), "a", "192.168.50.21", None, "", id="no ingress rule"),
        pytest.param(_with("a", security_groups=()), "a", "192.168.50.21", None, "", id="no group"),
        pytest.param(
            _with("b", security_groups=(), port_security_enabled=False), "a", "192.168.50.21", "b", "192.168.50.20",
            id="unprotected",
        ),
    ],
)  # fmt: skip
def test_what_a_person_can_see(found: Topology, sender: str, to: str, at: str | None, source: str) -> None:
    """Who gets a SYN to port 80, and from whom it seems to come."""
    fate = _send(found, sender, to)
    assert fate.at == at, fate.why
    assert at is None or str(fate.packet.source) == source


def test_the_oracle_knows_the_logical_model_alone() -> None:
    """Nothing of how it is done: no compile, no projection, no agent."""
    folder = Path(__file__).parents[1] / "reachability"
    text = "".join((folder / f"{name}.py").read_text() for name in ("oracle", "routing", "packet", "topology"))
    known = set(re.findall(r"from (nebula[\w.]*) import", text))
    assert known == {
        "nebula.eui64",
        "nebula.ids",
        "nebula.model.port",
        "nebula.model.snapshot",
        "nebula.view.records",
    }


def test_answers_of_what_was_let_in_need_no_rule() -> None:
    """A stateful group lets out what answers, a stateless one does not; the source is translated back."""
    found = _small(floating_ips=FLOATING)
    fate = _send(found, "web", "203.0.113.77")
    station = found.stations["b"]
    macs = (station.mac_address, found.next_hop(station, fate.packet.source) or "")
    silent = SecurityGroupView(OPEN, True, (SecurityRule("b", "ingress", 4),))  # type: ignore[arg-type]
    for stateful, at in ((True, "web"), (False, None)):
        there = found.replacing("groups", found.groups[0], msgspec.structs.replace(silent, stateful=stateful))
        (answer,) = Oracle(there).fates(station, macs, fate.packet.answer(), fate.memory)
        assert answer.at == at
        assert at is None or str(answer.packet.source) == "203.0.113.77"


def test_forwardings_and_their_ports() -> None:
    """A shifted range leads to its port, the next port to the router itself; an echo request is the router's."""
    found = _small(port_forwardings=FORWARDING)
    fate = _send(found, "web", "203.0.113.78", 8003)
    assert (fate.at, str(fate.packet.destination), fate.packet.destination_port) == ("c", "192.168.51.20", 9003)
    assert _send(found, "web", "203.0.113.78", 8011).at == "r"
    assert _send(found, "web", "203.0.113.78", 0).at == "r"


def test_two_equal_routes_are_two_fates() -> None:
    """The one by a guest ends there, the other by nobody is lost."""
    routes = (HostRoute("10.9.0.0/24", "192.168.50.21"), HostRoute("10.9.0.0/24", "192.168.51.99"))
    found = _small(routes=routes)
    station = found.stations["c"]
    packet = Packet(TCP, ip_address("192.168.51.20"), ip_address("10.9.0.5"), 4000, 80)
    fates = Oracle(found).fates(station, (station.mac_address, "fa:16:3e:00:02:01"), packet)
    assert {fate.at for fate in fates} == {"b", None}


def test_address_pairs_and_lies() -> None:
    """Another address needs a pair, for packets and for ARP."""
    held = {PortId("a"): Held("192.168.50.99", "fa:16:3e:00:01:14")}
    pair = (AddressPair("fa:16:3e:00:01:14", "192.168.50.96/29"),)
    for found, answers in ((_with("a"), set()), (_with("a", allowed_address_pairs=pair), {"fa:16:3e:00:01:14"})):
        there = msgspec.structs.replace(found, held=held)
        assert Oracle(there).resolves(there.stations["b"], ip_address("192.168.50.99")) == answers


@given(topologies)
@settings(max_examples=40)
def test_topologies_are_what_the_api_takes(found: Topology) -> None:
    """No two equal MACs or addresses on a network, no overlap on a router, and every node's state can be compiled."""
    assert found.whole()
    for network in found.networks:
        ports = [port for port in found.ports if port.network_id == network.id]
        assert len({port.mac_address for port in ports}) == len(ports)
        addresses = [ip.ip_address for port in ports for ip in port.fixed_ips]
        assert len(set(addresses)) == len(addresses)
    for router in found.routers:
        cidrs = [
            ip_network(found.subnet[ip.subnet_id].cidr) for port in found.interfaces(router) for ip in port.fixed_ips
        ]
        assert not any(one.overlaps(other) for one, other in combinations(cidrs, 2))
    snapshot = found.snapshot(1)
    for node in NODES:
        facts = Facts(node.host, "netdev", node.vtep_ip, "/var/lib/nebula", "/x", (BridgeMapping("public", "br-ex"),))
        assert compile_node(project(snapshot, node.host), facts)


@given(topologies, st.integers(0, 1 << 30))
@settings(max_examples=25)
def test_a_rule_more_never_loses_a_packet(found: Topology, seed: int) -> None:
    """Whatever reached somebody still does when all groups let everything in and out."""
    rules = [SecurityRule(f"{way}{version}", way, version) for way in ("egress", "ingress") for version in (4, 6)]  # type: ignore[arg-type]
    more = tuple(msgspec.structs.replace(group, rules=(*group.rules, *rules)) for group in found.groups)
    wider = msgspec.structs.replace(found, groups=more)
    for probe in choose(found, random.Random(seed), 1, 20, set()):
        macs = (probe.source_mac, probe.target_mac)
        before = {fate.at for fate in Oracle(found).fates(probe.sender, macs, probe.packet)} - {None}
        assert before <= {fate.at for fate in Oracle(wider).fates(probe.sender, macs, probe.packet)}


@given(st.integers(0, 1 << 30))
@settings(max_examples=10)
def test_a_seed_is_always_the_same(seed: int) -> None:
    """Topology, calls and words."""
    first, second = (changed(topology(seed), random.Random(seed), 5) for _ in range(2))
    assert first == second
    assert list(describe(first)) == list(describe(second))
