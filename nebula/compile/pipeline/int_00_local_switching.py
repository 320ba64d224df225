"""Table 0 of br-int, LOCAL_SWITCHING: where a packet comes from.

What a fabric brings (the tunnels through ``patch-tun``, a provider bridge through ``int-br-ex``) gets its network
and the mark that keeps it from going back; all else is a port's. What an unprotected port sends goes to TRANSIENT, the
rest to the tables against spoofing.
Neutron: the same table, where a provider's frame gets the local VLAN and goes on to 60.
"""

from __future__ import annotations

from collections.abc import Iterator

from nebula.compile.pipeline import registers, tables, text
from nebula.desired.kinds import Flow
from nebula.ids import PATCH_TUN, Owner

TABLE = tables.LOCAL_SWITCHING


def from_tunnels(tag: int, owner: Owner) -> Flow:
    """A frame from br-tun: its 802.1Q tag says the network."""
    return text.flow(
        TABLE,
        10,
        f"{text.in_port(PATCH_TUN)},dl_vlan={tag}",
        f"pop_vlan,{_enter(tag)}",
        owner,
    )


def from_provider(patch: str, tag: int, owner: Owner) -> Flow:
    """An untagged frame from the provider bridge behind ``patch`` is of the flat network there."""
    return text.flow(TABLE, 10, f"{text.in_port(patch)},{text.UNTAGGED}", _enter(tag), owner)


def from_unprotected(device: str, owner: Owner) -> Flow:
    """A port without port security may send from any address."""
    return text.flow(TABLE, 5, text.in_port(device), text.goto(tables.TRANSIENT), owner)


def from_ports(owner: Owner) -> Iterator[Flow]:
    """All other packets: who says where an address lives (ARP, neighbour discovery) is looked at twice."""
    for match in ("arp", "icmp6,icmp_type=135", "icmp6,icmp_type=136"):
        yield text.flow(TABLE, 3, match, text.goto(tables.ARP_SPOOF), owner)
    yield text.flow(TABLE, 0, "", text.goto(tables.MAC_SPOOF), owner)


def _enter(tag: int) -> str:
    network = text.set_register(registers.NETWORK, tag)
    origin = text.set_register(registers.ORIGIN, registers.FROM_FABRIC)
    return f"{network},{origin},{text.goto(tables.ACCEPT_OR_INGRESS)}"
