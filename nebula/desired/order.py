"""The one list that fixes the order of changes.

Pure. Adds and changes go from the first kind to the last: what traffic cannot see yet, then the switch (rules
before forwarding, flows last), so that nothing is forwarded before NAT and nothing flows before a port is whole.
Removals go the other way round, after every add and change of the pass.
"""

from __future__ import annotations

from nebula.desired.kinds import (
    Address,
    Bridge,
    BridgePort,
    ConfigFile,
    Flow,
    LocalVlan,
    Namespace,
    Process,
    Route,
    Ruleset,
    Sysctl,
    VethPair,
)

ORDER: tuple[str, ...] = (
    Namespace.kind,
    Ruleset.kind,
    Sysctl.kind,
    Bridge.kind,
    LocalVlan.kind,
    VethPair.kind,
    Address.kind,
    Route.kind,
    BridgePort.kind,
    Flow.kind,
    ConfigFile.kind,
    Process.kind,
)
RANK: dict[str, int] = {kind: rank for rank, kind in enumerate(ORDER)}
