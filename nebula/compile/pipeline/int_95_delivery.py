"""Table 95 of br-int, DELIVERY: to the receiver's device.

Nebula's own: Neutron's flows of 81 and 82 each name the device.
"""

from __future__ import annotations

from nebula.compile.pipeline import registers, tables, text
from nebula.desired.kinds import Flow
from nebula.ids import Owner

TABLE = tables.DELIVERY


def deliver(key: int, device: str, owner: Owner) -> Flow:
    """Out of the port's device."""
    return text.flow(TABLE, 100, text.match_register(registers.PORT, key), text.output(device), owner)


def drop_rest(owner: Owner) -> Flow:
    """A key that no port here has."""
    return text.drop_rest(TABLE, owner)
