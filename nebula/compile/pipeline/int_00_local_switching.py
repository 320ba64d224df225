"""Table 0 of br-int, LOCAL_SWITCHING: where a packet comes from.

What a fabric brings (the tunnels through ``patch-tun``, a provider bridge through ``int-br-ex``) gets its network
and the mark that keeps it from going back; all else is a port's and goes to TRANSIENT.
Neutron: the same table, where a provider's frame gets the local VLAN and goes on to 60.
"""

from __future__ import annotations

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


def from_ports(owner: Owner) -> Flow:
    """All other packets: TRANSIENT knows the ports, and drops the rest."""
    return text.flow(TABLE, 0, "", text.goto(tables.TRANSIENT), owner)


def _enter(tag: int) -> str:
    network = text.set_register(registers.NETWORK, tag)
    origin = text.set_register(registers.ORIGIN, registers.FROM_FABRIC)
    return f"{network},{origin},{text.goto(tables.ACCEPT_OR_INGRESS)}"
