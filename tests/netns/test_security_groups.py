"""Security groups with real packets: what a rule lets through, what it does not, and what its end does."""

from __future__ import annotations

import signal
from collections.abc import Sequence

import msgspec
import pytest
from agent_node import AgentNode, eventually
from agent_views import nothing
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6, IPv6ExtHdrFragment, fragment6
from scapy.layers.l2 import Ether
from scapy.layers.sctp import SCTP
from scapy.packet import Packet, Raw
from security_guests import ALL_OUT, GROUP, OTHER_GROUP, Tap, change, heard, ip, mac, rule, secured_node, space, view
from security_talk import PORT, Talk

from nebula.compile.features.security import link_local
from nebula.ids import NetworkId
from nebula.view.records import SecurityRule

pytestmark = pytest.mark.sandbox


def _talk(node: AgentNode) -> Talk:
    """Guest 0 asks guest 1."""
    return Talk(node, space(0), node, space(1), ip(1))


def _allow_talk(number: int = 10) -> SecurityRule:
    return rule(number, protocol=17, port_min=PORT, port_max=PORT)


def _packets() -> dict[str, Packet]:
    """Kinds of packet from guest 0 to guest 1."""
    to, four = Ether(src=mac(0), dst=mac(1)), IP(src=ip(0), dst=ip(1))
    six = IPv6(src=str(link_local(mac(0)).network_address), dst=str(link_local(mac(1)).network_address))
    return {
        "tcp 22": to / four / TCP(sport=4001, dport=22, flags="S"),
        "tcp 23": to / four / TCP(sport=4002, dport=23, flags="S"),
        "tcp 8000": to / four / TCP(sport=4003, dport=8000, flags="S"),
        "tcp 8100": to / four / TCP(sport=4004, dport=8100, flags="S"),
        "tcp 7999": to / four / TCP(sport=4005, dport=7999, flags="S"),
        "tcp 8101": to / four / TCP(sport=4006, dport=8101, flags="S"),
        "udp 53": to / four / UDP(sport=4007, dport=53) / Raw(b"u53"),
        "udp 54": to / four / UDP(sport=4008, dport=54) / Raw(b"u54"),
        "sctp 5": to / four / SCTP(sport=4009, dport=5) / Raw(bytes(8)),
        "gre": to / IP(src=ip(0), dst=ip(1), proto=47) / Raw(bytes(8)),
        "esp": to / IP(src=ip(0), dst=ip(1), proto=50) / Raw(bytes(8)),
        "ping": to / four / ICMP(id=1),
        "timestamp": to / four / ICMP(type=13, id=2),
        "ping6": to / six / ICMPv6EchoRequest(id=3),
        "tcp6 22": to / six / TCP(sport=4010, dport=22, flags="S"),
    }


@pytest.mark.parametrize("stateful", [True, False])
def test_rules_let_through_what_they_say(*, stateful: bool) -> None:
    """For each rule exactly its packets arrive of fifteen kinds: ports and ranges, protocol numbers, ICMP types,
    families, prefixes, remote groups; with conntrack and without."""
    tcp = {"protocol": 6}
    expected: dict[SecurityRule | None, set[str]] = {
        None: set(),
        rule(10, **tcp, port_min=22, port_max=22): {"tcp 22"},
        rule(11, **tcp, port_min=8000, port_max=8100): {"tcp 8000", "tcp 8100"},
        rule(12, **tcp): {name for name in _packets() if name.startswith("tcp ")},
        rule(13, protocol=17, port_min=53, port_max=53): {"udp 53"},
        rule(14, protocol=132, port_min=5, port_max=5): {"sctp 5"},
        rule(15, protocol=47): {"gre"},
        rule(16, protocol=50): {"esp"},
        rule(17, protocol=1, port_min=8, port_max=0): {"ping"},
        rule(18, protocol=1): {"ping", "timestamp"},
        rule(19, "ingress", 6, protocol=58): {"ping6"},
        rule(20, "ingress", 6): {"ping6", "tcp6 22"},
        rule(21): {name for name in _packets() if "6" not in name},
        rule(22, **tcp, port_min=22, port_max=22, remote_ip_prefix=f"{ip(0)}/32"): {"tcp 22"},
        rule(23, **tcp, remote_ip_prefix="192.0.2.0/24"): set(),
        rule(24, **tcp, port_min=22, port_max=22, remote_group_id=OTHER_GROUP): {"tcp 22"},
        rule(25, remote_group_id=GROUP): set(),
        rule(26, **tcp, port_min=22, port_max=22, remote_address_group_id=OTHER_GROUP): {"tcp 22"},
        rule(27, "ingress", 6, remote_group_id=OTHER_GROUP): {"ping6", "tcp6 22"},
    }
    first = view(1, {GROUP: ALL_OUT}, [None, [GROUP]], members=[0], stateful=stateful)
    with secured_node(first) as node:
        sender, receiver = Tap(node, 0), Tap(node, 1)
        arrived: dict[SecurityRule | None, set[str]] = {}
        for revision, wanted in enumerate(expected, start=2):
            rules = (*ALL_OUT, *([wanted] if wanted is not None else []))
            change(node, view(revision, {GROUP: rules}, [None, [GROUP]], members=[0], stateful=stateful))
            frames = {bytes(frame) for frame in heard(sender, receiver, *_packets().values())}
            arrived[wanted] = {name for name, frame in _packets().items() if bytes(frame) in frames}
        assert arrived == expected
        if not stateful:
            node.stop_agent()
            since = len(node.passes())
            node.start_agent()
            node.wait_sync(revision, since)
            assert node.changes(since) == 0


