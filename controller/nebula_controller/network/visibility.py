"""Whether a caller may know of a network or port that a request names. Effects: reads in a transaction."""

from __future__ import annotations

from nebula.model.network import NETWORK, Network
from nebula.model.port import PORT, Port
from nebula.model.rbac import EXTERNAL
from nebula.model.subnet import SUBNET, Subnet
from nebula_controller.api.context import RequestContext
from nebula_controller.api.policy import Target
from nebula_controller.api.readable import Row
from nebula_controller.network import rows, sharing
from nebula_controller.store.database import Transaction


def network_for(tx: Transaction, context: RequestContext, network_id: str) -> Network:
    """The network, where the caller may know of it; raises ``NotFound``."""
    network = rows.network(tx, network_id)
    if is_user(tx, context, network) or sharing.is_granted(tx, network.id, context.project_id, EXTERNAL):
        return network
    raise NETWORK.not_found(network_id)


def network_owner(tx: Transaction, context: RequestContext, values: Row) -> Target:
    """The project of the network that an object with these values is, or shall be, on.

    Who names a network in a request has to know of it: else asking would tell that it is there.
    """
    key = str(values["network_id"])

    def project() -> str:
        return (rows.network(tx, key) if "id" in values else network_for(tx, context, key)).project_id

    return {"network:project_id": project}


def is_user(tx: Transaction, context: RequestContext, network: Network) -> bool:
    """Whether the caller may have ports on the network: it is the caller's, or shared with it."""
    mine = context.is_admin or network.project_id == context.project_id
    return mine or sharing.is_granted(tx, network.id, context.project_id)


def subnet_for(tx: Transaction, context: RequestContext, subnet_id: str) -> Subnet:
    """The subnet, where the caller may know of it; raises ``NotFound``."""
    subnet = rows.subnet(tx, subnet_id)
    if subnet.project_id == context.project_id or is_user(tx, context, rows.network(tx, subnet.network_id)):
        return subnet
    raise SUBNET.not_found(subnet_id)


def port_for(tx: Transaction, context: RequestContext, port_id: str) -> Port:
    """The port, where the caller may know of it (it or its network is the caller's); raises ``NotFound``."""
    port = rows.port(tx, port_id)
    mine = context.is_admin or port.project_id == context.project_id
    if mine or rows.network(tx, port.network_id).project_id == context.project_id:
        return port
    raise PORT.not_found(port_id)
