"""``nebula-agent``: the program.

Effects: reads flags and the configuration file, and hands over. What is missing is said in one line, exit code 1; a
wrong flag is exit code 2.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from nebula_runtime import config, log

from nebula.desired.diff import Change
from nebula.errors import ConfigError, NebulaError
from nebula_agent import settings as settings_module
from nebula_agent.settings import Settings

_FLAGS = {
    "host": "name of this node (default: the machine's host name)",
    "controller": "URL of the controller (default: the one that the node has joined)",
    "node-secret-file": "secret shown to a controller at http://, by nodes that never joined (labs)",
    "datapath-type": "auto, system or netdev (default: auto)",
    "overlay": "auto, kernel (a VXLAN device for each network) or ovs (OVS's own tunnels); see datapaths.md",
    "vtep-ip": "this node's address on the underlay network",
    "ovs-db": "OVSDB socket (default: unix:/run/openvswitch/db.sock)",
    "run-dir": "folder of the pid file (default: /run/nebula)",
    "state-dir": "folder of the last view and the daemons' files (default: /var/lib/nebula)",
    "view-file": "read the node's view from this file instead of a controller",
    "pid-file": "default: agent.pid in the run folder",
    "metrics-listen": "HOST:PORT where Prometheus finds /metrics (default: nowhere)",
    "log-format": "text or json (default: text)",
    "log-level": "debug, info, warning or error (default: info)",
}
_LISTS = {
    "role": "network or compute; may be given twice (default: compute)",
    "bridge-mapping": "PHYSNET:BRIDGE[:INTERFACE]; may be given several times",
}
_COMMANDS = {
    "run": "run as a daemon in the foreground (what happens without a command)",
    "join": "URL TOKEN: become a node of this controller; TOKEN - reads it from the standard input",
    "plan": "print what the next pass would change, as shell lines, and change nothing",
    "clean": "remove all that the agent made on this node, and nothing else",
    "confirm": "tell the running agent that the change it holds back is meant",
}


def main(argv: Sequence[str] | None = None, *, applied: Callable[[Change], None] | None = None) -> int:
    """Exit code. ``applied`` is called after every single change, which are then carried out one by one (tests)."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.version:
        print(f"nebula-agent {version()}")
        return 0
    try:
        settings = _settings(arguments)
        log.configure(settings.log_format, settings.log_level)
        code = _command(arguments, settings, applied)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # who reads the output of ``plan`` has enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except NebulaError as error:
        print(f"nebula-agent: {error.message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def version() -> str:
    """The installed version."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("nebula-sdn")
    except PackageNotFoundError:
        return "0+source"


def _parser() -> argparse.ArgumentParser:
    described = "\n".join(f"  {name:<8} {text}" for name, text in _COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="nebula-agent",
        description="Makes this node what the controller's view says.",
        epilog=f"commands:\n{described}\n\nEach flag is also a key of the configuration file (hyphen: underscore).",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("command", nargs="?", choices=tuple(_COMMANDS), default="run", metavar="COMMAND")
    parser.add_argument("arguments", nargs="*", metavar="ARGUMENT", help="of join: URL TOKEN")
    parser.add_argument("--version", action="store_true", help="print the version and end")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="TOML file (default: $NEBULA_AGENT_CONFIG, else /etc/nebula/agent.toml)",
    )
    parser.add_argument("--script", action="store_true", help="plan: a script that builds the whole state by hand")
    for name, text in _FLAGS.items():
        parser.add_argument(f"--{name}", metavar=name.rpartition("-")[2].upper(), help=text)
    for name, text in _LISTS.items():
        parser.add_argument(f"--{name}", action="append", metavar=name.rpartition("-")[2].upper(), help=text)
    return parser


def _settings(arguments: argparse.Namespace) -> Settings:
    names = [name.replace("-", "_") for name in (*_FLAGS, *_LISTS)]
    flags: dict[str, object] = {name: getattr(arguments, name) for name in names}
    settings = config.load(Settings, config.chosen(arguments.config, "agent"), flags)
    if not settings.host:
        settings = msgspec.structs.replace(settings, host=socket.gethostname())
    if not settings.pid_file:
        settings = msgspec.structs.replace(settings, pid_file=f"{settings.run_dir}/agent.pid")
    settings_module.check(settings)
    return settings


def _command(arguments: argparse.Namespace, settings: Settings, applied: Callable[[Change], None] | None) -> int:
    name = arguments.command
    if arguments.script and name != "plan":
        raise ConfigError("--script goes with the command plan")
    if arguments.arguments and name != "join":
        raise ConfigError(f"{name} takes no arguments: {' '.join(arguments.arguments)}")
    if name == "join":
        return _join(arguments.arguments, settings)
    if name == "confirm":
        return _confirm(Path(settings.pid_file))
    from nebula_agent import commands

    if name == "plan":
        return commands.plan(settings, script=arguments.script)
    if name == "clean":
        return commands.clean(settings)
    return commands.run(settings, version(), applied)


def _join(arguments: Sequence[str], settings: Settings) -> int:
    if len(arguments) != 2:
        raise ConfigError("give join two arguments: nebula-agent join https://HOST:PORT TOKEN")
    from nebula_agent.access import folder_of
    from nebula_agent.join import join

    url, token = arguments
    for line in join(url, sys.stdin.readline() if token == "-" else token, settings.host, folder_of(settings)):
        print(line)
    if settings.controller and settings.controller.rstrip("/") != url.rstrip("/"):
        print(f"The configuration names another controller, {settings.controller}: take that line out.")
    if not settings.vtep_ip:
        print("Set vtep_ip in the agent's configuration before you start it.")
    return 0


def _confirm(pid_file: Path) -> int:
    try:
        os.kill(int(pid_file.read_text(encoding="ascii")), signal.SIGUSR1)
    except (OSError, ValueError) as error:
        raise ConfigError(f"no agent is running here (pid file {pid_file})") from error
    return 0


if __name__ == "__main__":
    logging.raiseExceptions = False
    sys.exit(main())
