"""``nebulactl region``. Effects: through the verbs of ``actions``."""

from __future__ import annotations

import click

from nebulactl.actions import add_delete, add_list, add_set, add_show, create
from nebulactl.identity_nouns import REGION
from nebulactl.invocation import api
from nebulactl.options import Given, changes, settings, shows
from nebulactl.output import Output
from nebulactl.plain_settings import of_create


@click.group()
def region() -> None:
    """Regions: where services are."""


@region.command("create")
@click.argument("region_id", metavar="REGION")
@settings(*of_create(REGION, without="id"))
@changes
@shows
def create_region(output: Output, given: Given, region_id: str) -> None:
    """Create a region."""
    output.resource(REGION, create(api(), REGION, {"id": region_id, **given.attributes}))


add_list(region, REGION)
add_show(region, REGION)
add_set(region, REGION)
add_delete(region, REGION)
