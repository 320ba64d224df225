"""Overlay: VXLAN between the nodes, and answers to ARP for ports of other nodes.

Pure. br-tun, its one flow-based tunnel port, and its flows; nothing is learned (RFC 7348 learns; here the
controller knows where every MAC and address lives).
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, ip_address

from nebula.compile.pipeline import (
    tun_00_input,
    tun_02_patch_lv_to_tun,
    tun_04_vxlan_tun_to_lv,
    tun_20_ucast_to_tun,
    tun_21_arp_responder,
    tun_22_flood_to_tun,
)
from nebula.compile.pipeline.tables import named_tables
from nebula.compile.wiring import Wiring
from nebula.desired.kinds import Bridge, BridgePort, Flow, KernelObject
from nebula.ids import BR_TUN, VXLAN_PORT, Owner, OwnerKind
from nebula.view.records import NetworkView


def objects(node: Wiring) -> Iterator[KernelObject]:
    """All of br-tun but the patch to br-int (feature ``switching``)."""
    yield Bridge(BR_TUN, node.facts.datapath_type, "secure", node.owner, tables=named_tables(BR_TUN))
    options = (("key", "flow"), ("local_ip", node.facts.vtep_ip), ("remote_ip", "flow"))
    yield BridgePort(BR_TUN, VXLAN_PORT, "vxlan", options, None, "", node.owner)
    yield tun_00_input.from_int(node.owner)
    yield tun_00_input.drop_rest(node.owner)
    yield from tun_02_patch_lv_to_tun.sort_out(node.owner)
    yield tun_04_vxlan_tun_to_lv.drop_rest(node.owner)
    yield tun_20_ucast_to_tun.drop_rest(node.owner)
    yield tun_21_arp_responder.flood_rest(node.owner)
    yield tun_22_flood_to_tun.drop_rest(node.owner)
    for vtep_ip in sorted(set(node.view.peers)):
        yield tun_00_input.from_peer(vtep_ip, Owner(OwnerKind.PEER, vtep_ip))
    vnis: set[int] = set()
    for network in node.networks:
        vni = network.segmentation_id
        if network.network_type == "vxlan" and vni is not None and vni not in vnis:
            vnis.add(vni)
            yield from _network_flows(node, network, vni)


def _network_flows(node: Wiring, network: NetworkView, vni: int) -> Iterator[Flow]:
    tag = node.tags[network.id]
    owner = Owner(OwnerKind.NETWORK, network.id)
    yield tun_04_vxlan_tun_to_lv.to_int(vni, tag, owner)
    vteps = sorted(set(network.flood_vteps) - {node.facts.vtep_ip})
    if vteps:
        yield tun_22_flood_to_tun.to_all(tag, vni, vteps, owner)
    macs: set[str] = set()
    answered: set[IPv4Address] = set()
    for port in sorted(network.remote_ports, key=lambda item: item.id):
        port_owner = Owner(OwnerKind.PORT, port.id)
        mac_address = port.mac_address.lower()
        if mac_address not in macs:
            macs.add(mac_address)
            yield tun_20_ucast_to_tun.to_remote(tag, vni, mac_address, port.vtep_ip, port_owner)
        for address in sorted({ip_address(text) for text in port.ip_addresses}, key=int):
            if isinstance(address, IPv4Address) and address not in answered:
                answered.add(address)
                yield tun_21_arp_responder.answer(tag, str(address), mac_address, port_owner)
