"""Every OpenFlow table of every bridge: number, name, and which kind of bridge it is on.

Pure data; the meaning stands in the docstring of the table's own file and in ``docs/pipeline.md``. Numbers and
names are Neutron's (``neutron/plugins/ml2/drivers/openvswitch/agent/common/constants.py``) where it has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec


class Table(msgspec.Struct, frozen=True, order=True):
    """A table: ``bridge`` is ``int`` (br-int), ``tun`` (br-tun) or ``ex`` (a provider bridge)."""

    bridge: str
    number: int
    name: str


LOCAL_SWITCHING = Table("int", 0, "LOCAL_SWITCHING")
ARP_SPOOF = Table("int", 24, "ARP_SPOOF")
MAC_SPOOF = Table("int", 25, "MAC_SPOOF")
TRANSIENT = Table("int", 60, "TRANSIENT")
BASE_EGRESS = Table("int", 71, "BASE_EGRESS")
RULES_EGRESS = Table("int", 72, "RULES_EGRESS")
ACCEPT_OR_INGRESS = Table("int", 73, "ACCEPT_OR_INGRESS")
FLOOD_MORE = Table("int", 74, "FLOOD_MORE")
BASE_INGRESS = Table("int", 81, "BASE_INGRESS")
RULES_INGRESS = Table("int", 82, "RULES_INGRESS")
EGRESS_COMMIT = Table("int", 91, "EGRESS_COMMIT")
INGRESS_COMMIT = Table("int", 92, "INGRESS_COMMIT")
DROPPED_TRAFFIC = Table("int", 93, "DROPPED_TRAFFIC")
ACCEPTED_EGRESS = Table("int", 94, "ACCEPTED_EGRESS")
DELIVERY = Table("int", 95, "DELIVERY")

TUN_INPUT = Table("tun", 0, "TUN_INPUT")
PATCH_LV_TO_TUN = Table("tun", 2, "PATCH_LV_TO_TUN")
VXLAN_TUN_TO_LV = Table("tun", 4, "VXLAN_TUN_TO_LV")
UCAST_TO_TUN = Table("tun", 20, "UCAST_TO_TUN")
ARP_RESPONDER = Table("tun", 21, "ARP_RESPONDER")
FLOOD_TO_TUN = Table("tun", 22, "FLOOD_TO_TUN")

PROVIDER = Table("ex", 0, "PROVIDER")

TABLES: tuple[Table, ...] = (
    LOCAL_SWITCHING,
    ARP_SPOOF,
    MAC_SPOOF,
    TRANSIENT,
    BASE_EGRESS,
    RULES_EGRESS,
    ACCEPT_OR_INGRESS,
    FLOOD_MORE,
    BASE_INGRESS,
    RULES_INGRESS,
    EGRESS_COMMIT,
    INGRESS_COMMIT,
    DROPPED_TRAFFIC,
    ACCEPTED_EGRESS,
    DELIVERY,
    TUN_INPUT,
    PATCH_LV_TO_TUN,
    VXLAN_TUN_TO_LV,
    UCAST_TO_TUN,
    ARP_RESPONDER,
    FLOOD_TO_TUN,
    PROVIDER,
)

_NAMES: Mapping[str, Mapping[int, str]] = MappingProxyType(
    {
        bridge: MappingProxyType({table.number: table.name for table in TABLES if table.bridge == bridge})
        for bridge in ("int", "tun", "ex")
    }
)


def table_names(bridge: str) -> Mapping[int, str]:
    """Names of the tables of the bridge of that name, by number: what OVSDB's ``Flow_Table:name`` shall hold."""
    return _NAMES["int" if bridge == "br-int" else "tun" if bridge == "br-tun" else "ex"]


def named_tables(bridge: str) -> tuple[tuple[int, str], ...]:
    """The same as sorted pairs, as ``Bridge.tables`` has them."""
    return tuple(sorted(table_names(bridge).items()))
