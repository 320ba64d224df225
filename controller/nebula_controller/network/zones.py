"""``/v2.0/availability_zones``: there is one, and what asks for another is refused. No state of its own."""

from __future__ import annotations

from collections.abc import Sequence

from nebula.errors import BadRequest, NebulaError, NotFound
from nebula.model import accept
from nebula_controller.api import query as queries
from nebula_controller.api.endpoint import Answer, Call, Operation

ZONE = "nova"
"""The one availability zone, under Neutron's default name."""

RESOURCES = ("network", "router")


def operations() -> list[Operation]:
    """For the ``Service`` whose prefix is the network service's."""
    return [Operation("GET", "/v2.0/availability_zones", _zones, rule="get_availability_zone")]


def check(hints: Sequence[str]) -> list[NebulaError]:
    """The zones that a network or router shall be in are there."""
    missing: list[NebulaError] = [
        NotFound(f"AvailabilityZone {accept.shown(hint)} could not be found.", type_name="AvailabilityZoneNotFound")
        for hint in hints
        if hint != ZONE
    ]
    return missing[:1]


def _zones(call: Call) -> Answer:
    query = queries.parse(call.query)
    shown = [{"name": ZONE, "resource": resource, "state": "available"} for resource in RESOURCES]
    unknown = [name for name in query.filters if name not in shown[0]]
    if unknown:
        raise BadRequest(f"{unknown} is invalid attribute for filtering", type_name="HTTPBadRequest")
    found = [zone for zone in shown if all(zone[name] in values for name, values in query.filters.items())]
    found, links = queries.page(found, query, call.url, call.query, key="resource")
    only = query.fields or frozenset(shown[0])
    rows = [{name: value for name, value in zone.items() if name in only} for zone in found]
    return Answer(200, {"availability_zones": rows} | ({"availability_zones_links": links} if links else {}))
