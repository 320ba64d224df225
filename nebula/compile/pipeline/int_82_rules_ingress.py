"""Table 82 of br-int, RULES_INGRESS: do the groups of the receiver let this in?

The same order as in RULES_EGRESS: answers and what belongs to a connection, then the rules, then the mark that ends
what no rule allows any more. Neutron: the same table and mark, with flows per port.
"""

from __future__ import annotations

from collections.abc import Iterator

from nebula.compile.pipeline import rules, tables
from nebula.desired.kinds import Flow
from nebula.ids import Owner

TABLE = tables.RULES_INGRESS


def sort_out(owner: Owner) -> Iterator[Flow]:
    """All that is the same for every port."""
    yield from rules.follow(TABLE, tables.INGRESS_COMMIT, owner)
