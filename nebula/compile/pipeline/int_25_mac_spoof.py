"""Table 25 of br-int, MAC_SPOOF: is this the port's own hardware address?

Only ports with port security come here. Neutron: the same table for its iptables firewall; its OVS firewall matches
the source in every flow of table 71.
"""

from __future__ import annotations

from nebula.compile.pipeline import tables, text
from nebula.desired.kinds import Flow
from nebula.ids import Owner

TABLE = tables.MAC_SPOOF


def own(device: str, mac_address: str, owner: Owner) -> Flow:
    """The port's address, or one of its allowed address pairs."""
    return text.flow(TABLE, 100, f"{text.in_port(device)},dl_src={mac_address}", text.goto(tables.TRANSIENT), owner)


def drop_rest(owner: Owner) -> Flow:
    """Somebody else's, and what comes from no port of ours."""
    return text.drop_rest(TABLE, owner)
