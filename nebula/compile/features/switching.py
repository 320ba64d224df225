"""Switching: ports of one network on this node reach each other, and the way out of the node.

Pure. br-int with its patch ports, the device of every wired port, local VLANs, and the flows of br-int.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nebula.compile.features.routing import public_addresses
from nebula.compile.pipeline import (
    int_00_local_switching,
    int_24_arp_spoof,
    int_25_mac_spoof,
    int_60_transient,
    int_71_base_egress,
    int_72_rules_egress,
    int_73_accept_or_ingress,
    int_74_flood_more,
    int_81_base_ingress,
    int_82_rules_ingress,
    int_91_egress_commit,
    int_92_ingress_commit,
    int_93_dropped_traffic,
    int_94_accepted_egress,
    int_95_delivery,
)
from nebula.compile.pipeline.tables import named_tables
from nebula.compile.wiring import WiredPort, Wiring, is_group
from nebula.desired.kinds import Bridge, BridgePort, Flow, KernelObject, LocalVlan, Offload, VethPair
from nebula.ids import BR_INT, BR_TUN, PATCH_INT, PATCH_TUN, Owner, OwnerKind, PortId
from nebula.view.records import NetworkView, pair_macs


def objects(node: Wiring) -> Iterator[KernelObject]:
    """All of br-int but the patches to provider bridges (feature ``provider``)."""
    datapath, tables = node.facts.datapath_type, named_tables(BR_INT)
    yield Bridge(BR_INT, datapath, "secure", node.owner, tables=tables, fragments="nx-match")
    yield patch(BR_INT, PATCH_TUN, PATCH_INT, node.owner)
    yield patch(BR_TUN, PATCH_INT, PATCH_TUN, node.owner)
    for network in node.networks:
        yield LocalVlan(network.id, node.tags[network.id], Owner(OwnerKind.NETWORK, network.id))
    for port in node.ports:
        yield from _devices(node, port)
    yield from _flows(node)


def patch(bridge: str, name: str, peer: str, owner: Owner) -> BridgePort:
    """One end of a patch between two bridges."""
    return BridgePort(bridge, name, "patch", (("peer", peer),), None, "", owner)


def _devices(node: Wiring, port: WiredPort) -> Iterator[KernelObject]:
    if port.place is None:
        return
    pair = VethPair(
        name=port.device,
        peer_namespace=port.place.namespace,
        peer_name=port.place.device,
        peer_mac_address=port.mac_address,
        mtu_bytes=port.network.mtu_bytes,
        offload=_offload(node),
        owner=port.owner,
    )
    yield pair
    yield BridgePort(BR_INT, port.device, "", (), port.tag, port.id, port.owner, pair.key)


def _offload(node: Wiring) -> Offload:
    """OVS's own userspace tunnels (3.1) lose unsegmented TCP: only VXLAN devices of the kernel carry it."""
    if node.facts.datapath_type == "system":
        return Offload.ALL
    return Offload.TCP if node.facts.segmentation_offload and node.facts.vxlan_devices else Offload.NONE


def _flows(node: Wiring) -> Iterator[Flow]:
    yield from _same_for_all(node.owner)
    for network in node.networks:
        owner = Owner(OwnerKind.NETWORK, network.id)
        tag = node.tags[network.id]
        if network.network_type == "vxlan":
            yield int_00_local_switching.from_tunnels(tag, owner)
        uplink = node.uplink(network)
        if uplink is not None:
            yield int_94_accepted_egress.leave(tag, uplink, owner)
        receivers = sorted((port.protection, port.key) for port in node.live_ports[network.id])
        yield from int_73_accept_or_ingress.flood(tag, receivers, owner)
        for mac_address, holders in _pair_macs(node, network).items():
            receivers = sorted((port.protection, port.key) for port in holders)
            yield int_73_accept_or_ingress.to_pair(tag, mac_address, receivers, holders[0].owner)
    guarded = _guarded(node)
    public = {router.gateway.port_id: public_addresses(router) for router in node.view.routers if router.gateway}
    for ports in node.live_ports.values():
        for port in ports:
            if not port.protection:
                yield int_00_local_switching.from_unprotected(port.device, port.owner)
            yield int_60_transient.admit(port.device, port.key, port.tag, port.protection, port.owner)
            if port.id in guarded:
                own = {**public.get(port.id, {}), **dict.fromkeys(port.addresses, port.owner)}
                yield from int_71_base_egress.guard_gateway(port.key, own, port.owner)
            if port.unicast:
                yield int_73_accept_or_ingress.to_local(
                    port.tag, port.mac_address, port.key, port.protection, port.owner
                )
            yield int_95_delivery.deliver(port.key, port.device, port.owner)


def _same_for_all(owner: Owner) -> Iterator[Flow]:
    """What stands in the tables whatever ports there are."""
    yield from int_00_local_switching.from_ports(owner)
    yield from int_24_arp_spoof.claim_nothing(owner)
    yield int_24_arp_spoof.drop_rest(owner)
    yield int_25_mac_spoof.drop_rest(owner)
    yield int_60_transient.drop_rest(owner)
    yield from int_71_base_egress.without_address(owner)
    yield int_71_base_egress.pass_untagged(owner)
    yield int_71_base_egress.drop_rest(owner)
    yield from int_72_rules_egress.sort_out(owner)
    yield int_73_accept_or_ingress.to_elsewhere(owner)
    yield int_74_flood_more.drop_rest(owner)
    yield from int_81_base_ingress.sort_out(owner)
    yield int_81_base_ingress.drop_rest(owner)
    yield from int_82_rules_ingress.sort_out(owner)
    yield from int_91_egress_commit.commit(owner)
    yield from int_92_ingress_commit.commit(owner)
    yield int_93_dropped_traffic.drop_rest(owner)
    yield int_94_accepted_egress.split_horizon(owner)
    yield int_94_accepted_egress.drop_rest(owner)
    yield int_95_delivery.drop_rest(owner)


def _pair_macs(node: Wiring, network: NetworkView) -> Mapping[str, list[WiredPort]]:
    """The local ports that may use a MAC beside their own, by MAC; one that is a port's own is that port's."""
    ports = node.live_ports[network.id]
    own = {port.mac_address for port in ports} | {port.mac_address.lower() for port in network.remote_ports}
    found: dict[str, list[WiredPort]] = {}
    for port in ports:
        for mac_address in pair_macs(port.mac_address, port.port.allowed_address_pairs):
            if port.protection and mac_address not in own and not is_group(mac_address):
                found.setdefault(mac_address, []).append(port)
    return found


def _guarded(node: Wiring) -> frozenset[PortId]:
    gateways = (router.gateway for router in node.view.routers)
    return frozenset(gateway.port_id for gateway in gateways if gateway is not None and gateway.enable_snat)
