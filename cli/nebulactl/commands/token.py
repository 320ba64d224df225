"""``nebulactl token``. Effects: logs in; prints."""

from __future__ import annotations

import click

from nebulactl.api import IDENTITY
from nebulactl.invocation import api
from nebulactl.options import changes, shows
from nebulactl.output import Output
from nebulactl.render import cell


@click.group()
def token() -> None:
    """Tokens: what the API takes instead of a password."""


@token.command("issue")
@shows
def issue(output: Output) -> None:
    """Log in, and print the new token.

    \b
    Examples:
      nebulactl token issue -f value -c id
    """
    grant = api().log_in()
    expires = grant.expires.partition(".")[0].removesuffix("Z")
    fields = {"expires": f"{expires}+0000", "id": grant.token, "project_id": grant.project_id, "user_id": grant.user_id}
    given = {title: value for title, value in fields.items() if value}
    output.one(list(given), [cell(value) for value in given.values()])


@token.command("revoke")
@click.argument("name", metavar="TOKEN")
@changes
def revoke(name: str) -> None:
    """Give a token back: it is void from now on."""
    api().delete(IDENTITY, "/auth/tokens", {"X-Subject-Token": name})
