"""``nebulactl project``: who owns networks. Effects: through the verbs of ``actions``; prints."""

from __future__ import annotations

import click
import msgspec

from nebulactl.actions import add_create, add_delete, add_set
from nebulactl.api import IDENTITY, JsonObject, as_object
from nebulactl.common_settings import TAGS
from nebulactl.deferred import Deferred
from nebulactl.find import find_id, item_path, list_resources
from nebulactl.identity_settings import ENABLED_ONLY, IMMUTABLE, IN_DOMAIN, PROPERTY
from nebulactl.invocation import api
from nebulactl.nouns import PROJECT, USER
from nebulactl.options import Given, Page, Setting, as_list, lists, names_of, paged, settings, shows
from nebulactl.output import Output
from nebulactl.plain_settings import of_attribute

_PARENT = of_attribute(PROJECT, "parent_id")
_TAG = Setting(flag="--tag", attribute="tags", many=True, help="Tag.")
_OWN_WORDS = {"--any-tags": "--tags-any", "--not-any-tags": "--not-tags-any"}
"""What the client calls these filters for projects alone."""


@click.group(cls=Deferred, deferred={"cleanup": "Delete what a project has."})
def project() -> None:
    """Projects: who owns networks."""


def _less(attributes: JsonObject, _current: JsonObject) -> JsonObject:
    """Without the tags that are to go."""
    gone = as_list(attributes.pop("gone", []))
    if gone:
        kept = as_list(attributes.get("tags", _current.get("tags", [])))
        attributes["tags"] = [tag for tag in kept if tag not in gone]
    return attributes


add_create(
    project,
    PROJECT,
    IMMUTABLE,
    PROPERTY,
    _TAG,
    without="is_domain",
    or_show=True,
    example="nebulactl project create second",
)
add_set(
    project,
    PROJECT,
    IMMUTABLE,
    PROPERTY,
    msgspec.structs.replace(_TAG, clear="--clear-tags"),
    Setting(flag="--remove-tag", attribute="gone", many=True, help="Tag to take away."),
    without="domain_id parent_id is_domain",
    settle=_less,
)
add_delete(project, PROJECT)


@project.command("list")
@click.option("--user", help="Those on which this user has a role (name or id).", shell_complete=names_of(USER))
@click.option("--my-projects", is_flag=True, help="Those on which you have a role, whatever else is asked.")
@click.option("--sort", metavar="KEY[:asc|desc],...", help="Sort by these attributes.")
@click.option("--long", is_flag=True, help="More columns.")
@settings(
    IN_DOMAIN,
    _PARENT,
    *ENABLED_ONLY,
    *(msgspec.structs.replace(tags, flag=_OWN_WORDS.get(tags.flag, tags.flag)) for tags in TAGS),
)
@paged
@lists
def list_projects(
    output: Output, given: Given, page: Page, *, user: str | None, my_projects: bool, sort: str | None, long: bool
) -> None:
    """List projects."""
    query, path = {**given.query, **page.query}, PROJECT.route
    if my_projects:
        query, path = {}, f"{item_path(USER, api().grant.user_id)}/projects"
    elif user is not None:
        path = f"{item_path(USER, find_id(api(), USER, user))}/projects"
    found = list_resources(api(), msgspec.structs.replace(PROJECT, path=path), query, most=page.most)
    for part in reversed(sort.split(",") if sort else ()):
        key, _, direction = part.partition(":")
        found.sort(key=lambda item, key=key: str(item.get(key)), reverse=direction == "desc")  # type: ignore[misc]
    output.resources(PROJECT, found, PROJECT.columns_long if long else PROJECT.columns)


@project.command("show")
@click.argument("name", shell_complete=names_of(PROJECT))
@click.option("--domain", help="The domain of its name (name or id).")
@click.option("--parents", is_flag=True, help="With the projects above it.")
@click.option("--children", is_flag=True, help="With the projects below it.")
@shows
def show_project(output: Output, name: str, domain: str | None, parents: bool, children: bool) -> None:
    """Show one project, by name or id."""
    asked = {"parents_as_ids": parents, "subtree_as_ids": children}
    query = {key: ["True"] for key, wanted in asked.items() if wanted}
    path = item_path(PROJECT, find_id(api(), PROJECT, name, domain=domain))
    output.resource(PROJECT, as_object(api().get(IDENTITY, path, query).get(PROJECT.item_key)))
