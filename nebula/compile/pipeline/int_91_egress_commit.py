"""Table 91 of br-int, EGRESS_COMMIT: conntrack remembers a connection whose packet leaves this node.

Only here, when all rules have let it through: what was refused on the way is in nobody's memory. A connection that had
been ended because its rule was gone, and that a rule lets through again, loses its mark.
Neutron: commits in 73 and 82; its table 91 is for logging.
"""

from __future__ import annotations

from collections.abc import Iterator

from nebula.compile.pipeline import rules, tables
from nebula.desired.kinds import Flow
from nebula.ids import Owner

TABLE = tables.EGRESS_COMMIT


def commit(owner: Owner) -> Iterator[Flow]:
    """New and revived connections; the rest goes on untouched."""
    yield from rules.commit(TABLE, tables.ACCEPTED_EGRESS, owner)
