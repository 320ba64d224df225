"""VNIs: which network has which. Effects: SQL in a transaction."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from nebula.errors import Conflict, NebulaError, Unavailable
from nebula_controller.network.settings import NetworkSettings
from nebula_controller.store.database import Transaction
from nebula_controller.store.ranges import FreeRanges, without
from nebula_controller.store.tables.network import free_segments, networks

VXLAN = "vxlan"

_free = FreeRanges(free_segments, free_segments.c.network_type)
_taken = select(networks.c.segmentation_id).where(
    networks.c.network_type == VXLAN, networks.c.segmentation_id == bindparam("vni")
)
_all_taken = select(networks.c.segmentation_id).where(networks.c.network_type == VXLAN)
_flat = select(networks.c.id).where(
    networks.c.network_type == "flat", networks.c.physical_network == bindparam("physical_network")
)


def prepare(tx: Transaction, settings: NetworkSettings) -> None:
    """Make the free ranges follow from the settings and the networks: once, when the program starts."""
    taken = sorted(tx.execute(_all_taken).scalars())
    _free.fill(tx, VXLAN, without([(settings.vni_first, settings.vni_last)], taken))


def allocate(tx: Transaction) -> int:
    """The lowest free VNI."""
    vni = _free.take_lowest(tx, VXLAN)
    if vni is None:
        raise NoNetworkAvailable("Unable to create the network. No tenant network is available for allocation.")
    return vni


def take(tx: Transaction, vni: int) -> None:
    """A VNI that an administrator chose, inside the range or not."""
    if tx.execute(_taken, {"vni": vni}).first() is not None:
        raise Conflict(f"Unable to create the network. The tunnel ID {vni} is in use.", type_name="TunnelIdInUse")
    _free.take(tx, VXLAN, vni)


def give_back(tx: Transaction, settings: NetworkSettings, vni: int) -> None:
    """The network that had it is gone."""
    if settings.vni_first <= vni <= settings.vni_last:
        _free.give_back(tx, VXLAN, vni)


def check_flat(tx: Transaction, physical_network: str) -> list[NebulaError]:
    """A physical network carries one flat network."""
    if tx.execute(_flat, {"physical_network": physical_network}).first() is None:
        return []
    return [
        Conflict(
            f"Unable to create the flat network. Physical network {physical_network} is in use.",
            type_name="FlatNetworkInUse",
        )
    ]


class NoNetworkAvailable(Unavailable):
    """All VNIs of the range are taken."""

    type_name = "NoNetworkAvailable"