def test_a_removed_rule_ends_its_connections() -> None:
    """A conversation is let in by a rule, answered without one, silent when the rule goes, and goes on on the same
    ports when it comes back; a restart of the agent in between writes nothing and cuts nothing."""
    ports: Sequence[Sequence[str]] = [[GROUP], [GROUP]]
    with secured_node(view(1, {GROUP: (*ALL_OUT, _allow_talk())}, ports)) as node:
        talk = _talk(node)
        assert talk.say() == "answered"
        node.stop_agent(signal.SIGKILL)
        assert talk.say() == "answered"
        since = len(node.passes())
        node.start_agent()
        node.wait_sync(1, since)
        assert node.changes(since) == 0
        assert talk.say() == "answered"
        change(node, view(2, {GROUP: ALL_OUT}, ports))
        assert [talk.say(), talk.say()] == ["silence", "silence"]
        change(node, view(3, {GROUP: (*ALL_OUT, _allow_talk(11))}, ports))
        eventually(lambda: talk.say() == "answered", "the conversation goes on")


def test_a_network_does_not_inherit_connections() -> None:
    """A network that gets the local VLAN, and so the conntrack zone, of one that is gone, with the same addresses: what
    was an answer there is none here."""
    ports: Sequence[Sequence[str]] = [[GROUP], [GROUP]]
    there, back = (
        (Ether(src=mac(one), dst=mac(other)) / IP(src=ip(one), dst=ip(other))) for one, other in ((0, 1), (1, 0))
    )
    asked, answer = there / UDP(sport=7000, dport=PORT) / Raw(b"?"), back / UDP(sport=PORT, dport=7000) / Raw(b"!")
    with secured_node(view(1, {GROUP: (*ALL_OUT, _allow_talk())}, ports)) as node:
        guests = Tap(node, 0), Tap(node, 1)
        heard(*guests, asked)
        assert bytes(answer) in map(bytes, heard(*reversed(guests), answer))
        change(node, nothing("compute1", 2))
        new = view(3, {GROUP: ALL_OUT}, ports)
        other = NetworkId("c7ac9239-d14f-4aa4-8211-7f973bff61c9")
        moved = tuple(msgspec.structs.replace(port, network_id=other) for port in new.ports)
        network = msgspec.structs.replace(new.networks[0], id=other)
        change(node, msgspec.structs.replace(new, ports=moved, networks=(network,)))
        assert f'nebula-vlan-{other}="1"' in node.run("ovs-vsctl", "get", "Bridge", "br-int", "external_ids")
        assert bytes(answer) not in map(bytes, heard(Tap(node, 1), Tap(node, 0), answer))


def test_who_leaves_a_remote_group_is_cut_off() -> None:
    """A remote-group rule lets in members only, also in a connection that was there before they left."""
    rules = (*ALL_OUT, rule(10, remote_group_id=OTHER_GROUP))
    ports: Sequence[Sequence[str]] = [[GROUP], [GROUP]]
    with secured_node(view(1, {GROUP: rules}, ports, members=[0])) as node:
        talk = _talk(node)
        assert talk.say() == "answered"
        change(node, view(2, {GROUP: rules}, ports, members=[1]))
        assert talk.say() == "silence"


def test_thousands_of_rules_are_in_force_in_full() -> None:
    """Three thousand rules for every other port, in one change: the first and the last let in theirs, none its
    neighbour's; gone in one change as well."""
    ports: Sequence[Sequence[str] | None] = [None, [GROUP]]
    many = [rule(1000 + port, protocol=17, port_min=port, port_max=port) for port in range(2, 6002, 2)]
    with secured_node(view(1, {GROUP: ALL_OUT}, ports)) as node:
        sender, receiver = Tap(node, 0), Tap(node, 1)
        to = Ether(src=mac(0), dst=mac(1)) / IP(src=ip(0), dst=ip(1))
        arrived = []
        for revision, rules in ((2, (*ALL_OUT, *many)), (3, ALL_OUT)):
            change(node, view(revision, {GROUP: rules}, ports))
            tried = [to / UDP(sport=9, dport=port) / Raw(b"x") for port in (1, 2, 3, 6000, 6001)]
            arrived.append(sorted(frame[UDP].dport for frame in heard(sender, receiver, *tried)))
        assert arrived == [[2, 6000], []]


