"""``nebulactl limit`` and ``registered limit``. Effects: through the verbs of ``actions``; prints."""

from __future__ import annotations

import click
import msgspec

from nebulactl.actions import add_create, add_delete, add_list, add_show
from nebulactl.api import as_object
from nebulactl.find import find_id, item_path
from nebulactl.identity_nouns import LIMIT, REGISTERED_LIMIT
from nebulactl.invocation import api
from nebulactl.nouns import Noun
from nebulactl.options import Given, changes, settings, shows
from nebulactl.output import Output
from nebulactl.plain_settings import of_attribute, of_set


def _add_set(group: click.Group, noun: Noun) -> None:
    """That which shows what has become of it, as the client's."""

    @group.command("set", help=f"Change {noun.one}, by id.")
    @click.argument("identifier", metavar="ID")
    @settings(*of_set(noun))
    @changes
    @shows
    def run(output: Output, given: Given, identifier: str) -> None:
        if not given.attributes:
            raise click.UsageError("Nothing to set: give at least one option.")
        path = item_path(noun, find_id(api(), noun, identifier))
        answer = api().patch(noun.service, path, {noun.item_key: given.attributes})
        output.resource(noun, as_object(answer.get(noun.item_key)))


@click.group()
def limit() -> None:
    """Limits: what one project may have, where it is not the registered limit."""


add_create(
    limit,
    LIMIT,
    msgspec.structs.replace(of_attribute(LIMIT, "project_id"), required=True),
    arguments="resource_name",
    without="domain_id",
    example="nebulactl limit create --project second --service neutron --resource-limit 5 networks",
)
add_list(limit, LIMIT)
add_show(limit, LIMIT)
_add_set(limit, LIMIT)
add_delete(limit, LIMIT)


@click.group("limit")
def registered_limit() -> None:
    """Registered limits: what a project may have where no limit of its own is."""


add_create(
    registered_limit,
    REGISTERED_LIMIT,
    arguments="resource_name",
    example="nebulactl registered limit create --service neutron --default-limit 10 networks",
)
add_list(registered_limit, REGISTERED_LIMIT)
add_show(registered_limit, REGISTERED_LIMIT)
_add_set(registered_limit, REGISTERED_LIMIT)
add_delete(registered_limit, REGISTERED_LIMIT)
