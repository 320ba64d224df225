"""``nebulactl policy``. Effects: through the verbs of ``actions``; reads the file of rules."""

from __future__ import annotations

import io

import click

from nebulactl.actions import add_delete, add_list, add_set, add_show, create
from nebulactl.identity_nouns import POLICY
from nebulactl.invocation import api
from nebulactl.options import Given, Setting, changes, settings, shows
from nebulactl.output import Output
from nebulactl.plain_settings import of_create, usual

_RULES = Setting(
    flag="--rules",
    attribute="blob",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    convert=lambda _api, file: _text(file),
    help="File of the rules.",
)


def _text(file: io.TextIOWrapper) -> str:
    try:
        return file.read().strip()
    except UnicodeDecodeError:
        raise click.UsageError(f"{file.name} is not text.") from None


@click.group()
def policy() -> None:
    """Policies: rules that identity keeps for other services, and does not read itself."""


@policy.command("create")
@click.argument("rules", metavar="FILE", type=click.File(encoding="utf-8"))
@settings(*of_create(POLICY, without="blob"))
@changes
@shows
def create_policy(output: Output, given: Given, rules: io.TextIOWrapper) -> None:
    """Keep the rules of a file.

    \b
    Examples:
      nebulactl policy create policy.json
    """
    output.resource(POLICY, create(api(), POLICY, {**usual(POLICY), "blob": _text(rules), **given.attributes}))


add_list(policy, POLICY)
add_show(policy, POLICY)
add_set(policy, POLICY, _RULES)
add_delete(policy, POLICY)
