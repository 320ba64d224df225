"""``nebulactl credential``. Effects: through the verbs of ``actions``; prints what is kept, as the client does."""

from __future__ import annotations

import click

from nebulactl.actions import add_delete, add_list, add_set, add_show, create
from nebulactl.find import find_id
from nebulactl.identity_nouns import CREDENTIAL
from nebulactl.invocation import api
from nebulactl.nouns import USER
from nebulactl.options import Given, changes, names_of, settings, shows
from nebulactl.output import Output
from nebulactl.plain_settings import of_create, usual


@click.group()
def credential() -> None:
    """Credentials that identity keeps for users, such as the keys of one-time passwords."""


@credential.command("create")
@click.argument("user", shell_complete=names_of(USER))
@click.argument("data")
@settings(*of_create(CREDENTIAL, without="user_id blob"))
@changes
@shows
def create_credential(output: Output, given: Given, user: str, data: str) -> None:
    """Keep a credential for a user.

    \b
    Examples:
      nebulactl credential create student GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ --type totp
    """
    attributes = {"user_id": find_id(api(), USER, user), "blob": data, **usual(CREDENTIAL), **given.attributes}
    output.resource(CREDENTIAL, create(api(), CREDENTIAL, attributes))


add_list(credential, CREDENTIAL)
add_show(credential, CREDENTIAL)
add_set(credential, CREDENTIAL)
add_delete(credential, CREDENTIAL)
