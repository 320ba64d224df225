"""Table 74 of br-int, FLOOD_MORE: the rest of a long flood list.

Only used by networks with more local ports than one OpenFlow message can name; the flows are made together with
those of table 73 (``int_73_accept_or_ingress.flood``). Nebula's own: Neutron floods by NORMAL.
"""

from __future__ import annotations

from nebula.compile.pipeline import tables, text
from nebula.desired.kinds import Flow
from nebula.ids import Owner

TABLE = tables.FLOOD_MORE


def drop_rest(owner: Owner) -> Flow:
    """Nothing else gets here."""
    return text.drop_rest(TABLE, owner)
