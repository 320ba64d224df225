"""The shell lines of changes: each kind, each action; nothing in them escapes its quotes."""

from __future__ import annotations

import shlex
import subprocess
from typing import get_args

import msgspec
import pytest

from nebula.desired.diff import Change
from nebula.desired.kinds import (
    Address,
    Bridge,
    BridgePort,
    Chain,
    ConfigFile,
    FdbEntry,
    Flow,
    KernelObject,
    LocalVlan,
    Namespace,
    NextHop,
    Offload,
    Process,
    Route,
    Ruleset,
    Sysctl,
    VethPair,
    VxlanDevice,
)
from nebula.desired.reload import must_start_anew
from nebula.desired.shell import command
from nebula.ids import Owner, OwnerKind
from nebula.view.report import Action

PORT = Owner(OwnerKind.PORT, "5759c106-0c7e-4d19-a5b3-8f6e1d2c4b70")
MARK = "nebula:port:5759c106-0c7e-4d19-a5b3-8f6e1d2c4b70"
VETH = VethPair("tap1", "ns", "eth0", "fa:16:3e:00:00:01", 1450, Offload.TCP, PORT)
DNSMASQ = Process("dnsmasq:n", "ns", ("dnsmasq", "--a=b c"), "/s/pid", PORT, reload_on=("/s/host",))

OBJECTS: dict[str, tuple[KernelObject, str, str]] = {
    "namespace": (
        Namespace("ns", PORT),
        f"ip netns add ns\nip -n ns link set lo up alias {MARK}",
        "ip netns delete ns",
    ),
    "veth": (
        VETH,
        "ip link add tap1 mtu 1450 type veth peer name eth0 mtu 1450 address fa:16:3e:00:00:01 netns ns\n"
        f"ip link set tap1 alias {MARK} addrgenmode none\n"
        f"ip -n ns link set eth0 alias {MARK} addrgenmode none\n"
        "ip netns exec ns ethtool -K eth0 tx on tx-udp-segmentation off tx-checksum-sctp off > /dev/null\n"
        "ip -n ns link set eth0 up\n"
        "ip link set tap1 up",
        "ip link delete tap1",
    ),
    "address": (
        Address("ns", "eth0", "10.0.0.1/24", "tap1", PORT),
        "ip -n ns address replace 10.0.0.1/24 dev eth0",
        "ip -n ns address delete 10.0.0.1/24 dev eth0",
    ),
    "route": (
        Route("ns", "0.0.0.0/0", (NextHop("10.0.0.1", "eth0", "tap1"),), PORT),
        "ip -n ns route replace default via 10.0.0.1 dev eth0 proto static",
        "ip -n ns route delete default via 10.0.0.1 dev eth0 proto static",
    ),
    "sysctl": (
        Sysctl("ns", "net.ipv4.ip_forward", "1", PORT),
        "ip netns exec ns sysctl -q -w net.ipv4.ip_forward=1",
        "# net.ipv4.ip_forward of ns stays as it is: it goes with its namespace",
    ),
    "ruleset": (
        Ruleset("ns", "*nat\n:INPUT ACCEPT\nCOMMIT\n", PORT),
        "ip netns exec ns iptables-restore << 'EOF'\n*nat\n:INPUT ACCEPT\nCOMMIT\nEOF",
        "ip netns exec ns iptables -t nat -F",
    ),
    "chain": (
        Chain("nebula-vxlan", "-p udp -m udp --dport 4789", ("-s 10.0.0.2/32 -j RETURN", "-j DROP"), PORT),
        "iptables-restore --noflush << 'EOF'\n*mangle\n:nebula-vxlan - [0:0]\n"
        "-A nebula-vxlan -s 10.0.0.2/32 -j RETURN\n-A nebula-vxlan -j DROP\n"
        f'-I INPUT -p udp -m udp --dport 4789 -m comment --comment "{MARK}" -j nebula-vxlan\nCOMMIT\nEOF',
        "iptables-restore --noflush << 'EOF'\n*mangle\n"
        f'-D INPUT -p udp -m udp --dport 4789 -m comment --comment "{MARK}" -j nebula-vxlan\n'
        "-F nebula-vxlan\n-X nebula-vxlan\nCOMMIT\nEOF",
    ),
    "vxlan": (
        VxlanDevice("vxlan-7", 7, "10.0.0.1", 1450, "nebula-vxlan", PORT),
        "ip link add vxlan-7 mtu 1450 type vxlan id 7 dstport 4789 local 10.0.0.1 nolearning\n"
        f"ip link set vxlan-7 alias {MARK} addrgenmode none\n"
        "ip link set vxlan-7 up",
        "ip link delete vxlan-7",
    ),
    "fdb": (
        FdbEntry("vxlan-7", "fa:16:3e:00:00:01", "10.0.0.2", PORT),
        "bridge fdb replace fa:16:3e:00:00:01 dev vxlan-7 dst 10.0.0.2",
        "bridge fdb delete fa:16:3e:00:00:01 dev vxlan-7 dst 10.0.0.2",
    ),
    "bridge": (
        Bridge("br-int", "netdev", "secure", PORT),
        "ovs-vsctl --may-exist add-br br-int -- set Bridge br-int datapath_type=netdev fail_mode=secure "
        f"'external_ids:nebula-owner=\"{MARK}\"'",
        "ovs-vsctl --if-exists del-br br-int",
    ),
    "bridge-port": (
        BridgePort("br-int", "patch-tun", "patch", (("peer", "patch-int"),), None, "", PORT),
        f"ovs-vsctl --may-exist add-port br-int patch-tun -- set Port patch-tun 'external_ids:nebula-owner=\"{MARK}\"' "
        "'tag=[]' -- set Interface patch-tun type=patch 'options:peer=\"patch-int\"'",
        "ovs-vsctl --if-exists del-port br-int patch-tun",
    ),
    "local-vlan": (
        LocalVlan("n", 7, PORT),
        "ovs-ofctl -O OpenFlow14 --names ct-flush-zone br-int 7\n"
        "ovs-vsctl set Bridge br-int external_ids:nebula-vlan-n=7",
        "ovs-vsctl remove Bridge br-int external_ids nebula-vlan-n",
    ),
    "flow": (
        Flow("br-int", 60, 100, 'in_port="tap1"', "goto_table:71", PORT, ("tap1",)),
        "ovs-ofctl -O OpenFlow14 --names add-flow br-int "
        "'cookie=0x4e045759c1060c7e,table=60,priority=100,in_port=\"tap1\" actions=goto_table:71'",
        "ovs-ofctl -O OpenFlow14 --names --strict del-flows br-int 'table=60,priority=100,in_port=\"tap1\"'",
    ),
    "file": (
        ConfigFile("/s/host", "a\nEOF\nb\n", PORT),
        "mkdir -p /s\ncat > /s/host << 'EOF_'\na\nEOF\nb\nEOF_",
        "rm -f /s/host",
    ),
    "process": (
        DNSMASQ,
        "mkdir -p /s\ncat /s/host > /s/loaded\nip netns exec ns dnsmasq '--a=b c'",
        'kill "$(cat /s/pid)"',
    ),
}


