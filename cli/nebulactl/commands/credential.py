"""``nebulactl credential``. Effects: through the verbs of ``actions``; prints what is kept, as the client does."""

from __future__ import annotations

import click

from nebulactl.actions import add_delete, add_list, add_set, add_show, create
from nebulactl.find import find_id
from nebulactl.identity_nouns import CREDENTIAL
from nebulactl.invocation import api
from nebulactl.nouns import PROJECT, USER
from nebulactl.options import Given, Setting, changes, names_of, settings, shows
from nebulactl.output import Output

_USER = Setting(flag="--user", attribute="user_id", noun=USER, help="Of this user (name or id).")
_PROJECT = Setting(flag="--project", attribute="project_id", noun=PROJECT, help="For this project (name or id).")
_TYPE = Setting(flag="--type", attribute="type", help="cert, ec2, totp...")
_DATA = Setting(flag="--data", attribute="blob", help="What is kept.")


@click.group()
def credential() -> None:
    """Credentials that identity keeps for users, such as the keys of one-time passwords."""


@credential.command("create")
@click.argument("user", shell_complete=names_of(USER))
@click.argument("data")
@settings(_TYPE, _PROJECT)
@changes
@shows
def create_credential(output: Output, given: Given, user: str, data: str) -> None:
    """Keep a credential for a user; of type cert, if none is given.

    \b
    Examples:
      nebulactl credential create student GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ --type totp
    """
    attributes = {"user_id": find_id(api(), USER, user), "blob": data, "type": "cert", **given.attributes}
    output.resource(CREDENTIAL, create(api(), CREDENTIAL, attributes))


add_list(credential, CREDENTIAL, _USER, _TYPE)
add_show(credential, CREDENTIAL)
add_set(credential, CREDENTIAL, _USER, _TYPE, _DATA, _PROJECT)
add_delete(credential, CREDENTIAL)
