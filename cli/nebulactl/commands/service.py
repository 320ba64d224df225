"""``nebulactl service``: what the catalogue offers. Effects: through the verbs of ``actions``."""

from __future__ import annotations

import click

from nebulactl.actions import add_create, add_delete, add_list, add_set, add_show
from nebulactl.common_settings import NAME
from nebulactl.identity_nouns import SERVICE


@click.group()
def service() -> None:
    """Services: what the catalogue offers."""


add_create(service, SERVICE, NAME, arguments="type", example="nebulactl service create --name designate dns")
add_list(service, SERVICE)
add_show(service, SERVICE)
add_set(service, SERVICE)
add_delete(service, SERVICE)
