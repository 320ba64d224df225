"""Which node does what: DHCP servers, routers and instances are placed on nodes. Effects: writes inside a transaction.

Placement is part of the call that makes it necessary: ``before_commit`` runs inside each write, so that a subnet and
its DHCP port are one commit, one request. Only nodes that are up get something new; what is placed stays where it is
when its node goes down (as in Neutron by default) and moves only when the node's agents are deleted, or when a router
gets a gateway to a physical network that its node lacks. The node with the least wins; of equals, the first by name.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nebula_runtime.log import event
from sqlalchemy import Select, bindparam, delete, func, select
from sqlalchemy.dialects.sqlite import insert

from nebula.errors import BadRequest, Conflict
from nebula.ids import Host, Owner, OwnerKind, RouterId
from nebula.model.port import DHCP
from nebula.view.capability import Capability
from nebula.view.report import Role
from nebula_controller.network import node_parts
from nebula_controller.network import ports as network_ports
from nebula_controller.nodes.agent_kinds import DHCP_AGENT, L3_AGENT, AgentKind, agent_id
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.compute import servers
from nebula_controller.store.tables.network import fixed_ips, networks, ports, router_ports, routers, subnets
from nebula_controller.store.tables.nodes import agent_settings, nodes, router_placements

log = logging.getLogger(__name__)

_UP = (
    select(nodes.c.host, nodes.c.roles, nodes.c.bridge_mappings, nodes.c.capabilities)
    .where(nodes.c.down.is_(False))
    .order_by(nodes.c.host)
)
_NODE = select(nodes.c.roles, nodes.c.bridge_mappings, nodes.c.down).where(nodes.c.host == bindparam("node"))
_DISABLED = select(agent_settings.c.agent_id).where(agent_settings.c.admin_state_up.is_(False))
_ROUTERS_ON = select(router_placements.c.host, func.count()).group_by(router_placements.c.host)
_DHCP_ON = select(ports.c.host, func.count()).where(ports.c.device_owner == DHCP).group_by(ports.c.host)
_SERVERS_ON = select(servers.c.host, func.count()).group_by(servers.c.host)

_ROUTER = (
    select(router_placements.c.host, networks.c.physical_network)
    .select_from(
        routers.outerjoin(router_placements, router_placements.c.router_id == routers.c.id).outerjoin(
            networks, networks.c.id == routers.c.gateway_network_id
        )
    )
    .where(routers.c.id == bindparam("router"))
)
_PLACED = insert(router_placements)
_PLACE = _PLACED.on_conflict_do_update(index_elements=["router_id"], set_={"host": _PLACED.excluded.host})
_PORTS_ELSEWHERE = (
    select(ports.c.id)
    .join(router_ports, router_ports.c.port_id == ports.c.id)
    .where(router_ports.c.router_id == bindparam("router"), ports.c.host != bindparam("node"))
    .order_by(ports.c.id)
)
_UNPLACED_ROUTERS = (
    select(routers.c.id).where(routers.c.id.not_in(select(router_placements.c.router_id))).order_by(routers.c.id)
)
_PHYSICAL_NETWORK = select(networks.c.physical_network).where(networks.c.id == bindparam("network"))
_ROUTERS_OF = (
    select(router_placements.c.router_id)
    .where(router_placements.c.host == bindparam("node"))
    .order_by(router_placements.c.router_id)
)
_DHCP_PORTS_OF = (
    select(ports.c.id, ports.c.network_id)
    .where(ports.c.host == bindparam("node"), ports.c.device_owner == DHCP)
    .order_by(ports.c.id)
)
_served = ports.alias()
_NETWORKS_WITHOUT_DHCP = (
    select(subnets.c.network_id)
    .distinct()
    .where(
        subnets.c.enable_dhcp.is_(True),
        subnets.c.network_id.not_in(
            select(_served.c.network_id).where(_served.c.device_owner == DHCP, _served.c.host != "")
        ),
    )
    .order_by(subnets.c.network_id)
)
_NETWORKS_OF_SUBNETS = select(subnets.c.network_id).where(subnets.c.id.in_(bindparam("keys", expanding=True)))
_DHCP_SUBNETS = (
    select(subnets.c.id)
    .where(subnets.c.network_id == bindparam("network"), subnets.c.enable_dhcp.is_(True))
    .order_by(subnets.c.id)
)
_DHCP_PORTS = (
    select(ports.c.id, ports.c.host)
    .where(ports.c.network_id == bindparam("network"), ports.c.device_owner == DHCP)
    .order_by(ports.c.id)
)


_SUBNETS_OF_PORT = select(fixed_ips.c.subnet_id).where(fixed_ips.c.port_id == bindparam("port"))


def least_loaded(candidates: Iterable[Host], load: Mapping[str, int]) -> Host | None:
    """The candidate with the least; of equals, the first by name. None of none."""
    return min(candidates, key=lambda host: (load.get(host, 0), host), default=None)


def before_commit(tx: Transaction) -> None:
    """Place what a write made necessary to place. Costs nothing for writes of other things."""
    if not tx.touched:
        return
    by_kind: dict[OwnerKind, set[str]] = {}
    for owner in tx.touched:
        by_kind.setdefault(owner.kind, set()).add(owner.id)
    if OwnerKind.NODE in by_kind:
        place_waiting(tx)
    networks_touched = by_kind.get(OwnerKind.NETWORK, set())
    if OwnerKind.SUBNET in by_kind:
        of_subnets = set(tx.execute(_NETWORKS_OF_SUBNETS, {"keys": sorted(by_kind[OwnerKind.SUBNET])}).scalars())
        networks_touched = networks_touched | of_subnets
    elif OwnerKind.PORT not in by_kind or tx.origin is None or tx.origin.method != "DELETE":
        networks_touched = set()  # only with its subnets, or with a port (maybe the server's own), does DHCP change
    for network in sorted(networks_touched):
        if not tx.is_settled(Owner(OwnerKind.NETWORK, network)):
            place_dhcp(tx, network)
    for router in sorted(by_kind.get(OwnerKind.ROUTER, ())):
        if not tx.is_settled(Owner(OwnerKind.ROUTER, router)):
            place_router(tx, RouterId(router))


def place_waiting(tx: Transaction) -> None:
    """Place what no node has so far: called when a node appears, comes back or changes."""
    for network in tx.execute(_NETWORKS_WITHOUT_DHCP).scalars().all():
        place_dhcp(tx, network)
    for router in tx.execute(_UNPLACED_ROUTERS).scalars().all():
        place_router(tx, RouterId(router))


def clear_node(tx: Transaction, host: str) -> None:
    """Give the routers and DHCP servers of a node that is no more to others; without another, they wait unbound."""
    moved = tx.execute(_ROUTERS_OF, {"node": host}).scalars().all()
    tx.execute(delete(router_placements).where(router_placements.c.host == bindparam("node")), {"node": host})
    servers_there = tx.execute(_DHCP_PORTS_OF, {"node": host}).all()
    for row in servers_there:
        network_ports.bind(tx, row.id, "")
    for router in moved:
        for port in tx.execute(_PORTS_ELSEWHERE, {"router": router, "node": ""}).scalars().all():
            network_ports.bind(tx, port, "")
        tx.touch(Owner(OwnerKind.ROUTER, router))
        place_router(tx, RouterId(router))
    for network in sorted({row.network_id for row in servers_there}):
        place_dhcp(tx, network)


def place_dhcp(tx: Transaction, network: str) -> None:
    """One DHCP port, bound, with an address in each subnet that has DHCP and a free one; none where no subnet has.

    Where an administrator gave the network to several nodes, each of its bound ports.
    """
    wanted = tx.execute(_DHCP_SUBNETS, {"network": network}).scalars().all()
    existing = tx.execute(_DHCP_PORTS, {"network": network}).all()
    bound = [row for row in existing if row.host]
    kept = (bound or existing[:1]) if wanted else []
    for row in existing:
        if row not in kept:
            network_ports.delete(tx, row.id)
    if not wanted:
        return
    host = None if bound else _dhcp_host(tx, network)
    for row in kept:
        _serve(tx, network, row.id, wanted, host)
    if kept and host is not None:
        network_ports.bind(tx, kept[0].id, host)
    elif not kept and host is not None:
        _serve(tx, network, None, wanted, host)


def _serve(tx: Transaction, network: str, server: str | None, wanted: Sequence[str], host: Host | None) -> None:
    """Give a server's port (None: a new one on ``host``) an address in each subnet, but in those that are full.

    What the port has it keeps. Without any address there is no new port.
    """

    def give(port: str | None, subnet_ids: Sequence[str]) -> str:
        with tx.connection.begin_nested():
            if port is None:
                return network_ports.create_dhcp_port(tx, network, subnet_ids, str(host)).id
            return network_ports.set_subnets(tx, port, subnet_ids).id

    try:
        give(server, wanted)
        return
    except Conflict as error:
        event(log, logging.WARNING, "DHCP server without an address", network_id=network, problem=error.message)
    have = set(tx.execute(_SUBNETS_OF_PORT, {"port": server}).scalars())
    given = [subnet for subnet in wanted if subnet in have]
    for subnet in wanted:
        if subnet not in have:
            try:
                server = give(server, [*given, subnet])
            except Conflict:
                continue
            given.append(subnet)


def place_router(tx: Transaction, router: RouterId) -> None:
    """A node for the router, where it has none or lacks the physical network of its gateway; its ports follow."""
    row = tx.execute(_ROUTER, {"router": router}).one_or_none()
    if row is None:
        return
    host = row.host
    if host is None or not _maps(tx, host, row.physical_network):
        candidates = _able(tx, _network_nodes(tx, L3_AGENT, row.physical_network), Capability.NAT)
        found = least_loaded(candidates, _load(tx, _ROUTERS_ON))
        if found is None and host is None:
            event(log, logging.WARNING, "no node for router", router_id=router, physical_network=row.physical_network)
            return
        host = found or host
        tx.execute(_PLACE, {"router_id": router, "host": host})
        tx.touch(Owner(OwnerKind.ROUTER, router))
    for port in tx.execute(_PORTS_ELSEWHERE, {"router": router, "node": host}).scalars().all():
        network_ports.bind(tx, port, host)


def dhcp_hosts(tx: Transaction, network: str) -> list[str]:
    """The nodes that serve the network."""
    return [row.host for row in tx.execute(_DHCP_PORTS, {"network": network}) if row.host]


def dhcp_networks(tx: Transaction, host: str) -> list[str]:
    """The networks that the node serves."""
    return [row.network_id for row in tx.execute(_DHCP_PORTS_OF, {"node": host})]


def router_host(tx: Transaction, router: str) -> str | None:
    """The node that the router is on."""
    row = tx.execute(_ROUTER, {"router": router}).one_or_none()
    return None if row is None else row.host


def routers_on(tx: Transaction, host: str) -> list[str]:
    """The routers that the node has."""
    return list(tx.execute(_ROUTERS_OF, {"node": host}).scalars())


def can_host_router(tx: Transaction, router: str, host: str) -> bool:
    """Whether the node reaches the physical network of the router's gateway."""
    return _maps(tx, host, tx.execute(_ROUTER, {"router": router}).one().physical_network)


