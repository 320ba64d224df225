"""``nebulactl limit`` and what it shares with ``registered limit``. Effects: HTTP through Api; prints."""

from __future__ import annotations

import click
import msgspec

from nebulactl.actions import add_delete, add_list, add_show
from nebulactl.api import JsonObject, as_object, as_objects
from nebulactl.common_settings import DESCRIPTION
from nebulactl.find import find_id, item_path
from nebulactl.identity_nouns import LIMIT, REGION, REGISTERED_LIMIT, SERVICE
from nebulactl.invocation import api
from nebulactl.nouns import PROJECT, Noun
from nebulactl.options import Given, Setting, changes, settings, shows
from nebulactl.output import Output

_REGION = Setting(flag="--region", attribute="region_id", noun=REGION, help="In this region.")
_SERVICE = Setting(flag="--service", attribute="service_id", noun=SERVICE, help="Of this service (name or id).")
_RESOURCE = Setting(flag="--resource-name", attribute="resource_name", help="Of this resource.")
_PROJECT = Setting(flag="--project", attribute="project_id", noun=PROJECT, help="Of this project (name or id).")
_AMOUNT = Setting(flag="--resource-limit", attribute="resource_limit", type=click.INT, help="How many it may have.")
_DEFAULT = Setting(flag="--default-limit", attribute="default_limit", type=click.INT, help="How many each may have.")


def _needed(setting: Setting) -> Setting:
    return msgspec.structs.replace(setting, required=True)


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
@settings(DESCRIPTION, _REGION, _needed(_PROJECT), _needed(_SERVICE), _needed(_AMOUNT))
@changes
@shows
def create_limit(output: Output, given: Given, resource_name: str) -> None:
    """Create a limit; there is a registered limit for that resource.

    \b
    Examples:
      nebulactl limit create --project second --service neutron --resource-limit 5 networks
    """
    output.resource(LIMIT, _create(LIMIT, {"resource_name": resource_name, **given.attributes}))


add_list(limit, LIMIT, _SERVICE, _RESOURCE, _REGION, _PROJECT)
add_show(limit, LIMIT)


@limit.command("set")
@click.argument("identifier", metavar="ID")
@settings(DESCRIPTION, _AMOUNT)
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
@settings(DESCRIPTION, _REGION, _needed(_SERVICE), _needed(_DEFAULT))
@changes
@shows
def create_registered(output: Output, given: Given, resource_name: str) -> None:
    """Create a registered limit.

    \b
    Examples:
      nebulactl registered limit create --service neutron --default-limit 10 networks
    """
    output.resource(REGISTERED_LIMIT, _create(REGISTERED_LIMIT, {"resource_name": resource_name, **given.attributes}))


add_list(registered_limit, REGISTERED_LIMIT, _SERVICE, _RESOURCE, _REGION)
add_show(registered_limit, REGISTERED_LIMIT)


@registered_limit.command("set")
@click.argument("identifier", metavar="ID")
@settings(_SERVICE, _RESOURCE, _DEFAULT, DESCRIPTION, _REGION)
@changes
@shows
def set_registered(output: Output, given: Given, identifier: str) -> None:
    """Change a registered limit, by id."""
    output.resource(REGISTERED_LIMIT, _change(REGISTERED_LIMIT, identifier, given))


add_delete(registered_limit, REGISTERED_LIMIT)
