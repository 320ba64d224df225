"""Instances and their interfaces. Effects: SQL in a transaction.

An instance is made whole or not at all: its node is chosen, its ports are made or taken and bound, in one commit. Its
status follows from its ports: BUILD until all of them were ACTIVE once, ERROR while one is in ERROR, else ACTIVE.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, insert, select, update

from nebula.errors import BadRequest, Conflict, NotFound
from nebula.ids import Owner, OwnerKind
from nebula.model.network import Network
from nebula.model.port import Port
from nebula_controller.api.context import RequestContext
from nebula_controller.compute.attributes import Interface, NewServer
from nebula_controller.network import ports as network_ports
from nebula_controller.network import rows
from nebula_controller.network.visibility import is_user, network_for
from nebula_controller.scheduler import choose_compute
from nebula_controller.store.database import Transaction
from nebula_controller.store.records import now
from nebula_controller.store.tables.compute import server_ports, servers
from nebula_controller.store.tables.network import fixed_ips, networks, ports

DEVICE_OWNER = "compute:nova"

_ONE = select(servers).where(servers.c.id == bindparam("server"))
_INSERT = insert(servers)
_INSERT_PORT = insert(server_ports)
_DELETE = delete(servers).where(servers.c.id == bindparam("server"))
_PORTS_OF = (
    select(server_ports.c.port_id, server_ports.c.made_here)
    .where(server_ports.c.server_id == bindparam("server"))
    .order_by(server_ports.c.position)
)
_STATUSES = (
    select(server_ports.c.server_id, ports.c.status, ports.c.status_error)
    .join(ports, ports.c.id == server_ports.c.port_id)
    .where(rows.among(server_ports.c.server_id))
)
_ADDRESSES = (
    select(server_ports.c.server_id, networks.c.name, ports.c.mac_address, fixed_ips.c.ip_address)
    .join(ports, ports.c.id == server_ports.c.port_id)
    .join(networks, networks.c.id == ports.c.network_id)
    .join(fixed_ips, fixed_ips.c.port_id == ports.c.id)
    .where(rows.among(server_ports.c.server_id))
    .order_by(server_ports.c.server_id, server_ports.c.position, fixed_ips.c.position)
)
_OWN_NETWORKS = (
    select(networks.c.id)
    .where(networks.c.project_id == bindparam("project"), networks.c.external.is_(False))
    .order_by(networks.c.id)
    .limit(2)
)


class Address(msgspec.Struct, frozen=True):
    """One address of an instance, with the names of its network."""

    network_name: str
    mac_address: str
    ip_address: str


class Server(msgspec.Struct, frozen=True):
    """An instance as it is shown. ``port_errors`` are what nodes say of ports in ERROR."""

    id: str
    project_id: str
    user_id: str
    name: str
    host: str
    created_at: str
    updated_at: str
    launched_at: str | None
    metadata: dict[str, str]
    status: str
    port_errors: tuple[str, ...]
    addresses: tuple[Address, ...]


def create(tx: Transaction, context: RequestContext, wanted: NewServer) -> str:
    """Make an instance; returns its id. Raises ``BadRequest`` or ``Conflict`` with Nova's reasons."""
    assert context.project_id is not None and context.user_id is not None
    interfaces = wanted.interfaces or (_only_network(tx, context.project_id),)
    found = [_look_up(tx, context, interface) for interface in interfaces]
    flat = {network.physical_network for network, _ in found if network.physical_network is not None}
    host = choose_compute(tx, wanted.host, flat)
    server_id, moment = str(uuid.uuid4()), now()
    tx.execute(
        _INSERT,
        {
            "id": server_id,
            "project_id": context.project_id,
            "user_id": context.user_id,
            "name": wanted.name,
            "host": host,
            "created_at": moment,
            "updated_at": moment,
            "launched_at": None,
            "user_metadata": wanted.metadata,
        },
    )
    for position, (interface, (network, port)) in enumerate(zip(interfaces, found, strict=True)):
        values: dict[str, object] = {
            "device_id": server_id,
            "device_owner": DEVICE_OWNER,
            "binding:host_id": host,
        }
        if port is not None:
            port_id = network_ports.change(tx, port, values).id
        else:
            port_id = _make_port(tx, context.project_id, network, interface, values)
        tx.execute(
            _INSERT_PORT,
            {"server_id": server_id, "position": position, "port_id": port_id, "made_here": port is None},
        )
    tx.touch(Owner(OwnerKind.INSTANCE, server_id))
    return server_id


