"""DHCP and names: one dnsmasq per network, in a namespace of its own, which answers only ports that are known.

Pure. Namespace, addresses, host, options and names file, and the daemon (RFC 2131; option 26 tells the MTU).
"""

from __future__ import annotations

from collections.abc import Iterator

from nebula.compile.render import dnsmasq
from nebula.compile.wiring import WiredPort, Wiring
from nebula.desired.kinds import Address, ConfigFile, KernelObject, Key, Namespace, Process, VethPair
from nebula.ids import NetworkId, Owner, OwnerKind, dhcp_namespace
from nebula.view.records import DhcpView


def objects(node: Wiring) -> Iterator[KernelObject]:
    """Each network whose server is here and whose DHCP port is wired."""
    done: set[NetworkId] = set()
    for dhcp in sorted(node.view.dhcp, key=lambda item: (item.network_id, item.port_id)):
        port = node.by_id.get(dhcp.port_id)
        if port is not None and port.network.id == dhcp.network_id and dhcp.network_id not in done:
            done.add(dhcp.network_id)
            yield from _server(node, dhcp, port)


def folder(node: Wiring, network_id: NetworkId) -> str:
    """Where the network's server has its files."""
    return f"{node.facts.state_folder}/dhcp/{network_id}"


def _server(node: Wiring, dhcp: DhcpView, port: WiredPort) -> Iterator[KernelObject]:
    namespace = dhcp_namespace(dhcp.network_id)
    device = port.inner_device
    owner = Owner(OwnerKind.NETWORK, dhcp.network_id)
    yield Namespace(namespace, owner)
    addresses = [Address(namespace, device, str(interface), port.device, port.owner) for interface in port.interfaces]
    yield from addresses
    subnets = dnsmasq.served(port.network.subnets)
    if not subnets:
        return
    home = folder(node, dhcp.network_id)
    hosts = ConfigFile(f"{home}/host", dnsmasq.host_file(dhcp.hosts, subnets), owner)
    options = ConfigFile(f"{home}/opts", dnsmasq.options_file(subnets, dhcp.hosts, dhcp.servers), owner)
    names = ConfigFile(f"{home}/addn_hosts", dnsmasq.names_file(dhcp.hosts, dhcp.domain), owner)
    yield from (hosts, options, names)
    yield Process(
        name=f"dnsmasq:{dhcp.network_id}",
        namespace=namespace,
        argv=dnsmasq.command(
            device=device,
            folder=home,
            subnets=subnets,
            lease_time_s=dhcp.lease_time_s,
            mtu_bytes=port.network.mtu_bytes,
            domain=dhcp.domain,
        ),
        pid_file=f"{home}/pid",
        owner=owner,
        needs=(
            Key(VethPair.kind, port.device),
            *(address.key for address in addresses),
            hosts.key,
            options.key,
            names.key,
        ),
        reload_on=(hosts.path, options.path, names.path),
    )
