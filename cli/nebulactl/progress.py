"""Says what is being waited for, once the wait is longer than a second.

Effects: writes to standard error: on a terminal a line that changes (rich, imported only then), else plain lines.
"""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.status import Status

_PATIENCE_S = 1.0


class Progress:
    """Use as a context; call ``say`` at each look at what is waited for."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._started_s = time.monotonic()
        self._shown = ""
        self._status: Status | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    @property
    def waited_s(self) -> float:
        return time.monotonic() - self._started_s

    def say(self, text: str) -> None:
        """Nothing in the first second, and nothing twice."""
        if self.waited_s < _PATIENCE_S or text == self._shown:
            return
        self._shown = text
        if not sys.stderr.isatty():
            click.echo(text, err=True)
        elif self._status is None:
            from rich.console import Console
            from rich.markup import escape

            self._status = self._stack.enter_context(Console(stderr=True).status(escape(text)))
        else:
            from rich.markup import escape

            self._status.update(escape(text))
