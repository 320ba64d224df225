"""The one list that fixes the order of changes.

Pure. Adds and changes go from the first kind to the last: what traffic cannot see yet (rules before anything could be
forwarded, so that nothing is forwarded before NAT), the switch's ports and flows, and only then addresses and routes:
with an address the kernel starts to ask by ARP, and what it asks before the switch lets it through is lost and asked
again only after a second. Removals go the other way round, after every add and change of the pass.
"""

from __future__ import annotations

from nebula.desired.kinds import (
    Address,
    Bridge,
    BridgePort,
    Chain,
    ConfigFile,
    FdbEntry,
    Flow,
    LocalVlan,
    Namespace,
    Process,
    Route,
    Ruleset,
    Sysctl,
    VethPair,
    VxlanDevice,
)

ORDER: tuple[str, ...] = (
    Namespace.kind,
    Ruleset.kind,
    Chain.kind,
    Sysctl.kind,
    Bridge.kind,
    LocalVlan.kind,
    VethPair.kind,
    VxlanDevice.kind,
    FdbEntry.kind,
    BridgePort.kind,
    Flow.kind,
    Address.kind,
    Route.kind,
    ConfigFile.kind,
    Process.kind,
)
RANK: dict[str, int] = {kind: rank for rank, kind in enumerate(ORDER)}
