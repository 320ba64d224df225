"""Overlay: VXLAN between the nodes, and answers to ARP for ports of other nodes.

Pure. br-tun, its way onto the underlay, and its flows; nothing is learned (RFC 7348 learns; here the controller knows
where every MAC and address lives). The way is one flow-based tunnel port of OVS's, or a VXLAN device of the kernel
for each network (``Facts.vxlan_devices``), in whose FDB stands what the flows say otherwise: where a MAC lives, and
who gets floods.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, ip_address

import msgspec

from nebula.compile.pipeline import (
    text,
    tun_00_input,
    tun_02_patch_lv_to_tun,
    tun_04_vxlan_tun_to_lv,
    tun_20_ucast_to_tun,
    tun_21_arp_responder,
    tun_22_flood_to_tun,
)
from nebula.compile.pipeline.tables import named_tables
from nebula.compile.wiring import Wiring, is_group
from nebula.desired.kinds import Bridge, BridgePort, Chain, FdbEntry, KernelObject, VxlanDevice
from nebula.ids import BR_TUN, VXLAN_CHAIN, VXLAN_PORT, Owner, OwnerKind, vxlan_device_name
from nebula.view.records import NetworkView, RemotePort

_TO_VXLAN = "-p udp -m udp --dport 4789"
"""UDP port of VXLAN (RFC 7348, section 5)."""


class _Segment(msgspec.Struct, frozen=True):
    """One network on the overlay."""

    network: NetworkView
    vni: int
    tag: int
    owner: Owner

    @property
    def device(self) -> str:
        return vxlan_device_name(self.vni)


def objects(node: Wiring) -> Iterator[KernelObject]:
    """All of br-tun but the patch to br-int (feature ``switching``)."""
    yield Bridge(BR_TUN, node.facts.datapath_type, "secure", node.owner, tables=named_tables(BR_TUN))
    yield tun_00_input.from_int(node.owner)
    yield tun_00_input.drop_rest(node.owner)
    yield from tun_02_patch_lv_to_tun.sort_out(node.owner)
    yield tun_04_vxlan_tun_to_lv.drop_rest(node.owner)
    yield tun_20_ucast_to_tun.drop_rest(node.owner)
    yield tun_21_arp_responder.flood_rest(node.owner)
    yield tun_22_flood_to_tun.drop_rest(node.owner)
    segments = tuple(_segments(node))
    if node.facts.vxlan_devices:
        yield _known_peers(node)
        for segment in segments:
            yield from _device(node, segment)
    else:
        yield from _tunnel_port(node)
        for segment in segments:
            yield from _tunnel_flows(node, segment)
    for segment in segments:
        yield tun_04_vxlan_tun_to_lv.to_int(segment.vni, segment.tag, segment.owner)
        yield from _arp_answers(node, segment)


def _segments(node: Wiring) -> Iterator[_Segment]:
    vnis: set[int] = set()
    for network in node.networks:
        vni = network.segmentation_id
        if network.network_type == "vxlan" and vni is not None and vni not in vnis:
            vnis.add(vni)
            yield _Segment(network, vni, node.tags[network.id], Owner(OwnerKind.NETWORK, network.id))


def _known_peers(node: Wiring) -> Chain:
    """Nobody but the nodes that the controller knows: VXLAN authenticates nobody (RFC 7348, section 7)."""
    peers = [(vtep_ip, Owner(OwnerKind.PEER, vtep_ip)) for vtep_ip in sorted(set(node.view.peers))]
    rules = [
        f'-s {vtep_ip}/32 -d {node.facts.vtep_ip}/32 -m comment --comment "{owner.mark}" -j RETURN'
        for vtep_ip, owner in peers
    ]
    rules.append(f'-m comment --comment "{node.owner.mark}" -j DROP')
    return Chain(VXLAN_CHAIN, _TO_VXLAN, tuple(rules), node.owner)


def _device(node: Wiring, segment: _Segment) -> Iterator[KernelObject]:
    name, owner, tag = segment.device, segment.owner, segment.tag
    mtu_bytes = segment.network.mtu_bytes
    device = VxlanDevice(name, segment.vni, node.facts.vtep_ip, mtu_bytes, VXLAN_CHAIN, owner)
    yield device
    yield BridgePort(BR_TUN, name, "", (), None, "", owner, device.key)
    yield tun_00_input.from_device(name, segment.vni, owner)
    vteps = _flooded(node, segment)
    for vtep_ip in vteps:
        yield FdbEntry(name, FdbEntry.FLOOD, vtep_ip, owner)
    if vteps:
        yield tun_22_flood_to_tun.to_device(tag, name, owner)
    for mac_address, vtep_ips, port in _macs(segment):
        if len(vtep_ips) == 1:  # what the FDB does not know the device floods, as it must be for several (bridge(8))
            yield FdbEntry(name, mac_address, vtep_ips[0], port)
        yield tun_20_ucast_to_tun.to_device(tag, mac_address, name, port)


def _tunnel_port(node: Wiring) -> Iterator[KernelObject]:
    options = (("key", "flow"), ("local_ip", node.facts.vtep_ip), ("remote_ip", "flow"))
    yield BridgePort(BR_TUN, VXLAN_PORT, "vxlan", options, None, "", node.owner)
    for vtep_ip in sorted(set(node.view.peers)):
        yield tun_00_input.from_peer(vtep_ip, Owner(OwnerKind.PEER, vtep_ip))


def _tunnel_flows(node: Wiring, segment: _Segment) -> Iterator[KernelObject]:
    vteps = _flooded(node, segment)
    if vteps:
        yield tun_22_flood_to_tun.to_all(segment.tag, segment.vni, vteps, segment.owner)
    for mac_address, vtep_ips, port in _macs(segment):
        yield tun_20_ucast_to_tun.to_remote(segment.tag, segment.vni, mac_address, vtep_ips, port)


def _flooded(node: Wiring, segment: _Segment) -> list[str]:
    """The other nodes that have the network."""
    return sorted(set(segment.network.flood_vteps) - {node.facts.vtep_ip})


def _macs(segment: _Segment) -> Iterator[tuple[str, tuple[str, ...], Owner]]:
    """MAC, tunnel addresses of its nodes, and owner of each port elsewhere; of two with one MAC the first by id.

    Then the MACs of their allowed address pairs, which several ports may use.
    """
    ports = sorted(segment.network.remote_ports, key=lambda item: item.id)
    macs: set[str] = set()
    for port in ports:
        mac_address = port.mac_address.lower()
        if mac_address not in macs:
            macs.add(mac_address)
            yield mac_address, (port.vtep_ip,), Owner(OwnerKind.PORT, port.id)
    paired: dict[str, list[RemotePort]] = {}
    for port in ports:
        for mac_address in port.pair_macs:
            if mac_address not in macs and not is_group(mac_address):
                paired.setdefault(mac_address, []).append(port)
    for mac_address, holders in paired.items():
        yield mac_address, tuple(sorted({port.vtep_ip for port in holders})), Owner(OwnerKind.PORT, holders[0].id)


def _arp_answers(node: Wiring, segment: _Segment) -> Iterator[KernelObject]:
    answered: set[IPv4Address] = set()
    for port in sorted(segment.network.remote_ports, key=lambda item: item.id):
        owner, mac_address = Owner(OwnerKind.PORT, port.id), port.mac_address.lower()
        if node.facts.vxlan_devices:
            onward = [text.output(segment.device)]
        else:
            onward = [text.set_tunnel(segment.vni), tun_20_ucast_to_tun.send_to(port.vtep_ip)]
        for address in sorted({ip_address(one) for one in port.ip_addresses}, key=int):
            if isinstance(address, IPv4Address) and address not in answered:
                answered.add(address)
                yield tun_21_arp_responder.answer(segment.tag, str(address), mac_address, onward, owner)
