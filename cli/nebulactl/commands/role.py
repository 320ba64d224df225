"""``nebulactl role``: what a user may do in a project. Effects: HTTP through Api; prints."""

from __future__ import annotations

import click

from nebulactl.actions import add_create, add_delete, add_list, add_show
from nebulactl.api import IDENTITY, JsonObject, as_object, as_objects
from nebulactl.find import find_id
from nebulactl.invocation import api
from nebulactl.nouns import PROJECT, ROLE, USER
from nebulactl.options import Function, Given, Setting, changes, lists, names_of, settings
from nebulactl.output import Output
from nebulactl.render import cell


@click.group()
def role() -> None:
    """Roles: what a user may do in a project (admin, member, reader)."""


add_create(role, ROLE)
add_list(role, ROLE)
add_show(role, ROLE)
add_delete(role, ROLE)


def _grant_options(function: Function) -> Function:
    for option in (
        click.argument("name", metavar="ROLE", shell_complete=names_of(ROLE)),
        click.option("--user", required=True, help="User (name or id).", shell_complete=names_of(USER)),
        click.option("--project", required=True, help="Project (name or id).", shell_complete=names_of(PROJECT)),
    ):
        function = option(function)
    return function


def _grant_path(project: str, user: str, name: str) -> str:
    cloud = api()
    ids = find_id(cloud, PROJECT, project), find_id(cloud, USER, user), find_id(cloud, ROLE, name)
    return "/projects/{}/users/{}/roles/{}".format(*ids)


@role.command("add")
@_grant_options
@changes
def add(project: str, user: str, name: str) -> None:
    """Give a user a role in a project.

    \b
    Examples:
      nebulactl role add --user student --project second member
    """
    api().put(IDENTITY, _grant_path(project, user, name))


@role.command("remove")
@_grant_options
@changes
def remove(project: str, user: str, name: str) -> None:
    """Take a role in a project from a user."""
    api().delete(IDENTITY, _grant_path(project, user, name))


@role.group("assignment")
def assignment() -> None:
    """Who has which role where."""


@assignment.command("list")
@click.option("--names", is_flag=True, help="Names instead of ids.")
@settings(
    Setting(flag="--user", attribute="user.id", noun=USER, help="Of this user (name or id)."),
    Setting(flag="--project", attribute="scope.project.id", noun=PROJECT, help="In this project (name or id)."),
    Setting(flag="--role", attribute="role.id", noun=ROLE, help="Of this role (name or id)."),
)
@lists
def list_assignments(output: Output, given: Given, names: bool) -> None:
    """List who has which role where."""
    query = {**given.query, **({"include_names": ["True"]} if names else {})}
    found = as_objects(api().get(IDENTITY, "/role_assignments", query).get("role_assignments"))
    titles = ("Role", "User", "Group", "Project", "Domain", "System", "Inherited")
    output.rows(titles, [[cell(value) for value in _row(item, names)] for item in found])


def _row(item: JsonObject, names: bool) -> list[str | bool]:
    scope = as_object(item.get("scope"))
    subjects = (item.get("role"), item.get("user"), item.get("group"), scope.get("project"), scope.get("domain"))
    row: list[str | bool] = [_label(as_object(subject), names) for subject in subjects]
    return [*row, "all" if scope.get("system") else "", scope.get("OS-INHERIT:inherited_to") == "projects"]


def _label(subject: JsonObject, names: bool) -> str:
    """``name@domain``, or the id; empty for nobody."""
    if not names:
        return str(subject.get("id") or "")
    domain = as_object(subject.get("domain")).get("name")
    return str(subject.get("name") or "") + (f"@{domain}" if domain else "")
