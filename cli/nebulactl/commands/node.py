"""``nebulactl node``: the nodes, who becomes one, and an agent that rests. Effects: HTTP through Api; prints."""

from __future__ import annotations

import click

from nebulactl.asking import ask
from nebulactl.invocation import api
from nebulactl.joining import revoke, token
from nebulactl.options import lists
from nebulactl.output import Output
from nebulactl.render import cell


@click.group()
def node() -> None:
    """Nodes: where the agents run."""


node.add_command(token)
node.add_command(revoke)


@node.command("list")
@lists
def list_nodes(output: Output) -> None:
    """The nodes that answer now: the revision of the view that each acts on, and whether it is paused.

    \b
    Examples:
      nebulactl node list
    """
    answers, whole = ask(api(), "status")
    rows = [[cell(answer.get(key)) for key in ("host", "revision", "paused")] for answer in answers]
    output.rows(["Node", "Revision", "Paused"], rows)
    if not whole:
        raise SystemExit(1)


@node.command()
@click.argument("names", nargs=-1, required=True)
def pause(names: tuple[str, ...]) -> None:
    """Let the agents of these nodes rest: they mend nothing and follow no call until they are resumed, or restarted.

    The dataplane goes on. What is then broken by hand stays broken, for 'audit' and 'trace' to find.

    \b
    Examples:
      nebulactl node pause compute1
      nebulactl lab exec compute1 -- ovs-ofctl del-flows br-tun table=22
      nebulactl audit
      nebulactl node resume compute1
    """
    _tell("pause", names)


@node.command()
@click.argument("names", nargs=-1, required=True)
def resume(names: tuple[str, ...]) -> None:
    """Let the agents go on: each takes up the newest view, and mends what was broken meanwhile."""
    _tell("resume", names)


def _tell(word: str, names: tuple[str, ...]) -> None:
    _answers, whole = ask(api(), word, names)
    if not whole:
        raise SystemExit(1)
