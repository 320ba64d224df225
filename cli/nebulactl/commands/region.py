"""``nebulactl region``. Effects: through the verbs of ``actions``."""

from __future__ import annotations

import click

from nebulactl.actions import add_delete, add_list, add_set, add_show, create
from nebulactl.common_settings import DESCRIPTION
from nebulactl.identity_nouns import REGION
from nebulactl.invocation import api
from nebulactl.options import Given, Setting, changes, settings, shows
from nebulactl.output import Output

_PARENT = Setting(flag="--parent-region", attribute="parent_region_id", noun=REGION, help="The region around it.")


@click.group()
def region() -> None:
    """Regions: where services are."""


@region.command("create")
@click.argument("region_id", metavar="REGION")
@settings(_PARENT, DESCRIPTION)
@changes
@shows
def create_region(output: Output, given: Given, region_id: str) -> None:
    """Create a region."""
    output.resource(REGION, create(api(), REGION, {"id": region_id, **given.attributes}))


add_list(region, REGION, _PARENT)
add_show(region, REGION)
add_set(region, REGION, _PARENT, DESCRIPTION)
add_delete(region, REGION)
