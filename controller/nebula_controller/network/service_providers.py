"""``/v2.0/service-providers``: who realises which service, as Neutron lists its drivers. No state of its own.

Clients ask whether there is a provider of VPNs before they clear a project away.
"""

from __future__ import annotations

from nebula.errors import BadRequest
from nebula_controller.api import query as queries
from nebula_controller.api.endpoint import Answer, Call, Operation

_PROVIDERS: tuple[dict[str, object], ...] = (
    {"service_type": "L3_ROUTER_NAT", "name": "single_node", "default": False},
)
"""Neutron's word for routers that are neither distributed nor redundant."""


def operations() -> list[Operation]:
    """For the ``Service`` whose prefix is the network service's."""
    return [Operation("GET", "/v2.0/service-providers", _list, rule="get_service_provider")]


def _list(call: Call) -> Answer:
    query = queries.parse(call.query)
    unknown = [name for name in query.filters if name not in _PROVIDERS[0]]
    if unknown:
        raise BadRequest(f"{unknown} is invalid attribute for filtering", type_name="HTTPBadRequest")
    found = [
        row
        for row in _PROVIDERS
        if all(str(row[name]).lower() in map(str.lower, values) for name, values in query.filters.items())
    ]
    found, links = queries.page(found, query, call.url, call.query, key="name")
    only = query.fields or frozenset(_PROVIDERS[0])
    rows = [{name: value for name, value in row.items() if name in only} for row in found]
    return Answer(200, {"service_providers": rows} | ({"service_providers_links": links} if links else {}))
