"""``nebulactl explain``: what a call changed, rows and kernel objects. Effects: HTTP through Api; prints."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import quote

import click

from nebula.errors import NotFound
from nebulactl.api import NEBULA, Api, JsonObject, as_object, as_objects
from nebulactl.invocation import api, invocation
from nebulactl.objects import object_id

_POLL_S = 25
_SOON_S = 2.0
"""A call that was made just now: its receipts may still be under way for so long."""


@click.command()
@click.argument("what", nargs=-1, metavar="[REQUEST-ID | NOUN NAME]")
@click.option("--last", is_flag=True, help="The last changing call that was made from here.")
@click.option("--follow", is_flag=True, help="Every call from now on, and what nodes do by themselves, as it happens.")
@click.option("-f", "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def explain(what: tuple[str, ...], last: bool, follow: bool, form: str) -> None:
    """What did that call change? The call, its rows, and each change in the kernels with the command for it.

    Of an object: all calls on record that changed it, the oldest first. JSON is one document a call (a line each with
    --follow); docs/explain.md has its schema.

    \b
    Examples:
      nebulactl explain --last
      nebulactl explain req-0f6f7b0e-6e0d-4b36-9d4c-5b8c3f6f3b1e
      nebulactl explain network nebula_net
      nebulactl explain security group web
      nebulactl explain --follow
    """
    if (bool(what) + last + follow) != 1:
        raise click.UsageError("Give a request id, a noun and a name, --last, or --follow.")
    cloud = api()
    show = _print_json if form == "json" else _print_text
    if follow:
        for found in _follow(cloud):
            show(found)
            sys.stdout.flush()
        return
    for number, request_id in enumerate(_requests(cloud, what)):
        if number and form == "text":
            click.echo()
        show(_of_request(cloud, request_id))


def _requests(cloud: Api, what: tuple[str, ...]) -> list[str]:
    """The ids of the calls that are meant. Raises NotFound."""
    if not what:
        request_id = invocation().cache.last_request()
        if request_id is None:
            raise NotFound("No changing call is remembered; 'nebulactl -v ...' prints the id of one.")
        return [request_id]
    if len(what) == 1 and what[0].startswith("req-"):
        return [what[0]]
    calls = as_objects(cloud.get(NEBULA, "/calls", {"object": [object_id(cloud, what)]}).get("calls"))
    if not calls:
        raise NotFound(f"No call on record has changed {' '.join(what)}: there is none, or it is too long ago.")
    return [str(call["id"]) for call in reversed(calls)]


def _of_request(cloud: Api, request_id: str) -> JsonObject:
    """What is on record; a moment's patience for a call whose nodes have not reported yet."""
    path = f"/receipts/{quote(request_id, safe='')}"
    found = cloud.get(NEBULA, path)
    until = time.monotonic() + _SOON_S - _age_s(as_object(found.get("request")))
    while found.get("waiting") and time.monotonic() < until:
        time.sleep(0.02)
        found = cloud.get(NEBULA, path)
    return found


def _follow(cloud: Api) -> Iterator[JsonObject]:
    """A document for each call that a new receipt belongs to, and one without a call for what belongs to none."""
    after = cloud.get(NEBULA, "/receipts", {"limit": ["1"]}).get("newest", 0)
    while True:
        news = cloud.get(NEBULA, "/receipts", {"after": [str(after)], "wait": [str(_POLL_S)]})
        after = news.get("newest", after)
        for receipt in as_objects(news.get("receipts")):
            requests = receipt.get("request_ids")
            for request_id in requests if isinstance(requests, list) else []:
                whole = cloud.get(NEBULA, f"/receipts/{quote(str(request_id), safe='')}")
                mine = [one for one in as_objects(whole.get("receipts")) if one.get("id") == receipt.get("id")]
                yield {**whole, "receipts": [*mine]}
            if not requests:
                yield {"request": None, "objects": [], "receipts": [receipt]}


def _print_json(found: JsonObject) -> None:
    click.echo(json.dumps(found))


def _print_text(found: JsonObject) -> None:
    request = as_object(found.get("request"))
    if request:
        who = f"{request.get('user_name') or request.get('user_id') or 'nobody'}"
        project = request.get("project_name") or request.get("project_id")
        click.echo(f"{request['method']} {request['path']} -> {request['status']}")
        click.echo(f"  by {who}{f' of project {project}' if project else ''} at {request['time']}, {request['id']}")
        click.echo(f"  rows, revision {request['revision']}: " + (_names(found, related=False) or "none"))
        if related := _names(found, related=True):
            click.echo(f"  concerns {related}")
    receipts = as_objects(found.get("receipts"))
    for receipt in receipts:
        _print_receipt(receipt, request)
    waiting = found.get("waiting")
    if isinstance(waiting, list) and waiting and request:
        click.echo(f"  not (yet) reported: {', '.join(map(str, waiting))}")
    elif not receipts:
        click.echo("  no node had to change anything for it")


def _names(found: JsonObject, *, related: bool) -> str:
    chosen = [item for item in as_objects(found.get("objects")) if bool(item.get("related")) is related]
    return ", ".join(f"{item['kind']} {item['id']}" for item in chosen)


def _print_receipt(receipt: JsonObject, request: JsonObject) -> None:
    changes = as_objects(receipt.get("changes"))
    duration_s = receipt.get("duration_s")
    lasted = f"{float(duration_s) * 1000:.0f} ms" if isinstance(duration_s, int | float) else "?"
    if request:
        when = f"{(_seconds(receipt.get('started_at')) - _seconds(request.get('time'))) * 1000:+.0f} ms"
    else:
        when = f"by itself ({receipt.get('reason')}) at {receipt.get('started_at')}"
    plural = "change" if len(changes) == 1 else "changes"
    click.echo(f"{receipt['host']}: {len(changes)} {plural}, {when}, a pass of {lasted}")
    if receipt.get("alarm"):
        click.echo(f"  held: {receipt['alarm']}")
    for change in changes:
        at_s = change.get("at_s")
        at = f"{float(at_s) * 1000:.1f}" if isinstance(at_s, int | float) else "?"
        owner = as_object(change.get("owner"))
        whose = f"{owner.get('kind')} {str(owner.get('id'))[:8]}"
        head = f"  {at:>7} ms  {change['action']:<6} {change['kind']:<11} {whose:<17}  "
        first, *more = str(change.get("command") or "").splitlines() or [""]
        click.echo(head + first)
        for line in more:
            click.echo(" " * len(head) + line)
        if change.get("result") != "done":
            click.echo(" " * len(head) + f"{change.get('result')}: {change.get('error')}")


def _seconds(text: object) -> float:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0


def _age_s(request: JsonObject) -> float:
    return time.time() - _seconds(request.get("time"))
