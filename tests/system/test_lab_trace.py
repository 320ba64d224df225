"""Traces in a lab: the predicted way of a packet, and beside it the one that a real packet was seen to take.

One lab, many packets, and either datapath (NEBULA_TEST_DATAPATH): what arrives, what is dropped by whom, and faults
put in by hand while the agents rest. Each time the real packet is captured at every predicted device and at both ends,
and must have been seen there and nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.netns.agent_node import DATAPATH
from tests.system.trace_lab import TraceLab, hosts, steps


@pytest.fixture(scope="module")
def lab() -> Iterator[TraceLab]:
    made = TraceLab()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def resting(lab: TraceLab) -> Iterator[TraceLab]:
    """The lab with agents that mend nothing until they are told to."""
    nodes = ("net1", "compute1", "compute2")
    for node in nodes:
        lab.good("node", "pause", node)
    yield lab
    for node in nodes:
        lab.good("node", "resume", node)


ARRIVES = {
    "one node": ("web near tcp 80", "compute1", "compute1"),
    "two nodes": ("web db tcp 22", "compute1 compute2", "compute2 compute1"),
    "two nodes, UDP to a closed port": ("web db udp 53", "compute1 compute2", "compute2 compute1"),
    "two nodes, ICMP": ("db web", "compute2 compute1", "compute1 compute2"),
    "the largest packet": ("web db --size 1450", "compute1 compute2", "compute2 compute1"),
    "by a rule of another group": ("web app tcp 80", "compute1 compute2", "compute2 compute1"),
    "by a port's name": ("port:p-app r", "compute2 net1", "net1 compute2"),
    "ARP to the same node": ("web near arp", "compute1", ""),
    "ARP that the switch answers": ("web db arp", "compute1", ""),
    "to the router": ("web r", "compute1 net1", "net1 compute1"),
    "out with SNAT": ("web 198.51.100.10 tcp 80", "compute1 net1 -", "- net1 compute1"),
    "out with SNAT, ICMP": ("db 203.0.113.1", "compute2 net1 -", "- net1 compute2"),
    "out with a floating IP": ("app 198.51.100.10 tcp 80", "compute2 net1 -", "- net1 compute2"),
    "in by a floating IP": ("198.51.100.10 app tcp 80", "- net1 compute2", "compute2 net1 -"),
    "in by its address": ("203.0.113.1 203.0.113.77", "- net1 compute2", "compute2 net1 -"),
    "from inside to a floating IP": ("web 203.0.113.77", "compute1 net1 compute2", "compute2 net1 compute1"),
    "from outside to the router": ("198.51.100.10 r", "- net1", "net1 -"),
    "between two networks": ("web other", "compute1 net1 compute2", "compute2 net1 compute1"),
    "DHCP": ("web dhcp", "compute1 net1", "net1 compute1"),
    "DHCP from another node": ("db dhcp", "compute2 net1", "net1 compute2"),
    "IPv6": ("six1 six2 tcp 80", "compute1 compute2", "compute2 compute1"),
    "IPv6, ICMP": ("six2 six1", "compute2 compute1", "compute1 compute2"),
    "IPv6, neighbour discovery": ("six1 six2 arp", "compute1 compute2 compute1", ""),
}


@pytest.mark.parametrize(("words", "there", "back"), ARRIVES.values(), ids=ARRIVES)
def test_what_arrives_is_seen_to(lab: TraceLab, words: str, there: str, back: str) -> None:
    """Node by node, there and back."""
    found = lab.trace(*words.split(), "--live")
    assert (found["code"], found["verdict"]) == (0, "reached"), found["text"]
    assert found["live"]["agrees"], found["live"]
    assert hosts(found["there"]) == there.replace("-", "outside").split()
    assert (hosts(found["back"]) if found["back"] else []) == back.replace("-", "outside").split()


DROPPED = {
    "a rule is missing": ("web app tcp 22", "compute2", "RULES_INGRESS"),
    "no rule lets in from outside": ("198.51.100.10 app tcp 22", "compute2", "RULES_INGRESS"),
    "a group that lets nothing out": ("quiet db tcp 80", "compute1", "RULES_EGRESS"),
    "nothing new through SNAT": ("198.51.100.10 web tcp 80", "net1", "FORWARD"),
    "nobody has the address": ("web 192.168.50.200", "compute1", "does not answer ARP"),
    "nobody answers ARP": ("web 192.168.50.200 arp", "", "nobody answers"),
    "nobody answers outside": ("198.51.100.10 203.0.113.99", "", "nobody on public answers"),
    "too large": ("web db --size 1451", "compute1", "MTU of eth0"),
    "too large for the inside": ("198.51.100.10 app tcp 80 --size 1500", "net1", "fragmentation needed"),
    "IPv6, a rule is missing": ("six1 six3 tcp 80", "compute2", "RULES_INGRESS"),
}


@pytest.mark.parametrize(("words", "host", "text"), DROPPED.values(), ids=DROPPED)
def test_what_is_dropped_is_seen_no_further(lab: TraceLab, words: str, host: str, text: str) -> None:
    """Up to the device before it, and at neither end's devices behind it."""
    found = lab.trace(*words.split(), "--live")
    assert (found["code"], found["verdict"]) == (3, "dropped"), found["text"]
    assert text in found["text"], found["text"]
    assert not host or found["there"]["host"] == host
    assert found["live"]["agrees"], found["live"]


