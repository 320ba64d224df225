"""Settings that several nouns of identity have under the same name. Pure."""

from __future__ import annotations

import click

from nebulactl.api import Api, JsonObject
from nebulactl.nouns import DOMAIN
from nebulactl.options import Setting

IN_DOMAIN = Setting(flag="--domain", attribute="domain_id", noun=DOMAIN, help="Its domain (name or id).")
ENABLED_ONLY = (
    Setting(
        flag="--enabled/--disabled",
        attribute="enabled",
        convert=lambda _api, value: "true" if value else "false",
        help="Those that are enabled, or those that are not.",
    ),
)


def option_of_it(flag: str, name: str, text: str) -> Setting:
    """One of the ``options`` that identity keeps of an object, as a switch."""
    return Setting(
        flag=flag,
        attribute="options",
        convert=lambda _api, value: {"options": {name: value}},
        spread=True,
        help=text,
    )


IMMUTABLE = option_of_it("--immutable/--no-immutable", "immutable", "Whether it can be neither changed nor deleted.")


def _property(_api: Api, text: str) -> JsonObject:
    name, separator, value = text.partition("=")
    if not (separator and name):
        raise click.UsageError(f"--property: {text!r} is not NAME=VALUE.")
    return {name: value}


PROPERTY = Setting(
    flag="--property",
    attribute="",
    metavar="NAME=VALUE",
    many=True,
    spread=True,
    convert=_property,
    help="Any attribute that shall be kept.",
)
