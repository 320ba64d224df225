"""``nebulactl endpoint``: where a service of the catalogue is. Effects: HTTP through Api; prints."""

from __future__ import annotations

import click

from nebulactl.actions import add_delete, add_set, add_show, create
from nebulactl.api import Api, JsonObject
from nebulactl.find import find, list_resources
from nebulactl.identity_nouns import ENDPOINT, SERVICE
from nebulactl.invocation import api
from nebulactl.options import Given, changes, lists, names_of, settings, shows
from nebulactl.output import Output
from nebulactl.plain_settings import of_attribute, of_create, of_list


@click.group()
def endpoint() -> None:
    """Endpoints: the URLs of services."""


def _of(service: JsonObject) -> JsonObject:
    return {"service_name": service.get("name"), "service_type": service.get("type")}


def _service(cloud: Api, resource: JsonObject) -> JsonObject:
    return _of(find(cloud, SERVICE, str(resource.get("service_id"))))


@endpoint.command("create")
@click.argument("service", shell_complete=names_of(SERVICE))
@click.argument("interface", type=of_attribute(ENDPOINT, "interface").type)
@click.argument("url")
@settings(*of_create(ENDPOINT, without="service_id interface url region"))
@changes
@shows
def create_endpoint(output: Output, given: Given, service: str, interface: str, url: str) -> None:
    """Create an endpoint.

    \b
    Examples:
      nebulactl endpoint create --region RegionOne designate public http://192.0.2.1/dns
    """
    found = find(api(), SERVICE, service)
    attributes = {"service_id": found.get("id"), "interface": interface, "url": url, **given.attributes}
    output.resource(ENDPOINT, create(api(), ENDPOINT, attributes) | _of(found))


@endpoint.command("list")
@settings(*of_list(ENDPOINT))
@lists
def list_endpoints(output: Output, given: Given) -> None:
    """List endpoints."""
    services = {service.get("id"): _of(service) for service in list_resources(api(), SERVICE)}
    found = list_resources(api(), ENDPOINT, given.query)
    output.resources(ENDPOINT, [item | services.get(item.get("service_id"), {}) for item in found], ENDPOINT.columns)


add_show(endpoint, ENDPOINT, _service)
add_set(endpoint, ENDPOINT, without="region")
add_delete(endpoint, ENDPOINT)
