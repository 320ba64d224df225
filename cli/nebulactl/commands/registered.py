"""``nebulactl registered limit``: the commands are in ``limit``. Effects: none of its own."""

from __future__ import annotations

import click

from nebulactl.commands.limit import registered_limit


@click.group()
def registered() -> None:
    """What holds for all projects."""


registered.add_command(registered_limit)
