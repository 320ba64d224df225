"""``nebulactl node token`` and ``node revoke``: who becomes a node, and who is one no longer.

Effects: HTTP through Api; prints, a new token's secret too.
"""

from __future__ import annotations

import re

import click

from nebulactl.api import NEBULA, JsonObject, as_object, as_objects
from nebulactl.invocation import api
from nebulactl.nouns import Noun, titled
from nebulactl.options import changes, lists, shows
from nebulactl.output import Output

TOKEN = Noun(
    name="join token",
    key="join_token",
    path="/join-tokens",
    of_service=NEBULA,
    listed=titled(
        ID="id",
        Host="host",
        State="state",
        Expires_At="expires_at",
        Used_By="used_by",
        Description="description",
    ),
    shown=titled(token="token", id="id", host="host", expires_at="expires_at", description="description"),
)

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Duration(click.ParamType[int]):
    """``90s``, ``30m``, ``2h`` or ``7d`` as seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"([1-9][0-9]{0,6})([smhd])", str(value))
        if found is None:
            self.fail(f"{value!r} is not a duration as in 90s, 30m, 2h or 7d.", param, ctx)
        return int(found[1]) * _UNITS_S[found[2]]


@click.group("token")
def token() -> None:
    """One-time tokens by which nodes join."""


@token.command("create")
@click.option("--host", help="For this node alone; needed for one that has joined before.")
@click.option("--lifetime", type=Duration(), default="1h", show_default=True, help="How long it may be used.")
@click.option("--description", default="", help="What it is for.")
@changes
@shows
def create_token(output: Output, host: str | None, lifetime: int, description: str) -> None:
    """Make a token with which one node joins, once. It is shown now and never again.

    \b
    Examples:
      nebulactl node token create
      nebulactl node token create --host compute3 --lifetime 30m
    """
    body: JsonObject = {"lifetime_s": lifetime, "description": description}
    if host is not None:
        body["host"] = host
    made = as_object(api().post(NEBULA, TOKEN.route, body).get("join_token"))
    output.resource(TOKEN, made)
    if output.format == "table":
        click.echo(f"On the node, as root:  nebula-agent join {made.get('url')} {made.get('token')}", err=True)


@token.command("list")
@lists
def list_tokens(output: Output) -> None:
    """List the tokens: unused, used (by whom), expired. A token is forgotten a week after its time."""
    output.resources(TOKEN, as_objects(api().get(NEBULA, TOKEN.route).get("join_tokens")), TOKEN.columns)


@token.command("delete")
@click.argument("identities", metavar="ID...", nargs=-1, required=True)
@changes
def delete_token(identities: tuple[str, ...]) -> None:
    """Delete tokens: who has one can no longer join by it."""
    for identity in identities:
        api().delete(NEBULA, f"{TOKEN.route}/{identity}")


@click.command()
@click.argument("hosts", metavar="NODE...", nargs=-1, required=True)
def revoke(hosts: tuple[str, ...]) -> None:
    """Shut nodes out at once: their certificates count no more, their connections end, no tunnel takes their packets.

    What runs on such a node goes on there until somebody stops it; its ports are DOWN for everybody, and stay bound to
    it. It comes back by joining again. To have it forgotten, and its routers and DHCP servers put on other nodes,
    delete its agents ('nebulactl agent delete').

    \b
    Examples:
      nebulactl node revoke compute3 --wait
    """
    for host in hosts:
        api().delete(NEBULA, f"/nodes/{host}/membership")