_ROUTER = "R=$(ls /run/netns | grep qrouter); "
_OFCTL = "ovs-ofctl -O OpenFlow14"
OVERLAY_FAULTS = {
    "netdev": {
        "wrong VNI": (
            "compute1",
            "V=vxlan-1; N=$(ovs-vsctl get interface $V ofport); F=$(bridge fdb show dev $V); ovs-vsctl del-port $V;"
            "ip link del $V; ip link add $V type vxlan id 99 local 10.201.0.11 dstport 4789 nolearning;"
            'ip link set $V up; echo "$F" | sed "s/^/bridge fdb append /; s/ dst / dev $V dst /; s/ self.*//" | sh;'
            "ovs-vsctl add-port br-tun $V -- set interface $V ofport_request=$N; sleep 0.3",
            ("web db tcp 80", "compute2", "no VXLAN device here has the VNI 99"),
        ),
        "wrong VNI in a flow": (
            "compute2",
            f"{_OFCTL} mod-flows br-tun 'table=0,in_port=vxlan-1,actions=set_field:99->tun_id,goto_table:4'",
            ("web db tcp 80", "compute2", "VXLAN_TUN_TO_LV"),
        ),
        "missing flood entries": (
            "compute1",
            "for v in 10 12; do bridge fdb del 00:00:00:00:00:00 dev vxlan-1 dst 10.201.0.$v; done",
            ("web dhcp", "compute1", "lacks an entry for floods"),
        ),
        "a stranger's tunnel": (
            "compute2",
            "iptables -t mangle -S nebula-vxlan | grep 10.201.0.11 | sed 's/^-A/iptables -t mangle -D/' | sh",
            ("web db tcp 80", "compute2", "takes no VXLAN"),
        ),
    },
    "system": {
        "wrong VNI": (
            "compute1",
            f"{_OFCTL} mod-flows br-tun 'table=20,dl_vlan=1,actions=pop_vlan,set_field:99->tun_id,"
            "set_field:10.201.0.12->tun_dst,output:vxlan'",
            ("web db tcp 80", "compute2", "VXLAN_TUN_TO_LV"),
        ),
        "wrong VNI in a flow": (
            "compute2",
            f"{_OFCTL} del-flows br-tun table=4,tun_id=1",
            ("web db tcp 80", "compute2", "VXLAN_TUN_TO_LV"),
        ),
        "missing flood entries": (
            "compute1",
            f"{_OFCTL} del-flows br-tun table=22,dl_vlan=1",
            ("web dhcp", "", "no DHCP server gets it: there is one on net1"),
        ),
        "a stranger's tunnel": (
            "compute2",
            f"{_OFCTL} del-flows br-tun table=0,tun_src=10.201.0.11",
            ("web db tcp 80", "compute2", "TUN_INPUT"),
        ),
    },
}
"""Who carries the overlay, and so what can be wrong with it, differs between the datapaths."""
FAULTS = {
    **OVERLAY_FAULTS[DATAPATH],
    "missing unicast flows": (
        "compute1",
        "ovs-ofctl del-flows br-tun table=20,dl_vlan=1",
        ("web db tcp 80", "compute1", "UCAST_TO_TUN"),
    ),
    "missing SNAT rule": (
        "net1",
        f"{_ROUTER} ip netns exec $R iptables -t nat -F POSTROUTING",
        ("web 198.51.100.10 tcp 80", "net1", "BASE_EGRESS"),
    ),
    "missing DNAT rule": (
        "net1",
        f"{_ROUTER} ip netns exec $R iptables -t nat -F PREROUTING",
        ("198.51.100.10 app tcp 80", "net1", "takes it, and not instance app"),
    ),
    "wrong route": (
        "net1",
        f"{_ROUTER} Q=$(ip -n $R -o link | grep -o 'qr-[^@]*' | head -1); ip -n $R route add 198.51.100.0/24 dev $Q",
        ("web 198.51.100.10 tcp 80", "net1", "198.51.100.10 does not answer ARP"),
    ),
    "no way out of the router": (
        "net1",
        f"{_ROUTER} ip -n $R route del default",
        ("web 198.51.100.10 tcp 80", "net1", "no route"),
    ),
    "a router that does not forward": (
        "net1",
        f"{_ROUTER} ip netns exec $R sysctl -qw net.ipv4.ip_forward=0",
        ("web 198.51.100.10 tcp 80", "net1", "does not forward"),
    ),
    "dead dnsmasq": (
        "net1",
        "for p in $(cat /var/lib/nebula/dhcp/*/pid); do kill $p; while kill -0 $p 2>&-; do sleep 0.02; done; done",
        ("web dhcp", "net1", "dnsmasq does not run"),
    ),
    "missing floating address": (
        "net1",
        f"{_ROUTER} ip -n $R address del 203.0.113.77/32 dev $(ip -n $R -o link | grep -o 'qg-[^@]*')",
        ("198.51.100.10 app tcp 80", "", "nobody on public answers for 203.0.113.77"),
    ),
    "a device that is down": (
        "compute2",
        "ip link set $(ovs-vsctl --bare --columns=name find interface external_ids:iface-id=$DB) down",
        ("web db tcp 80", "compute2", "is down"),
    ),
    "a flow of somebody else's": (
        "compute1",
        "ovs-ofctl add-flow br-int table=60,priority=200,actions=drop",
        ("web db tcp 80", "compute1", "TRANSIENT"),
    ),
}
AFTERWARDS = {
    **({"wrong VNI": "ovs-vsctl del-port vxlan-1; ip link del vxlan-1"} if DATAPATH == "netdev" else {}),
    "a flow of somebody else's": "ovs-ofctl --strict del-flows br-int table=60,priority=200",
    "wrong route": f"{_ROUTER} ip -n $R route del 198.51.100.0/24",
}


