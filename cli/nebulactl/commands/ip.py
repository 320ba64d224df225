"""``nebulactl ip availability``: how full networks are. Effects: HTTP through Api; prints."""

from __future__ import annotations

import click

from nebulactl.api import as_object
from nebulactl.common_settings import OWNER
from nebulactl.find import find_id, item_path, list_resources
from nebulactl.invocation import api
from nebulactl.nouns import NETWORK_NOUN
from nebulactl.options import Given, Page, lists, names_of, paged, settings, shows
from nebulactl.output import Output
from nebulactl.pool_nouns import IP_AVAILABILITY


@click.group()
def ip() -> None:
    """Addresses in use."""


@ip.group("availability")
def availability() -> None:
    """How many addresses networks have, and how many are in use."""


@availability.command("list")
@click.option("--ip-version", type=click.Choice(["4", "6"]), default="4", help="4 (default) or 6.")
@settings(OWNER)
@paged
@lists
def list_availability(output: Output, given: Given, page: Page, ip_version: str) -> None:
    """List networks with their addresses.

    \b
    Examples:
      nebulactl ip availability list --ip-version 6
    """
    query = {"ip_version": [ip_version], **given.query, **page.query}
    found = list_resources(api(), IP_AVAILABILITY, query, most=page.most)
    output.resources(IP_AVAILABILITY, found, IP_AVAILABILITY.columns)


@availability.command("show")
@click.argument("network", shell_complete=names_of(NETWORK_NOUN))
@shows
def show_availability(output: Output, network: str) -> None:
    """Show a network's addresses, subnet by subnet."""
    path = item_path(IP_AVAILABILITY, find_id(api(), NETWORK_NOUN, network))
    answer = api().get(IP_AVAILABILITY.service, path)
    output.resource(IP_AVAILABILITY, as_object(answer.get(IP_AVAILABILITY.item_key)))
