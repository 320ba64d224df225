"""``nebulactl user``. Effects: through the verbs of ``actions``; may ask for a password on the terminal."""

from __future__ import annotations

import click
import msgspec

from nebulactl.actions import OR_SHOW, add_delete, add_show, create, create_or_find, update
from nebulactl.api import IDENTITY, JsonObject, as_object, as_objects
from nebulactl.find import find, find_id, item_path, list_resources
from nebulactl.identity_nouns import GROUP
from nebulactl.identity_settings import ENABLED_ONLY, IN_DOMAIN, option_of_it
from nebulactl.invocation import api
from nebulactl.nouns import PROJECT, USER
from nebulactl.options import Given, Page, Setting, changes, lists, names_of, paged, settings, shows
from nebulactl.output import Output
from nebulactl.plain_settings import of_create, of_set

_EMAIL = Setting(flag="--email", attribute="email", help="Address.")
_PROJECT = Setting(flag="--project", attribute="default_project_id", noun=PROJECT, help="Default project.")


_OPTIONS = (
    *(
        option_of_it(f"--{name.replace('_', '-')}/--no-{name.replace('_', '-')}", name, text)
        for name, text in (
            ("ignore_lockout_failure_attempts", "Whether wrong passwords never lock the user out."),
            ("ignore_password_expiry", "Whether the password never expires."),
            ("ignore_change_password_upon_first_use", "Whether a password that an administrator gave may stay."),
        )
    ),
    option_of_it("--enable-lock-password/--disable-lock-password", "lock_password", "Whether nobody changes it."),
)


@click.group()
def user() -> None:
    """Users: who may log in."""


@user.command("create")
@click.argument("name")
@click.option("--password-prompt", is_flag=True, help="Ask for the password.")
@settings(*of_create(USER, [_PROJECT, _EMAIL, *_OPTIONS]))
@OR_SHOW
@changes
@shows
def create_user(output: Output, given: Given, name: str, password_prompt: bool, or_show: bool) -> None:
    """Create a user; 'nebulactl role add' lets them into a project.

    \b
    Examples:
      nebulactl user create student --password-prompt
      nebulactl role add --user student --project second member
    """
    attributes = {"name": name, **given.attributes}
    if password_prompt:
        attributes["password"] = _asked("User password")
    output.resource(USER, (create_or_find if or_show else create)(api(), USER, attributes))


def _asked(what: str, *, twice: bool = True) -> str:
    return str(click.prompt(what, hide_input=True, confirmation_prompt=twice, err=True))


@user.command("list")
@click.option("--group", help="Those in this group (name or id).", shell_complete=names_of(GROUP))
@click.option("--project", help="Those with a role on this project (name or id).", shell_complete=names_of(PROJECT))
@click.option("--long", is_flag=True, help="More columns.")
@settings(IN_DOMAIN, *ENABLED_ONLY)
@paged
@lists
def list_users(output: Output, given: Given, page: Page, *, group: str | None, project: str | None, long: bool) -> None:
    """List users."""
    query = {**given.query, **page.query}
    if project is not None:
        found = _of_project(find_id(api(), PROJECT, project))
    else:
        path = USER.route if group is None else f"{item_path(GROUP, find_id(api(), GROUP, group))}/users"
        found = list_resources(api(), msgspec.structs.replace(USER, path=path), query, most=page.most)
    output.resources(USER, found, USER.columns_long if long else USER.columns)


def _of_project(project_id: str) -> list[JsonObject]:
    """The users that themselves have a role on it."""
    answer = api().get(IDENTITY, "/role_assignments", {"scope.project.id": [project_id]})
    users = [as_object(item.get("user")).get("id") for item in as_objects(answer.get("role_assignments"))]
    return [find(api(), USER, str(user_id)) for user_id in dict.fromkeys(users) if user_id]


add_show(user, USER)


@user.command("set")
@click.argument("name", shell_complete=names_of(USER))
@click.option("--domain", help="The domain of the user's name (name or id).")
@click.option("--password-prompt", is_flag=True, help="Ask for the password.")
@settings(*of_set(USER, [_PROJECT, _EMAIL, *_OPTIONS], without="domain_id"))
@changes
def set_user(given: Given, name: str, domain: str | None, password_prompt: bool) -> None:
    """Change a user."""
    attributes = dict(given.attributes)
    if password_prompt:
        attributes["password"] = _asked("User password")
    if not attributes:
        raise click.UsageError("Nothing to set: give at least one option.")
    update(api(), USER, find_id(api(), USER, name, domain=domain), attributes)


add_delete(user, USER)


@user.group("password")
def password() -> None:
    """Your own password."""


@password.command("set")
@click.option("--password", "new", help="The new one; else it is asked for.")
@click.option("--original-password", "original", help="The one that holds now; else it is asked for.")
@changes
def set_password(new: str | None, original: str | None) -> None:
    """Change the password of who is logged in; all tokens of it are void then."""
    original = _asked("Current password", twice=False) if original is None else original
    new = _asked("New password") if new is None else new
    path = f"{item_path(USER, api().grant.user_id)}/password"
    api().post(IDENTITY, path, {"user": {"password": new, "original_password": original}})
