"""Settings that several nouns have under the same name. Pure."""

from __future__ import annotations

import click
import msgspec

from nebulactl.nouns import PROJECT
from nebulactl.options import Setting

NAME = Setting(flag="--name", attribute="name", help="Name.")
DESCRIPTION = Setting(flag="--description", attribute="description", help="Description.")
OWNER = Setting(flag="--project", attribute="project_id", noun=PROJECT, help="Owner's project (name or id).")
ENABLE = Setting(flag="--enable/--disable", attribute="admin_state_up", help="Administrative state.")
STATUS = Setting(
    flag="--status", attribute="status", type=click.Choice(["ACTIVE", "BUILD", "DOWN", "ERROR"]), help="With it."
)
TAG = Setting(flag="--tag", attribute="tags", many=True, clear="--no-tag", help="Tag.")
TAGS = Setting(flag="--tags", attribute="tags", metavar="TAG,TAG", help="With all these tags.")
SHARE = Setting(flag="--share/--no-share", attribute="shared", help="For all projects, or the owner's alone.")
OF_NETWORK = Setting(
    flag="--network/--no-network",
    attribute="network",
    convert=lambda _api, _value: msgspec.UNSET,
    help="Of the network service: there are no others.",
)
