"""Routers' ports: gateway and interfaces. Effects: SQL in a transaction.

Each interface by subnet has a port of its own, with the subnet's gateway address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import bindparam, delete, insert, literal_column, select, update

from nebula.errors import BadRequest, Conflict, NotFound
from nebula.ids import Owner, OwnerKind
from nebula.model.attribute import raise_all
from nebula.model.network import Network
from nebula.model.port import ROUTER_GATEWAY, ROUTER_INTERFACE, Port
from nebula.model.router import Router
from nebula.model.subnet import Subnet
from nebula.rules import ipv6
from nebula.rules import routers as rules
from nebula.view.capability import Capability
from nebula_controller.network import floating_rows, node_parts, ports, rows
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables import network as tables

_ports_of = (
    select(tables.router_ports.c.port_id, tables.router_ports.c.port_type)
    .where(tables.router_ports.c.router_id == bindparam("router"))
    .order_by(tables.router_ports.c.port_id)
)
_gateways_on = (
    select(tables.routers.c.id, tables.routers.c.gateway_port_id)
    .where(tables.routers.c.gateway_network_id == bindparam("network"))
    .order_by(literal_column("routers.rowid"))
)
"""Oldest first."""

_attach = insert(tables.router_ports)
_detach = delete(tables.router_ports).where(tables.router_ports.c.port_id == bindparam("port"))
_forget_gateway = update(tables.routers).where(tables.routers.c.id == bindparam("router")).values(gateway_port_id=None)
_router_of = select(tables.router_ports.c.router_id).where(
    tables.router_ports.c.port_id == bindparam("port"), tables.router_ports.c.port_type == ROUTER_INTERFACE
)


def interfaces(tx: Transaction, router_id: str) -> list[Port]:
    """The router's ports on its inner networks."""
    return [
        rows.port(tx, port) for port, kind in tx.execute(_ports_of, {"router": router_id}) if kind == ROUTER_INTERFACE
    ]


def router_of_interface(tx: Transaction, port_id: str) -> str | None:
    """The router that has this port as an interface."""
    return tx.execute(_router_of, {"port": port_id}).scalar_one_or_none()


def set_gateway(tx: Transaction, router: Router, network: Network, wish: Mapping[str, object]) -> Router:
    """Give the router a gateway to the network, in place of another, or change it there.

    ``wish`` is what the API was given. Where it does not name ``enable_snat``, SNAT is on again, as in Neutron.
    """
    raise_all(rules.check_gateway(network))
    if router.gateway_network_id != network.id:
        router = clear_gateway(tx, router)
    enable_snat = bool(wish.get("enable_snat", True))
    if enable_snat and not (router.enable_snat and router.gateway_network_id is not None):
        node_parts.check_router(tx, router.id, Capability.NAT)
    qos_policy = wish.get("qos_policy_id", router.gateway_qos_policy_id)
    wanted = wish.get("external_fixed_ips")
    assert wanted is None or isinstance(wanted, list)
    if router.gateway_port_id is not None:
        port = rows.port(tx, router.gateway_port_id)
        if wanted:
            before, port = port.fixed_ips, ports.change(tx, port, {"fixed_ips": wanted})
            if port.fixed_ips != before:
                rows.bump(tx, router)
    else:
        port = ports.create_service_port(
            tx,
            network_id=network.id,
            device_owner=ROUTER_GATEWAY,
            device_id=router.id,
            project_id="",
            fixed_ips=wanted or None,
        )
        tx.execute(_attach, {"port_id": port.id, "router_id": router.id, "port_type": ROUTER_GATEWAY})
    inner = subnets_of_ports(tx, interfaces(tx, router.id))
    raise_all(rules.check_subnets(subnets_of_ports(tx, [port]), inner))
    return msgspec.structs.replace(
        router,
        gateway_port_id=port.id,
        gateway_network_id=network.id,
        enable_snat=enable_snat,
        gateway_qos_policy_id=None if qos_policy is None else str(qos_policy),
    )


