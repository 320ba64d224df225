"""``nebulactl project``: who owns networks. Effects: through the verbs of ``actions``."""

from __future__ import annotations

import click

from nebulactl.actions import add_create, add_delete, add_list, add_set, add_show
from nebulactl.common_settings import DESCRIPTION, NAME
from nebulactl.nouns import PROJECT
from nebulactl.options import Setting

_ENABLE = Setting(flag="--enable/--disable", attribute="enabled", help="Whether anyone may log in to it.")
_DOMAIN = Setting(flag="--domain", attribute="domain_id", metavar="ID", help="Its domain.")


@click.group()
def project() -> None:
    """Projects: who owns networks."""


add_create(project, PROJECT, _DOMAIN, DESCRIPTION, _ENABLE, example="nebulactl project create second")
add_list(project, PROJECT, _DOMAIN)
add_show(project, PROJECT)
add_set(project, PROJECT, NAME, DESCRIPTION, _ENABLE)
add_delete(project, PROJECT)
