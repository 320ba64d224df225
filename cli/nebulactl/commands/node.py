"""``nebulactl node``: the nodes, who becomes one, and an agent that rests. Effects: HTTP through Api; prints."""

from __future__ import annotations

import click

from nebulactl.api import NEBULA, Json, as_objects
from nebulactl.asking import ask
from nebulactl.invocation import api
from nebulactl.joining import revoke, token
from nebulactl.options import lists
from nebulactl.output import Output
from nebulactl.render import Cell
from nebulactl.wait import offer_wait


@click.group()
def node() -> None:
    """Nodes: where the agents run."""


node.add_command(token)
node.add_command(revoke)
offer_wait(revoke, changes=True)


_COLUMNS = {
    "Node": "host",
    "Health": "health",
    "Version": "version",
    "Datapath": "datapath_type",
    "Lag": "lag_s",
    "Revision": "revision",
    "Paused": "paused",
}
_LONG = {
    "Roles": "roles",
    "VTEP": "vtep_ip",
    "Lacks": "lacks",
    "Ports": "ports",
    "In Error": "ports_in_error",
    "Heartbeat": "heartbeat_age_s",
    "Joined": "joined",
    "Certificate Until": "certificate_expires_at",
}


@node.command("list")
@click.option(
    "--long",
    is_flag=True,
    help="Roles, tunnel address, what it lacks, ports, heartbeat, certificate.",
)
@lists
def list_nodes(output: Output, long: bool) -> None:
    """All nodes: health (ok, behind, error, down, revoked), version, datapath, and how far each is.

    Lag is for how many seconds a node's newest view has waited to be acted on. The revision is that of the view that it
    acts on, by its own word: it is asked. Exit code 1 where a node is down or does not answer.

    \b
    Examples:
      nebulactl node list
      nebulactl node list --long -f json
    """
    known = as_objects(api().get(NEBULA, "/nodes").get("nodes"))
    answers, whole = ask(api(), "status")
    told = {answer.get("host"): answer for answer in answers}
    columns = {**_COLUMNS, **(_LONG if long else {})}
    rows = []
    for item in known:
        answer = told.get(item.get("host"), {})
        merged = {**item, "revision": answer.get("revision"), "paused": answer.get("paused")}
        rows.append([_cell(merged.get(key)) for key in columns.values()])
    output.rows([*columns], rows)
    if not whole:
        raise SystemExit(1)


def _cell(value: Json) -> Cell:
    return Cell(", ".join(map(str, value)) if isinstance(value, list) else value, value)


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
