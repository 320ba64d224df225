"""Python for Ansible's modules, of which each is a fork: the SDK, which each takes 0.5 s to load, is loaded once.

    module_python.py serve SOCKET        loads, says so, and waits for calls until its standard input ends
    module_python.py call SOCKET         in the place of ``python``: runs what is on standard input

A call has what a process of its own would have: environment, folder, streams and exit code. The module and what else
its collection has come from Ansible, as ever; ``ansible.module_utils`` is the one that is installed, which is the same.
Effects: a socket; two processes for each call.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys

_LONGEST_BYTES = 150_000


def _call(path: str) -> int:
    """The exit code of what runs with the streams of this process."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        socket.send_fds(connection, [json.dumps({"folder": os.getcwd(), **os.environ}).encode()], [0, 1, 2])  # noqa: PTH109
        return int(connection.recv(9))


def _serve(path: str) -> None:
    """Returns in the process of each call."""
    import openstack.connection
    from ansible.module_utils._internal._ansiballz import _loader

    del openstack, _loader
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # none is waited for
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        print("loaded", flush=True)
        while listener in select.select([listener, sys.stdin], [], [])[0]:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                return _begin(connection)
            connection.close()
    sys.exit()


def _begin(connection: socket.socket) -> None:
    """Returns in a child with the caller's environment, folder and streams; tells the caller how that ends."""
    text, streams, _, _ = socket.recv_fds(connection, _LONGEST_BYTES, 3)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child != 0:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        connection.send(str(code).encode())
        os._exit(0)
    connection.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    variables = json.loads(text)
    os.chdir(variables.pop("folder"))
    os.environ.clear()
    os.environ.update(variables)


if __name__ == "__main__":
    verb, place = sys.argv[1:]
    if verb == "call":
        sys.exit(_call(place))
    _serve(place)
    sys.argv[:] = ["-"]
    exec(compile(sys.stdin.read(), "<stdin>", "exec"), {"__name__": "__main__"})
