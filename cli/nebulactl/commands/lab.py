"""``nebulactl lab``: labs on this machine, through the package nebula_lab.

Effects: makes and removes labs; ``exec`` and ``shell`` turn this process into the program that was asked for.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator

import click
from click.shell_completion import CompletionItem

from nebulactl.options import lists
from nebulactl.output import Output
from nebulactl.render import Cell, cell

_AFTER = {"ignore_unknown_options": True, "allow_interspersed_args": False}


def _places(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from nebula_lab import open_lab

    from nebula.errors import NebulaError

    try:
        return [
            CompletionItem(place) for place in open_lab(ctx.params.get("name")).places if place.startswith(incomplete)
        ]
    except (NebulaError, OSError):
        return []


def _names(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from nebula_lab import lab_names

    return [CompletionItem(name) for name in lab_names() if name.startswith(incomplete)]


_NAME = click.option(
    "--name",
    envvar="NEBULA_LAB",
    default="nebula",
    show_default=True,
    show_envvar=True,
    is_eager=True,
    shell_complete=_names,
    help="The lab.",
)
_NODE = click.argument("node", shell_complete=_places)


@click.group()
def lab() -> None:
    """A lab: nodes with Open vSwitch and agents, a controller and an outside world, on this machine.

    \b
    Works as root and as an ordinary user, and touches nothing of the machine.
    Beside its nodes a lab has the places 'fabric' (the bridges mgmt, underlay, provider), 'outside' and 'web'.
    """


@lab.command("up")
@click.option("--nodes", type=int, metavar="N", help="Nodes: net1, compute1 to compute<N-1>; 3 unless said.")
@click.option(
    "--datapath",
    type=click.Choice(["auto", "system", "netdev"]),
    default="auto",
    show_default=True,
    help="Open vSwitch in the kernel or in user space; auto: the kernel's where its module is loaded.",
)
@_NAME
def up(nodes: int | None, datapath: str, name: str) -> None:
    """Start a lab; in a lab that is up, start again what has died.

    \b
    Examples:
      nebulactl lab up
      nebulactl lab up --name other --nodes 2
    """
    from nebula_lab.up import up as bring_up

    with _progress(f"lab {name}") as report:
        made, outcome = bring_up(name, nodes=nodes, datapath_type=datapath, report=report)
    flag = "" if name == "nebula" else f" --name {name}"
    if outcome.new:
        click.echo(
            f"Lab {name} is up after {outcome.seconds:.1f} s: nodes {', '.join(made.nodes)}; API {made.endpoint}"
        )
        click.echo(f"Go on with: nebulactl lab status{flag} | nebulactl lab exec{flag} net1 -- ovs-vsctl show")
        prefix = "" if name == "nebula" else f"NEBULA_LAB={name} "
        click.echo(
            f'            {prefix}nebulactl network list | eval "$(nebulactl lab env{flag})"; openstack network list'
        )
    elif outcome.did:
        click.echo(
            f"Lab {name} was up; {len(outcome.did)} repaired in {outcome.seconds:.1f} s: {'; '.join(outcome.did)}"
        )
    else:
        click.echo(f"Lab {name} is up: nothing to do. API {made.endpoint}")


@lab.command("down")
@_NAME
def down(name: str) -> None:
    """Stop a lab and remove all of it, whatever is left of it."""
    from nebula_lab.up import down as take_down

    with _progress(f"lab {name}") as report:
        existed = take_down(name, report=report)
    click.echo(f"Lab {name} is down." if existed else f"Lab {name} is not up: nothing to do.")


@lab.command("status")
@_NAME
@lists
def status(output: Output, name: str) -> None:
    """What runs where. Exit code 1 where something has died.

    \b
    Examples:
      nebulactl lab status
      nebulactl lab status -f json
    """
    from nebula_lab import find_lab
    from nebula_lab.status import status_of

    from nebula.errors import NotFound

    found = find_lab(name)
    if found is None:
        raise NotFound(f"lab {name!r} is not up: start it with 'nebulactl lab up'")
    report = status_of(found)
    rows = []
    for place in report.places:
        human = "  ".join(f"{program} {pid or 'DEAD'}" for program, pid in place.pids.items())
        alive = {True: ":-)", False: "XXX", None: "-"}[place.agent_alive]
        pids = Cell(human, dict(place.pids))
        rows.append([cell(place.name), cell(place.role), cell(place.address), pids, Cell(alive, place.agent_alive)])
    output.rows(("Node", "Role", "Address", "Processes", "Agent alive"), rows)
    answers = "answers" if report.api_answers else "does not answer"
    click.echo(f"API {report.endpoint} {answers}; datapath {report.datapath_type}; files in {report.folder}", err=True)
    if not report.complete:
        click.echo("Something has died: 'nebulactl lab up' starts it again.", err=True)
        sys.exit(1)


@lab.command("list")
@lists
def list_labs(output: Output) -> None:
    """Your labs on this machine."""
    from nebula_lab import find_lab, lab_names
    from nebula_lab.opened import is_up

    rows = []
    for name in lab_names():
        found = find_lab(name)
        if found is not None:
            state = "up" if is_up(found) else "dead"
            rows.append([cell(name), cell(state), cell(len(found.nodes)), cell(found.endpoint)])
    output.rows(("Name", "State", "Nodes", "API"), rows)


@lab.command("env")
@click.option("--shell", type=click.Choice(["bash", "fish"]), default="bash", show_default=True, help="Whose syntax.")
@click.option("--clouds-yaml", is_flag=True, help="Write an entry into clouds.yaml instead, and say its name.")
@_NAME
def env(shell: str, clouds_yaml: bool, name: str) -> None:
    """What the openstack client needs to call this lab.

    \b
    Examples:
      eval "$(nebulactl lab env)"; openstack network list
      nebulactl lab env --clouds-yaml; openstack --os-cloud nebula network list
    """
    from nebula_lab import open_lab
    from nebula_lab.environment import cloud_name, clouds_file, shell_lines, write_cloud

    found = open_lab(name)
    if not clouds_yaml:
        click.echo(shell_lines(found.credentials, shell), nl=False)
        return
    path = clouds_file(os.environ)
    write_cloud(path, cloud_name(name), found.credentials)
    click.echo(f"{path} has the entry {cloud_name(name)} now: openstack --os-cloud {cloud_name(name)} network list")


@lab.command("exec", context_settings=_AFTER)
@_NAME
@_NODE
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
def exec_(name: str, node: str, command: tuple[str, ...]) -> None:
    """Run a command on a node, as its root; the exit code is the command's.

    \b
    Examples:
      nebulactl lab exec net1 -- ip netns
      nebulactl lab exec fabric -- tshark -ni underlay
    """
    argv = command[1:] if command[0] == "--" else command
    if not argv:
        raise click.UsageError("Missing argument 'COMMAND...'.")
    _become(name, node, list(argv))


@lab.command("shell")
@_NAME
@_NODE
def shell(name: str, node: str) -> None:
    """A shell on a node, as its root; the prompt names the node."""
    prompt = f"PS1=[{node}] \\w # "
    _become(name, node, ["env", prompt, "PROMPT_COMMAND=", "bash", "--norc", "-i"])


def _become(name: str, node: str, argv: list[str]) -> None:
    from nebula_lab import open_lab

    from nebulactl.enter import become

    become(open_lab(name).enter(node, argv))


@contextlib.contextmanager
def _progress(what: str) -> Iterator[Callable[[str], None]]:
    """Reports to stderr: a moving line on a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty():
        yield lambda text: click.echo(text, err=True)
        return
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    with console.status(what) as moving:

        def report(text: str) -> None:
            console.print(text, markup=False)
            moving.update(what)

        yield report
