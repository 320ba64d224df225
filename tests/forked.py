"""Programs that are loaded once, of which each call is a fork: to load ``openstack`` takes 1.4 s of a processor.

A call has what a process of its own would have: arguments, exactly the environment asked for, folder, streams and exit
code; and, if asked, the namespaces and the user of a private machine (``netns/lab_machine.py``), as by nsenter and
setpriv. It does not show that the installed program starts, and what a program reads of the environment while it loads
(``openstack``: where a clouds.yaml lies that no variable names) is the first caller's.

Effects: a process for each program from its first call on, which ends with this one; its children. As a program,
``forked.py PROGRAM SOCKET``, it is that process: a request is JSON with four descriptors, the standard streams and
where the exit code is written to.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import gc
import importlib
import io
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

_LONGEST_REQUEST_BYTES = 150_000
_Program = Callable[[list[str]], int | None]
_LIBC = ctypes.CDLL(None, use_errno=True)
_NAMESPACES = 0x00020000 | 0x20000000 | 0x40000000 | 0x04000000 | 0x08000000
"""CLONE_NEWNS, NEWPID, NEWNET, NEWUTS, NEWIPC; sched.h."""
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38


def run(
    program: str,
    words: Sequence[str],
    variables: Mapping[str, str],
    *,
    typed: str = "",
    together: bool = False,
    timeout_s: int = 90,
    machine: int = 0,
    user: int = 0,
) -> subprocess.CompletedProcess[str]:
    """Exit code and output of a call; ``together``: standard error is in standard output.

    It is in the namespaces of the process ``machine`` and of the user with this number, where they are given.
    TimeoutExpired where it takes longer.
    """
    with contextlib.ExitStack() as files:
        given, out, error = (files.enter_context(tempfile.TemporaryFile("w+")) for _ in range(3))
        given.write(typed)
        given.seek(0)
        request = {
            "words": words,
            "variables": dict(variables),
            "folder": "/" if machine else str(Path.cwd()),
            "timeout_s": timeout_s,
            "machine": machine,
            "user": user,
        }
        streams = [given.fileno(), out.fileno(), (out if together else error).fileno()]
        code = _loaded(program).ask(request, streams)
        if code == -signal.SIGALRM:
            raise subprocess.TimeoutExpired([program, *words], timeout_s)
        out.seek(0)
        error.seek(0)
        return subprocess.CompletedProcess([program, *words], code, out.read(), error.read())


class _Loaded:
    """The process that has loaded a program; it ends with its socket."""

    def __init__(self, program: str) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        line = [sys.executable, __file__, program, str(theirs.fileno())]
        environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
        with theirs:
            self._process = subprocess.Popen(line, pass_fds=[theirs.fileno()], env=environment)
        atexit.register(self._close)

    def _close(self) -> None:
        self._requests.close()
        self._process.wait()

    def ask(self, request: Mapping[str, Any], streams: list[int]) -> int:
        """The exit code of a call; that of a signal is negative."""
        ended, end = os.pipe()
        with os.fdopen(ended) as answer:
            try:
                socket.send_fds(self._requests, [json.dumps(request).encode()], [*streams, end])
            finally:
                os.close(end)
            return int(answer.read())


_loaded = functools.cache(_Loaded)


def _openstack(_words: list[str]) -> _Program:
    return _client()


@functools.cache
def _client() -> _Program:
    sys.argv[0] = "openstack"
    from openstackclient import shell

    with contextlib.redirect_stdout(io.StringIO()):
        for noun in ("network", "project"):
            _code(shell.main, [noun, "list", "--help"])
    logging.getLogger().handlers.clear()  # each call adds its own
    return shell.main


def _nebulactl(words: list[str]) -> _Program:
    sys.argv[0] = "nebulactl"
    from nebulactl import main

    if words and words[0] in main.COMMANDS:
        importlib.import_module(f"nebulactl.commands.{words[0]}")
    return main.run


_PROGRAMS = {"openstack": _openstack, "nebulactl": _nebulactl}
"""Each loads what a command needs."""


def _code(program: _Program, words: list[str]) -> int:
    """What the interpreter would exit with."""
    try:
        return program(words) or 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)


def _serve(name: str, requests: socket.socket) -> None:
    _PROGRAMS[name]([])
    gc.freeze()
    while True:
        text, descriptors, _, _ = socket.recv_fds(requests, _LONGEST_REQUEST_BYTES, 4)
        with contextlib.suppress(ChildProcessError):  # those who waited for calls
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not text:
            return
        request = json.loads(text)
        program = _PROGRAMS[name](request["words"])
        if os.fork() == 0:
            requests.close()
            _wait_for_call(program, request, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _wait_for_call(program: _Program, request: dict[str, Any], descriptors: list[int]) -> None:
    """Never returns."""
    *streams, end = descriptors
    if request["machine"]:
        machine = os.pidfd_open(request["machine"])
        _done(_LIBC.setns(machine, _NAMESPACES))
        os.close(machine)
    child = os.fork()
    if child == 0:
        os.close(end)
        _call(program, request, streams)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.write(end, str(code).encode())
    os._exit(0)


def _call(program: _Program, request: dict[str, Any], streams: list[int]) -> None:
    """Never returns."""
    code = 1
    try:
        signal.alarm(request["timeout_s"])
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
        sys.stderr = os.fdopen(2, "w", 1, errors="backslashreplace")
        sys.argv[1:] = request["words"]
        if request["user"]:
            _become(request["user"])
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["variables"])
        code = _code(program, request["words"])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code & 0xFF)


def _become(user: int) -> None:
    """For good. The system closes /proc/self to a process that changes its user, until it runs another program."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    _done(_LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _done(_LIBC.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0))


def _done(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    _serve(sys.argv[1], socket.socket(fileno=int(sys.argv[2])))
