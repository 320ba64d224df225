"""A router as the API has it. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec

from nebula.model import accept
from nebula.model.attribute import Attribute, Who, describe
from nebula.model.standard import Flag, Standard, Status
from nebula.view.records import FixedIp, HostRoute


class Gateway(msgspec.Struct, frozen=True):
    """The router's side of its external network."""

    network_id: str
    enable_snat: bool = True
    external_fixed_ips: tuple[FixedIp, ...] = ()
    qos_policy_id: str | None = None


_gateway = accept.fields(
    "external_gateway_info",
    {"network_id": accept.identifier},
    {
        "enable_snat": accept.boolean,
        "external_fixed_ips": accept.default_for_null([], accept.fixed_ips),
        "qos_policy_id": accept.optional(accept.identifier),
    },
)


def accept_gateway(value: object) -> object:
    """Null or an empty object for none (as Neutron), else network, SNAT and wanted addresses."""
    return None if value is None or value == {} else _gateway(value)


class Router(Standard, frozen=True, kw_only=True):
    """A router. ``external_gateway_info`` is parsed apart: what is asked for is less than what is shown."""

    admin_state_up: Annotated[bool, Flag] = True
    status: Annotated[str, Status] = "ACTIVE"
    external_gateway_info: Annotated[
        Gateway | None, Attribute(accept=accept_gateway, post=True, put=True, stored=False, filtered=False)
    ] = None
    gateway_port_id: Annotated[
        str | None, Attribute(filtered=False, sent=False, length=36, refers_to="ports", unique=True)
    ] = None
    gateway_network_id: Annotated[
        str | None, Attribute(filtered=False, sent=False, length=36, refers_to="networks", indexed=True)
    ] = None
    enable_snat: Annotated[bool, Attribute(filtered=False, sent=False)] = True
    gateway_qos_policy_id: Annotated[
        str | None, Attribute(filtered=False, sent=False, length=36, refers_to="qos_policies", indexed=True)
    ] = None
    routes: Annotated[tuple[HostRoute, ...], Attribute(accept=accept.host_routes, put=True, filtered=False)] = ()
    availability_zone_hints: Annotated[
        tuple[str, ...],
        Attribute(accept=accept.list_of(accept.string(), "availability zone", "zone"), post=True, filtered=False),
    ] = ()
    availability_zones: Annotated[tuple[str, ...], Attribute(stored=False, filtered=False)] = ()
    distributed: Annotated[
        bool,
        Attribute(accept=accept.boolean_false, post=True, stored=False, filtered=False, set_by=Who.ADMIN),
    ] = False
    ha: Annotated[
        bool,
        Attribute(accept=accept.boolean_false, post=True, stored=False, filtered=False, set_by=Who.ADMIN),
    ] = False
    flavor_id: Annotated[None, Attribute(stored=False, filtered=False)] = None


ROUTER = describe(Router, "router", "routers")
