"""Port status from how a pass went.

Pure. A port is ACTIVE when all that it needs on this node is in: its own objects, its network's, its router's or
instance's, and the node's bridges.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nebula.desired.kinds import Key
from nebula.desired.state import NodeState
from nebula.ids import Owner, OwnerKind, PortId
from nebula.view.records import NodeView, PortView
from nebula.view.report import PortStatus

ACTIVE, DOWN, ERROR = "ACTIVE", "DOWN", "ERROR"


def port_statuses(
    view: NodeView, desired: NodeState, problems: Mapping[Key, str], unwired: Mapping[PortId, str]
) -> dict[PortId, PortStatus]:
    """The status of every port of the view. ``problems`` by object, ``unwired`` by port."""
    wired = {item.owner.id for item in desired.values() if item.owner.kind is OwnerKind.PORT}
    errors: dict[Owner, str] = {}
    for key, text in problems.items():
        item = desired.get(key)
        if item is not None:
            errors.setdefault(item.owner, f"{key.kind} {key.name}: {text}")
    containers = _containers(view)
    node_error = next((text for owner, text in errors.items() if owner.kind is OwnerKind.NODE), "")
    statuses: dict[PortId, PortStatus] = {}
    for port in view.ports:
        if port.id in unwired:
            statuses[port.id] = PortStatus(port.id, ERROR, unwired[port.id])
        elif port.id not in wired or not port.admin_state_up:
            statuses[port.id] = PortStatus(port.id, DOWN)
        else:
            error = node_error or _first(errors, port, containers.get(port.id, ()))
            statuses[port.id] = PortStatus(port.id, ERROR if error else ACTIVE, error)
    return statuses


def _first(errors: Mapping[Owner, str], port: PortView, containers: Iterable[Owner]) -> str:
    if not errors:
        return ""
    owners = (Owner(OwnerKind.PORT, port.id), Owner(OwnerKind.NETWORK, port.network_id), *containers)
    return next((errors[owner] for owner in owners if owner in errors), "")


def _containers(view: NodeView) -> dict[PortId, tuple[Owner, ...]]:
    """The router or instance that a port is part of."""
    found: dict[PortId, tuple[Owner, ...]] = {}
    for router in view.routers:
        owner = Owner(OwnerKind.ROUTER, router.id)
        gateway = (router.gateway.port_id,) if router.gateway is not None else ()
        found.update(dict.fromkeys((*router.interfaces, *gateway), (owner,)))
    for instance in view.instances:
        owner = Owner(OwnerKind.INSTANCE, instance.id)
        found.update(dict.fromkeys(instance.ports, (owner,)))
    return found
