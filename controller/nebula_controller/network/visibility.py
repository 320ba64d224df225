"""Whether a caller may know of a network that a request names. Effects: reads in a transaction."""

from __future__ import annotations

from nebula.errors import NotFound
from nebula.model.network import Network
from nebula_controller.api.context import RequestContext
from nebula_controller.network import rows
from nebula_controller.store.database import Transaction


def network_for(tx: Transaction, context: RequestContext, network_id: str) -> Network:
    """The network, where the caller may know of it; raises ``NotFound``."""
    network = rows.network(tx, network_id)
    if context.is_admin or network.shared or network.external or network.project_id == context.project_id:
        return network
    raise NotFound(f"Network {network_id} could not be found.", type_name="NetworkNotFound")