def test_a_firewall_inside_an_instance(lab: TraceLab) -> None:
    """Rules that a person made, in the instance: the rule itself is named."""
    lab.good("instance", "exec", "db", "--", "iptables", "-A", "INPUT", "-p", "tcp", "--dport", "8080", "-j", "DROP")
    found = lab.trace("web", "db", "tcp", "8080", "--live")
    lab.good("instance", "exec", "db", "--", "iptables", "-F")
    assert (found["code"], found["there"]["host"]) == (3, "compute2")
    assert "--dport 8080 -j DROP" in steps(found["there"], "rule")[-1]["text"]
    assert found["live"]["agrees"], found["live"]


def test_an_instance_without_its_address_or_route(lab: TraceLab) -> None:
    """It cannot even begin."""
    lab.good("instance", "exec", "near", "--", "ip", "route", "del", "default")
    found = lab.trace("near", "198.51.100.10", "--live")
    assert (found["code"], found["there"]["host"]) == (3, "compute1")
    assert "no route" in found["text"]
    assert "unreachable" in found["live"]["refused"]
    lab.good("instance", "exec", "near", "--", "ip", "address", "flush", "dev", "eth0")
    found = lab.trace("near", "web", "--live")
    assert "has the address" in found["text"]
    assert found["live"]["agrees"], found["live"]


