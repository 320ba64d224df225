"""Local VLANs: which 802.1Q tag stands for which network on this node's bridges.

Pure. A network keeps its tag for as long as it is here. A tag whose network is leaving is not given out again in
the same pass: br-int and br-tun are switched one after the other, and in between the tag would mean two networks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nebula.ids import NetworkId

FIRST, LAST = 1, 4094
"""IEEE 802.1Q: 0 is no VLAN, 4095 is reserved."""


def local_vlans(networks: Iterable[NetworkId], present: Iterable[tuple[str, int]]) -> Mapping[NetworkId, int]:
    """Tags for ``networks``, given the (network, tag) pairs that br-int has now.

    New networks take the lowest free tag, in the order of their ids. Of two networks with one tag the first by id
    keeps it. Networks for which no tag is free (more than 4,094) are left out.
    """
    held: dict[str, int] = {}
    used: set[int] = set()
    for network_id, tag in sorted(set(present)):
        if network_id not in held and tag not in used and FIRST <= tag <= LAST:
            held[network_id] = tag
            used.add(tag)
    wanted = sorted(set(networks))
    free = (tag for tag in range(FIRST, LAST + 1) if tag not in used)
    tags = {network_id: held.get(network_id) or next(free, None) for network_id in wanted}
    return {network_id: tag for network_id, tag in tags.items() if tag is not None}