def add_dhcp_host(tx: Transaction, network: str, host: str) -> None:
    """Let the node serve the network too: the port that waits for a node, or a new one.

    Raises ``Conflict`` where no subnet has DHCP, where the node lacks the physical network, or no address is free.
    """
    wanted = tx.execute(_DHCP_SUBNETS, {"network": network}).scalars().all()
    if not wanted:
        raise Conflict(f"Network {network} has no subnet with DHCP: there is nothing to serve.")
    physical_network = tx.execute(_PHYSICAL_NETWORK, {"network": network}).scalar_one()
    if not _maps(tx, host, physical_network):
        raise Conflict(f"Node {host} has no bridge for physical network {physical_network}.")
    waiting = [row.id for row in tx.execute(_DHCP_PORTS, {"network": network}) if not row.host]
    if waiting:
        network_ports.set_subnets(tx, waiting[0], wanted)
        network_ports.bind(tx, waiting[0], host)
    else:
        network_ports.create_dhcp_port(tx, network, wanted, host)


def remove_dhcp_host(tx: Transaction, network: str, host: str) -> None:
    """Let the node serve the network no more. The last server's port keeps its addresses and waits for a node."""
    existing = tx.execute(_DHCP_PORTS, {"network": network}).all()
    for row in existing:
        if row.host == host and len(existing) > 1:
            network_ports.delete(tx, row.id)
        elif row.host == host:
            network_ports.bind(tx, row.id, "")
            tx.settle(Owner(OwnerKind.NETWORK, network))