def test_route_with_two_next_hops() -> None:
    """ip-route's form of a multipath route, the same to delete it."""
    hops = (NextHop("10.0.0.2", "qr-1", "tap1"), NextHop("10.1.0.2", "qr-2", "tap2"))
    route = Route("ns", "10.9.0.0/16", hops, PORT)
    words = "10.9.0.0/16 proto static nexthop via 10.0.0.2 dev qr-1 nexthop via 10.1.0.2 dev qr-2"
    assert command(Change(Action.ADD, None, route)) == f"ip -n ns route replace {words}"
    assert command(Change(Action.REMOVE, route, None)) == f"ip -n ns route delete {words}"


def test_every_kind_is_tested() -> None:
    """A new kind of object comes with its commands here."""
    assert {kind.kind for kind in get_args(KernelObject)} == set(OBJECTS)


@pytest.mark.parametrize("kind", OBJECTS)
def test_add_and_remove(kind: str) -> None:
    """What a person types to make the object, and to take it away."""
    item, add, remove = OBJECTS[kind]
    actual = (command(Change(Action.ADD, None, item)), command(Change(Action.REMOVE, item, None)))
    assert actual == (add, remove)


def test_changed_veth_pair_is_mended() -> None:
    """Another MTU does not make the pair anew, another namespace does."""
    mended = command(Change(Action.CHANGE, msgspec.structs.replace(VETH, mtu_bytes=1500), VETH)).splitlines()
    moved = command(Change(Action.CHANGE, msgspec.structs.replace(VETH, peer_namespace="old"), VETH)).splitlines()
    assert (mended[:2], moved[:1]) == (
        [
            "ip link set tap1 mtu 1450",
            "ip -n ns link set eth0 mtu 1450 address fa:16:3e:00:00:01",
        ],
        ["ip link delete tap1"],
    )


