"""``nebulactl group``. Effects: through the verbs of ``actions``; HTTP through Api."""

from __future__ import annotations

import click

from nebulactl.actions import add_create, add_delete, add_list, add_set, add_show
from nebulactl.api import IDENTITY
from nebulactl.common_settings import DESCRIPTION, NAME
from nebulactl.find import find_id
from nebulactl.identity_nouns import GROUP
from nebulactl.invocation import api
from nebulactl.nouns import DOMAIN, USER
from nebulactl.options import Function, Setting, changes, names_of

_DOMAIN = Setting(flag="--domain", attribute="domain_id", noun=DOMAIN, help="Its domain (name or id).")


@click.group()
def group() -> None:
    """Groups of users: a role of the group is a role of each."""


add_create(group, GROUP, _DOMAIN, DESCRIPTION, example="nebulactl group create class")
add_list(group, GROUP, _DOMAIN)
add_show(group, GROUP)
add_set(group, GROUP, NAME, DESCRIPTION)
add_delete(group, GROUP)


@group.group("add")
def add() -> None:
    """Put users into a group."""


@group.group("remove")
def remove() -> None:
    """Take users out of a group."""


def _members(function: Function) -> Function:
    users = click.argument("names", metavar="USER...", nargs=-1, required=True, shell_complete=names_of(USER))
    return click.argument("name", metavar="GROUP", shell_complete=names_of(GROUP))(users(function))


def _path(name: str, user: str) -> str:
    cloud = api()
    return f"/groups/{find_id(cloud, GROUP, name)}/users/{find_id(cloud, USER, user)}"


@add.command("user")
@_members
@changes
def add_user(name: str, names: tuple[str, ...]) -> None:
    """Put users into a group.

    \b
    Examples:
      nebulactl group add user class anna bert
    """
    for user in names:
        api().put(IDENTITY, _path(name, user))


@remove.command("user")
@_members
@changes
def remove_user(name: str, names: tuple[str, ...]) -> None:
    """Take users out of a group."""
    for user in names:
        api().delete(IDENTITY, _path(name, user))
