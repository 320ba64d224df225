"""``nebulactl network onboard subnet``: older words for ``subnet pool add network``. Effects: those of that."""

from __future__ import annotations

import click

from nebulactl.commands.subnet import add_network


@click.group()
def onboard() -> None:
    """The older words of 'subnet pool add network'."""


onboard.add_command(add_network, "subnet")
