"""Whether a caller may know of a network or port that a request names. Effects: reads in a transaction."""

from __future__ import annotations

from nebula.errors import NotFound
from nebula.model.network import Network
from nebula.model.port import Port
from nebula_controller.api.context import RequestContext
from nebula_controller.network import rows
from nebula_controller.store.database import Transaction


def network_for(tx: Transaction, context: RequestContext, network_id: str) -> Network:
    """The network, where the caller may know of it; raises ``NotFound``."""
    network = rows.network(tx, network_id)
    if context.is_admin or network.shared or network.external or network.project_id == context.project_id:
        return network
    raise NotFound(f"Network {network_id} could not be found.", type_name="NetworkNotFound")


def port_for(tx: Transaction, context: RequestContext, port_id: str) -> Port:
    """The port, where the caller may know of it (it or its network is the caller's); raises ``NotFound``."""
    port = rows.port(tx, port_id)
    mine = context.is_admin or port.project_id == context.project_id
    if mine or rows.network(tx, port.network_id).project_id == context.project_id:
        return port
    raise NotFound(f"Port {port_id} could not be found.", type_name="PortNotFound")
