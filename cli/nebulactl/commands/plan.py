"""``nebulactl plan CALL...``: what would this call change, on which node? Effects: HTTP through Api; prints."""

from __future__ import annotations

import json

import click

from nebulactl.api import Planned, as_object, as_objects
from nebulactl.invocation import invocation
from nebulactl.objects import Names
from nebulactl.wait import CHANGING

_SIGNS = {"add": "+", "change": "~", "remove": "-"}
_NOT_THE_API = {"lab", "node", "bench", "completion", "plan"}


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("call", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--script", is_flag=True, help="As shell lines that would do it, node by node.")
@click.option("-f", "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def plan(call: tuple[str, ...], script: bool, form: str) -> None:
    """What would this call change, on which node? The call is carried out and rolled back; nothing is changed.

    The controller works out what each node would be told, and the nodes say what they would do. Of a command that makes
    several calls it is the first that changes something.

    \b
    Examples:
      nebulactl plan subnet create s1 --network n1 --subnet-range 10.9.0.0/24
      nebulactl plan --script router set r --external-gateway public
      nebulactl plan -f json instance delete web
    """
    ctx = click.get_current_context()
    root = ctx.find_root().command
    assert isinstance(root, click.Group)
    command = root.get_command(ctx, call[0]) if call[0] not in _NOT_THE_API else None
    if command is None or not CHANGING & set(call):
        raise click.UsageError(f"'{' '.join(call)}' is no command that changes something through the API.")
    invocation().plan = True
    try:
        command.invoke(command.make_context(call[0], list(call[1:]), parent=ctx))
    except Planned as planned:
        if form == "json":
            click.echo(json.dumps({"call": planned.call, **planned.found}))
        else:
            _print(planned, script)
        return
    click.echo("Nothing would be changed.", err=True)


def _print(planned: Planned, script: bool) -> None:
    names = Names(invocation().api)
    found, comment = planned.found, "# " if script else ""
    rows = [item for item in as_objects(found.get("objects")) if not item.get("related")]
    click.echo(f"{comment}{planned.call} would change the rows of " + (", ".join(map(names.of, rows)) or "nothing"))
    nodes = as_objects(found.get("nodes"))
    for node in nodes:
        differences = as_objects(node.get("differences"))
        click.echo(f"{comment}{node.get('host')}: {len(differences)} changes")
        if node.get("error"):
            click.echo(f"{comment}  cannot tell: {node['error']}")
        for item in differences:
            if script:
                click.echo(f"# {item['action']} {item['kind']} for {names.of(as_object(item.get('owner')))}")
                click.echo(str(item.get("command")))
            else:
                whose = names.of(as_object(item.get("owner")))
                click.echo(f"  {_SIGNS[str(item['action'])]} {item['kind']} {item['name']}   ({whose})")
    for word, reason in (("down", "is down: it would follow when it comes back"), ("silent", "did not answer")):
        hosts = found.get(word)
        for host in hosts if isinstance(hosts, list) else []:
            click.echo(f"{comment}{host} {reason}")
    if not nodes and not found.get("down") and not found.get("silent"):
        click.echo(f"{comment}no node would have to change anything")
