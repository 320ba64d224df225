"""``nebulactl service``: what the catalogue offers. Effects: through the verbs of ``actions``."""

from __future__ import annotations

import click

from nebulactl.actions import add_delete, add_list, add_set, add_show, create
from nebulactl.common_settings import DESCRIPTION, NAME
from nebulactl.identity_nouns import SERVICE
from nebulactl.invocation import api
from nebulactl.options import Given, Setting, changes, settings, shows
from nebulactl.output import Output

_TYPE = Setting(flag="--type", attribute="type", help="Type, as network.")
_ENABLE = Setting(flag="--enable/--disable", attribute="enabled", help="Whether the catalogue has it.")


@click.group()
def service() -> None:
    """Services: what the catalogue offers."""


@service.command("create")
@click.argument("type_name", metavar="TYPE")
@settings(NAME, DESCRIPTION, _ENABLE)
@changes
@shows
def create_service(output: Output, given: Given, type_name: str) -> None:
    """Create a service.

    \b
    Examples:
      nebulactl service create --name designate dns
    """
    output.resource(SERVICE, create(api(), SERVICE, {"type": type_name, **given.attributes}))


add_list(service, SERVICE)
add_show(service, SERVICE)
add_set(service, SERVICE, NAME, _TYPE, DESCRIPTION, _ENABLE)
add_delete(service, SERVICE)