def remove(tx: Transaction, server_id: str) -> None:
    """Delete an instance and the ports made with it; ports that were given to it are free again."""
    for port_id, made_here in tx.execute(_PORTS_OF, {"server": server_id}).all():
        if made_here:
            network_ports.delete(tx, port_id)
        else:
            free = {"device_id": "", "device_owner": "", "binding:host_id": ""}
            network_ports.change(tx, rows.port(tx, port_id), free)
    tx.execute(_DELETE, {"server": server_id})
    tx.touch(Owner(OwnerKind.INSTANCE, server_id))


def change(tx: Transaction, server_id: str, values: Mapping[str, object]) -> None:
    """Rename an instance."""
    tx.execute(update(servers).where(servers.c.id == server_id).values(updated_at=now(), **values))
    tx.touch(Owner(OwnerKind.INSTANCE, server_id))


def show(tx: Transaction, context: RequestContext, server_id: str) -> Server:
    """One instance that the caller may see; raises ``NotFound``."""
    found = tx.execute(_ONE, {"server": server_id}).mappings().all()
    if not found or not (context.is_admin or found[0]["project_id"] == context.project_id):
        raise NotFound(f"Instance {server_id[:64]} could not be found.")
    return complete(tx, found)[0]


def complete(tx: Transaction, found: Sequence[Any]) -> list[Server]:
    """Rows of ``servers`` with what their ports say: two queries for all of them."""
    shown = rows.ids(found)
    statuses: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for server_id, status, error in tx.execute(_STATUSES, shown):
        statuses[server_id].append((status, error))
    addresses: dict[str, list[Address]] = defaultdict(list)
    for server_id, *address in tx.execute(_ADDRESSES, shown):
        addresses[server_id].append(Address(*address))
    return [_server(row, statuses[row["id"]], addresses[row["id"]]) for row in found]


def _server(row: Any, port_statuses: Sequence[tuple[str, str]], addresses: Sequence[Address]) -> Server:
    errors = tuple(error or "a port is in ERROR" for status, error in port_statuses if status == "ERROR")
    return Server(
        id=row["id"],
        project_id=row["project_id"],
        user_id=row["user_id"],
        name=row["name"],
        host=row["host"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        launched_at=row["launched_at"],
        metadata=row["user_metadata"],
        status="ERROR" if errors else "ACTIVE" if row["launched_at"] else "BUILD",
        port_errors=errors,
        addresses=tuple(addresses),
    )


def _only_network(tx: Transaction, project_id: str) -> Interface:
    """Where nobody names a network: the project's only one."""
    own = tx.execute(_OWN_NETWORKS, {"project": project_id}).scalars().all()
    if not own:
        raise BadRequest("The project has no network: make one, or name a network or a port.")
    if len(own) > 1:
        raise Conflict("Multiple possible networks found, use a network ID to be more specific.")
    return Interface(network_id=own[0])


def _look_up(tx: Transaction, context: RequestContext, interface: Interface) -> tuple[Network, Port | None]:
    """The network of an interface, and its port where it is there already."""
    if interface.port_id is None:
        assert interface.network_id is not None
        try:
            network = network_for(tx, context, interface.network_id)
        except NotFound as error:
            raise BadRequest(error.message) from None
        if network.external and not is_user(tx, context, network):
            raise BadRequest(f"It is not allowed to create an interface on external network {network.id}.")
        return network, None
    unknown = BadRequest(f"Port id {interface.port_id} could not be found.")
    try:
        port = rows.port(tx, interface.port_id)
    except NotFound:
        raise unknown from None
    if port.project_id != context.project_id and not context.is_admin:
        raise unknown
    if port.device_id or port.device_owner:
        raise Conflict(f"Port {port.id} is still in use.")
    return rows.network(tx, port.network_id), port


def _make_port(
    tx: Transaction, project_id: str, network: Network, interface: Interface, values: dict[str, object]
) -> str:
    values = {**values, "network_id": network.id, "project_id": project_id}
    if interface.fixed_ip is not None:
        values["fixed_ips"] = [{"ip_address": interface.fixed_ip}]
    port = network_ports.create(tx, values)
    if not port.fixed_ips:
        raise BadRequest(f"Network {network.id} requires a subnet in order to boot instances on.")
    return port.id