def test_reload_is_sighup() -> None:
    """A daemon whose files alone changed is told to read them; with another command line it starts anew."""
    unread = msgspec.structs.replace(DNSMASQ, reload_on=())
    other = msgspec.structs.replace(DNSMASQ, argv=("dnsmasq",))
    assert (command(Change(Action.CHANGE, unread, DNSMASQ)), command(Change(Action.CHANGE, other, DNSMASQ))) == (
        'cat /s/host > /s/loaded\nkill -HUP "$(cat /s/pid)"',
        "kill \"$(cat /s/pid)\"\nmkdir -p /s\ncat /s/host > /s/loaded\nip netns exec ns dnsmasq '--a=b c'",
    )


def test_foreground_daemon_leaves_the_terminal() -> None:
    """udhcpc stays in the foreground for the agent; a person's shell gets its prompt back."""
    process = Process("udhcpc:p", "ns", ("udhcpc", "-f"), "/s/pid", PORT)
    assert command(Change(Action.ADD, None, process)).splitlines()[1] == (
        "ip netns exec ns setsid --fork udhcpc -f < /dev/null > /dev/null 2>&1"
    )


def test_adopted_bridge_is_never_touched() -> None:
    """Neither made nor deleted: both commands are comments."""
    bridge = Bridge("br-ex", "", "", PORT, adopt=True)
    texts = [command(Change(Action.ADD, None, bridge)), command(Change(Action.REMOVE, bridge, None))]
    assert [text.startswith("#") and "\n" not in text for text in texts] == [True, True]


@pytest.mark.parametrize(
    "evil", ["; echo pwned", "$(echo pwned)", "`echo pwned`", "'\necho pwned\n'", "\nEOF\necho pwned\n"]
)
def test_nothing_escapes_its_quotes(evil: str) -> None:
    """Run by bash with the real programs replaced by nothing, no text that could come from outside is run."""
    items: list[KernelObject] = [
        ConfigFile("/nonexistent/host", f"{evil}\n", PORT),
        ConfigFile("/nonexistent/host", evil, PORT),
        Process("p", "ns", ("dnsmasq", evil), "/nonexistent/pid", PORT),
        Flow("br-int", 0, 0, f'in_port="{evil}"', "drop", PORT),
        BridgePort("br-int", evil, "", (("peer", evil),), None, evil, PORT),
    ]
    text = "\n".join(command(Change(action, None, item)) for item in items for action in (Action.ADD, Action.REMOVE))
    nothing = "".join(
        f"{name}() {{ cat > /dev/null; }}\n" for name in ("ip", "ovs-vsctl", "ovs-ofctl", "mkdir", "rm", "kill")
    )
    done = subprocess.run(
        ["bash", "--norc"], input=f"{nothing}{text}\n", capture_output=True, text=True, timeout=10, check=False, env={}
    )
    assert "pwned" not in done.stdout


def test_lines_split_as_one_command() -> None:
    """shlex reads the add line of a port back into the very arguments."""
    line = OBJECTS["bridge-port"][1]
    assert shlex.split(line)[-2:] == ["type=patch", 'options:peer="patch-int"']


@pytest.mark.parametrize(
    ("loaded", "wanted", "expected"),
    [
        ("a\n", "a\nb\n", False),
        ("a\nb\n", "b\na\n", False),
        ("a\nb\n", "a\n", True),
        ("a\n", "b\n", True),
        ("", "a\n", False),
    ],
)
def test_must_start_anew(loaded: str, wanted: str, *, expected: bool) -> None:
    """Only a daemon that has to forget something starts anew."""
    assert must_start_anew(loaded, wanted) is expected


def test_port_whose_device_was_replaced_is_taken_out_by_its_name() -> None:
    """It is known to be on no bridge: the command that takes it out names none."""
    wanted = BridgePort("br-int", "tap1", "", (), None, "", PORT)
    before = msgspec.structs.replace(wanted, bridge="")
    first = command(Change(Action.CHANGE, before, wanted)).splitlines()[0]
    assert first == "ovs-vsctl --if-exists del-port tap1"
