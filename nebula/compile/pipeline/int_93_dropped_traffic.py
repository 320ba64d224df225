"""Table 93 of br-int, DROPPED_TRAFFIC: what security groups refuse, counted.

Neutron: the same table.
"""

from __future__ import annotations

from nebula.compile.pipeline import tables, text
from nebula.desired.kinds import Flow
from nebula.ids import Owner

TABLE = tables.DROPPED_TRAFFIC


def drop_rest(owner: Owner) -> Flow:
    """All of it."""
    return text.drop_rest(TABLE, owner)
