"""``nebulactl router``: routers, their interfaces and their gateway. Effects: HTTP through Api; prints."""

from __future__ import annotations

import functools
from typing import Any

import click
import msgspec

from nebulactl.actions import add_delete, add_list, add_show, create, merged, update, without
from nebulactl.api import Api, JsonObject, as_object, as_objects
from nebulactl.commands.port import FIXED_IP_METAVAR, FIXED_IP_TYPE, fixed_ip
from nebulactl.common_settings import EXTRA_OUT, TAG_OUT
from nebulactl.find import find, find_id, item_path, list_resources
from nebulactl.invocation import api
from nebulactl.nouns import NETWORK_NOUN, PORT, ROUTER, SUBNET
from nebulactl.options import Function, Given, KeyValues, changes, names_of, settings, shows
from nebulactl.output import Output
from nebulactl.plain_settings import of_attribute, of_create, of_set

_ROUTE = msgspec.structs.replace(
    of_attribute(ROUTER, "routes"),
    type=KeyValues("destination gateway", required="destination gateway", gateway="nexthop"),
    metavar="destination=CIDR,gateway=IP",
)
_GATEWAY = "external_gateway_info"
_AS_MADE = "The API refuses to change this."
_QOS = msgspec.structs.replace(
    of_attribute(ROUTER, "gateway_qos_policy_id"), flag="--qos-policy", help="QoS policy of the gateway."
)


@click.group()
def router() -> None:
    """Routers: between subnets, and to the outside with source NAT."""


def _gateway_options(function: Function) -> Function:
    """--external-gateway and what belongs to it; the command gets ``gateway``: the API's external_gateway_info."""

    @functools.wraps(function)
    def call(
        external_gateway: str | None, fixed_ips: tuple[dict[str, str], ...], enable_snat: bool | None, **parameters: Any
    ) -> None:
        gateway: JsonObject = {}
        if external_gateway is not None:
            gateway["network_id"] = find_id(api(), NETWORK_NOUN, external_gateway)
        elif fixed_ips or enable_snat is not None:
            raise click.UsageError("--fixed-ip, --enable-snat and --disable-snat need --external-gateway.")
        if enable_snat is not None:
            gateway["enable_snat"] = enable_snat
        if fixed_ips:
            gateway["external_fixed_ips"] = [fixed_ip(api(), value) for value in fixed_ips]
        function(gateway=gateway, **parameters)

    options = (
        click.option(
            "--external-gateway",
            metavar="NETWORK",
            help="External network of its gateway (name or id).",
            shell_complete=names_of(NETWORK_NOUN),
        ),
        click.option(
            "--fixed-ip",
            "fixed_ips",
            type=FIXED_IP_TYPE,
            metavar=FIXED_IP_METAVAR,
            multiple=True,
            help="The gateway's subnet, address or both. May be repeated.",
        ),
        click.option("--enable-snat/--disable-snat", "enable_snat", default=None, help="Source NAT at the gateway."),
    )
    decorated: Function = call
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


def _placed(attributes: JsonObject, gateway: JsonObject, current: JsonObject) -> JsonObject:
    """``attributes`` with the gateway, whose QoS policy is an option of its own; that needs a gateway, new or old."""
    placed = {name: value for name, value in attributes.items() if name != _QOS.attribute}
    if _QOS.attribute in attributes:
        network_id = as_object(current.get("external_gateway_info")).get("network_id")
        gateway = {**({"network_id": network_id} if network_id else {}), **gateway}
        if not gateway:
            raise click.UsageError("--qos-policy needs --external-gateway.")
        gateway["qos_policy_id"] = attributes[_QOS.attribute]
    return {**placed, "external_gateway_info": gateway} if gateway else placed


@router.command("create")
@click.argument("name")
@settings(*of_create(ROUTER, [_QOS], _GATEWAY))
@_gateway_options
@changes
@shows
def create_router(output: Output, given: Given, gateway: JsonObject, name: str) -> None:
    """Create a router.

    \b
    Examples:
      nebulactl router create nebula_router --external-gateway public
    """
    attributes = _placed({"name": name, **given.attributes}, gateway, {})
    output.resource(ROUTER, create(api(), ROUTER, attributes))


@router.command("set")
@click.argument("name", shell_complete=names_of(ROUTER))
@settings(
    *of_set(
        ROUTER,
        [
            msgspec.structs.replace(_ROUTE, clear="--no-route"),
            msgspec.structs.replace(_QOS, clear="--no-qos-policy"),
            *(msgspec.structs.replace(of_attribute(ROUTER, name), help=_AS_MADE) for name in ("distributed", "ha")),
        ],
        _GATEWAY,
    )
)
@_gateway_options
@changes
def set_router(given: Given, gateway: JsonObject, name: str) -> None:
    """Change a router: its gateway, its routes, its name.

    \b
    Examples:
      nebulactl router set nebula_router --external-gateway public
      nebulactl router set nebula_router --external-gateway public --fixed-ip ip-address=203.0.113.10
      nebulactl router set nebula_router --route destination=10.0.0.0/8,gateway=192.168.50.254
    """
    resource = find(api(), ROUTER, name)
    attributes = _placed(merged(resource, given), gateway, resource)
    if not attributes:
        raise click.UsageError("Nothing to set: give at least one option.")
    update(api(), ROUTER, str(resource.get("id")), attributes)