def add_router_host(tx: Transaction, router: str, host: str) -> None:
    """Put a router that is nowhere on the node."""
    tx.execute(_PLACE, {"router_id": router, "host": host})
    tx.touch(Owner(OwnerKind.ROUTER, router))
    for port in tx.execute(_PORTS_ELSEWHERE, {"router": router, "node": host}).scalars().all():
        network_ports.bind(tx, port, host)


def remove_router_host(tx: Transaction, router: str) -> None:
    """Take the router off its node; it is nowhere until it is put somewhere, or changes."""
    tx.execute(delete(router_placements).where(router_placements.c.router_id == bindparam("gone")), {"gone": router})
    tx.touch(Owner(OwnerKind.ROUTER, router))
    tx.settle(Owner(OwnerKind.ROUTER, router))
    for port in tx.execute(_PORTS_ELSEWHERE, {"router": router, "node": ""}).scalars().all():
        network_ports.bind(tx, port, "")


def choose_compute(tx: Transaction, wanted: str | None, physical_networks: Iterable[str]) -> Host:
    """The node for a new instance with interfaces on these physical networks (none for tunnelled ones).

    Raises ``BadRequest`` where the wanted node does not exist, ``Conflict`` where it, or every node, cannot.
    """
    needed = set(physical_networks)
    if wanted is not None:
        row = tx.execute(_NODE, {"node": wanted}).one_or_none()
        if row is None:
            raise BadRequest(f"Compute host {wanted} could not be found. The nodes are listed by 'agent list'.")
        if Role.COMPUTE not in row.roles:
            raise Conflict(f"Node {wanted} is no compute node (its roles: {', '.join(row.roles)}).")
        if row.down:
            raise Conflict(f"Node {wanted} is down: no heartbeat of its nebula-agent comes.")
        if not needed <= row.bridge_mappings.keys():
            missing = ", ".join(sorted(needed - row.bridge_mappings.keys()))
            raise Conflict(f"Node {wanted} has no bridge for physical network {missing}.")
        return Host(wanted)
    candidates = [
        Host(row.host) for row in tx.execute(_UP) if Role.COMPUTE in row.roles and needed <= row.bridge_mappings.keys()
    ]
    host = least_loaded(_able(tx, candidates, Capability.CONNTRACK), _load(tx, _SERVERS_ON))
    if host is None:
        raise Conflict(
            "No valid host was found: no compute node is up"
            + (f" that has a bridge for {', '.join(sorted(needed))}." if needed else ".")
        )
    return host


