"""``nebulactl receipt``: what a call changed in the kernels of the nodes. Effects: HTTP through Api; prints."""

from __future__ import annotations

import json
import time
from urllib.parse import quote

import click

from nebula.errors import NotFound
from nebulactl.api import NEBULA, Api, Json, JsonObject, as_object, as_objects
from nebulactl.invocation import api, invocation
from nebulactl.options import lists
from nebulactl.output import Output
from nebulactl.progress import Progress
from nebulactl.render import Cell, cell

_WAIT_S = 10.0


@click.command()
@click.argument("request_id", required=False)
@click.option("--last", is_flag=True, help="The last changing call that was made from here.")
@click.option("--wait", is_flag=True, help="Up to ten seconds, until a node has reported a change.")
@click.option("--long", is_flag=True, help="More columns.")
@lists
def receipt(output: Output, request_id: str | None, last: bool, wait: bool, long: bool) -> None:
    """What a call changed in the kernels of the nodes: one row for each change, with the command for it.

    \b
    Examples:
      nebulactl network create nebula_net -v
      nebulactl receipt req-0f6f7b0e-6e0d-4b36-9d4c-5b8c3f6f3b1e
      nebulactl receipt --last
      nebulactl receipt --last -f value -c Command
    """
    if last == bool(request_id):
        raise click.UsageError("Give a request id, or --last.")
    if last:
        request_id = invocation().cache.last_request()
        if request_id is None:
            raise NotFound("No changing call is remembered; 'nebulactl -v ...' prints the id of one.")
    found = _read(api(), str(request_id), _WAIT_S if wait else 0.0)
    if output.format == "json" and not output.columns:
        click.echo(json.dumps(found, indent=None if output.noindent else 2))
        return
    request, receipts = as_object(found.get("request")), as_objects(found.get("receipts"))
    if output.format == "table":
        click.echo("{method} {path}: {status} at {time}, revision {revision}, {id}".format_map(_Blank(request)))
    if not any(as_objects(one.get("changes")) for one in receipts):
        click.echo("No node has reported a change for it" + ("." if wait else " (yet; --wait waits)."), err=True)
    titles = ["Node", "Action", "Kind", "Result", "Command"]
    titles += ["Name", "Owner", "At", "Error"] if long else []
    rows = [_row(one, change) for one in receipts for change in as_objects(one.get("changes"))]
    if not rows and output.format == "table":
        return
    output.rows(titles, [row[: len(titles)] for row in rows])


class _Blank(dict[str, Json]):
    """A mapping that has a dash for what is not there."""

    def __missing__(self, key: str) -> str:
        return "-"


def _read(cloud: Api, request_id: str, wait_s: float) -> JsonObject:
    with Progress() as progress:
        while True:
            found = cloud.get(NEBULA, f"/receipts/{quote(request_id, safe='')}")
            if as_objects(found.get("receipts")) or progress.waited_s >= wait_s:
                return found
            progress.say("Waiting for the nodes' receipts")
            time.sleep(0.1)


def _row(one: JsonObject, change: JsonObject) -> list[Cell]:
    """``At`` is in milliseconds after the node's pass began."""
    owner = as_object(change.get("owner"))
    at_s = change.get("at_s")
    values: list[Json] = [one.get("host"), *(change.get(name) for name in ("action", "kind", "result", "command"))]
    values += [change.get("name"), f"{owner.get('kind')} {owner.get('id')}"]
    values += [f"{float(at_s) * 1000:.1f} ms" if isinstance(at_s, int | float) else "", change.get("error", "")]
    return [cell(value) for value in values]
