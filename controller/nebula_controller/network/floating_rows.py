"""Floating IPs and port forwardings as rows: what holds a router, what leads to a port. Effects: SQL in a transaction.

What is touched: the floating IP, and the routers that it was on and is on.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Container, Mapping, Sequence

import msgspec
from sqlalchemy import ColumnElement, bindparam, literal_column, select

from nebula.errors import NotFound
from nebula.ids import Owner, OwnerKind
from nebula.model.floating_ip import FLOATING_IP, PORT_FORWARDING, FloatingIp, PortForwarding
from nebula.model.port import ROUTER_INTERFACE
from nebula.model.subnet import Subnet
from nebula_controller.network import rows
from nebula_controller.store.database import Transaction
from nebula_controller.store.records import RecordTable
from nebula_controller.store.tables import network as tables
from nebula_controller.store.tables.floating import floating_ips, port_forwardings

FLOATING_IPS = RecordTable(FLOATING_IP)
FORWARDINGS = RecordTable(PORT_FORWARDING)

_oldest: ColumnElement[int] = literal_column("floating_ips.rowid")
_of_port = FLOATING_IPS.query(floating_ips.c.port_id == bindparam("port"), _oldest)
_of_router = FLOATING_IPS.query(floating_ips.c.router_id == bindparam("router"), _oldest)
_free_of_network = FLOATING_IPS.query(
    (floating_ips.c.floating_network_id == bindparam("network")) & floating_ips.c.router_id.is_(None), _oldest
)
_forwardings_of = FORWARDINGS.query(
    port_forwardings.c.floating_ip_id == bindparam("floating_ip"), literal_column("port_forwardings.rowid")
)
_forwardings_among = FORWARDINGS.query(
    rows.among(port_forwardings.c.floating_ip_id), literal_column("port_forwardings.rowid")
)
_forwardings_to = FORWARDINGS.query(
    port_forwardings.c.internal_port_id == bindparam("port"), literal_column("port_forwardings.rowid")
)
_routers_between = (
    select(tables.router_ports.c.router_id, tables.fixed_ips.c.ip_address)
    .join(tables.fixed_ips, tables.fixed_ips.c.port_id == tables.router_ports.c.port_id)
    .join(tables.routers, tables.routers.c.id == tables.router_ports.c.router_id)
    .where(
        tables.router_ports.c.port_type == ROUTER_INTERFACE,
        tables.fixed_ips.c.subnet_id == bindparam("subnet"),
        tables.routers.c.gateway_network_id == bindparam("external"),
    )
    .order_by(tables.router_ports.c.router_id)
)


def floating_ip(tx: Transaction, key: str) -> FloatingIp:
    """Raises ``NotFound``."""
    found = FLOATING_IPS.get(tx, key)
    if found is None:
        raise not_found(key)
    return found


def not_found(key: str) -> NotFound:
    """Neutron's words."""
    return NotFound(f"Floating IP {key} could not be found", type_name="FloatingIPNotFound")


def of_port(tx: Transaction, port_id: str) -> list[FloatingIp]:
    """The floating IPs that lead to the port."""
    return FLOATING_IPS.all(tx, _of_port, {"port": port_id})


def of_router(tx: Transaction, router_id: str) -> list[FloatingIp]:
    """The floating IPs that the router translates, with 1:1 NAT or forwardings."""
    return FLOATING_IPS.all(tx, _of_router, {"router": router_id})


def free_of_network(tx: Transaction, network_id: str) -> list[FloatingIp]:
    """The network's floating IPs that lead nowhere."""
    return FLOATING_IPS.all(tx, _free_of_network, {"network": network_id})


def forwardings_of(tx: Transaction, floating_ip_id: str) -> list[PortForwarding]:
    """The floating IP's forwardings, oldest first."""
    return FORWARDINGS.all(tx, _forwardings_of, {"floating_ip": floating_ip_id})


def forwardings_among(tx: Transaction, ids: Mapping[str, str]) -> list[PortForwarding]:
    """The forwardings of these floating IPs (``rows.ids``), oldest first."""
    return FORWARDINGS.all(tx, _forwardings_among, ids)


def router_between(tx: Transaction, subnet: Subnet, external_network_id: str) -> str | None:
    """The router on the subnet with its gateway on the network; of several, the one that is the subnet's gateway."""
    found = tx.execute(_routers_between, {"subnet": subnet.id, "external": external_network_id}).all()
    for router_id, address in found:
        if address == subnet.gateway_ip:
            return str(router_id)
    return str(found[0][0]) if found else None


def hold(tx: Transaction, router_id: str, leaving: Sequence[Subnet]) -> bool:
    """Whether a floating IP of the router leads to an address on one of these subnets."""
    networks = [ipaddress.ip_network(subnet.cidr) for subnet in leaving]
    inner = []
    for found in of_router(tx, router_id):
        inner += [found.fixed_ip_address, *[f.internal_ip_address for f in forwardings_of(tx, found.id)]]
    return any(ipaddress.ip_address(address) in network for address in inner if address for network in networks)


def let_go(tx: Transaction, port_id: str, kept: Container[str] = ()) -> None:
    """The port goes, or has only the addresses ``kept`` left: nothing leads to the others any more."""
    for found in of_port(tx, port_id):
        if found.fixed_ip_address not in kept:
            save(tx, found, port_id=None, fixed_ip_address=None, router_id=None)
    for forwarding in FORWARDINGS.all(tx, _forwardings_to, {"port": port_id}):
        if forwarding.internal_ip_address not in kept:
            drop_forwarding(tx, forwarding)


def drop_forwarding(tx: Transaction, forwarding: PortForwarding) -> None:
    """Delete it; with its last forwarding a floating IP leaves its router."""
    FORWARDINGS.delete(tx, forwarding.id)
    found = floating_ip(tx, forwarding.floating_ip_id)
    if forwardings_of(tx, found.id):
        touch(tx, found)
    else:
        save(tx, found, router_id=None)


def save(tx: Transaction, old: FloatingIp, **changes: str | None) -> FloatingIp:
    """Write what differs; the routers before and after hear of it."""
    new = msgspec.structs.replace(old, **changes)
    if new == old:
        return old
    saved = FLOATING_IPS.save(tx, old, new)
    touch(tx, old)
    touch(tx, saved)
    return saved


def touch(tx: Transaction, changed: FloatingIp) -> None:
    """The floating IP changed, or one of its forwardings: its router's NAT may follow."""
    owner = Owner(OwnerKind.FLOATING_IP, changed.id)
    tx.touch(owner, *([Owner(OwnerKind.ROUTER, changed.router_id)] if changed.router_id else []))
