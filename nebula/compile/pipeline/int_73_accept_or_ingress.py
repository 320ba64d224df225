"""Table 73 of br-int, ACCEPT_OR_INGRESS: is the receiver on this node?

Unicast to a local port goes to BASE_INGRESS under the receiver's key; multicast and broadcast go to every local port
of the network and then on; the MAC of an allowed address pair to every local port that has the pair, and then on; other
unicast goes to EGRESS_COMMIT, on the way out.
Neutron: the same table for unicast; flooding there is left to NORMAL in table 94.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nebula.compile.pipeline import registers, tables, text
from nebula.desired.kinds import Flow
from nebula.ids import Owner

TABLE = tables.ACCEPT_OR_INGRESS

CHUNK = 1000
"""Most ports in one flood flow: 32 bytes of actions each, and one OpenFlow message holds 65,535."""


def to_local(tag: int, mac_address: str, key: int, protection: int, owner: Owner) -> Flow:
    """Unicast to a port of this node."""
    match = f"{text.in_network(tag)},dl_dst={mac_address}"
    receiver = f"{text.set_register(registers.PORT, key)},{text.set_register(registers.PROTECTION, protection)}"
    return text.flow(TABLE, 100, match, f"{receiver},{text.goto(tables.BASE_INGRESS)}", owner)


def to_pair(tag: int, mac_address: str, ports: Sequence[tuple[int, int]], owner: Owner) -> Flow:
    """The MAC of an allowed address pair: who of its ports uses it is theirs to know (VRRP, RFC 5798), here or on other
    nodes, so each gets a copy. ``ports`` as in :func:`flood`; beyond ``CHUNK`` of them none."""
    actions = ",".join((*_copies(ports[:CHUNK]), text.goto(tables.EGRESS_COMMIT)))
    return text.flow(TABLE, 95, f"{text.in_network(tag)},dl_dst={mac_address}", actions, owner)


def flood(tag: int, ports: Sequence[tuple[int, int]], owner: Owner, chunk: int = CHUNK) -> Iterator[Flow]:
    """Multicast and broadcast: a copy for each port (protection and key, sorted by the caller), then on to
    EGRESS_COMMIT.

    OVS never sends a packet back to the port that it came from, so the sender may be among the ports. Lists longer
    than ``chunk`` go on in FLOOD_MORE. OVS stops a packet at 4,096 resubmits: so many local ports hears a flood.
    """
    chunks = [ports[start : start + chunk] for start in range(0, len(ports), chunk)] or [ports]
    for number, part in enumerate(chunks):
        actions = list(_copies(part))
        if number + 1 < len(chunks):
            actions.append(text.set_register(registers.FLOOD_CHUNK, number + 1))
            actions.append(text.goto(tables.FLOOD_MORE) if number == 0 else text.resubmit(tables.FLOOD_MORE))
        else:
            actions.append(text.goto(tables.EGRESS_COMMIT))
        if number == 0:
            match = f"{text.in_network(tag)},{text.MULTICAST}"
            yield text.flow(TABLE, 90, match, ",".join(actions), owner)
        else:
            match = f"{text.in_network(tag)},{text.match_register(registers.FLOOD_CHUNK, number)}"
            yield text.flow(tables.FLOOD_MORE, 100, match, ",".join(actions), owner)


def to_elsewhere(owner: Owner) -> Flow:
    """Unicast to what is not on this node."""
    return text.flow(TABLE, 0, "", text.goto(tables.EGRESS_COMMIT), owner)


def _copies(ports: Sequence[tuple[int, int]]) -> Iterator[str]:
    for index, (protection, key) in enumerate(ports):
        if index == 0 or protection != ports[index - 1][0]:
            yield text.set_register(registers.PROTECTION, protection)
        yield text.set_register(registers.PORT, key)
        yield text.resubmit(tables.BASE_INGRESS)
