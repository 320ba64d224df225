"""Table 0 of a provider bridge (br-ex), PROVIDER: from local VLAN to the provider's segment, and back.

A frame from br-int loses the local VLAN and is then switched like any other; a local VLAN never reaches the provider.
Neutron: the same flows. On a bridge that is not ours there are only the flows for frames from br-int.
"""

from __future__ import annotations

from nebula.compile.pipeline import tables, text
from nebula.desired.kinds import Flow
from nebula.ids import Owner

TABLE = tables.PROVIDER


def to_provider(bridge: str, patch: str, tag: int, owner: Owner) -> Flow:
    """The flat network's frames, untagged, by the learning switch (NORMAL)."""
    return text.flow(TABLE, 20, f"{text.in_port(patch)},dl_vlan={tag}", "pop_vlan,NORMAL", owner, bridge=bridge)


def drop_rest_from_int(bridge: str, patch: str, owner: Owner) -> Flow:
    """Other networks have no business here."""
    return text.flow(TABLE, 10, text.in_port(patch), text.DROP, owner, bridge=bridge)


def switch_rest(bridge: str, owner: Owner) -> Flow:
    """All else between the bridge's ports: a learning switch. Only on a bridge that we made."""
    return text.flow(TABLE, 0, "", "NORMAL", owner, bridge=bridge)
