"""nebulactl without a command: commands read a line each, with a prompt at a terminal, as the openstack client does.

Effects: reads the standard input, and what the commands do. All of them in one process: on a slow machine the start
of each costs more than what it does.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence

import click

_PROMPT = "(nebulactl) "
_INTRODUCTION = "A command a line, without 'nebulactl'; 'help' lists them, 'exit' ends."
_WRONG = 2


def read_commands(run: Callable[[Sequence[str]], int]) -> int:
    """Give each line's words to ``run``, until the end of the input, ``exit`` or ``quit``; returns the exit code.

    At a terminal a command that fails is followed by the next prompt, and the code is the last one's. Elsewhere it
    ends the session with its code, so that nothing is done on top of what is missing. A line may have a comment (#).
    """
    at_terminal = sys.stdin.isatty()
    code = 0
    for number, line in enumerate(_typed() if at_terminal else sys.stdin, 1):
        words, code = _words(line, code)
        if words[:1] in (["exit"], ["quit"]):
            break
        if words[:1] == ["help"]:
            words = [*words[1:], "--help"]
        if words:
            code = run(words)
        if code and not at_terminal:
            click.echo(f"nebulactl: line {number} failed; what comes after it was not done", err=True)
            break
    return code


def _words(line: str, code: int) -> tuple[list[str], int]:
    try:
        return shlex.split(line, comments=True), code
    except ValueError as error:  # a quote that does not end
        click.echo(f"nebulactl: {error}", err=True)
        return [], _WRONG


def _typed() -> Iterator[str]:
    import readline  # noqa: F401 (input() has its keys and its history then)

    click.echo(_INTRODUCTION, err=True)
    while True:
        try:
            yield input(_PROMPT)
        except KeyboardInterrupt:
            click.echo()
        except EOFError:
            click.echo()
            return
