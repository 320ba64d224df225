"""``nebulactl implied role``: who has this role has that one too. Effects: HTTP through Api; prints."""

from __future__ import annotations

import click

from nebulactl.api import IDENTITY, as_object, as_objects
from nebulactl.find import find_id, item_path
from nebulactl.invocation import api
from nebulactl.nouns import ROLE
from nebulactl.options import Function, changes, lists, names_of, shows
from nebulactl.output import Output
from nebulactl.render import cell


@click.group()
def implied() -> None:
    """Implied roles."""


@implied.group("role")
def role() -> None:
    """Implied roles: who has this role has that one too."""


def _pair(function: Function) -> Function:
    """ROLE and --implied-role; the command gets their names."""
    decorated: Function = click.option(
        "--implied-role", metavar="ROLE", required=True, help="The role that it implies.", shell_complete=names_of(ROLE)
    )(function)
    named: Function = click.argument("name", metavar="ROLE", shell_complete=names_of(ROLE))(decorated)
    return named


def _path(name: str, implied_role: str) -> str:
    cloud = api()
    return f"{item_path(ROLE, find_id(cloud, ROLE, name))}/implies/{find_id(cloud, ROLE, implied_role)}"


@role.command("create")
@_pair
@changes
@shows
def create_implied(output: Output, name: str, implied_role: str) -> None:
    """Have a role imply another.

    \b
    Examples:
      nebulactl implied role create teacher --implied-role member
    """
    made = as_object(api().put(IDENTITY, _path(name, implied_role)).get("role_inference"))
    titles = ("implies", "prior_role")
    output.one(titles, [cell(as_object(made.get(title)).get("id")) for title in titles])


@role.command("list")
@lists
def list_implied(output: Output) -> None:
    """List which role implies which."""
    rows = []
    for rule in as_objects(api().get(IDENTITY, "/role_inferences").get("role_inferences")):
        prior = as_object(rule.get("prior_role"))
        for other in as_objects(rule.get("implies")):
            rows.append([cell(found.get(name)) for found in (prior, other) for name in ("id", "name")])
    output.rows(("Prior Role ID", "Prior Role Name", "Implied Role ID", "Implied Role Name"), rows)


@role.command("delete")
@_pair
@changes
def delete_implied(name: str, implied_role: str) -> None:
    """Have a role no longer imply another."""
    api().delete(IDENTITY, _path(name, implied_role))
