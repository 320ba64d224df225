"""``nebulactl realised``: everything on the nodes because of an object. Effects: HTTP through Api; prints."""

from __future__ import annotations

import click

from nebulactl.api import as_object, as_objects
from nebulactl.asking import ask
from nebulactl.invocation import api
from nebulactl.objects import Names, completions, object_id
from nebulactl.options import lists, offers
from nebulactl.output import Output
from nebulactl.render import Cell, cell


@click.command()
@click.argument("what", nargs=-1, required=True, metavar="NOUN NAME | ID", shell_complete=offers(completions))
@click.option("--node", "nodes", multiple=True, help="Only on this node; may be repeated.")
@click.option("--long", is_flag=True, help="Also the command that would make it.")
@lists
def realised(output: Output, what: tuple[str, ...], nodes: tuple[str, ...], long: bool) -> None:
    """What exists on the nodes because of this object: its own kernel objects, and those of what is part of it.

    \b
    Examples:
      nebulactl realised network nebula_net
      nebulactl realised instance web --long
      nebulactl realised security group web --node compute1
    """
    cloud = api()
    answers, whole = ask(cloud, "inventory", nodes, object=object_id(cloud, what))
    names = Names(cloud)
    rows: list[list[Cell]] = []
    for answer in answers:
        for item in as_objects(answer.get("items")):
            words = [str(answer.get("host")), *(str(item.get(key)) for key in ("kind", "name"))]
            words.append(names.of(as_object(item.get("owner"))))
            words.append(str(item.get("command") if long else item.get("note")))
            rows.append([cell(word) for word in words])
    output.rows(["Node", "Kind", "Name", "Owner", "Command" if long else "Note"], rows)
    if not rows and output.format == "table":
        click.echo("Nothing exists because of it.", err=True)
    if not whole:
        raise SystemExit(1)
