"""``nebulactl role``: who may do what where. Effects: HTTP through Api; prints."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from nebulactl.actions import add_create, add_delete, add_list, add_set, add_show
from nebulactl.api import IDENTITY, JsonObject, as_object, as_objects
from nebulactl.find import find_id
from nebulactl.identity_nouns import GROUP
from nebulactl.identity_settings import IMMUTABLE
from nebulactl.invocation import api
from nebulactl.nouns import DOMAIN, PROJECT, ROLE, USER
from nebulactl.options import Function, Given, Setting, changes, lists, names_of, settings
from nebulactl.output import Output
from nebulactl.render import cell


@click.group()
def role() -> None:
    """Roles: what a user may do in a project (admin, member, reader)."""


add_create(role, ROLE, IMMUTABLE, or_show=True)
add_list(role, ROLE)
add_show(role, ROLE)
add_set(role, ROLE, IMMUTABLE)
add_delete(role, ROLE)


def _grant_options(function: Function) -> Function:
    for option in (
        click.argument("name", metavar="ROLE", shell_complete=names_of(ROLE)),
        click.option("--user", help="User (name or id).", shell_complete=names_of(USER)),
        click.option("--group", help="Group (name or id).", shell_complete=names_of(GROUP)),
        click.option("--project", help="On this project (name or id).", shell_complete=names_of(PROJECT)),
        click.option("--domain", help="On this domain (name or id).", shell_complete=names_of(DOMAIN)),
        click.option("--system", type=click.Choice(["all"]), help="On the system."),
        click.option("--inherited", is_flag=True, help="On the projects below it."),
        *(
            click.option(f"--{whose}-domain", help=f"The domain of the {whose} (name or id).")
            for whose in ("role", "user", "group", "project")
        ),
    ):
        function = option(function)
    return function


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """Who gets which role on what, as typed."""

    name: str
    user: str | None
    group: str | None
    project: str | None
    domain: str | None
    system: str | None
    inherited: bool
    role_domain: str | None
    user_domain: str | None
    group_domain: str | None
    project_domain: str | None

    def path(self) -> str:
        """The assignment's path in the API. UsageError unless there is one user or group, and one target."""
        if (self.user is None) == (self.group is None):
            raise click.UsageError("Give one of --user and --group.")
        if sum(target is not None for target in (self.project, self.domain, self.system)) != 1:
            raise click.UsageError("Give one of --project, --domain and --system.")
        if self.inherited and self.system is not None:
            raise click.UsageError("Nothing is inherited from the system.")
        cloud = api()
        role_path = f"roles/{find_id(cloud, ROLE, self.name, domain=self.role_domain)}"
        actor = f"users/{find_id(cloud, USER, self.user, domain=self.user_domain)}" if self.user else ""
        if self.group is not None:
            actor = f"groups/{find_id(cloud, GROUP, self.group, domain=self.group_domain)}"
        target = "system"
        if self.project is not None:
            target = f"projects/{find_id(cloud, PROJECT, self.project, domain=self.project_domain)}"
        elif self.domain is not None:
            target = f"domains/{find_id(cloud, DOMAIN, self.domain)}"
        if self.inherited:
            return f"/OS-INHERIT/{target}/{actor}/{role_path}/inherited_to_projects"
        return f"/{target}/{actor}/{role_path}"


@role.command("add")
@_grant_options
@changes
def add(**given: Any) -> None:
    """Give a user or group a role on a project, a domain or the system.

    \b
    Examples:
      nebulactl role add --user student --project second member
      nebulactl role add --group class --domain Default --inherited reader
    """
    api().put(IDENTITY, Grant(**given).path())


@role.command("remove")
@_grant_options
@changes
def remove(**given: Any) -> None:
    """Take a role from a user or group."""
    api().delete(IDENTITY, Grant(**given).path())


@role.group("assignment")
def assignment() -> None:
    """Who has which role where."""


@assignment.command("list")
@click.option("--names", is_flag=True, help="Names instead of ids.")
@click.option("--effective", is_flag=True, help="What it comes to: users of groups, inherited and implied roles.")
@click.option("--system", type=click.Choice(["all"]), help="On the system.")
@click.option("--inherited", is_flag=True, help="Those that hold below their project or domain.")
@click.option("--auth-user", is_flag=True, help="Of who is logged in.")
@click.option("--auth-project", is_flag=True, help="On the project that is logged in to.")
@settings(
    Setting(flag="--user", attribute="user.id", noun=USER, help="Of this user (name or id)."),
    Setting(flag="--group", attribute="group.id", noun=GROUP, help="Of this group (name or id)."),
    Setting(flag="--project", attribute="scope.project.id", noun=PROJECT, help="On this project (name or id)."),
    Setting(flag="--domain", attribute="scope.domain.id", noun=DOMAIN, help="On this domain (name or id)."),
    Setting(flag="--role", attribute="role.id", noun=ROLE, help="Of this role (name or id)."),
)
@lists
def list_assignments(
    output: Output,
    given: Given,
    *,
    names: bool,
    effective: bool,
    system: str | None,
    inherited: bool,
    auth_user: bool,
    auth_project: bool,
) -> None:
    """List who has which role where.

    \b
    Examples:
      nebulactl role assignment list --names --effective --user student
    """
    query = {**given.query, **({"include_names": ["True"]} if names else {})}
    query |= {"effective": ["True"]} if effective else {}
    query |= {"scope.system": ["all"]} if system else {}
    query |= {"scope.OS-INHERIT:inherited_to": ["projects"]} if inherited else {}
    query |= {"user.id": [api().grant.user_id]} if auth_user else {}
    query |= {"scope.project.id": [api().grant.project_id]} if auth_project else {}
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
