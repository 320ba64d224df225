"""Table 81 of br-int, BASE_INGRESS: may this reach the port at all?

A port without port security gets everything. Another gets ARP, neighbour discovery and DHCP answers (its senders were
looked at where they sent), and what its groups' ingress rules let in. Neutron: the same table, with flows per port.
"""

from __future__ import annotations

from collections.abc import Iterator

from nebula.compile.pipeline import registers, rules, tables, text
from nebula.desired.kinds import Flow
from nebula.ids import Owner

TABLE = tables.BASE_INGRESS


def sort_out(owner: Owner) -> Iterator[Flow]:
    """All that is the same for every port."""
    stateful = text.match_register(registers.PROTECTION, registers.STATEFUL)
    stateless = text.match_register(registers.PROTECTION, registers.STATELESS)
    deliver, judge = text.goto(tables.DELIVERY), text.goto(tables.RULES_INGRESS)
    neighbours = [f"icmp6,{text.secured()},icmp_type={number}" for number in (130, 134, 135, 136)]
    servers = (f"udp,{text.secured()},tp_src=67,tp_dst=68", f"udp6,{text.secured()},tp_src=547,tp_dst=546")
    for match in (f"arp,{text.secured()}", *map(text.whole, (*neighbours, *servers))):
        yield text.flow(TABLE, 100, match, deliver, owner)
    for family in rules.IP_FAMILIES:
        yield text.flow(TABLE, 90, f"ct_state=-trk,{family},{stateful}", text.track(tables.RULES_INGRESS), owner)
    for protection in (stateful, stateless):
        yield text.flow(TABLE, 80, protection, judge, owner)
    unprotected = text.match_register(registers.PROTECTION, 0)
    yield text.flow(TABLE, 10, unprotected, text.goto(tables.INGRESS_COMMIT), owner)


def drop_rest(owner: Owner) -> Flow:
    """No other protection is known."""
    return text.drop_rest(TABLE, owner)
