"""A conversation between two guests: one UDP socket that asks, one that answers what it was asked.

Effects: two programs in the guests' namespaces, which end with the sandbox.
"""

from __future__ import annotations

import subprocess

from agent_node import PATIENCE, AgentNode

PORT = 9000
"""Where the answers come from."""
BIG = 3000
"""Bytes of a question that travels in fragments, and so does its answer."""
_SERVER = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", int(sys.argv[1]))); print("up", flush=True)
while True: s.sendto(*s.recvfrom(9000))
"""
_CLIENT = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 7000)); s.settimeout(float(sys.argv[3]))
print("up", flush=True)
for number, line in enumerate(sys.stdin):
    sent = str(number).encode().ljust(int(line))
    s.sendto(sent, (sys.argv[1], int(sys.argv[2])))
    try:
        while s.recvfrom(9000)[0] != sent: pass
        print("answered", flush=True)
    except OSError:
        print("silence", flush=True)
"""


class Talk:
    """Both ends of it, for as long as the test runs."""

    def __init__(self, node: AgentNode, namespace: str, server: AgentNode, server_namespace: str, peer: str) -> None:
        """The one who asks, and the one who answers at ``peer``."""
        self._server = server.start("python3", "-c", _SERVER, str(PORT), namespace=server_namespace)
        patience_s = 1.0 if PATIENCE == 1 else 4.0
        arguments = (peer, str(PORT), str(patience_s))
        argv = node.argv("python3", "-c", _CLIENT, *arguments, namespace=namespace)
        pipe = subprocess.PIPE
        self._client = subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True, bufsize=1)
        assert self._server.stdout is not None
        assert (self._server.stdout.readline(), self._line()) == ("up\n", "up")

    def _line(self) -> str:
        assert self._client.stdout is not None
        return self._client.stdout.readline().strip()

    def say(self, size: int = 8) -> str:
        """Send something new, of so many bytes, on the one connection: ``answered`` or ``silence``."""
        assert self._client.stdin is not None
        self._client.stdin.write(f"{size}\n")
        return self._line()
