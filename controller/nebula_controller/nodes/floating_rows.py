"""Rows of floating IPs and port forwardings for the snapshot, by router. Effects: reads of the database.

A change of either touches the routers that the floating IP was on and is on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from sqlalchemy import select

from nebula.view.records import FloatingIpView, PortForwardingView
from nebula_controller.nodes.queries import query, read
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.floating import floating_ips, port_forwardings

_FLOATING = query(
    select(
        floating_ips.c.router_id,
        floating_ips.c.id,
        floating_ips.c.floating_ip_address,
        floating_ips.c.fixed_ip_address,
    )
    .where(floating_ips.c.port_id.is_not(None), floating_ips.c.router_id.is_not(None))
    .order_by(floating_ips.c.id),
    floating_ips.c.router_id,
)
_FORWARDINGS = query(
    select(
        floating_ips.c.router_id,
        port_forwardings.c.id,
        floating_ips.c.id,
        floating_ips.c.floating_ip_address,
        port_forwardings.c.protocol,
        port_forwardings.c.external_first,
        port_forwardings.c.external_last,
        port_forwardings.c.internal_ip_address,
        port_forwardings.c.internal_first,
        port_forwardings.c.internal_last,
    )
    .select_from(port_forwardings.join(floating_ips, floating_ips.c.id == port_forwardings.c.floating_ip_id))
    .where(floating_ips.c.router_id.is_not(None))
    .order_by(port_forwardings.c.id),
    floating_ips.c.router_id,
)


def of_routers(
    tx: Transaction, keys: set[str] | None
) -> tuple[Mapping[str, list[FloatingIpView]], Mapping[str, list[PortForwardingView]]]:
    """Floating IPs that stand for an address, and forwardings, of each router that has any."""
    floating: dict[str, list[FloatingIpView]] = defaultdict(list)
    for router_id, *row in read(tx, _FLOATING, keys):
        floating[router_id].append(FloatingIpView(*row))
    forwardings: dict[str, list[PortForwardingView]] = defaultdict(list)
    for router_id, *row in read(tx, _FORWARDINGS, keys):
        forwardings[router_id].append(PortForwardingView(*row))
    return floating, forwardings
