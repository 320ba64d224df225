"""``--wait``: an option of every command that changes something. Pure, but for what the option tells the Api.

The controller then answers when each node that the call reached has acted on it, and says how long that took.
"""

from __future__ import annotations

import click
from click.core import ParameterSource

from nebulactl.invocation import Invocation

WAIT_S = 30
"""How long the nodes are waited for."""

CHANGING = {"create", "set", "unset", "delete", "add", "remove", "onboard", "cleanup"}


def offer_wait(command: click.Command, *, changes: bool = False) -> None:
    """Give the option to the commands below ``command`` whose verb, or one above it, is a changing one."""
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            offer_wait(inner, changes=changes or name in CHANGING)
    elif changes:
        for parameter in command.params:
            if "--wait" in parameter.opts:  # has a meaning of its own, and by default
                parameter.callback = _wait_too
                return
        command.params.append(
            click.Option(
                ["--wait"],
                is_flag=True,
                expose_value=False,
                callback=_wait_too,
                help=f"Until all nodes have done it, {WAIT_S} s at most; prints how long each took.",
            )
        )


def _wait_too(ctx: click.Context, parameter: click.Parameter, value: bool) -> bool:
    found, name = ctx.find_object(Invocation), parameter.name
    if value and found is not None and name and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
        found.wait_s = WAIT_S
    return value
