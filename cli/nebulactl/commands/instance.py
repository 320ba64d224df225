"""``nebulactl instance``: namespaces that act as virtual machines, and the way into them.

Effects: HTTP through Api; prints; ``exec`` and ``shell`` turn this process into the program that was asked for.
"""

from __future__ import annotations

import time

import click

from nebula.errors import NebulaError, Unavailable
from nebulactl.actions import add_delete, add_list, add_show, create
from nebulactl.api import Api, Json, JsonObject, as_object
from nebulactl.enter import become, command_line
from nebulactl.find import find, find_id, item_path
from nebulactl.invocation import api, invocation
from nebulactl.nouns import INSTANCE, NETWORK_NOUN, PORT
from nebulactl.options import Setting, changes, names_of, shows
from nebulactl.output import Output
from nebulactl.progress import Progress

_PROGRAM = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.group()
def instance() -> None:
    """Instances: network namespaces that act as virtual machines, with DHCP clients."""


@instance.command("create")
@click.argument("name")
@click.option(
    "--network",
    "networks",
    multiple=True,
    help="A new port on this network (name or id). May be repeated: eth0, eth1...",
    shell_complete=names_of(NETWORK_NOUN),
)
@click.option(
    "--port",
    "ports",
    multiple=True,
    help="This port (name or id). May be repeated; ports come after networks.",
    shell_complete=names_of(PORT),
)
@click.option("--node", help="The node that it shall run on; the scheduler's choice otherwise.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Until it is ACTIVE or ERROR.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=0), default=60.0, show_default=True, help="Seconds.")
@changes
@shows
def create_instance(
    *,
    output: Output,
    name: str,
    networks: tuple[str, ...],
    ports: tuple[str, ...],
    node: str | None,
    wait: bool,
    timeout_s: float,
) -> None:
    """Create an instance and wait until its packets flow.

    \b
    Examples:
      nebulactl instance create web --network nebula_net
      nebulactl instance create db --network nebula_net --node compute2 --no-wait
      nebulactl instance create fixed --port web0
    """
    if not networks and not ports:
        raise click.UsageError("An instance needs a --network or a --port.")
    cloud = api()
    plugs: list[Json] = [{"uuid": find_id(cloud, NETWORK_NOUN, network)} for network in networks]
    plugs += [{"port": find_id(cloud, PORT, port)} for port in ports]
    attributes: JsonObject = {"name": name, "networks": plugs}
    if node is not None:
        attributes["availability_zone"] = f"nova:{node}"
    identifier = str(create(cloud, INSTANCE, attributes).get("id"))
    shown = wait_until_active(cloud, identifier, timeout_s) if wait else _read(cloud, identifier)
    output.resource(INSTANCE, shown)


def wait_until_active(cloud: Api, identifier: str, timeout_s: float) -> JsonObject:
    """The instance when it is ACTIVE. Raises NebulaError when it ends in ERROR, Unavailable when time is up."""
    pause_s = 0.05
    with Progress() as progress:
        while True:
            found = _read(cloud, identifier)
            status, name = found.get("status"), found.get("name")
            if status == "ACTIVE":
                return found
            if status == "ERROR":
                reason = as_object(found.get("fault")).get("message") or "no reason given"
                raise NebulaError(f"Instance {name} is in ERROR: {reason}. 'nebulactl agent list' shows the nodes.")
            if progress.waited_s > timeout_s:
                raise Unavailable(
                    f"Instance {name} is still {status} after {timeout_s:g} s. It was not deleted; "
                    f"'nebulactl instance show {name}' and 'nebulactl agent list' show more."
                )
            progress.say(f"Waiting for instance {name}: {status}")
            time.sleep(pause_s)
            pause_s = min(0.5, pause_s * 1.3)


def _read(cloud: Api, identifier: str) -> JsonObject:
    return as_object(cloud.get(INSTANCE.service, item_path(INSTANCE, identifier)).get(INSTANCE.item_key))


add_list(
    instance,
    INSTANCE,
    Setting(flag="--name", attribute="name", help="Name."),
    Setting(flag="--node", attribute="host", help="On this node."),
    Setting(flag="--status", attribute="status", help="With it."),
    Setting(flag="--all-projects/--own-project", attribute="all_tenants", help="Of all projects (administrators)."),
)
add_show(instance, INSTANCE)
add_delete(instance, INSTANCE)


@instance.command("exec", context_settings=_PROGRAM)
@click.argument("name", shell_complete=names_of(INSTANCE))
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(name: str, program: tuple[str, ...]) -> None:
    """Run a program inside an instance; its exit code is this command's.

    \b
    Examples:
      nebulactl instance exec web -- ping -c 3 192.168.50.1
      nebulactl instance exec web curl -s http://198.51.100.10/
    """
    argv = program[1:] if program[0] == "--" else program
    if not argv:
        raise click.UsageError("Missing program.")
    become(command_line(find(api(), INSTANCE, name), invocation().credentials.auth_url, argv))


@instance.command("shell")
@click.argument("name", shell_complete=names_of(INSTANCE))
def shell(name: str) -> None:
    """A shell inside an instance; 'exit' leaves it."""
    found = find(api(), INSTANCE, name)
    prompt = "".join(character for character in name if character.isalnum() or character in "-_.")
    argv = ["env", f"PS1={prompt}:\\w\\$ ", "bash", "--norc"]
    become(command_line(found, invocation().credentials.auth_url, argv))
