"""``nebulactl bench``: measurements for the lecture. Effects: runs nebula-controller's own, in a temporary folder."""

from __future__ import annotations

import subprocess
import sys

import click
import msgspec

from nebula.errors import CommandFailed
from nebulactl.options import lists
from nebulactl.output import Output
from nebulactl.render import cell

_LIMIT_S = 300


@click.group()
def bench() -> None:
    """Measurements on this machine."""


@bench.command("tokens")
@click.option("--tokens", "count", type=click.IntRange(10, 10_000), default=500, show_default=True, help="How many.")
@lists
def tokens(output: Output, count: int) -> None:
    """Compare Fernet and UUID tokens: validations per second, database look-ups for each.

    Each token is validated twice, by a whole request inside the controller (no sockets): the first time it is new,
    the second time the controller remembers it. No running controller is asked or disturbed.

    \b
    Examples:
      nebulactl bench tokens
      nebulactl bench tokens --tokens 2000 -f json
    """
    argv = [sys.executable, "-m", "nebula_controller.main", "measure-tokens", "--tokens", str(count)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    if done.returncode != 0:
        raise CommandFailed(argv, done.returncode, done.stderr)
    titles = ("Provider", "Token", "Characters", "Rows per token", "Validations/s", "Look-ups per validation")
    rows: list[list[str | int | float]] = []
    for figures in msgspec.json.decode(done.stdout, type=list[dict[str, str | int | float]]):
        for case, title in (("first", "new"), ("again", "remembered")):
            per_s, lookups = float(figures[f"{case}_per_s"]), float(figures[f"{case}_lookups"])
            shown = figures["provider"], title, figures["token_characters"], round(float(figures["rows"]), 2)
            rows.append([*shown, round(per_s), round(lookups, 2)])
    output.rows(titles, [[cell(value) for value in row] for row in rows])
