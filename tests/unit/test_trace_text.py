"""What ``ofproto/trace`` prints, read: tables, resubmits, recirculations, datapath actions of both kinds."""

from __future__ import annotations

import pytest

from nebula.trace import actions, ofproto
from nebula.trace.packet import Packet

ARP = Packet("arp", "192.168.50.3", "192.168.50.5", "fa:16:3e:9c:09:27", "ff:ff:ff:ff:ff:ff", type=1)
SYN = Packet("tcp", "192.168.50.3", "192.168.50.5", "aa:00:00:00:00:01", "aa:00:00:00:00:02", 40000, 80)

TRACKED = """\
Flow: tcp,in_port="tap1"

bridge("br-tun")
----------------
 4. tun_id=0x1, priority 10, cookie 0x4e0291c6906cb82d
    output:"patch-int"

bridge("br-int")
----------------
81. ct_state=-trk,ip,reg9=0x1, priority 90, cookie 0x4e019df606ffe867
    ct(table=82,zone=NXM_NX_REG6[0..15])
    drop
     -> A clone of the packet is forked to recirculate. The forked pipeline will be resumed at table 82.

Final flow: unchanged
Datapath actions: ct(zone=1),recirc(0x7)

===============================================================================
recirc(0x7) - resume conntrack with ct_state=new|trk
===============================================================================

bridge("br-tun")
----------------
    thaw
        Resuming from table 82
82. conj_id=897208150, priority 70, cookie 0x4e08357a4f54fb27
    goto_table:92
92. No match.
    drop

Final flow: unchanged
Datapath actions: drop
"""

FLOODED = """\
bridge("br-int")
----------------
73. reg6=0x1,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00, priority 90, cookie 0x4e0291c6906cb82d
    set_field:0x351e2629->reg5
    resubmit(,81)
    81. arp,reg9=0x1/0x1, priority 100, cookie 0x4e01e01300255ee5
            goto_table:92
        92. priority 0
            goto_table:95
        95. reg5=0x351e2629, priority 100, cookie 0x4e04351e26292c70
            output:"tap1"
             >> skipping output to input port
    set_field:0x700b123c->reg5
    resubmit(,81)
    81. arp,reg9=0x1/0x1, priority 100, cookie 0x4e01e01300255ee5
            goto_table:95
        95. reg5=0x700b123c, priority 100, cookie 0x4e04700b123cbc44
            output:tap2
    goto_table:94
94. reg6=0x1, priority 10, cookie 0x4e0291c6906cb82d
    IN_PORT
95. reg5=0x351e2629, priority 100
    output:"tap1"

Datapath actions: tap2,tap1
"""


def tables(entries: list[ofproto.Entry]) -> list[int]:
    return [entry.table for entry in entries]


def test_stages_begin_where_conntrack_hands_the_packet_back() -> None:
    """In the bridge that sent it there, whatever bridge the command names; a table without a match is a drop."""
    first, second = ofproto.stages(TRACKED)
    assert [(entry.bridge, entry.table) for entry in first.entries] == [("br-tun", 4), ("br-int", 81)]
    assert first.tracking() == [1]
    assert (second.recirculation, second.why) == ("0x7", "conntrack")
    assert [(entry.bridge, entry.table, entry.match) for entry in second.entries] == [
        ("", 82, "conj_id=897208150"),
        ("", 92, ofproto.NO_MATCH),
    ]
    assert second.entries[0].cookie == 0x4E08357A4F54FB27


def test_a_flood_to_a_thousand_ports_is_read_at_once() -> None:
    """Each way is found by following what led to it, not by looking through all others."""
    one = "    resubmit(,81)\n    81. arp, priority 100\n            goto_table:95\n"
    one += '        95. reg5={0:#x}, priority 100\n            output:"tap{0}"\n'
    blocks = "".join(one.format(number) for number in range(1000))
    stage = ofproto.stages(f'bridge("br-int")\n73. priority 0\n{blocks}Datapath actions: drop\n')[0]
    outputs = stage.outputs()
    assert len(outputs) == 1000
    assert [entry.match for entry in stage.way_to(outputs["tap999"])] == ["", "arp", "reg5=0x3e7"]
    assert len(stage.entries[0].actions) == 1000


