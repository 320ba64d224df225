"""``nebulactl completion``: the script that makes a shell complete. Effects: prints."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Examples:
      nebulactl completion bash > /etc/bash_completion.d/nebulactl
      source <(nebulactl completion zsh)
      nebulactl completion fish > ~/.config/fish/completions/nebulactl.fish
    """
    from nebulactl.main import cli

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "nebulactl", "_NEBULACTL_COMPLETE").source())
