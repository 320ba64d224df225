"""``nebulactl domain``. Effects: through the verbs of ``actions``."""

from __future__ import annotations

import click

from nebulactl.actions import add_create, add_delete, add_list, add_set, add_show
from nebulactl.identity_settings import ENABLED_ONLY, IMMUTABLE
from nebulactl.nouns import DOMAIN


@click.group()
def domain() -> None:
    """Domains: the walls between sets of projects, users and groups."""


add_create(domain, DOMAIN, IMMUTABLE, or_show=True, example="nebulactl domain create hall")
add_list(domain, DOMAIN, *ENABLED_ONLY)
add_show(domain, DOMAIN)
add_set(domain, DOMAIN, IMMUTABLE)
add_delete(domain, DOMAIN)
