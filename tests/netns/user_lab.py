"""A lab as its ordinary user has it: ``nebulactl``, and what is made with it.

Effects: all of a lab's, on a machine of its own; everything ends with ``close``. Where the machine is the tests' alone
one lab serves all that run there, with all that they ask for: where it is emulated, a lab takes a minute to start.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import pytest

from tests.netns.agent_node import DATAPATH, PATIENCE
from tests.netns.lab_machine import WHOLE, Machine

NODES = ("net1", "compute1", "compute2")


class UserLab:
    """``make`` are the calls that fill it, as lines; ``nodes``: the first so many of ``NODES``.

    NEBULA_TEST_DATAPATH is the nodes' datapath (``netdev``).
    """

    _made_in_all: ClassVar[set[str]] = set()
    """In the one lab of a machine that is the tests' alone."""

    def __init__(self, name: str, make: Sequence[str], nodes: int = len(NODES)) -> None:
        self.machine = Machine()
        self._made = self._made_in_all if WHOLE else set()
        self.variables = {"NEBULA_LAB": "shared" if WHOLE else name}
        try:
            code, _out, error = self.call("lab", "up", "--nodes", str(nodes), "--datapath", DATAPATH)
            if not self.machine.private and "/dev/net/tun" in error:
                pytest.skip(error)
            assert code == 0, error
            self.make(make)
        except BaseException:
            self.close()
            raise

    def make(self, lines: Sequence[str]) -> bool:
        """A call for each line that was not made before; False where all were."""
        new = [line for line in lines if line not in self._made]
        for line in new:
            self.good(*line.split())
            self._made.add(line)
        return bool(new)

    def call(self, *words: str) -> tuple[int, str, str]:
        ended = self.machine.ctl(*words, user=True, env=self.variables)
        return ended.returncode, ended.stdout, ended.stderr

    def good(self, *words: str) -> str:
        """Output of a call that must succeed."""
        return self.machine.good(*words, user=True, env=self.variables)

    def has_address(self, instance: str, caller: Sequence[str] = ()) -> None:
        """Wait for its lease; an IPv6 address is tried out first (DAD, RFC 4862), and answers nobody meanwhile."""
        there = "ip -o address show eth0 scope global | grep -v tentative | grep -q inet"
        wait = f"for i in $(seq 100); do {there} && exit 0; sleep {0.1 if PATIENCE == 1 else 1}; done; exit 1"
        self.good(*caller, "instance", "exec", instance, "--", "sh", "-c", wait)

    def on(self, node: str, script: str) -> str:
        """Output of a shell script on a node."""
        return self.good("lab", "exec", node, "--", "sh", "-c", script)

    def close(self) -> None:
        if not WHOLE:
            self.call("lab", "down")
        self.machine.close()
