"""A network on either side of routers that a transit network joins: the views of the test's nodes, as projected.

Pure. Router A has ``left``, routers B and C both have ``right``; A knows two ways to ``right``, which it shares
equally, B and C know the way back.
"""

from __future__ import annotations

import uuid

from agent_views import EPOCH, PROJECT

from nebula.ids import Host, InstanceId, NetworkId, PortId, RouterId, SubnetId
from nebula.model.snapshot import InstanceRow, NetworkRow, NodeRow, PortRow, RouterRow, Snapshot
from nebula.view.project import project
from nebula.view.records import FixedIp, HostRoute, NodeView, SubnetView

LEFT_VM, RIGHT_VM = "192.168.50.10", "10.20.0.10"
RIGHT = "10.20.0.0/24"
_PREFIXES = {"left": "192.168.50", "right": "10.20.0", "transit": "172.16.0"}
_ROUTERS = {
    "a": (("left", 1), ("transit", 1)),
    "b": (("right", 1), ("transit", 2)),
    "c": (("right", 2), ("transit", 3)),
}
_INSTANCES = {"vm-left": ("left", 10), "vm-right": ("right", 10)}
BOTH_WAYS = (HostRoute(RIGHT, "172.16.0.2"), HostRoute(RIGHT, "172.16.0.3"))
_BACK = (HostRoute("192.168.50.0/24", "172.16.0.1"),)


def identity(name: str) -> str:
    """The id of what has this name here."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def router(name: str) -> str:
    """The namespace of router ``a``, ``b`` or ``c``."""
    return f"qrouter-{identity(name)}"


def instance(name: str) -> str:
    """The namespace of ``vm-left`` or ``vm-right``."""
    return f"instance-{identity(name)}"


def view(of: str, hosts: tuple[str, str], revision: int = 1, routes: tuple[HostRoute, ...] = BOTH_WAYS) -> NodeView:
    """The view of node ``of``; ``hosts`` have the left side (with router A) and the right one. ``routes`` are A's."""
    snapshot = Snapshot(EPOCH, revision)
    places = {name: Host(hosts[name in ("b", "c", "vm-right")]) for name in (*_ROUTERS, *_INSTANCES)}
    for number, host in enumerate(dict.fromkeys(hosts)):
        snapshot.put_node(NodeRow(Host(host), ("10.0.0.1", "10.0.0.11")[number]))
    for number, (name, prefix) in enumerate(_PREFIXES.items()):
        gateway = None if name == "transit" else f"{prefix}.1"
        subnet = SubnetView(SubnetId(identity(f"{name}-subnet")), name, f"{prefix}.0/24", 4, gateway, False)
        network = NetworkId(identity(name))
        snapshot.put_network(
            NetworkRow(network, name, PROJECT, "vxlan", 100 + number, None, 1450, False, subnets=(subnet,))
        )
    for name, interfaces in _ROUTERS.items():
        known = routes if name == "a" else _BACK
        snapshot.put_router(RouterRow(RouterId(identity(name)), name, PROJECT, places[name], routes=known))
        for network_name, last in interfaces:
            snapshot.put_port(_port(name, network_name, last, places[name], "network:router_interface"))
    for name, (network_name, last) in _INSTANCES.items():
        port = _port(name, network_name, last, places[name], "compute:nova")
        snapshot.put_port(port)
        snapshot.put_instance(InstanceRow(InstanceId(identity(name)), name, PROJECT, places[name], (port.id,)))
    return project(snapshot, Host(of))


def _port(device: str, network: str, last: int, host: Host, owner: str) -> PortRow:
    return PortRow(
        id=PortId(identity(f"{device}-{network}")),
        network_id=NetworkId(identity(network)),
        mac_address=f"fa:16:3e:00:{list(_PREFIXES).index(network):02x}:{last:02x}",
        fixed_ips=(FixedIp(SubnetId(identity(f"{network}-subnet")), f"{_PREFIXES[network]}.{last}"),),
        device_owner=owner,
        device_id=identity(device),
        host=host,
    )
