"""``nebulactl group``. Effects: through the verbs of ``actions``; HTTP through Api."""

from __future__ import annotations

import functools
from typing import Any

import click
import msgspec

from nebula.errors import Forbidden, NotFound
from nebulactl.actions import add_create, add_delete, add_set, add_show
from nebulactl.api import IDENTITY
from nebulactl.find import find_id, list_resources
from nebulactl.identity_nouns import GROUP
from nebulactl.identity_settings import IN_DOMAIN
from nebulactl.invocation import api
from nebulactl.nouns import USER
from nebulactl.options import Function, Given, changes, lists, names_of, settings
from nebulactl.output import Output


@click.group()
def group() -> None:
    """Groups of users: a role of the group is a role of each."""


add_create(group, GROUP, or_show=True, example="nebulactl group create class")
add_show(group, GROUP)
add_set(group, GROUP, without="domain_id")
add_delete(group, GROUP)


@group.group("add")
def add() -> None:
    """Put users into a group."""


@group.group("remove")
def remove() -> None:
    """Take users out of a group."""


def _members(function: Function) -> Function:
    """Users of a group, with the domains of their names; the command gets the path of each as ``paths``."""

    @functools.wraps(function)
    def call(
        name: str, names: tuple[str, ...], user_domain: str | None, group_domain: str | None, **parameters: Any
    ) -> None:
        group_id = find_id(api(), GROUP, name, domain=group_domain)
        users = {user: find_id(api(), USER, user, domain=user_domain) for user in names}
        paths = {user: f"/groups/{group_id}/users/{user_id}" for user, user_id in users.items()}
        function(name=name, paths=paths, **parameters)

    decorated: Function = call
    for option in (
        click.option("--user-domain", help="The domain of the users (name or id)."),
        click.option("--group-domain", help="The domain of the group (name or id)."),
        click.argument("names", metavar="USER...", nargs=-1, required=True, shell_complete=names_of(USER)),
        click.argument("name", metavar="GROUP", shell_complete=names_of(GROUP)),
    ):
        decorated = option(decorated)
    return decorated


@add.command("user")
@_members
@changes
def add_user(name: str, paths: dict[str, str]) -> None:
    """Put users into a group.

    \b
    Examples:
      nebulactl group add user class anna bert
    """
    del name
    for path in paths.values():
        api().put(IDENTITY, path)


@remove.command("user")
@_members
@changes
def remove_user(name: str, paths: dict[str, str]) -> None:
    """Take users out of a group."""
    del name
    for path in paths.values():
        api().delete(IDENTITY, path)


@group.group("contains")
def contains() -> None:
    """Whether users are in a group."""


@contains.command("user")
@_members
def contains_user(name: str, paths: dict[str, str]) -> None:
    """Say whether users are in a group."""
    for user, path in paths.items():
        try:
            api().get(IDENTITY, path)
        except (NotFound, Forbidden):
            click.echo(f"{user} not in group {name}", err=True)
        else:
            click.echo(f"{user} in group {name}")


@group.command("list")
@click.option("--user", help="Those that this user is in (name or id).", shell_complete=names_of(USER))
@click.option("--user-domain", help="The domain of --user (name or id).")
@click.option("--long", is_flag=True, help="More columns.")
@settings(IN_DOMAIN)
@lists
def list_groups(output: Output, given: Given, user: str | None, user_domain: str | None, long: bool) -> None:
    """List groups."""
    path = GROUP.route if user is None else f"/users/{find_id(api(), USER, user, domain=user_domain)}/groups"
    found = list_resources(api(), msgspec.structs.replace(GROUP, path=path), given.query)
    output.resources(GROUP, found, GROUP.columns_long if long else GROUP.columns)
