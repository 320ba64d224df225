"""Table 94 of br-int, ACCEPTED_EGRESS: out of this node.

With the network's local VLAN as 802.1Q tag into the tunnels or the provider bridge; never back into a fabric.
Neutron: the same table, NORMAL there (the switch learns); here the way is programmed.
"""

from __future__ import annotations

from nebula.compile.pipeline import registers, tables, text
from nebula.desired.kinds import Flow
from nebula.ids import Owner

TABLE = tables.ACCEPTED_EGRESS


def split_horizon(owner: Owner) -> Flow:
    """What a fabric brought and no port here took ends here."""
    return text.flow(TABLE, 100, text.match_register(registers.ORIGIN, registers.FROM_FABRIC), text.DROP, owner)


def leave(tag: int, patch: str, owner: Owner) -> Flow:
    """Out through the network's patch port."""
    return text.flow(TABLE, 10, text.in_network(tag), f"{text.push_vlan(tag)},{text.output(patch)}", owner)


def drop_rest(owner: Owner) -> Flow:
    """Networks that go nowhere from here."""
    return text.drop_rest(TABLE, owner)
