"""``nebulactl credential``. Effects: through the verbs of ``actions``; prints what is kept, as the client does."""

from __future__ import annotations

import click

from nebulactl.actions import add_create, add_delete, add_list, add_set, add_show
from nebulactl.identity_nouns import CREDENTIAL


@click.group()
def credential() -> None:
    """Credentials that identity keeps for users, such as the keys of one-time passwords."""


add_create(
    credential,
    CREDENTIAL,
    arguments="user_id blob",
    example="nebulactl credential create student GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ --type totp",
)
add_list(credential, CREDENTIAL)
add_show(credential, CREDENTIAL)
add_set(credential, CREDENTIAL)
add_delete(credential, CREDENTIAL)
