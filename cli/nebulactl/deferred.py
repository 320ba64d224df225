"""Groups whose commands are imported when they are called: a call pays for its own noun alone. Effects: imports."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

from nebulactl.wait import CHANGING, offer_wait

_NOTHING_TO_WAIT_FOR = ("nebulactl.commands.node",)
"""Who is a node changes nothing that a node has to do."""


class Deferred(click.Group):
    """``deferred``: further commands by name, each with its one line of help.

    The command ``x`` is the ``x`` of the module ``nebulactl.commands.x``.
    """

    def __init__(self, *arguments: Any, deferred: Mapping[str, str], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._deferred = deferred

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self._deferred, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._deferred or cmd_name in self.commands:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module(f"nebulactl.commands.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        if module.__name__ not in _NOTHING_TO_WAIT_FOR:
            offer_wait(command, changes=cmd_name in CHANGING)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own = {name: command.get_short_help_str(80) for name, command in sorted(self.commands.items())}
        with formatter.section("Commands"):
            formatter.write_dl([*self._deferred.items(), *own.items()])
