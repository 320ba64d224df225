"""``nebulactl user``. Effects: through the verbs of ``actions``; may ask for a password on the terminal."""

from __future__ import annotations

import click

from nebulactl.actions import add_delete, add_list, add_set, add_show, create
from nebulactl.common_settings import DESCRIPTION, NAME
from nebulactl.invocation import api
from nebulactl.nouns import PROJECT, USER
from nebulactl.options import Given, Setting, changes, settings, shows
from nebulactl.output import Output

_PASSWORD = Setting(flag="--password", attribute="password", help="Password.")
_EMAIL = Setting(flag="--email", attribute="email", help="Address.")
_ENABLE = Setting(flag="--enable/--disable", attribute="enabled", help="Whether the user may log in.")
_DOMAIN = Setting(flag="--domain", attribute="domain_id", metavar="ID", help="Their domain.")
_PROJECT = Setting(flag="--project", attribute="default_project_id", noun=PROJECT, help="Default project.")


@click.group()
def user() -> None:
    """Users: who may log in."""


@user.command("create")
@click.argument("name")
@click.option("--password-prompt", is_flag=True, help="Ask for the password.")
@settings(_PASSWORD, _PROJECT, _DOMAIN, _EMAIL, DESCRIPTION, _ENABLE)
@changes
@shows
def create_user(output: Output, given: Given, name: str, password_prompt: bool) -> None:
    """Create a user; 'nebulactl role add' lets them into a project.

    \b
    Examples:
      nebulactl user create student --password-prompt
      nebulactl role add --user student --project second member
    """
    attributes = {"name": name, **given.attributes}
    if password_prompt:
        attributes["password"] = click.prompt("User password", hide_input=True, confirmation_prompt=True, err=True)
    output.resource(USER, create(api(), USER, attributes))


add_list(user, USER, _DOMAIN)
add_show(user, USER)
add_set(user, USER, NAME, _PASSWORD, _PROJECT, _EMAIL, DESCRIPTION, _ENABLE)
add_delete(user, USER)
