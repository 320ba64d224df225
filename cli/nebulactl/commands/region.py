"""``nebulactl region``. Effects: through the verbs of ``actions``."""

from __future__ import annotations

import click

from nebulactl.actions import add_create, add_delete, add_list, add_set, add_show
from nebulactl.identity_nouns import REGION


@click.group()
def region() -> None:
    """Regions: where services are."""


add_create(region, REGION, arguments="id")
add_list(region, REGION)
add_show(region, REGION)
add_set(region, REGION)
add_delete(region, REGION)
