"""What a guest pretends is stopped at its port, in the table that the documentation names."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from agent_node import AgentNode
from security_guests import ALL_OUT, GROUP, Tap, heard, ip, mac, secured_node, view
from spoofing_attempts import ATTEMPTS, HONEST, NOT_EVEN_A_CONNECTION, VRRP_IP, VRRP_MAC, frames

from nebula.ids import NetworkId, SubnetId
from nebula.view.records import AddressPair, FixedIp, NodeView

pytestmark = pytest.mark.sandbox

_DOCUMENT = Path(__file__).parents[2] / "docs" / "firewall.md"
_ROW = re.compile(r"^\| ([^|]+) \| (\d+)[^|]* \|$", re.MULTILINE)
_OTHER = NetworkId("c7ac9239-d14f-4aa4-8211-7f973bff61c9")


def _two_projects() -> NodeView:
    """Guest 0, held by port security with all let out; guest 1 of its network and guest 2 of another, with the very
    addresses of guest 1 and at the next VNI, both without port security."""
    whole = view(1, {GROUP: ALL_OUT}, [[GROUP], None, None], allowed_address_pairs=(AddressPair(VRRP_MAC, VRRP_IP),))
    mine = whole.networks[0]
    subnet = msgspec.structs.replace(mine.subnets[0], id=SubnetId("4fc42e16-b9ba-4610-94d6-9c8fe5a60a09"))
    vni = (mine.segmentation_id or 0) + 1
    other = msgspec.structs.replace(mine, id=_OTHER, project_id="other", segmentation_id=vni, subnets=(subnet,))
    fixed = (FixedIp(subnet.id, ip(1)),)
    twin = msgspec.structs.replace(whole.ports[2], network_id=_OTHER, mac_address=mac(1), fixed_ips=fixed)
    return msgspec.structs.replace(whole, networks=(mine, other), ports=(*whole.ports[:2], twin))


def _last_table(node: AgentNode, device: str, frame: bytes, *conntrack: str) -> int:
    """The table of br-int that refuses the frame, by ``ofproto/trace``: the last one but DROPPED_TRAFFIC."""
    trace = node.run("ovs-appctl", "ofproto/trace", *conntrack, "br-int", f"in_port={device}", frame.hex())
    return [number for number in map(int, re.findall(r"^ *(\d+)\. ", trace, re.MULTILINE)) if number != 93][-1]


def test_spoofing_is_stopped_in_the_table_that_the_documentation_names() -> None:
    """Each row of the table in docs/firewall.md is tried, in that order: nothing of it arrives, in no network, and the
    switch says that it ends where the row says. What is honest arrives, as it was sent, in its own network only.

    Of fragments the first is traced: a trace does not wait for the others, so it is told what conntrack makes of them.
    """
    documented = {name: int(table) for name, table in _ROW.findall(_DOCUMENT.read_text(encoding="utf-8"))}
    first = _two_projects()
    with secured_node(first, guests=2) as node:
        device = f"tap{first.ports[0].id[:11]}"
        sender, receiver, other = (Tap(node, number) for number in range(3))
        arrived, ended = {}, {}
        for name, attempt in ATTEMPTS.items():
            tried = frames(attempt)
            arrived[name] = heard(sender, receiver, *tried)
            conntrack = ("--ct-next", "trk,inv") if name in NOT_EVEN_A_CONNECTION else ()
            ended[name] = _last_table(node, device, tried[0], *conntrack)
        assert arrived == {name: [] for name in ATTEMPTS}
        assert documented == ended
        told = {}
        for name, frame in HONEST.items():
            told[name] = [bytes(found) for found in heard(sender, receiver, *frames(frame))]
        assert told == {name: frames(frame) for name, frame in HONEST.items()}
        assert other.frames == []


def test_a_pair_of_all_addresses() -> None:
    """With the pair 0.0.0.0/0 a port sends from any IPv4 address and answers ARP for any, under its own MAC; not from
    another MAC, nor from another IPv6 address. A restart of the agent writes nothing."""
    pairs = (AddressPair(mac(0), "0.0.0.0/0"),)
    with secured_node(view(1, {GROUP: ALL_OUT}, [[GROUP], None], allowed_address_pairs=pairs)) as node:
        sender, receiver = Tap(node, 0), Tap(node, 1)
        names = ("another IPv4", "an ARP answer for another", "another MAC", "another IPv6", "a DHCP offer")
        tried = [frames(ATTEMPTS[name]) for name in names]
        arrived = heard(sender, receiver, *(frame for attempt in tried for frame in attempt))
        assert sorted(bytes(frame) for frame in arrived) == sorted(frame for attempt in tried[:2] for frame in attempt)
        _restart_silently(node)


def test_without_port_security_all_passes() -> None:
    """A port with port_security_enabled false sends what it likes; a restart of the agent writes nothing."""
    with secured_node(view(1, {}, [None, None])) as node:
        sender, receiver = Tap(node, 0), Tap(node, 1)
        tried = [frame for name in ("another IPv4", "an ARP answer for another") for frame in frames(ATTEMPTS[name])]
        assert len(heard(sender, receiver, *tried)) == 2
        _restart_silently(node)


def _restart_silently(node: AgentNode) -> None:
    node.stop_agent()
    since = len(node.passes())
    node.start_agent()
    node.wait_sync(1, since)
    assert node.changes(since) == 0
