"""project: the rows of the database to the view of one node.

Pure: no I/O, no clock; same rows, same view. The cost follows what the node has (its ports, and the ports of its
networks), not what the database holds. A node learns nothing that it does not need: only networks with a port
bound to it, and of other nodes only tunnel addresses and the ports of shared VXLAN networks.
"""

from __future__ import annotations

import re
from operator import attrgetter

from nebula.ids import AddressGroupId, Host, NetworkId, PortId, SecurityGroupId
from nebula.model.port import DHCP, ROUTER_GATEWAY, ROUTER_INTERFACE
from nebula.model.snapshot import NetworkRow, PortRow, RouterRow, Snapshot, remotes
from nebula.view.records import (
    AddressSet,
    DhcpHost,
    DhcpView,
    FixedIp,
    InstanceView,
    NetworkView,
    NodeView,
    PortView,
    RemotePort,
    RouterGateway,
    RouterView,
    SecurityGroupView,
    pair_macs,
)

_DNS_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)
_ADDRESS_TO_LABEL = str.maketrans(".:", "--")
_by_id = attrgetter("id")
_by_port_id = attrgetter("port_id")


def project(snapshot: Snapshot, host: Host) -> NodeView:
    """The whole view of ``host``; of a host that nobody registered, what is bound to its name all the same."""
    ports = sorted(_known_ports(snapshot, host), key=_by_id)
    networks = sorted({port.network_id for port in ports})
    groups = _security_groups(snapshot, ports)
    return NodeView(
        epoch=snapshot.epoch,
        revision=snapshot.revision,
        host=host,
        networks=tuple(_network(snapshot, snapshot.networks[network], host) for network in networks),
        ports=tuple(_port(port, snapshot.networks[port.network_id]) for port in ports),
        dhcp=tuple(_dhcp_servers(snapshot, ports)),
        routers=tuple(
            _router(snapshot, snapshot.routers[router], host) for router in sorted(snapshot.routers_of_host(host))
        ),
        instances=tuple(
            InstanceView(
                id=instance.id,
                name=instance.name,
                project_id=instance.project_id,
                ports=tuple(port for port in instance.ports if _is_on(snapshot, port, host)),
            )
            for instance in (snapshot.instances[key] for key in sorted(snapshot.instances_of_host(host)))
        ),
        security_groups=groups,
        address_sets=tuple(_address_sets(snapshot, groups)),
        peers=tuple(sorted(node.vtep_ip for node in snapshot.nodes.values() if node.host != host)),
    )


def hostname(dns_name: str, fixed_ips: tuple[FixedIp, ...]) -> str:
    """The name that DHCP gives a port: its ``dns_name`` where that is one DNS label (RFC 1123 section 2.1),
    else ``host-192-168-50-5`` from its first IPv4 (or, without one, IPv6) address, as Neutron does.

    Never holds anything but letters, digits and hyphens, so it cannot end a line or a field of dnsmasq's files.
    """
    if dns_name and _DNS_LABEL.fullmatch(dns_name):
        return dns_name
    address = fixed_ips[0].ip_address
    if ":" in address:
        address = next((ip.ip_address for ip in fixed_ips if ":" not in ip.ip_address), address)
    return f"host-{address.translate(_ADDRESS_TO_LABEL)}".rstrip("-")


def _known_ports(snapshot: Snapshot, host: Host) -> list[PortRow]:
    ports = (snapshot.ports[key] for key in snapshot.ports_of_host(host))
    return [port for port in ports if port.network_id in snapshot.networks]


def _is_on(snapshot: Snapshot, port: PortId, host: Host) -> bool:
    row = snapshot.ports.get(port)
    return row is not None and row.host == host and row.network_id in snapshot.networks


def _port(port: PortRow, network: NetworkRow) -> PortView:
    return PortView(
        id=port.id,
        network_id=port.network_id,
        mac_address=port.mac_address,
        fixed_ips=port.fixed_ips,
        device_owner=port.device_owner,
        device_id=port.device_id,
        admin_state_up=port.admin_state_up and network.admin_state_up,
        secured=_is_secured(port),
        allowed_address_pairs=port.allowed_address_pairs if _is_secured(port) else (),
        security_groups=port.security_groups if _is_secured(port) else (),
    )


def _is_secured(port: PortRow) -> bool:
    """Neutron trusts its own ports, whatever their attribute says (``neutron_lib.utils.net.is_port_trusted``)."""
    return port.port_security_enabled and not port.device_owner.startswith("network:")


def _security_groups(snapshot: Snapshot, ports: list[PortRow]) -> tuple[SecurityGroupView, ...]:
    """The groups that a secured port here has."""
    wanted = {group for port in ports if _is_secured(port) for group in port.security_groups}
    return tuple(snapshot.security_groups[group] for group in sorted(wanted) if group in snapshot.security_groups)


