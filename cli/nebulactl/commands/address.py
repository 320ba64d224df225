"""``nebulactl address group``; ``address scope`` is as declared. Effects: through the verbs of ``actions``."""

from __future__ import annotations

import click

from nebulactl.actions import add_create, add_delete, add_list, add_show
from nebulactl.find import find_id, item_path
from nebulactl.invocation import api
from nebulactl.options import Given, changes, names_of, settings
from nebulactl.plain_settings import of_attribute, of_set
from nebulactl.security_nouns import ADDRESS_GROUP

_ADDRESS = of_attribute(ADDRESS_GROUP, "addresses")


@click.group()
def address() -> None:
    """Address groups, and address scopes."""


@address.group("group")
def group() -> None:
    """Address groups: named sets of addresses for rules of security groups."""


add_create(group, ADDRESS_GROUP, example="nebulactl address group create office --address 192.0.2.0/24")
add_list(group, ADDRESS_GROUP)
add_show(group, ADDRESS_GROUP)
add_delete(group, ADDRESS_GROUP)


@group.command("set")
@click.argument("name", shell_complete=names_of(ADDRESS_GROUP))
@settings(*of_set(ADDRESS_GROUP, [_ADDRESS]))
@changes
def set_group(given: Given, name: str) -> None:
    """Change an address group; --address adds one."""
    _change(name, given, "add_addresses")


@group.command("unset")
@click.argument("name", shell_complete=names_of(ADDRESS_GROUP))
@settings(_ADDRESS)
@changes
def unset_group(given: Given, name: str) -> None:
    """Take addresses out of an address group."""
    _change(name, given, "remove_addresses")


def _change(name: str, given: Given, action: str) -> None:
    if not given.attributes:
        raise click.UsageError("Give at least one option.")
    path = item_path(ADDRESS_GROUP, find_id(api(), ADDRESS_GROUP, name))
    attributes = dict(given.attributes)
    addresses = attributes.pop("addresses", None)
    if attributes:
        api().put(ADDRESS_GROUP.service, path, {ADDRESS_GROUP.item_key: attributes})
    if addresses:
        api().put(ADDRESS_GROUP.service, f"{path}/{action}", {ADDRESS_GROUP.item_key: {"addresses": addresses}})
