"""Table 60 of br-int, TRANSIENT: which port, which network.

A packet from a port that is bound here gets the port's key and the network's local VLAN; nothing unbound gets in.
Neutron: the same table and registers; its last flow is NORMAL.
"""

from __future__ import annotations

from nebula.compile.pipeline import registers, tables, text
from nebula.desired.kinds import Flow
from nebula.ids import Owner

TABLE = tables.TRANSIENT


def admit(device: str, key: int, tag: int, protection: int, owner: Owner) -> Flow:
    """Packets that come out of ``device`` are the port's."""
    actions = [text.set_register(registers.PORT, key), text.set_register(registers.NETWORK, tag)]
    if protection:
        actions.append(text.set_register(registers.PROTECTION, protection))
    actions.append(text.goto(tables.BASE_EGRESS))
    return text.flow(TABLE, 100, text.in_port(device), ",".join(actions), owner)


def drop_rest(owner: Owner) -> Flow:
    """Nobody's packets."""
    return text.drop_rest(TABLE, owner)