def test_without_a_group_nothing_passes() -> None:
    """A port with port security and no group neither sends nor gets IP; ARP it does."""
    with secured_node(view(1, {GROUP: (*ALL_OUT, rule(10))}, [[], [GROUP], []])) as node:
        sender, receiver, silent = Tap(node, 0), Tap(node, 1), Tap(node, 2)
        assert heard(sender, receiver, *_packets().values()) == []
        assert heard(receiver, silent, Ether(src=mac(1), dst=mac(2)) / IP(src=ip(1), dst=ip(2)) / ICMP()) == []


def _datagrams(number: int, port: int, destination: str = "", size: int = 3000) -> dict[str, list[Packet]]:
    """A UDP datagram from guest 0 in fragments, over each family."""
    data = UDP(sport=7, dport=port) / Raw(bytes(size))
    to = Ether(src=mac(0), dst=destination or mac(1))
    four = IP(bytes(IP(src=ip(0), dst="224.0.0.251" if destination else ip(1), id=number) / data))
    locals_ = [str(link_local(mac(guest)).network_address) for guest in range(2)]
    six = IPv6(src=locals_[0], dst=locals_[1]) / IPv6ExtHdrFragment(id=number) / data
    return {"IPv4": [to / piece for piece in fragment(four, 1400)], "IPv6": [to / p for p in fragment6(six, 1400)]}


def _udp(port: int, ip_version: int) -> SecurityRule:
    return rule(30 + ip_version, "ingress", ip_version, protocol=17, port_min=port, port_max=port)


def test_fragments_are_judged_by_their_datagram() -> None:
    """A rule for one port lets in the fragments of its datagrams, in whatever order they come, and of no other
    datagram; of one whose first fragment does not come nothing arrives. Over both families, also when ovs-vswitchd
    has forgotten how to treat fragments; a restart of the agent writes nothing."""
    allowed = (_udp(9000, 4), _udp(9000, 6))
    with secured_node(view(1, {GROUP: (*ALL_OUT, *allowed)}, [[GROUP], [GROUP]])) as node:
        sender, receiver = Tap(node, 0), Tap(node, 1)

        def arrived(pieces: list[Packet]) -> int:
            return len(heard(sender, receiver, *pieces))

        result = {}
        for family in ("IPv4", "IPv6"):
            first = [arrived(_datagrams(number, 9000)[family]) for number in (1, 2)]
            backwards = arrived(list(reversed(_datagrams(3, 9000)[family])))
            other = arrived(_datagrams(4, 9001)[family])
            headless = arrived(_datagrams(5, 9000)[family][1:])
            result[family] = (first, backwards, other, headless)
        assert result == dict.fromkeys(("IPv4", "IPv6"), ([3, 3], 3, 0, 0))
        assert arrived(_datagrams(6, 9000, "01:00:5e:00:00:fb")["IPv4"]) < 3
        node.stop_agent()
        since = len(node.passes())
        node.start_agent()
        node.wait_sync(1, since)
        assert node.changes(since) == 0
        node.kill_vswitchd()
        node.start_vswitchd()
        ask = ("ovs-ofctl", "-O", "OpenFlow14", "get-frags", "br-int")
        eventually(lambda: node.run(*ask) == "nx-match\n", "the setting is back")
        count = ("ovs-ofctl", "-O", "OpenFlow14", "dump-aggregate", "br-int")
        eventually(lambda: "flow_count=0" not in node.run(*count), "the flows are back, all at once")
        assert arrived(_datagrams(7, 9000)["IPv4"]) == 3


def test_fragments_without_conntrack_need_a_rule_without_ports() -> None:
    """Ports of a stateless group get no whole datagram in fragments by a rule for its port, by one for all ports they
    do."""
    with secured_node(view(1, {GROUP: (*ALL_OUT, _udp(9000, 4))}, [None, [GROUP]], stateful=False)) as node:
        sender, receiver = Tap(node, 0), Tap(node, 1)
        assert len(heard(sender, receiver, *_datagrams(1, 9000)["IPv4"])) < 3
        change(node, view(2, {GROUP: (*ALL_OUT, rule(10, protocol=17))}, [None, [GROUP]], stateful=False))
        assert len(heard(sender, receiver, *_datagrams(2, 9001)["IPv4"])) == 3
