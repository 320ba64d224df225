"""``nebulactl catalog``: where the services are, as the login was told. Effects: HTTP through Api; prints."""

from __future__ import annotations

import click

from nebula.errors import NotFound
from nebulactl.api import IDENTITY, Json, JsonObject, as_objects
from nebulactl.invocation import api
from nebulactl.options import lists, shows
from nebulactl.output import Output
from nebulactl.render import Cell, cell


@click.group()
def catalog() -> None:
    """The catalogue: services and their endpoints, as a token carries them."""


def _services() -> list[JsonObject]:
    return as_objects(api().get(IDENTITY, "/auth/catalog").get("catalog"))


def _endpoints(service: JsonObject) -> Cell:
    found = as_objects(service.get("endpoints"))
    lines = [f"{item.get('region_id') or '<none>'}\n  {item.get('interface')}: {item.get('url')}\n" for item in found]
    machine: list[Json] = [*found]
    return Cell("".join(lines), machine)


@catalog.command("list")
@lists
def list_services(output: Output) -> None:
    """List the services of the catalogue."""
    rows = [(cell(item.get("name")), cell(item.get("type")), _endpoints(item)) for item in _services()]
    output.rows(("Name", "Type", "Endpoints"), rows)


@catalog.command("show")
@click.argument("service")
@shows
def show_service(output: Output, service: str) -> None:
    """Show one service of the catalogue, by type or name."""
    for item in _services():
        if service in (item.get("name"), item.get("type")):
            values = (_endpoints(item), cell(item.get("id")), cell(item.get("name")), cell(item.get("type")))
            output.one(("endpoints", "id", "name", "type"), values)
            return
    raise NotFound(f"The catalogue has no service {service!r}.")
