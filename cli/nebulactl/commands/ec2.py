"""``nebulactl ec2 credentials``. Effects: HTTP through Api; prints, secrets too, as the client does."""

from __future__ import annotations

import click
import msgspec

from nebulactl.actions import delete_all
from nebulactl.api import as_object
from nebulactl.find import find_id, item_path, list_resources
from nebulactl.identity_nouns import EC2
from nebulactl.invocation import api
from nebulactl.nouns import PROJECT, USER, Noun
from nebulactl.options import Function, changes, lists, names_of, shows
from nebulactl.output import Output


@click.group()
def ec2() -> None:
    """What clients of the EC2 API log in with."""


@ec2.group("credentials")
def credentials() -> None:
    """EC2 credentials: an access key and a secret, for one project."""


def _of(user: str | None, domain: str | None) -> Noun:
    user_id = api().grant.user_id if user is None else find_id(api(), USER, user, domain=domain)
    return msgspec.structs.replace(EC2, path=EC2.route.format(user_id=user_id))


def _user_option(function: Function) -> Function:
    option = click.option("--user", help="Of this user (name or id); else yours.", shell_complete=names_of(USER))
    domain = click.option("--user-domain", help="The domain of --user (name or id).")
    decorated: Function = option(domain(function))
    return decorated


@credentials.command("create")
@click.option("--project", help="For this project (name or id); else the login's.", shell_complete=names_of(PROJECT))
@click.option("--project-domain", help="The domain of --project (name or id).")
@_user_option
@changes
@shows
def create_credentials(
    output: Output, *, user: str | None, user_domain: str | None, project: str | None, project_domain: str | None
) -> None:
    """Create an access key and a secret.

    \b
    Examples:
      nebulactl ec2 credentials create --project second
    """
    noun = _of(user, user_domain)
    project_id = api().grant.project_id if project is None else find_id(api(), PROJECT, project, domain=project_domain)
    made = api().post(noun.service, noun.route, {"tenant_id": project_id})
    output.resource(noun, as_object(made.get(noun.item_key)))


@credentials.command("list")
@_user_option
@lists
def list_credentials(output: Output, user: str | None, user_domain: str | None) -> None:
    """List access keys and secrets."""
    noun = _of(user, user_domain)
    output.resources(noun, list_resources(api(), noun), noun.columns)


@credentials.command("show")
@click.argument("access")
@_user_option
@shows
def show_credentials(output: Output, access: str, user: str | None, user_domain: str | None) -> None:
    """Show one pair, by its access key."""
    noun = _of(user, user_domain)
    found = api().get(noun.service, item_path(noun, access))
    output.resource(noun, as_object(found.get(noun.item_key)))


@credentials.command("delete")
@click.argument("accesses", metavar="ACCESS...", nargs=-1, required=True)
@_user_option
@changes
def delete_credentials(accesses: tuple[str, ...], user: str | None, user_domain: str | None) -> None:
    """Delete pairs, by their access keys."""
    delete_all(_of(user, user_domain), accesses, lambda _cloud, _noun, access: access)
