"""Two networks of one and the same subnet, each with a DHCP server: the view of the one node, as projected.

Pure. ``red`` has ``web`` and ``client``, ``blue`` has another ``web``; ``client`` has DHCP options of its own, and
``stranger`` is a port of red that the DHCP server does not know.
"""

from __future__ import annotations

import msgspec
from agent_views import EPOCH, PROJECT
from transit_views import identity

from nebula.ids import Host, InstanceId, NetworkId, PortId, SubnetId
from nebula.model.snapshot import InstanceRow, NetworkRow, NodeRow, PortRow, Snapshot
from nebula.view.project import project
from nebula.view.records import DhcpOption, FixedIp, HostRoute, NodeView, SubnetView

SERVER = "10.0.0.2"
OPTIONS = (
    DhcpOption("150", "10.9.9.9"),
    DhcpOption("bootfile-name", "http://boot/a,b;c#d e"),
    DhcpOption("mtu", "1400"),
    DhcpOption("ntp-server", "10.0.0.8,10.0.0.9"),
    DhcpOption("router", "10.0.0.77"),
    DhcpOption("tftp-server", "boot.example"),
)
_DEVICES = {"web": ("red", 10), "client": ("red", 11), "stranger": ("red", 12), "other": ("blue", 20)}
_NAMES = {"web": "web", "other": "web", "client": "client"}


def view(revision: int = 1, *, web: str = "web", stranger: bool = False) -> NodeView:
    """``web``: the DNS name of red's port of that name. ``stranger``: whether the DHCP server knows it."""
    snapshot, host = Snapshot(EPOCH, revision), Host("net1")
    snapshot.put_node(NodeRow(host, "10.0.0.1"))
    for number, name in enumerate(("red", "blue")):
        routes = (HostRoute("10.77.0.0/16", "10.0.0.77"),)
        identifier = SubnetId(identity(f"{name}-subnet"))
        subnet = SubnetView(identifier, name, "10.0.0.0/24", 4, "10.0.0.1", True, (), routes)
        network = NetworkId(identity(name))
        snapshot.put_network(
            NetworkRow(network, name, PROJECT, "vxlan", 100 + number, None, 1450, False, subnets=(subnet,))
        )
        snapshot.put_port(_port(f"dhcp-{name}", name, 2, "network:dhcp"))
    for device, (network_name, last) in _DEVICES.items():
        port = _port(device, network_name, last, "compute:nova")
        name = web if device == "web" else _NAMES.get(device, "")
        options = OPTIONS if device == "client" else ()
        snapshot.put_port(msgspec.structs.replace(port, dns_name=name, dhcp_options=options))
        snapshot.put_instance(InstanceRow(InstanceId(identity(device)), device, PROJECT, host, (port.id,)))
    found = project(snapshot, host)
    if stranger:
        return found
    left_out = identity("stranger-port")
    servers = [
        msgspec.structs.replace(server, hosts=tuple(known for known in server.hosts if known.port_id != left_out))
        for server in found.dhcp
    ]
    return msgspec.structs.replace(found, dhcp=tuple(servers))


def _port(device: str, network: str, last: int, owner: str) -> PortRow:
    return PortRow(
        id=PortId(identity(f"{device}-port")),
        network_id=NetworkId(identity(network)),
        mac_address=f"fa:16:3e:00:{('red', 'blue').index(network):02x}:{last:02x}",
        fixed_ips=(FixedIp(SubnetId(identity(f"{network}-subnet")), f"10.0.0.{last}"),),
        device_owner=owner,
        device_id=identity(device),
        host=Host("net1"),
    )