@router.command("unset")
@click.argument("name", shell_complete=names_of(ROUTER))
@click.option("--external-gateway", is_flag=True, help="Take the gateway away.")
@click.option("--qos-policy", is_flag=True, help="Take the QoS policy of the gateway away.")
@settings(_ROUTE, TAG_OUT, EXTRA_OUT)
@changes
def unset_router(given: Given, name: str, external_gateway: bool, qos_policy: bool) -> None:
    """Take the gateway, its QoS policy, or routes, away from a router."""
    resource = find(api(), ROUTER, name)
    attributes = without(ROUTER, resource, given)
    if qos_policy:
        attributes = _placed({**attributes, _QOS.attribute: None}, {}, resource)
    if external_gateway:
        attributes["external_gateway_info"] = {}
    if not attributes:
        raise click.UsageError("Nothing to unset: give at least one option.")
    update(api(), ROUTER, str(resource.get("id")), attributes)


@router.group("add")
def add() -> None:
    """Give a router an interface, or routes."""


@router.group("remove")
def remove() -> None:
    """Take an interface, or routes, from a router."""


def _interface(name: str, action: str, body: JsonObject) -> None:
    path = item_path(ROUTER, find_id(api(), ROUTER, name))
    api().put(ROUTER.service, f"{path}/{action}_router_interface", body)


@add.command("subnet")
@click.argument("router_name", metavar="ROUTER", shell_complete=names_of(ROUTER))
@click.argument("subnet", shell_complete=names_of(SUBNET))
@changes
def add_subnet(router_name: str, subnet: str) -> None:
    """An interface with the subnet's gateway address."""
    _interface(router_name, "add", {"subnet_id": find_id(api(), SUBNET, subnet)})


@add.command("port")
@click.argument("router_name", metavar="ROUTER", shell_complete=names_of(ROUTER))
@click.argument("port", shell_complete=names_of(PORT))
@changes
def add_port(router_name: str, port: str) -> None:
    """An interface that is this port, with its address."""
    _interface(router_name, "add", {"port_id": find_id(api(), PORT, port)})


@remove.command("subnet")
@click.argument("router_name", metavar="ROUTER", shell_complete=names_of(ROUTER))
@click.argument("subnet", shell_complete=names_of(SUBNET))
@changes
def remove_subnet(router_name: str, subnet: str) -> None:
    """Take the interface on this subnet away."""
    _interface(router_name, "remove", {"subnet_id": find_id(api(), SUBNET, subnet)})


@remove.command("port")
@click.argument("router_name", metavar="ROUTER", shell_complete=names_of(ROUTER))
@click.argument("port", shell_complete=names_of(PORT))
@changes
def remove_port(router_name: str, port: str) -> None:
    """Take this interface away; the port goes with it."""
    _interface(router_name, "remove", {"port_id": find_id(api(), PORT, port)})


def _routes(output: Output, given: Given, name: str, action: str) -> None:
    path = item_path(ROUTER, find_id(api(), ROUTER, name))
    answer = api().put(ROUTER.service, f"{path}/{action}_extraroutes", {ROUTER.item_key: given.attributes})
    output.resource(ROUTER, as_object(answer.get(ROUTER.item_key)))


@add.command("route")
@click.argument("router_name", metavar="ROUTER", shell_complete=names_of(ROUTER))
@settings(msgspec.structs.replace(_ROUTE, required=True))
@changes
@shows
def add_route(output: Output, given: Given, router_name: str) -> None:
    """Routes more, whatever the others are; one that is there already stays.

    \b
    Examples:
      nebulactl router add route nebula_router --route destination=10.0.0.0/8,gateway=192.168.50.254
    """
    _routes(output, given, router_name, "add")


@remove.command("route")
@click.argument("router_name", metavar="ROUTER", shell_complete=names_of(ROUTER))
@settings(msgspec.structs.replace(_ROUTE, required=True))
@changes
@shows
def remove_route(output: Output, given: Given, router_name: str) -> None:
    """Take these routes away, whatever the others are; one that is not there is no error."""
    _routes(output, given, router_name, "remove")


def _interfaces(cloud: Api, resource: JsonObject) -> JsonObject:
    """The addresses inside, as the openstack client adds them to a router's fields."""
    found = []
    for port in list_resources(cloud, PORT, {"device_id": [str(resource.get("id"))]}):
        if port.get("device_owner") == "network:router_gateway":
            continue
        for address in as_objects(port.get("fixed_ips")):
            found.append({"port_id": port.get("id"), **{k: address.get(k) for k in ("ip_address", "subnet_id")}})
    return {"interfaces_info": [dict(item) for item in found]}


add_list(router, ROUTER, on_agent="l3-routers")
add_show(router, ROUTER, _interfaces)
add_delete(router, ROUTER)
