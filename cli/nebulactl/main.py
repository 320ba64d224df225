"""nebulactl: the command line of Nebula, in the grammar of the openstack client.

Effects: everything that a command does. Here are the program's frame (which noun lives in which module, imported
only when it is called) and its end: one line for an error and an exit code, never a traceback.

Exit codes: 0 done, 1 failed, 2 called wrongly, 130 interrupted; ``exec`` and ``shell`` give their program's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from nebula.errors import NebulaError
from nebulactl.credentials import FIELDS
from nebulactl.deferred import Deferred
from nebulactl.invocation import Invocation

COMMANDS: dict[str, str] = {
    "lab": "Run a lab of several nodes on this machine.",
    "network": "Networks.",
    "subnet": "Subnets: the addresses of a network.",
    "port": "Ports: where something is plugged into a network.",
    "router": "Routers: between subnets, and to the outside with NAT.",
    "address": "Address groups, and address scopes.",
    "security": "Security groups: what a port lets in and out.",
    "floating": "Floating IPs: addresses of an external network that lead to ports.",
    "instance": "Instances: network namespaces that act as virtual machines.",
    "node": "Nodes: which answer, who becomes one, and agents that rest for a while.",
    "plan": "What would this call change, on which node? Nothing is changed.",
    "audit": "Is all on the nodes that shall be, and no more?",
    "trace": "The way of a packet: every table, route and rule it meets, and where it is dropped.",
    "owner": "Whose is this cookie, flow, rule, device, namespace, process or file?",
    "realised": "Everything on the nodes that exists because of an object.",
    "quota": "Quotas: how much a project may have.",
    "extension": "Extensions of the network API.",
    "availability": "Availability zones.",
    "ip": "Addresses in use, network by network.",
    "agent": "Agents: what runs on the nodes, and whether it is alive.",
    "explain": "What did that call change? Rows, and kernel objects on each node.",
    "capture": "Packets at many points of many nodes, in one file or live.",
    "receipt": "What a call changed in the kernels of the nodes, as a table.",
    "project": "Projects: who owns networks.",
    "domain": "Domains: the walls between sets of projects and users.",
    "user": "Users.",
    "group": "Groups of users.",
    "role": "Roles: what a user may do in a project.",
    "service": "Services: what the catalogue offers.",
    "region": "Regions: where services are.",
    "endpoint": "Endpoints: the URLs of services.",
    "application": "Application credentials: a program's own secret, with some of your rights.",
    "ec2": "EC2 credentials: access keys and secrets.",
    "credential": "Credentials that identity keeps for users.",
    "implied": "Implied roles: who has this role has that one too.",
    "registered": "Registered limits: what a project may have where nothing else is said.",
    "limit": "Limits: what one project may have.",
    "policy": "Policies: rules that identity keeps for other services.",
    "token": "Tokens.",
    "catalog": "The catalogue: services and their endpoints, as a token carries them.",
    "versions": "Versions of the services' APIs.",
    "bench": "Measurements on this machine.",
    "completion": "Print the completion script of a shell.",
}
"""Each is a module of ``nebulactl.commands`` with the command of the same name in it; what else is declared follows."""


def _version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        from importlib.metadata import PackageNotFoundError, version

        try:
            click.echo(f"nebulactl {version('nebula-sdn')}")
        except PackageNotFoundError:
            click.echo("nebulactl (not installed)")
        ctx.exit()


def _os_options(command: click.Command) -> click.Command:
    for name in FIELDS:
        flag = f"--os-{name.replace('_', '-')}"
        meaning = {"cloud": "Entry of clouds.yaml", "cacert": "File of the authorities to trust over https"}.get(
            name, "Login"
        )
        command.params.append(click.Option([flag, f"os_{name}"], help=f"{meaning}; else OS_{name.upper()}."))
    for flag, value, text in (
        ("--insecure", "true", "Trust whoever answers over https; else OS_INSECURE=true."),
        ("--verify", "false", "Do not, whatever OS_INSECURE and clouds.yaml say."),
    ):
        command.params.append(click.Option([flag, "os_insecure"], flag_value=value, help=text))
    return command


@click.group(
    cls=Deferred,
    deferred=COMMANDS,
    completed=True,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Without OS_* variables the running lab is meant (NEBULA_LAB, else 'nebula').",
)
@click.option("-v", "--show-request-id", is_flag=True, help="Print the id of every changing request to stderr.")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print the version."
)
@click.pass_context
def cli(ctx: click.Context, /, show_request_id: bool, **given: str | None) -> None:
    """Virtual networks that can be looked into. Without a command, commands are read, a line each.

    \b
    Examples:
      nebulactl lab up
      nebulactl network create nebula_net
      nebulactl subnet create nebula_subnet --network nebula_net --subnet-range 192.168.50.0/24
      nebulactl instance create web --network nebula_net
      nebulactl instance exec web -- ip address
      nebulactl explain --last
    """
    flags = {name.removeprefix("os_"): value for name, value in given.items() if value}
    session: Invocation | None = ctx.obj
    if session is not None:
        flags, show_request_id = {**session.flags, **flags}, session.show_request_id or show_request_id
    ctx.obj = Invocation(flags, show_request_id, in_session=session is not None)
    if ctx.invoked_subcommand is None:
        from nebulactl.session import read_commands

        ctx.exit(read_commands(lambda words: run(words, session=ctx.obj)))


_os_options(cli)


def main(arguments: Sequence[str] | None = None) -> None:
    """The program. Ends the process."""
    sys.exit(run(arguments))


def run(  # noqa: PLR0911 - one line per way to end
    arguments: Sequence[str] | None = None, *, session: Invocation | None = None
) -> int:
    """Runs the command line (default: the process's) and returns the exit code.

    ``session``: the invocation that reads commands, of which this is one; its flags hold where this has none.
    """
    try:
        code = cli.main(args=arguments, prog_name="nebulactl", standalone_mode=False, obj=session)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.UsageError as error:
        error.show()
        return 2
    except click.ClickException as error:
        return _failed(error.format_message())
    except (click.Abort, KeyboardInterrupt):
        return 130
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except NebulaError as error:
        return _failed(error.message)
    except BrokenPipeError:
        # The reader has gone (| head): what is still buffered goes nowhere, without a word at exit; click's code.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _failed(f"{error.filename or 'the system'}: {error.strerror or error}")
    except Exception as error:
        if os.environ.get("NEBULA_DEBUG"):
            raise
        return _failed(f"this is a mistake in nebulactl: {type(error).__name__}: {error} (NEBULA_DEBUG=1 shows where)")


def _failed(message: str) -> int:
    click.echo("nebulactl: " + " ".join(message.split()), err=True)
    return 1
