"""``nebulactl limit`` and what it shares with ``registered limit``. Effects: HTTP through Api; prints."""

from __future__ import annotations

import click
import msgspec

from nebulactl.actions import add_delete, add_list, add_show
from nebulactl.api import JsonObject, as_object, as_objects
from nebulactl.find import find_id, item_path
from nebulactl.identity_nouns import LIMIT, REGISTERED_LIMIT
from nebulactl.invocation import api
from nebulactl.nouns import Noun
from nebulactl.options import Given, changes, settings, shows
from nebulactl.output import Output
from nebulactl.plain_settings import of_attribute, of_create, of_set

_PROJECT = msgspec.structs.replace(of_attribute(LIMIT, "project_id"), required=True)


def _create(noun: Noun, attributes: JsonObject) -> JsonObject:
    """The API takes several at a time."""
    made = as_objects(api().post(noun.service, noun.route, {noun.list_key: [attributes]}).get(noun.list_key))
    return made[0] if made else {}


def _change(noun: Noun, identifier: str, given: Given) -> JsonObject:
    if not given.attributes:
        raise click.UsageError("Nothing to set: give at least one option.")
    path = item_path(noun, find_id(api(), noun, identifier))
    answer = api().patch(noun.service, path, {noun.item_key: given.attributes})
    return as_object(answer.get(noun.item_key))


@click.group()
def limit() -> None:
    """Limits: what one project may have, where it is not the registered limit."""


@limit.command("create")
@click.argument("resource_name")
@settings(*of_create(LIMIT, [_PROJECT], without="resource_name domain_id"))
@changes
@shows
def create_limit(output: Output, given: Given, resource_name: str) -> None:
    """Create a limit; there is a registered limit for that resource.

    \b
    Examples:
      nebulactl limit create --project second --service neutron --resource-limit 5 networks
    """
    output.resource(LIMIT, _create(LIMIT, {"resource_name": resource_name, **given.attributes}))


add_list(limit, LIMIT)
add_show(limit, LIMIT)


@limit.command("set")
@click.argument("identifier", metavar="ID")
@settings(*of_set(LIMIT))
@changes
@shows
def set_limit(output: Output, given: Given, identifier: str) -> None:
    """Change a limit, by id."""
    output.resource(LIMIT, _change(LIMIT, identifier, given))


add_delete(limit, LIMIT)


@click.group("limit")
def registered_limit() -> None:
    """Registered limits: what a project may have where no limit of its own is."""


@registered_limit.command("create")
@click.argument("resource_name")
@settings(*of_create(REGISTERED_LIMIT, without="resource_name"))
@changes
@shows
def create_registered(output: Output, given: Given, resource_name: str) -> None:
    """Create a registered limit.

    \b
    Examples:
      nebulactl registered limit create --service neutron --default-limit 10 networks
    """
    output.resource(REGISTERED_LIMIT, _create(REGISTERED_LIMIT, {"resource_name": resource_name, **given.attributes}))


add_list(registered_limit, REGISTERED_LIMIT)
add_show(registered_limit, REGISTERED_LIMIT)


@registered_limit.command("set")
@click.argument("identifier", metavar="ID")
@settings(*of_set(REGISTERED_LIMIT))
@changes
@shows
def set_registered(output: Output, given: Given, identifier: str) -> None:
    """Change a registered limit, by id."""
    output.resource(REGISTERED_LIMIT, _change(REGISTERED_LIMIT, identifier, given))


add_delete(registered_limit, REGISTERED_LIMIT)