def test_each_copy_of_a_flood_has_its_own_way() -> None:
    """Only the tables that led to it; one back to the sender is none; what follows a resubmit is the caller's."""
    stage = ofproto.stages(FLOODED)[0]
    assert tables(stage.way_to(stage.outputs()["tap2"])) == [73, 81, 95]
    assert tables(stage.way_to(stage.outputs()["tap1"])) == [73, 94, 95]
    assert tables(stage.way_to(-1)) == [73, 94, 95]
    assert stage.entries[0].actions[-1] == "goto_table:94"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("drop", []),
        ("tap2,tap1", [("tap2", "", 0), ("tap1", "", 0)]),
        ('push_vlan(vid=1,pcp=0),5,pop_vlan,"a-b"', [("5", "", 0), ("a-b", "", 0)]),
        (
            "set(tunnel(tun_id=0x2a,dst=10.0.0.12,ttl=64,tp_dst=4789,flags(df|key))),vxlan_sys_4789,tap1",
            [("vxlan_sys_4789", "10.0.0.12", 42), ("tap1", "", 0)],
        ),
        (
            "clone(tnl_push(tnl_port(vxlan_sys_4789),header(size=50,type=4,eth(dst=aa:00:00:00:00:01,src=aa:00:00:00:00:02,"
            "dl_type=0x0800),ipv4(src=10.0.0.11,dst=10.0.0.1,proto=17,tos=0,ttl=64,frag=0x4000),udp(src=0,dst=4789,csum=0),"
            "vxlan(flags=0x8000000,vni=0x1d67)),out_port(br-phy)),1)",
            [("br-phy", "10.0.0.1", 7527), ("1", "", 0)],
        ),
    ],
)
def test_outputs_of_both_datapaths(text: str, expected: list[tuple[str, str, int]]) -> None:
    """Ports, with the tunnel where OVS itself puts the packet into VXLAN."""
    found = actions.read(text, SYN)
    assert [(item.port, item.vtep_ip, item.vni) for item in found if isinstance(item, actions.Output)] == expected


def test_an_answered_arp_request_is_another_packet() -> None:
    """The switch's own answer: addresses, operation and direction are those that the actions set."""
    text = (
        "tap2,set(eth(src=fa:16:3e:29:c7:b7,dst=fa:16:3e:9c:09:27)),"
        "set(arp(sip=192.168.50.5,tip=192.168.50.3,op=2,sha=fa:16:3e:29:c7:b7,tha=fa:16:3e:9c:09:27)),tap1"
    )
    first, second = actions.read(text, ARP)
    assert isinstance(first, actions.Output)
    assert isinstance(second, actions.Output)
    assert first.packet == ARP
    assert (second.packet.source, second.packet.mac_source, second.packet.type, second.packet.answer) == (
        "192.168.50.5",
        "fa:16:3e:29:c7:b7",
        2,
        True,
    )


def test_conntrack_commits_and_comes_back() -> None:
    """With the zone, and where the packet goes on."""
    found = actions.read("ct(commit,zone=1),tap1,ct(zone=3),recirc(0x8)", SYN)
    assert [(item.zone, item.commit, item.recirculation) for item in found if isinstance(item, actions.Tracked)] == [
        (1, True, ""),
        (3, False, "0x8"),
    ]


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (SYN, "tcp_src=40000,tcp_dst=80,tcp_flags=0x2"),
        (ARP, "arp_op=1,arp_spa=192.168.50.3,arp_tpa=192.168.50.5,arp_sha=fa:16:3e:9c:09:27,arp_tha=00:00:00:00:00:00"),
        (
            Packet("icmp6", "fd00::3", "fd00::5", "aa:00:00:00:00:01", "33:33:ff:00:00:05", type=135, ttl=255),
            "ipv6_dst=ff02::1:ff00:5,nw_ttl=255,icmpv6_type=135,icmpv6_code=0,nd_target=fd00::5,nd_sll=aa:00:00:00:00:01",
        ),
    ],
)
def test_packets_as_the_switch_reads_them(packet: Packet, expected: str) -> None:
    """Fields of ovs-fields(7)."""
    assert ofproto.flow_text(packet, "tap-1").startswith('in_port="tap-1",')
    assert ofproto.flow_text(packet, "tap-1").endswith(expected)
