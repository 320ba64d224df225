"""``nebulactl extension``: what of Neutron's API is there. Effects: through the verbs of ``actions``."""

from __future__ import annotations

import click

from nebulactl.actions import add_list, add_show
from nebulactl.common_settings import OF_NETWORK
from nebulactl.pool_nouns import EXTENSION


@click.group()
def extension() -> None:
    """Extensions of the network API."""


add_list(extension, EXTENSION, OF_NETWORK)
add_show(extension, EXTENSION)
