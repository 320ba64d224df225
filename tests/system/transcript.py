"""Transcripts: what a person types into a shell with the real ``openstack`` client, and what it answers.

``$ openstack ...`` is a command, ``$ export NAME=VALUE`` the environment of the next ones, ``> text`` is the answer to
a prompt of the command above it, which runs as a process on a terminal of its own; ``# text`` is for the reader. What
follows a command is its output, standard error included, and ``exit 1`` where the code is not 0. Ids, times, MAC
addresses and the cloud's URL read ``<id>``, ``<time>``, ``<mac>`` and ``<cloud>``.

Effects: forks of a loaded client (``tests/forked.py``), a whole one for each command that prompts. ``python -m
tests.system.transcript FILE...`` writes files anew with what a fresh controller answers.
"""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests import forked
from tests.system.openstack_cloud import BIN, Controller

FOLDER = Path(__file__).parent / "transcripts"
_PATIENCE_S = 60
_VOLATILE = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b"), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?"), "<time>"),
    (re.compile(r"fa:16:3e(:[0-9a-f]{2}){3}"), "<mac>"),
)


def play(controller: Controller, text: str) -> str:
    """The transcript with what the client says now; equal to ``text`` where all is as it was."""
    lines: list[str] = []
    changes: dict[str, str] = {}
    for command, typed in _commands(text):
        lines += [command, *(f"> {answer}" for answer in typed)]
        words = shlex.split(command.removeprefix("$ "), comments=True)
        if command.startswith("$ export "):
            changes.update(dict(word.partition("=")[::2] for word in words[1:]))
        elif command.startswith("$ openstack "):
            environment = {**controller.environment(), **changes}
            if typed:
                code, said = _on_a_terminal(words[1:], typed, environment)
            else:
                ended = forked.run("openstack", words[1:], environment, together=True, timeout_s=_PATIENCE_S)
                code, said = ended.returncode, ended.stdout
            lines += said_lines(said, controller.url)
            lines += [f"exit {code}"] if code else []
    return "\n".join(lines) + "\n"


def _commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Every line that is not the client's answer, with what is typed at its prompts."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith(("$ ", "# ")) or not line:
            typed = []
            for answer in lines[number + 1 :]:
                if not answer.startswith("> "):
                    break
                typed.append(answer.removeprefix("> "))
            yield line, typed


def said_lines(text: str, url: str) -> list[str]:
    """The lines of an output, with the words for what differs each time."""
    text = text.replace(url, "<cloud>")
    for pattern, name in _VOLATILE:
        text = pattern.sub(name, text)
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def _on_a_terminal(argv: list[str], typed: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """Run the installed program on a pseudo terminal; every prompt (a line that ends in ``:``) gets the next answer."""
    outer, inner = pty.openpty()
    environment = {**environment, "TERM": "dumb", "COLUMNS": "200"}
    process = subprocess.Popen(
        [str(BIN / "openstack"), *argv],
        stdin=inner,
        stdout=inner,
        stderr=inner,
        env=environment,
        start_new_session=True,
    )
    os.close(inner)
    said, answered = b"", 0
    deadline = time.monotonic() + _PATIENCE_S
    try:
        while time.monotonic() < deadline:
            if not select.select([outer], [], [], 1)[0]:
                continue
            try:
                part = os.read(outer, 65536)
            except OSError:  # EIO: nobody has the other end any more
                break
            if not part:
                break
            said += part
            if said.rstrip(b" ").endswith(b":") and answered < len(typed):
                os.write(outer, typed[answered].encode() + b"\n")
                answered += 1
        return process.wait(5), said.decode().replace("\r", "")
    finally:
        os.close(outer)
        if process.poll() is None:
            process.kill()
            process.wait()


def main(paths: list[str]) -> int:
    """Write the transcripts anew."""
    for path in map(Path, paths):
        with tempfile.TemporaryDirectory() as folder:
            controller = Controller(Path(folder))
            try:
                path.write_text(play(controller, path.read_text()))
            finally:
                controller.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
