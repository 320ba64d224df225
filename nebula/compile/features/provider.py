"""Provider networks: a flat network is the untagged segment behind a bridge of this node.

Pure. For each bridge mapping a bridge (made, or adopted where it exists and is not ours), the patch between it and
br-int, and the flows that take the local VLAN off and put it on.
"""

from __future__ import annotations

from collections.abc import Iterator

from nebula.compile.facts import BridgeMapping
from nebula.compile.features.switching import patch
from nebula.compile.pipeline import ex_00_provider, int_00_local_switching
from nebula.compile.pipeline.tables import named_tables
from nebula.compile.wiring import Wiring
from nebula.desired.kinds import Bridge, BridgePort, KernelObject
from nebula.ids import BR_INT, Owner, OwnerKind, int_patch_name, phy_patch_name


def objects(node: Wiring) -> Iterator[KernelObject]:
    """Every mapped bridge."""
    for mapping in node.mappings.values():
        yield from _bridge(node, mapping)


def _bridge(node: Wiring, mapping: BridgeMapping) -> Iterator[KernelObject]:
    inner, outer = int_patch_name(mapping.bridge), phy_patch_name(mapping.bridge)
    if mapping.bridge in node.facts.foreign_bridges:
        yield Bridge(mapping.bridge, "", "", node.owner, adopt=True)
    else:
        yield Bridge(
            mapping.bridge, node.facts.datapath_type, "secure", node.owner, tables=named_tables(mapping.bridge)
        )
        yield ex_00_provider.switch_rest(mapping.bridge, node.owner)
        if mapping.interface is not None:
            yield BridgePort(mapping.bridge, mapping.interface, "", (), None, "", node.owner)
    yield patch(BR_INT, inner, outer, node.owner)
    yield patch(mapping.bridge, outer, inner, node.owner)
    yield ex_00_provider.drop_rest_from_int(mapping.bridge, outer, node.owner)
    network = node.flat_network(mapping.physical_network)
    if network is not None:
        tag, owner = node.tags[network.id], Owner(OwnerKind.NETWORK, network.id)
        yield int_00_local_switching.from_provider(inner, tag, owner)
        yield ex_00_provider.to_provider(mapping.bridge, outer, tag, owner)