def clear_gateway(tx: Transaction, router: Router) -> Router:
    """Take the router's gateway away, with its port. The caller saves the router.

    Routes through it stay, as in Neutron, and wait for a gateway or interface that their next hops are on.
    """
    if router.gateway_port_id is None:
        return router
    if floating_rows.of_router(tx, router.id):
        raise Conflict(
            f"Gateway cannot be updated for router {router.id}, since a gateway to external network "
            f"{router.gateway_network_id} is required by one or more floating IPs.",
            type_name="RouterExternalGatewayInUseByFloatingIp",
        )
    tx.execute(_forget_gateway, {"router": router.id})
    _remove(tx, router.gateway_port_id)
    return msgspec.structs.replace(
        router, gateway_port_id=None, gateway_network_id=None, enable_snat=True, gateway_qos_policy_id=None
    )


def extend_gateways(tx: Transaction, subnet: Subnet) -> None:
    """Gateways without an address of the IP version of this new subnet of their network get one, as in Neutron.

    A router that has an overlapping subnet inside, or comes when no address is left, stays as it is. Of a subnet whose
    hosts make their own addresses they have one already.
    """
    beside = [s for s in rows.subnets_of(tx, subnet.network_id) if s.ip_version == subnet.ip_version]
    same_version = {s.id for s in beside if not ipv6.is_auto_address(s)}
    for router_id, port_id in tx.execute(_gateways_on, {"network": subnet.network_id}).all():
        port = rows.port(tx, port_id)
        if ipv6.is_auto_address(subnet):
            rows.bump(tx, rows.router(tx, router_id))
            continue
        if any(fixed.subnet_id in same_version for fixed in port.fixed_ips):
            continue
        wanted = [{"subnet_id": fixed.subnet_id, "ip_address": fixed.ip_address} for fixed in port.fixed_ips]
        try:
            with tx.connection.begin_nested():
                raise_all(rules.check_subnets([subnet], subnets_of_ports(tx, interfaces(tx, router_id))))
                ports.change(tx, port, {"fixed_ips": [*wanted, {"subnet_id": subnet.id}]})
        except (BadRequest, Conflict):
            continue
        rows.bump(tx, rows.router(tx, router_id))  # its ``external_gateway_info`` is another


def add_subnet(tx: Transaction, router: Router, subnet: Subnet) -> Port:
    """An interface with the subnet's gateway address, on a new port of the router's project.

    The IPv6 subnets of one network share a port.
    """
    raise_all([*rules.check_interface(subnet), *rules.check_subnets([subnet], connected(tx, router))])
    own = _ipv6_interface(tx, router, subnet)
    if own is not None:
        fixed_ips = [*_fixed_ips(own), {"subnet_id": subnet.id, "ip_address": str(subnet.gateway_ip)}]
        return _touched(tx, router, ports.change(tx, own, {"fixed_ips": fixed_ips}))
    port = ports.create_service_port(
        tx,
        network_id=subnet.network_id,
        device_owner=ROUTER_INTERFACE,
        device_id=router.id,
        project_id=router.project_id,
        fixed_ips=[{"subnet_id": subnet.id, "ip_address": str(subnet.gateway_ip)}],
    )
    return _attached(tx, router, port)


def add_port(tx: Transaction, router: Router, port: Port) -> Port:
    """An existing port, with the addresses that it has, becomes an interface."""
    if port.device_id:
        raise Conflict(
            f"Unable to complete operation on port {port.id} for network {port.network_id}. Port already has an "
            f"attached device {port.device_id}.",
            type_name="PortInUse",
        )
    if not port.fixed_ips:
        raise rules.bad_request("Router port must have at least one fixed IP")
    subnets = subnets_of_ports(tx, [port])
    if len([subnet for subnet in subnets if subnet.ip_version == 4]) > 1:
        raise rules.bad_request("Cannot have multiple IPv4 subnets on router port")
    own = next((p for p in (_ipv6_interface(tx, router, subnet) for subnet in subnets) if p is not None), None)
    if own is not None:
        raise rules.bad_request(
            f"Router already contains IPv6 port {own.id} belonging to network id {port.network_id}. Only one IPv6 port "
            "from the same network subnet can be connected to a router"
        )
    raise_all([problem for subnet in subnets for problem in rules.check_announced(subnet)])
    raise_all(rules.check_subnets(subnets, connected(tx, router)))
    changed = ports.change(tx, port, {"device_id": router.id, "device_owner": ROUTER_INTERFACE})
    return _attached(tx, router, changed)


