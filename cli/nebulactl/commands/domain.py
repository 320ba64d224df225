"""``nebulactl domain``. Effects: through the verbs of ``actions``."""

from __future__ import annotations

import click

from nebulactl.actions import add_create, add_delete, add_list, add_set, add_show
from nebulactl.common_settings import DESCRIPTION, NAME
from nebulactl.nouns import DOMAIN
from nebulactl.options import Setting

_ENABLE = Setting(flag="--enable/--disable", attribute="enabled", help="Whether its users may log in.")


@click.group()
def domain() -> None:
    """Domains: the walls between sets of projects, users and groups."""


add_create(domain, DOMAIN, DESCRIPTION, _ENABLE, example="nebulactl domain create hall")
add_list(domain, DOMAIN)
add_show(domain, DOMAIN)
add_set(domain, DOMAIN, NAME, DESCRIPTION, _ENABLE)
add_delete(domain, DOMAIN)
