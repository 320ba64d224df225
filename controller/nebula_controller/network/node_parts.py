"""What nodes lack, and the requests that are refused for it. Effects: reads the tables of nodes, routers and groups."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import bindparam, select

from nebula.errors import Conflict
from nebula.model.port import Port
from nebula.view.capability import Capability, missing
from nebula.view.report import Role
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.nodes import nodes, router_placements
from nebula_controller.store.tables.security import security_groups

_NODES = select(nodes.c.host, nodes.c.roles, nodes.c.capabilities).where(nodes.c.down.is_(False)).order_by(nodes.c.host)
_NODE = select(nodes.c.host, nodes.c.roles, nodes.c.capabilities).where(nodes.c.host == bindparam("node"))
_HOST_OF = select(router_placements.c.host).where(router_placements.c.router_id == bindparam("router"))
_STATEFUL = select(security_groups.c.id).where(
    security_groups.c.id.in_(bindparam("groups", expanding=True)), security_groups.c.stateful.is_(True)
)


def without(capabilities: Iterable[str], part: Capability) -> bool:
    """True for a node that says that it lacks the part."""
    return part in missing(tuple(capabilities))


def check_port(tx: Transaction, port: Port) -> None:
    """Raises ``Conflict`` where the port's groups need connections tracked, and its node cannot."""
    if not port.host or not port.security_groups:
        return
    node = tx.execute(_NODE, {"node": port.host}).one_or_none()
    if node is None or not without(node.capabilities, Capability.CONNTRACK):
        return
    if tx.execute(_STATEFUL, {"groups": list(port.security_groups)}).first() is not None:
        raise _refusal(node.host, Capability.CONNTRACK)


def check_router(tx: Transaction, router_id: str, *parts: Capability) -> None:
    """Raises ``Conflict`` where the router's node lacks one of the parts, or every node that it could be put on."""
    host = tx.execute(_HOST_OF, {"router": router_id}).scalar_one_or_none()
    found = tx.execute(_NODES).all() if host is None else tx.execute(_NODE, {"node": host}).all()
    candidates = [node for node in found if Role.NETWORK in node.roles]
    for part in parts:
        if candidates and all(without(node.capabilities, part) for node in candidates):
            raise _refusal(candidates[0].host, part)


def _refusal(host: str, part: Capability) -> Conflict:
    reason = missing((*(other for other in Capability if other is not part),))[part]
    return Conflict(f"Node {host} cannot do this: {reason}.", type_name="NodeLacksCapability")
