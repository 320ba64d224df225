"""Table 81 of br-int, BASE_INGRESS: to the receiver's device.

Whatever may later be forbidden to reach a port is forbidden here. Neutron: the same table, before its ingress rules.
"""

from __future__ import annotations

from nebula.compile.pipeline import registers, tables, text
from nebula.desired.kinds import Flow
from nebula.ids import Owner

TABLE = tables.BASE_INGRESS


def deliver(key: int, device: str, owner: Owner) -> Flow:
    """Out of the port's device."""
    return text.flow(TABLE, 100, text.match_register(registers.PORT, key), text.output(device), owner)


def drop_rest(owner: Owner) -> Flow:
    """A key that no port here has."""
    return text.drop_rest(TABLE, owner)
