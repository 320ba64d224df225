"""Running programs: argument lists, never a shell, always a time limit, in a namespace where asked.

Effects: processes. A program is started by the calling thread from inside the namespace, so it costs no more
than without one (no ``ip netns exec``, no Python between fork and exec).
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Sequence

from nebula.errors import CommandFailed
from nebula_agent.edge import netns

TIMEOUT_S = 20.0


def run(argv: Sequence[str], *, stdin: str = "", namespace_fd: int | None = None, timeout_s: float = TIMEOUT_S) -> str:
    """Standard output of a program that ended with 0. Raises CommandFailed."""
    try:
        with in_namespace(namespace_fd):
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
    except OSError as error:
        raise CommandFailed(argv, 127, f"cannot start: {error.strerror}") from error
    with process:
        try:
            output, errors = process.communicate(stdin, timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            process.kill()
            process.communicate()
            raise CommandFailed(argv, None, f"no end after {timeout_s:.0f} s") from error
    if process.returncode != 0:
        raise CommandFailed(argv, process.returncode, errors or output)
    return output


@contextlib.contextmanager
def in_namespace(fd: int | None) -> Iterator[None]:
    """What is started in the block runs in that namespace; None: in the node's own."""
    if fd is None:
        yield
        return
    with netns.inside(fd):
        yield
