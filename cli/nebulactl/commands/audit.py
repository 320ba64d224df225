"""``nebulactl audit``: desired against real, on all nodes. Effects: HTTP through Api; prints."""

from __future__ import annotations

import json

import click

from nebulactl.api import Json, JsonObject, as_object, as_objects
from nebulactl.asking import WAIT_S, ask
from nebulactl.invocation import api, invocation
from nebulactl.objects import Names

_WORDS = {"add": "is missing", "change": "is not what it shall be", "remove": "is left over"}


@click.command()
@click.option("--node", "nodes", multiple=True, help="Only this node; may be repeated.")
@click.option("--fix", is_flag=True, help="Mend it now, also on a node that is paused.")
@click.option("--wait", "wait_s", type=float, default=WAIT_S, show_default=True, help="Seconds for the nodes' answers.")
@click.option("-f", "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def audit(nodes: tuple[str, ...], *, fix: bool, wait_s: float, form: str) -> None:
    """Is all there that shall be, and no more? Links, addresses, routes, sysctls, flows, iptables, daemons, files...

    Every node reads its kernel and its Open vSwitch anew. What is not Nebula's is listed apart and never touched.
    Exit code 1 where something differs (with --fix: could not be mended), or a node did not answer.

    \b
    Examples:
      nebulactl audit
      nebulactl audit --node compute1 --fix
      nebulactl audit -f json
    """
    invocation().timeout_s += wait_s
    cloud = api()
    answers, whole = ask(cloud, "fix" if fix else "audit", nodes, wait_s=wait_s)
    if form == "json":
        click.echo(json.dumps([_document(answer, fix) for answer in answers]))
    else:
        names = Names(cloud)
        for answer in answers:
            _print(answer, names, fix)
    differs = any(as_objects(answer.get("differences")) for answer in answers)
    if not whole or (differs and not fix):
        raise SystemExit(1)


def _document(answer: JsonObject, fix: bool) -> JsonObject:
    keys = ("host", "revision", "paused", "error", "objects", "duration_s", "differences", "foreign")
    fixed: Json = fix and not answer.get("error")
    return {**{key: answer.get(key) for key in keys}, "fixed": fixed}


def _print(answer: JsonObject, names: Names, fix: bool) -> None:
    differences = as_objects(answer.get("differences"))
    duration_s = answer.get("duration_s")
    took = f"{float(duration_s) * 1000:.0f} ms" if isinstance(duration_s, int | float) else "?"
    verdict = (
        f"{len(differences)} {'differs' if len(differences) == 1 else 'differ'}" if differences else "all in order"
    )
    paused = ", paused" if answer.get("paused") else ""
    click.echo(f"{answer.get('host')}: {answer.get('objects')} objects, {verdict} ({took}{paused})")
    for item in differences:
        what = _WORDS.get(str(item.get("action")), str(item.get("action")))
        click.echo(f"  {item['kind']} {item['name']} {what}, for {names.of(as_object(item.get('owner')))}")
        for line in str(item.get("command")).splitlines():
            click.echo(f"      {line}")
    if differences and fix and not answer.get("error"):
        click.echo("  mended")
    for item in as_objects(answer.get("foreign")):
        note = f" {item['note']}" if item.get("note") else ""
        click.echo(f"  not ours: {item['kind']} {item['name']}{note}")