def _address_sets(snapshot: Snapshot, groups: tuple[SecurityGroupView, ...]) -> list[AddressSet]:
    """What the remote sides of the groups' rules stand for: the members' addresses and allowed pairs, on all nodes."""
    sets: list[AddressSet] = []
    for remote in sorted({remote for group in groups for remote in remotes(group)}):
        known = snapshot.address_groups.get(AddressGroupId(remote))
        if known is not None:
            sets.append(known)
            continue
        members = [snapshot.ports[port] for port in snapshot.ports_of_group(SecurityGroupId(remote))]
        addresses = {ip.ip_address for port in members for ip in port.fixed_ips}
        addresses |= {pair.ip_address for port in members for pair in port.allowed_address_pairs}
        sets.append(AddressSet(remote, tuple(sorted(addresses))))
    return sets


def _network(snapshot: Snapshot, network: NetworkRow, host: Host) -> NetworkView:
    vteps: dict[Host, str] = {}
    if network.network_type == "vxlan":
        nodes = snapshot.nodes
        vteps = {
            other: nodes[other].vtep_ip
            for other in snapshot.hosts_of_network(network.id)
            if other != host and other in nodes
        }
    return NetworkView(
        id=network.id,
        name=network.name,
        project_id=network.project_id,
        network_type=network.network_type,
        segmentation_id=network.segmentation_id,
        physical_network=network.physical_network,
        mtu_bytes=network.mtu_bytes,
        external=network.external,
        subnets=network.subnets,
        remote_ports=tuple(_remote_ports(snapshot, network, vteps)),
        flood_vteps=tuple(sorted(vteps.values())),
    )


def _remote_ports(snapshot: Snapshot, network: NetworkRow, vteps: dict[Host, str]) -> list[RemotePort]:
    if not vteps or not network.admin_state_up:
        return []
    rows = snapshot.ports
    remote = [
        RemotePort(
            id=port.id,
            mac_address=port.mac_address,
            ip_addresses=tuple([ip.ip_address for ip in port.fixed_ips]),
            vtep_ip=vteps[port.host],
            pair_macs=pair_macs(port.mac_address, port.allowed_address_pairs) if _is_secured(port) else (),
        )
        for port in [rows[key] for key in snapshot.ports_of_network(network.id)]
        if port.host in vteps and port.admin_state_up
    ]
    remote.sort(key=_by_id)
    return remote


def _dhcp_servers(snapshot: Snapshot, ports: list[PortRow]) -> list[DhcpView]:
    """One server per network; where two DHCP ports of a network are on one node, the lower id serves."""
    servers: dict[NetworkId, DhcpView] = {}
    for port in ports:
        network = snapshot.networks[port.network_id]
        if port.device_owner != DHCP or network.id in servers or not network.admin_state_up:
            continue
        if any(subnet.enable_dhcp for subnet in network.subnets):
            servers[network.id] = DhcpView(
                network_id=network.id,
                port_id=port.id,
                hosts=tuple(_dhcp_hosts(snapshot, network)),
                servers=_dhcp_addresses(snapshot, network),
            )
    return [servers[network] for network in sorted(servers)]


def _dhcp_addresses(snapshot: Snapshot, network: NetworkRow) -> tuple[FixedIp, ...]:
    """Of all servers of the network; empty where there is one alone."""
    rows = [snapshot.ports[key] for key in snapshot.ports_of_network(network.id)]
    serving = [port for port in rows if port.device_owner == DHCP and port.host and port.admin_state_up]
    if len({port.host for port in serving}) < 2:
        return ()
    return tuple(sorted(fixed_ip for port in serving for fixed_ip in port.fixed_ips))


def _dhcp_hosts(snapshot: Snapshot, network: NetworkRow) -> list[DhcpHost]:
    served = {subnet.id for subnet in network.subnets if subnet.enable_dhcp}
    all_served = len(served) == len(network.subnets)
    rows = snapshot.ports
    hosts = []
    for port in [rows[key] for key in snapshot.ports_of_network(network.id)]:
        if port.device_owner == DHCP:
            continue
        fixed_ips = port.fixed_ips
        if not all_served:
            fixed_ips = tuple([ip for ip in fixed_ips if ip.subnet_id in served])
        hosts += [
            DhcpHost(
                port_id=port.id,
                mac_address=port.mac_address,
                hostname=hostname(port.dns_name, (fixed_ip,)),
                fixed_ips=(fixed_ip,),
                options=port.dhcp_options,
            )
            for fixed_ip in fixed_ips
        ]
    hosts.sort(key=_by_port_id)
    return hosts


def _router(snapshot: Snapshot, router: RouterRow, host: Host) -> RouterView:
    ports = [snapshot.ports[key] for key in sorted(snapshot.ports_of_device(router.id)) if _is_on(snapshot, key, host)]
    gateways = [port for port in ports if port.device_owner == ROUTER_GATEWAY]
    return RouterView(
        id=router.id,
        name=router.name,
        project_id=router.project_id,
        admin_state_up=router.admin_state_up,
        interfaces=tuple(port.id for port in ports if port.device_owner == ROUTER_INTERFACE),
        gateway=RouterGateway(port_id=gateways[0].id, network_id=gateways[0].network_id, enable_snat=router.enable_snat)
        if gateways
        else None,
        routes=router.routes,
        floating_ips=router.floating_ips if gateways else (),
        port_forwardings=router.port_forwardings if gateways else (),
    )
