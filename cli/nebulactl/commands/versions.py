"""``nebulactl versions``: which versions of their APIs the services of the catalogue speak. Effects: HTTP; prints."""

from __future__ import annotations

import click

from nebula.errors import NebulaError
from nebulactl.api import IDENTITY, JsonObject, as_object, as_objects
from nebulactl.invocation import api
from nebulactl.options import lists
from nebulactl.output import Output
from nebulactl.render import Cell, cell

_TITLES = ("Region Name", "Service Type", "Version", "Status", "Endpoint", "Min Microversion", "Max Microversion")
_STATUS = {"STABLE": "CURRENT", "BETA": "EXPERIMENTAL"}
"""Words of single services, in the words of all."""


@click.group()
def versions() -> None:
    """Versions of services."""


@versions.command("show")
@click.option("--all-interfaces", is_flag=True, help="Of the endpoints of all interfaces.")
@click.option("--interface", default="public", show_default=True, help="Of the endpoints of this interface.")
@click.option("--region-name", help="In this region.")
@click.option("--service", help="Of this service, by type.")
@click.option("--status", help="Only these: CURRENT, SUPPORTED, DEPRECATED or EXPERIMENTAL.")
@lists
def show_versions(
    output: Output,
    *,
    all_interfaces: bool,
    interface: str,
    region_name: str | None,
    service: str | None,
    status: str | None,
) -> None:
    """Show which versions of their APIs the services speak.

    \b
    Examples:
      nebulactl versions show --service network
    """
    rows = []
    for kind, endpoint in _endpoints():
        wanted = (region_name in (None, endpoint.get("region_id")), service in (None, kind))
        if all(wanted) and (all_interfaces or endpoint.get("interface") == interface):
            found = [_row(str(endpoint.get("region_id")), kind, version) for version in _versions(endpoint)]
            rows += [row for row in found if status is None or row[3].machine == status.upper()]
    output.rows(_TITLES, rows)


def _endpoints() -> list[tuple[str, JsonObject]]:
    """Each with the type of its service; region by region and interface by interface, as the client goes."""
    catalog = as_objects(api().get(IDENTITY, "/auth/catalog").get("catalog"))
    found = [(str(item.get("type")), endpoint) for item in catalog for endpoint in as_objects(item.get("endpoints"))]
    places = list(dict.fromkeys(_place(endpoint) for _, endpoint in found))
    regions = list(dict.fromkeys(region for region, _ in places))
    return sorted(found, key=lambda pair: (regions.index(_place(pair[1])[0]), places.index(_place(pair[1]))))


def _place(endpoint: JsonObject) -> tuple[str, str]:
    return str(endpoint.get("region_id")), str(endpoint.get("interface"))


def _versions(endpoint: JsonObject) -> list[JsonObject]:
    """What the service says at its endpoint: one version, several, or (Keystone) several a level below.

    One that does not answer is taken for current, of a version that nobody knows, as by the client.
    """
    url = str(endpoint.get("url"))
    try:
        answer = api().document(url)
    except NebulaError as error:
        click.echo(f"nebulactl: {url}: {error.message}", err=True)
        return [{"status": "CURRENT", "links": [{"rel": "self", "href": f"{url.rstrip('/')}/"}]}]
    several = answer.get("versions")
    several = several.get("values") if isinstance(several, dict) else several
    return as_objects(several) or [as_object(answer.get("version"))]


def _row(region: str, kind: str, version: JsonObject) -> list[Cell]:
    own = next((link.get("href") for link in as_objects(version.get("links")) if link.get("rel") == "self"), None)
    status = str(version.get("status")).upper()
    return [
        cell(region),
        cell(kind),
        cell(str(version["id"]).removeprefix("v") if "id" in version else None),
        cell(_STATUS.get(status, status)),
        cell(own),
        cell(version.get("min_version") or None),
        cell(version.get("version") or None),
    ]
