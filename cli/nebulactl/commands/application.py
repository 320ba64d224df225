"""``nebulactl application credential``. Effects: HTTP through Api; prints, the secret this once."""

from __future__ import annotations

import click
import msgspec

from nebulactl.actions import create, delete_all
from nebulactl.api import Api, Json
from nebulactl.find import find, find_id, list_resources, looks_like_id
from nebulactl.identity_nouns import APPLICATION_CREDENTIAL
from nebulactl.invocation import api
from nebulactl.nouns import USER, Column, Noun
from nebulactl.options import Given, Setting, changes, lists, settings, shows
from nebulactl.output import Output
from nebulactl.plain_settings import of_create


def _role(_cloud: Api, value: str) -> Json:
    """As the login has it: who makes one need not be allowed to list roles."""
    return {"id": value} if looks_like_id(value) else {"name": value}


_ROLES = Setting(
    flag="--role", attribute="roles", many=True, convert=_role, help="With this role; else with all of yours."
)


@click.group()
def application() -> None:
    """What programs log in with."""


@application.group("credential")
def credential() -> None:
    """Application credentials: a program's own secret, with your rights (or some) on one project."""


def _of(user_id: str) -> Noun:
    return msgspec.structs.replace(APPLICATION_CREDENTIAL, path=APPLICATION_CREDENTIAL.route.format(user_id=user_id))


def _mine() -> Noun:
    return _of(api().grant.user_id)


@credential.command("create")
@click.argument("name")
@settings(*of_create(APPLICATION_CREDENTIAL, [_ROLES], without="project_id access_rules"))
@changes
@shows
def create_credential(output: Output, given: Given, name: str) -> None:
    """Create an application credential for the project of the login; the secret is shown this once.

    \b
    Examples:
      nebulactl application credential create backup --role reader --expiration 2030-01-01T00:00:00
    """
    noun = _mine()
    made = {"access_rules": [], **create(api(), noun, {"name": name, **given.attributes})}
    output.resource(msgspec.structs.replace(noun, shown=(Column("Secret", "secret"),)), made)


@credential.command("list")
@click.option("--user", help="Of this user (name or id); else yours.")
@click.option("--user-domain", help="The domain of --user (name or id).")
@lists
def list_credentials(output: Output, user: str | None, user_domain: str | None) -> None:
    """List application credentials."""
    noun = _mine() if user is None else _of(find_id(api(), USER, user, domain=user_domain))
    output.resources(noun, list_resources(api(), noun), noun.columns)


@credential.command("show")
@click.argument("name")
@shows
def show_credential(output: Output, name: str) -> None:
    """Show one of your application credentials, by name or id."""
    noun = _mine()
    output.resource(noun, find(api(), noun, name))


@credential.command("delete")
@click.argument("names", nargs=-1, required=True)
@changes
def delete_credentials(names: tuple[str, ...]) -> None:
    """Delete application credentials, by name or id; tokens that they got end."""
    delete_all(_mine(), names)
