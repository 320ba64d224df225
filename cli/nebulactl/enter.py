"""The way into an instance: its namespace, on its node, in a lab or on this machine.

Effects: reads the labs' state; ``become`` replaces this process, so that terminal, signals and exit code pass, or
starts another where commands follow in this one.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from nebula.errors import ConfigError, NebulaError, NotFound
from nebula.ids import InstanceId, instance_namespace
from nebulactl.api import JsonObject
from nebulactl.invocation import invocation

HOST = "OS-EXT-SRV-ATTR:host"


def command_line(instance: JsonObject, auth_url: str, argv: Sequence[str]) -> list[str]:
    """The command line that runs ``argv`` in the instance. Raises NotFound or ConfigError with what to do."""
    name, node = instance.get("name"), str(instance.get(HOST) or "")
    if not node:
        raise NotFound(f"Instance {name} has no node yet: its status is {instance.get('status')}.")
    namespace = instance_namespace(InstanceId(str(instance.get("id"))))
    inside = ["ip", "netns", "exec", namespace, "env", *argv]  # env(1) ends with 127 where there is no such program
    if (lab := _lab_of(auth_url)) is not None:
        from nebula_lab import open_lab

        return open_lab(lab).enter(node, inside)
    if node != socket.gethostname():
        raise NotFound(
            f"Instance {name} is on node {node}, which is neither this machine nor a node of a lab here. "
            f"On {node}: ip netns exec {namespace} {' '.join(argv)}"
        )
    if os.geteuid() != 0:
        raise ConfigError("Namespaces of this machine are open to root alone: run 'sudo -E nebulactl instance ...'.")
    if not Path("/run/netns", namespace).exists():
        raise NotFound(
            f"There is no namespace {namespace} for instance {name} (yet): its status is {instance.get('status')}."
        )
    return inside


def _lab_of(auth_url: str) -> str | None:
    """The lab on this machine whose API this is."""
    from nebula_lab import find_lab, lab_names

    for name in lab_names():
        try:
            lab = find_lab(name)
        except NebulaError:
            continue
        if lab is not None and auth_url.startswith(f"{lab.endpoint}/"):
            return name
    return None


def become(argv: Sequence[str]) -> NoReturn:
    """Turn this process into the program. Raises NotFound where it is not installed.

    In a session it runs beside, and has the terminal as its input or nothing: a script's next lines are commands.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        if not invocation().in_session:
            os.execvp(argv[0], list(argv))
        stdin = None if sys.stdin.isatty() else subprocess.DEVNULL
        raise click.exceptions.Exit(subprocess.run(argv, stdin=stdin, check=False).returncode)
    except FileNotFoundError:
        raise NotFound(f"{argv[0]} is not installed.") from None