def remove_interface(tx: Transaction, router: Router, subnet_id: str | None, port_id: str | None) -> Port:
    """Detach an interface, named by port or by subnet, and delete its port; returns the port as it was.

    By a subnet that is not the port's only one, the port loses just that; what is returned has just that.
    """
    found = interfaces(tx, router.id)
    if port_id is not None:
        port = next((p for p in found if p.id == port_id), None)
        if port is None:
            raise NotFound(
                f"Router {router.id} does not have an interface with id {port_id}", type_name="RouterInterfaceNotFound"
            )
        if subnet_id is not None and all(fixed.subnet_id != subnet_id for fixed in port.fixed_ips):
            raise BadRequest(
                f"Subnet on port {port_id} does not match the requested subnet {subnet_id}.",
                type_name="SubnetMismatchForPort",
            )
    else:
        port = next((p for p in found if any(fixed.subnet_id == subnet_id for fixed in p.fixed_ips)), None)
        if port is None:
            raise NotFound(
                f"Router {router.id} has no interface on subnet {subnet_id}",
                type_name="RouterInterfaceNotFoundForSubnet",
            )
    others = [fixed for fixed in port.fixed_ips if port_id is None and fixed.subnet_id != subnet_id]
    gone = msgspec.structs.replace(port, fixed_ips=tuple(fixed for fixed in port.fixed_ips if fixed not in others))
    leaving = subnets_of_ports(tx, [gone])
    if floating_rows.hold(tx, router.id, leaving):
        raise Conflict(
            f"Router interface for subnet {leaving[0].id} on router {router.id} cannot be deleted, as it is required "
            "by one or more floating IPs.",
            type_name="RouterInterfaceInUseByFloatingIP",
        )
    staying = [subnet for subnet in connected(tx, router) if subnet.id not in {s.id for s in leaving}]
    raise_all(rules.check_detach(router.id, router.routes, leaving, staying))
    if others:
        ports.change(tx, port, {"fixed_ips": _fixed_ips(msgspec.structs.replace(port, fixed_ips=tuple(others)))})
    else:
        _remove(tx, port.id)
    return _touched(tx, router, gone)


def connected(tx: Transaction, router: Router) -> list[Subnet]:
    """The subnets of all the router's ports, the gateway's too."""
    gateway = [rows.port(tx, router.gateway_port_id)] if router.gateway_port_id else []
    return subnets_of_ports(tx, [*interfaces(tx, router.id), *gateway])


def subnets_of_ports(tx: Transaction, of: Sequence[Port]) -> list[Subnet]:
    """Each subnet once, in the order of the ports' addresses."""
    ids = dict.fromkeys(fixed.subnet_id for port in of for fixed in port.fixed_ips)
    return [rows.subnet(tx, subnet) for subnet in ids]


def _attached(tx: Transaction, router: Router, port: Port) -> Port:
    tx.execute(_attach, {"port_id": port.id, "router_id": router.id, "port_type": ROUTER_INTERFACE})
    return _touched(tx, router, port)


def _touched(tx: Transaction, router: Router, port: Port) -> Port:
    rows.bump(tx, router)
    tx.touch(Owner(OwnerKind.ROUTER, router.id), Owner(OwnerKind.PORT, port.id))
    return port


def _ipv6_interface(tx: Transaction, router: Router, subnet: Subnet) -> Port | None:
    """The router's port with IPv6 addresses on the network of this subnet, where that is one of IPv6."""
    if subnet.ip_version != 6:
        return None
    for port in interfaces(tx, router.id):
        if port.network_id == subnet.network_id and any(":" in fixed.ip_address for fixed in port.fixed_ips):
            return port
    return None


def _fixed_ips(port: Port) -> list[dict[str, str]]:
    return [{"subnet_id": fixed.subnet_id, "ip_address": fixed.ip_address} for fixed in port.fixed_ips]


def _remove(tx: Transaction, port_id: str) -> None:
    tx.execute(_detach, {"port": port_id})
    ports.delete(tx, port_id)
