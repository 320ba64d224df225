"""From the database's rows to the snapshot that views are projected from. Effects: reads of the database.

``load`` reads all; ``refresh`` re-reads only what some commits touched, and says which nodes that reaches.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import select

from nebula.ids import Host, InstanceId, NetworkId, Owner, OwnerKind, PortId, RouterId, SubnetId
from nebula.model.snapshot import InstanceRow, NetworkRow, NodeRow, PortRow, RouterRow, Snapshot
from nebula.view.records import AddressPair, DhcpOption, FixedIp, HostRoute, SubnetView
from nebula_controller.nodes import floating_rows, security_rows
from nebula_controller.nodes.queries import query, read
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.compute import server_ports, servers
from nebula_controller.store.tables.network import fixed_ips, networks, ports, routers, subnets
from nebula_controller.store.tables.nodes import nodes, router_placements

_NODES = query(select(nodes.c.host, nodes.c.vtep_ip).where(nodes.c.shut_out.is_(False)), nodes.c.host)
"""A node that is shut out is not there for the others, and has no view."""

_NETWORKS = query(
    select(
        networks.c.id,
        networks.c.name,
        networks.c.project_id,
        networks.c.network_type,
        networks.c.segmentation_id,
        networks.c.physical_network,
        networks.c.mtu,
        networks.c.external,
        networks.c.admin_state_up,
    ),
    networks.c.id,
)
_SUBNETS = query(
    select(
        subnets.c.network_id,
        subnets.c.id,
        subnets.c.name,
        subnets.c.cidr,
        subnets.c.ip_version,
        subnets.c.gateway_ip,
        subnets.c.enable_dhcp,
        subnets.c.dns_nameservers,
        subnets.c.host_routes,
    ).order_by(subnets.c.id),
    subnets.c.network_id,
)
_NETWORK_OF_SUBNET = query(select(subnets.c.network_id), subnets.c.id)
_PORTS = query(
    select(
        ports.c.id,
        ports.c.network_id,
        ports.c.mac_address,
        ports.c.device_owner,
        ports.c.device_id,
        ports.c.host,
        ports.c.admin_state_up,
        ports.c.dns_name,
        ports.c.port_security_enabled,
        ports.c.allowed_address_pairs,
        ports.c.extra_dhcp_opts,
    ),
    ports.c.id,
)
_FIXED_IPS = query(
    select(fixed_ips.c.port_id, fixed_ips.c.subnet_id, fixed_ips.c.ip_address).order_by(
        fixed_ips.c.subnet_id, fixed_ips.c.ip_address
    ),
    fixed_ips.c.port_id,
)
_ROUTERS = query(
    select(
        routers.c.id,
        routers.c.name,
        routers.c.project_id,
        router_placements.c.host,
        routers.c.admin_state_up,
        routers.c.enable_snat,
        routers.c.routes,
    ).select_from(routers.outerjoin(router_placements, router_placements.c.router_id == routers.c.id)),
    routers.c.id,
)
_SERVERS = query(select(servers.c.id, servers.c.name, servers.c.project_id, servers.c.host), servers.c.id)
_SERVER_PORTS = query(
    select(server_ports.c.server_id, server_ports.c.port_id).order_by(server_ports.c.position),
    server_ports.c.server_id,
)


def load(tx: Transaction, epoch: str) -> Snapshot:
    """Everything, as the transaction sees it."""
    snapshot = Snapshot(epoch, tx.revision())
    for node in _node_rows(tx, None):
        snapshot.put_node(node)
    for network in _network_rows(tx, None):
        snapshot.put_network(network)
    security_rows.load(tx, snapshot)
    for port in _port_rows(tx, None):
        snapshot.put_port(port)
    for router in _router_rows(tx, None):
        snapshot.put_router(router)
    for instance in _instance_rows(tx, None):
        snapshot.put_instance(instance)
    return snapshot


def refresh(tx: Transaction, snapshot: Snapshot, touched: Iterable[Owner]) -> set[Host]:
    """Bring the rows of ``touched`` up to date; returns the nodes whose view can have changed by it.

    A row that reads as before reaches nobody. A moved or deleted row reaches also those that it was on.
    """
    ids: dict[OwnerKind, set[str]] = defaultdict(set)
    for owner in touched:
        ids[owner.kind].add(owner.id)
    reached: set[Host] = set()
    _refresh_nodes(tx, snapshot, ids[OwnerKind.NODE], reached)
    _refresh_networks(tx, snapshot, ids[OwnerKind.NETWORK], ids[OwnerKind.SUBNET], reached)
    security_rows.refresh(tx, snapshot, ids[OwnerKind.SECURITY_GROUP], reached)
    security_rows.refresh_addresses(tx, snapshot, ids[OwnerKind.ADDRESS_GROUP], reached)
    _refresh_ports(tx, snapshot, ids[OwnerKind.PORT], reached)
    _refresh_routers(tx, snapshot, ids[OwnerKind.ROUTER], reached)
    _refresh_instances(tx, snapshot, ids[OwnerKind.INSTANCE], reached)
    snapshot.revision = tx.revision()
    return reached


def _refresh_nodes(tx: Transaction, snapshot: Snapshot, hosts: set[str], reached: set[Host]) -> None:
    found = {row.host: row for row in _node_rows(tx, hosts)}
    for host in map(Host, hosts):
        old, new = snapshot.nodes.get(host), found.get(host)
        if old == new:
            continue
        reached |= {host, *snapshot.nodes}
        if new is None:
            snapshot.drop_node(host)
        else:
            snapshot.put_node(new)


def _refresh_networks(
    tx: Transaction, snapshot: Snapshot, touched: set[str], touched_subnets: set[str], reached: set[Host]
) -> None:
    keys = set(touched)
    for subnet in map(SubnetId, touched_subnets):
        if subnet in snapshot.network_of_subnet:
            keys.add(snapshot.network_of_subnet[subnet])
    keys.update(row.network_id for row in read(tx, _NETWORK_OF_SUBNET, touched_subnets))
    found = {row.id: row for row in _network_rows(tx, keys)}
    for network in map(NetworkId, keys):
        old, new = snapshot.networks.get(network), found.get(network)
        if old == new:
            continue
        reached.update(snapshot.hosts_of_network(network))
        if new is not None:
            snapshot.put_network(new)
            continue
        snapshot.drop_network(network)
        for port in list(snapshot.ports_of_network(network)):
            snapshot.drop_port(port)


def _refresh_ports(tx: Transaction, snapshot: Snapshot, touched: set[str], reached: set[Host]) -> None:
    found = {row.id: row for row in _port_rows(tx, touched)}
    for port in map(PortId, touched):
        old, new = snapshot.ports.get(port), found.get(port)
        if old == new:
            continue
        reached.update(_reached_by_port(snapshot, old))
        reached.update(_reached_by_member(snapshot, old, new))
        if new is None:
            snapshot.drop_port(port)
        else:
            snapshot.put_port(new)
            reached.update(_reached_by_port(snapshot, new))


def _reached_by_port(snapshot: Snapshot, port: PortRow | None) -> Iterator[Host]:
    """A bound port is known on its node and where its network is; an unbound one only to its DHCP servers."""
    if port is None:
        return
    if port.host:
        yield port.host
        yield from snapshot.hosts_of_network(port.network_id)
        return
    for server in snapshot.dhcp_ports_of_network(port.network_id):
        if snapshot.ports[server].host:
            yield snapshot.ports[server].host


def _reached_by_member(snapshot: Snapshot, old: PortRow | None, new: PortRow | None) -> Iterator[Host]:
    """The nodes with a rule whose remote group the port is, or was, a member of."""
    was = (old.security_groups, old.fixed_ips, old.allowed_address_pairs) if old is not None else ((), (), ())
    now = (new.security_groups, new.fixed_ips, new.allowed_address_pairs) if new is not None else ((), (), ())
    if was == now:
        return
    for group in {*was[0], *now[0]}:
        for naming in snapshot.groups_naming(group):
            yield from snapshot.hosts_of_group(naming)


def _refresh_routers(tx: Transaction, snapshot: Snapshot, touched: set[str], reached: set[Host]) -> None:
    found = {row.id: row for row in _router_rows(tx, touched)}
    for router in map(RouterId, touched):
        old, new = snapshot.routers.get(router), found.get(router)
        if old == new:
            continue
        reached.update(row.host for row in (old, new) if row is not None and row.host)
        if new is None:
            snapshot.drop_router(router)
        else:
            snapshot.put_router(new)


def _refresh_instances(tx: Transaction, snapshot: Snapshot, touched: set[str], reached: set[Host]) -> None:
    found = {row.id: row for row in _instance_rows(tx, touched)}
    for instance in map(InstanceId, touched):
        old, new = snapshot.instances.get(instance), found.get(instance)
        if old == new:
            continue
        reached.update(row.host for row in (old, new) if row is not None and row.host)
        if new is None:
            snapshot.drop_instance(instance)
        else:
            snapshot.put_instance(new)


def _node_rows(tx: Transaction, keys: set[str] | None) -> Iterator[NodeRow]:
    for row in read(tx, _NODES, keys):
        yield NodeRow(Host(row.host), row.vtep_ip)


def _network_rows(tx: Transaction, keys: set[str] | None) -> Iterator[NetworkRow]:
    of_network: dict[str, list[SubnetView]] = defaultdict(list)
    for network_id, *row in read(tx, _SUBNETS, keys):
        identity, name, cidr, ip_version, gateway_ip, enable_dhcp, dns_nameservers, host_routes = row
        of_network[network_id].append(
            SubnetView(
                SubnetId(identity),
                name,
                cidr,
                ip_version,
                gateway_ip,
                enable_dhcp,
                tuple(dns_nameservers),
                _routes(host_routes),
            )
        )
    for row in read(tx, _NETWORKS, keys):
        yield NetworkRow(
            id=row.id,
            name=row.name,
            project_id=row.project_id,
            network_type=row.network_type,
            segmentation_id=row.segmentation_id,
            physical_network=row.physical_network,
            mtu_bytes=row.mtu,
            external=row.external,
            admin_state_up=row.admin_state_up,
            subnets=tuple(of_network[row.id]),
        )


def _port_rows(tx: Transaction, keys: set[str] | None) -> Iterator[PortRow]:
    of_port: dict[str, list[FixedIp]] = defaultdict(list)
    for port_id, subnet_id, ip_address in read(tx, _FIXED_IPS, keys):
        of_port[port_id].append(FixedIp(subnet_id, ip_address))
    groups = security_rows.groups_of_ports(tx, keys)
    for row in read(tx, _PORTS, keys):
        identity, network_id, mac_address, device_owner, device_id, host, up, dns_name, security, pairs, options = row
        yield PortRow(
            identity,
            network_id,
            mac_address,
            tuple(of_port.get(identity, ())),
            device_owner,
            device_id,
            host,
            up,
            dns_name,
            security,
            _pairs(pairs),
            groups.get(identity, ()),
            _options(options),
        )


def _router_rows(tx: Transaction, keys: set[str] | None) -> Iterator[RouterRow]:
    floating, forwardings = floating_rows.of_routers(tx, keys)
    for identity, name, project_id, host, up, enable_snat, routes in read(tx, _ROUTERS, keys):
        yield RouterRow(
            identity,
            name,
            project_id,
            Host(host or ""),
            up,
            enable_snat,
            _routes(routes),
            tuple(floating.get(identity, ())),
            tuple(forwardings.get(identity, ())),
        )


def _instance_rows(tx: Transaction, keys: set[str] | None) -> Iterator[InstanceRow]:
    of_server: dict[str, list[PortId]] = defaultdict(list)
    for server_id, port_id in read(tx, _SERVER_PORTS, keys):
        of_server[server_id].append(PortId(port_id))
    for identity, name, project_id, host in read(tx, _SERVERS, keys):
        yield InstanceRow(identity, name, project_id, host, tuple(of_server[identity]))


def _pairs(stored: Sequence[dict[str, str]]) -> tuple[AddressPair, ...]:
    return tuple(sorted(AddressPair(pair["mac_address"], pair["ip_address"]) for pair in stored))


def _options(stored: Sequence[dict[str, str | int]]) -> tuple[DhcpOption, ...]:
    return tuple(
        sorted(DhcpOption(str(item["opt_name"]), str(item["opt_value"])) for item in stored if item["ip_version"] == 4)
    )


def _routes(stored: Sequence[dict[str, str]]) -> tuple[HostRoute, ...]:
    return tuple(HostRoute(route["destination"], route["nexthop"]) for route in stored)