def _network_nodes(tx: Transaction, kind: AgentKind, physical_network: str | None) -> list[Host]:
    disabled = set(tx.execute(_DISABLED).scalars())
    return [
        Host(row.host)
        for row in tx.execute(_UP)
        if Role.NETWORK in row.roles
        and (physical_network is None or physical_network in row.bridge_mappings)
        and agent_id(row.host, kind) not in disabled
    ]


def _able(tx: Transaction, candidates: list[Host], part: Capability) -> list[Host]:
    """Those that have the part; all of them where none has: not everything that is placed needs it."""
    lacking = {row.host for row in tx.execute(_UP) if node_parts.without(row.capabilities, part)}
    return [host for host in candidates if host not in lacking] or candidates


def _maps(tx: Transaction, host: str, physical_network: str | None) -> bool:
    if physical_network is None:
        return True
    row = tx.execute(_NODE, {"node": host}).one_or_none()
    return row is not None and physical_network in row.bridge_mappings


def _dhcp_host(tx: Transaction, network: str) -> Host | None:
    physical_network = tx.execute(_PHYSICAL_NETWORK, {"network": network}).scalar_one()
    host = least_loaded(_network_nodes(tx, DHCP_AGENT, physical_network), _load(tx, _DHCP_ON))
    if host is None:
        event(log, logging.WARNING, "no node for DHCP", network_id=network, physical_network=physical_network)
    return host


def _load(tx: Transaction, statement: Select[Any]) -> dict[str, int]:
    return {host: count for host, count in tx.execute(statement)}  # noqa: C416 (a Row is no tuple to mypy)