def test_ports_that_something_else_plugged_in(lab: TraceLab) -> None:
    """A virtual machine's: its packets are put in at its device; what is inside it cannot be looked at."""
    port = json.loads(lab.good("port", "create", "p-vm", "--network", "n", "--host", "compute1", "-f", "json"))
    address = port["fixed_ips"][0]["ip_address"]
    plug = (
        f"ip netns add vm; ip link add vmtap mtu 1450 type veth peer name eth0 netns vm address {port['mac_address']};"
        f"ip -n vm address add {address}/24 dev eth0; ip -n vm link set eth0 up; ip link set vmtap up;"
        "ip -n vm route add default via 192.168.50.1; ip netns exec vm ethtool -K eth0 tx off;"
        f"ovs-vsctl add-port br-int vmtap -- set interface vmtap external_ids:iface-id={port['id']};"
        "for i in $(seq 100); do ovs-ofctl --names dump-flows br-int table=60 | grep -q vmtap && exit; sleep 0.05; done"
    )
    lab.on("compute1", plug)
    for words in ("port:p-vm db", "web p-vm arp", "db p-vm tcp 80", "p-vm 198.51.100.10", "p-vm dhcp"):
        found = lab.trace(*words.split(), "--live")
        assert (found["verdict"], found["live"]["agrees"]) == ("reached", True), (words, found["text"], found["live"])
    lab.on("compute1", "ovs-vsctl del-port vmtap; ip netns del vm")
    assert "nothing is plugged in" in lab.trace("p-vm", "db")["text"]
    lab.good("port", "delete", "p-vm")


def test_what_is_seen_otherwise_is_told(lab: TraceLab) -> None:
    """A gateway outside that nobody has: the prediction ends where it cannot look; the packet does not get there."""
    lab.good("node", "pause", "net1")
    lab.on("net1", f"{_ROUTER} ip -n $R route replace default via 203.0.113.200 proto static")
    found = lab.trace("web", "198.51.100.10", "--live")
    lab.good("audit", "--fix", "--node", "net1")
    lab.good("node", "resume", "net1")
    assert (found["code"], found["verdict"], found["live"]["agrees"]) == (5, "reached", False)
    assert "the packet was not seen at net1" in found["live"]["divergence"]
    missed = [step["name"][:3] for step in steps(found["there"], "device") if step["seen"]["state"] == "missed"]
    assert missed[0] == "qg-"


def test_every_table_by_name_with_its_owner(lab: TraceLab) -> None:
    """As the switch has them; what is there for an object of the API leads to it."""
    found = lab.trace("web", "db", "tcp", "80")["there"]
    names = [step["name"] for step in steps(found, "table")]
    assert names[:5] == ["0 LOCAL_SWITCHING", "25 MAC_SPOOF", "60 TRANSIENT", "71 BASE_EGRESS", "72 RULES_EGRESS"]
    assert {"20 UCAST_TO_TUN", "4 VXLAN_TUN_TO_LV", "82 RULES_INGRESS", "95 DELIVERY"} <= set(names)
    owners = {(step["owner"]["kind"], step["owner"]["name"]) for step in steps(found, "table") if step["owner"]}
    assert {("network", "n"), ("security_group", "default")} <= owners


def test_the_advised_call_lets_it_through(lab: TraceLab) -> None:
    """The group's name, and the rule that it lacks."""
    found = lab.trace("web", "app", "tcp", "2222")
    assert found["owner"]["name"] == "p-app"
    advice, source = found["advice"][0], found["start"]["address"]
    assert advice["text"] == f"a rule of security group open, which port p-app has: ingress tcp 2222 from {source}/32"
    made = lab.good(*advice["command"].split()[1:], "--wait", "-f", "value", "-c", "id")
    assert lab.trace("web", "app", "tcp", "2222")["code"] == 0
    lab.good("security", "group", "rule", "delete", made.strip(), "--wait")


def test_called_wrongly(lab: TraceLab) -> None:
    """One line each, and a code of its own."""
    for words, code in (
        (("web",), 2),
        (("web", "db", "tcp"), 2),
        (("web", "db", "tcp", "0"), 2),
        (("web", "db", "gre"), 2),
        (("web", "nobody"), 1),
        (("r", "web"), 1),
        (("web", "db", "--size", "1"), 1),
    ):
        found, out, error = lab.call("trace", *words)
        assert (found, out) == (code, ""), error
        assert "Traceback" not in error


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_where_it_is(resting: TraceLab, name: str) -> None:
    """The prediction reads what is on the node, so it says what the real packet then meets."""
    lab = resting
    node, script, (words, host, text) = FAULTS[name]
    try:
        lab.on(node, script.replace("$DB", lab.port_of("db")))
        found = lab.trace(*words.split(), "--live")
    finally:
        if name in AFTERWARDS:
            lab.on(node, AFTERWARDS[name])
        fixed = lab.mend(node)
    assert fixed[0] == 0, fixed
    assert (found["code"], found["verdict"]) == (3, "dropped"), found["text"]
    assert text in found["text"], found["text"]
    assert not host or found["there"]["host"] == host
    assert found["live"]["agrees"], found["live"]
