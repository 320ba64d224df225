"""``nebulactl availability zone``. Effects: through the verbs of ``actions``."""

from __future__ import annotations

import click

from nebulactl.actions import add_list
from nebulactl.common_settings import OF_NETWORK
from nebulactl.pool_nouns import ZONE


@click.group()
def availability() -> None:
    """Availability zones: there is one."""


@availability.group("zone")
def zone() -> None:
    """Availability zones of networks and routers."""


add_list(zone, ZONE, OF_NETWORK)
