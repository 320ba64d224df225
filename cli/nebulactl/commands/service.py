"""``nebulactl service``: what the catalogue offers. Effects: through the verbs of ``actions``."""

from __future__ import annotations

import click

from nebulactl.actions import add_delete, add_list, add_set, add_show, create
from nebulactl.common_settings import NAME
from nebulactl.identity_nouns import SERVICE
from nebulactl.invocation import api
from nebulactl.options import Given, changes, settings, shows
from nebulactl.output import Output
from nebulactl.plain_settings import of_create


@click.group()
def service() -> None:
    """Services: what the catalogue offers."""


@service.command("create")
@click.argument("type_name", metavar="TYPE")
@settings(*of_create(SERVICE, [NAME], without="type"))
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
add_set(service, SERVICE)
add_delete(service, SERVICE)
