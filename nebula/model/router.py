"""A router as the API has it. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec

from nebula.model import accept
from nebula.model.attribute import Attribute, Extension, Who, describe
from nebula.model.extensions import extension
from nebula.model.standard import EXPANDED, Standard, State, Status, ZoneHints, fixed, settable
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


def _refused(flag: str, title: str = "") -> Attribute:
    """What Neutron has and routers here have not: only false is taken."""
    return fixed(
        accept.boolean_false,
        "Only the second of both: there are no others here.",
        stored=False,
        filtered=False,
        set_by=Who.ADMIN,
        title=title,
        flag=flag,
    )


class Router(Standard, frozen=True, kw_only=True):
    """A router. ``external_gateway_info`` is parsed apart: what is asked for is less than what is shown."""

    admin_state_up: Annotated[bool, State] = True
    status: Annotated[str, Status] = "ACTIVE"
    external_gateway_info: Annotated[
        Gateway | None,
        settable(
            accept_gateway,
            "The external network, SNAT and the addresses there.",
            stored=False,
            filtered=False,
            title="External gateway info",
        ),
        extension("ext-gw-mode"),
    ] = None
    gateway_port_id: Annotated[
        str | None, Attribute(filtered=False, sent=False, length=36, refers_to="port:PORT", unique=True)
    ] = None
    gateway_network_id: Annotated[
        str | None, Attribute(filtered=False, sent=False, length=36, refers_to="network:NETWORK", indexed=True)
    ] = None
    enable_snat: Annotated[bool, Attribute(filtered=False, sent=False)] = True
    gateway_qos_policy_id: Annotated[
        str | None,
        Attribute(filtered=False, sent=False, length=36, refers_to="qos:QOS_POLICY", indexed=True),
        extension("qos-gateway-ip"),
    ] = None
    routes: Annotated[
        tuple[HostRoute, ...],
        Attribute(accept=accept.host_routes, put=True, filtered=False, about="Route of its own."),
        extension("extraroute"),
    ] = ()
    availability_zone_hints: Annotated[tuple[str, ...], ZoneHints, extension("router_availability_zone")] = ()
    availability_zones: Annotated[
        tuple[str, ...], Attribute(stored=False, filtered=False, title="Availability zones")
    ] = ()
    distributed: Annotated[bool, _refused("--distributed/--centralized")] = False
    ha: Annotated[bool, _refused("--ha/--no-ha", title="HA")] = False
    flavor_id: Annotated[None, EXPANDED] = None


ROUTER = describe(
    Router,
    "router",
    "routers",
    limited=True,
    extension=Extension(
        "router", "Neutron L3 Router", "Router abstraction for basic L3 forwarding between L2 networks and to outside."
    ),
    listed="id name status admin_state_up project_id distributed ha",
    listed_long="id name status admin_state_up project_id distributed ha routes external_gateway_info "
    "availability_zones tags",
    asked="name admin_state_up project_id tags",
)
