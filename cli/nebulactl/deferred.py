"""Groups whose commands are imported when they are called: a call pays for its own noun alone. Effects: imports."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

import click

import nebula.model
from nebulactl.wait import CHANGING, offer_wait

_NOTHING_TO_WAIT_FOR = ("node",)
"""Who is a node changes nothing that a node has to do."""


class Deferred(click.Group):
    """``deferred``: further commands by name, each with its one line of help.

    The command ``x`` is the ``x`` of the module ``nebulactl.commands.x``. ``completed``: with what is declared beside
    (``plain_verbs``).
    """

    def __init__(self, *arguments: Any, deferred: Mapping[str, str], completed: bool = False, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._deferred = deferred
        self._completed = completed

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self._deferred, *self._others(), *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            return command
        if cmd_name in self._deferred:
            command = getattr(importlib.import_module(f"nebulactl.commands.{cmd_name}"), cmd_name)
        if self._completed and _begins_a_declaration(cmd_name):
            from nebulactl import plain_verbs

            command = plain_verbs.complete(cmd_name, command)
        if command is not None and cmd_name not in _NOTHING_TO_WAIT_FOR:
            offer_wait(command, changes=cmd_name in CHANGING)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own = sorted([*self.commands, *self._others()])
        found = {name: self.get_command(ctx, name) for name in own}
        words = {name: command.get_short_help_str(80) for name, command in found.items() if command is not None}
        with formatter.section("Commands"):
            formatter.write_dl([*self._deferred.items(), *words.items()])

    def _others(self) -> list[str]:
        """What is declared and has no module of its name."""
        if not self._completed:
            return []
        from nebulactl import plain_verbs

        return plain_verbs.names(self._deferred)


def _begins_a_declaration(name: str) -> bool:
    return any(module.name.partition("_")[0] == name for module in pkgutil.iter_modules(nebula.model.__path__))
