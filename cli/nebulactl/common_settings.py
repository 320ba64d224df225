"""Settings that several nouns have under the same name. Pure."""

from __future__ import annotations

import click
import msgspec

from nebulactl.api import Api, Json
from nebulactl.nouns import PROJECT
from nebulactl.options import KeyValues, Setting

NAME = Setting(flag="--name", attribute="name", help="Name.")
DESCRIPTION = Setting(flag="--description", attribute="description", help="Description.")
OWNER = Setting(flag="--project", attribute="project_id", noun=PROJECT, help="Owner's project (name or id).")
STATUS = Setting(
    flag="--status", attribute="status", type=click.Choice(["ACTIVE", "BUILD", "DOWN", "ERROR"]), help="With it."
)
TAG = Setting(flag="--tag", attribute="tags", many=True, clear="--no-tag", help="Tag.")
TAG_OUT = Setting(flag="--tag", attribute="tags", many=True, clear="--all-tag", help="Tag.")
TAGS = (
    Setting(flag="--tags", attribute="tags", metavar="TAG,TAG", help="With all these tags."),
    Setting(flag="--any-tags", attribute="tags-any", metavar="TAG,TAG", help="With one of these tags."),
    Setting(flag="--not-tags", attribute="not-tags", metavar="TAG,TAG", help="Without all these tags."),
    Setting(flag="--not-any-tags", attribute="not-tags-any", metavar="TAG,TAG", help="With none of these tags."),
)
OF_NETWORK = Setting(
    flag="--network/--no-network",
    attribute="network",
    convert=lambda _api, _value: msgspec.UNSET,
    help="Of the network service: there are no others.",
)


def _extra(_api: Api, value: dict[str, str]) -> dict[str, Json]:
    """One attribute by its name in the API, of one of the client's types."""
    text = value.get("value")
    if text is None:
        raise click.UsageError(f"--extra-property: {value['name']!r} lacks value=....")
    match value.get("type", "str"):
        case "str":
            found: Json = text
        case "int" if text.removeprefix("-").isdecimal():
            found = int(text)
        case "bool" if text.lower() in ("true", "false", "1", "0", "yes", "no"):
            found = text.lower() in ("true", "1", "yes")
        case "list":
            found = list(text.split(";"))
        case "dict":
            found = dict(pair.partition(":")[::2] for pair in text.split(";"))
        case other:
            raise click.UsageError(f"--extra-property: {text!r} is no {other}; types: str, int, bool, list, dict.")
    return {value["name"]: found}


EXTRA = Setting(
    flag="--extra-property",
    attribute="",
    type=KeyValues("type name value", required="name"),
    metavar="type=TYPE,name=NAME,value=VALUE",
    many=True,
    spread=True,
    convert=_extra,
    help="Any attribute of the API; of type str, int, bool, list (a;b) or dict (a:b;c:d).",
)
EXTRA_OUT = msgspec.structs.replace(
    EXTRA,
    metavar="name=NAME[,value=VALUE]",
    convert=lambda _api, value: {value["name"]: None},
    help="Any attribute of the API, which becomes null.",
)
