"""``docs/lecture.md``: the case study with the real output of each command. As a program it writes the page anew.

Effects: a lab of its own on a machine of its own (``lab_machine``), as an ordinary user's; the page.

The page is here as text with commands in it; ``walk`` types them and puts their output below each. A command that is to
fail says with which exit code; one that ends with ``&`` goes on while the next runs.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.netns.lab_machine import Machine

PAGE = Path(__file__).resolve().parents[2] / "docs" / "lecture.md"
MOST_LINES = 34
"""Of one output; what is longer is cut in the middle, and the page says so."""
_LONGEST = 200
_COMMAND = re.compile(r"^    \$ (?P<line>.*?)(?:   # exit code (?P<code>\d+))?$")

STORY = """\
# A lecture: one network, looked into

The case study as one would show it: make a network, see what it became, follow a packet, break something, find it. Every
output is real; `python -m tests.system.lecture` makes the page anew. Long outputs are cut in the middle (`...`).

## A lab

Three nodes with Open vSwitch and an agent each, a controller, and an outside world.

    $ nebulactl lab up

## A network is rows, a subnet is a server

`plan` says what a call would change, on which node, before it is made.

    $ nebulactl network create nebula_net -f value -c id
    $ nebulactl plan subnet create nebula_subnet --network nebula_net --subnet-range 192.168.50.0/24
    $ nebulactl subnet create nebula_subnet --network nebula_net --subnet-range 192.168.50.0/24 --wait -f value -c id

`explain` says what it did change: the rows, and on each node every kernel object, with the command that a person would type.

    $ nebulactl explain --last

## A router and two instances

    $ nebulactl router create nebula_router -f value -c id
    $ nebulactl router add subnet nebula_router nebula_subnet --wait
    $ nebulactl router set nebula_router --external-gateway public --wait
    $ nebulactl instance create web --network nebula_net --node compute1 -f value -c status
    $ nebulactl instance create db --network nebula_net --node compute2 -f value -c status
    $ nebulactl instance exec web -- curl -sS http://198.51.100.10/

The web server outside saw the router's address, never a private one. Which rule did that?

    $ nebulactl lab exec net1 -- sh -c 'ip netns exec $(ip netns | grep -o "qrouter-[^ ]*") iptables -t nat -S POSTROUTING'

## Whose is it?

Every object leads back to the API object, the call and the user that it exists for.

    $ nebulactl owner 192.168.50.1 -c Node -c Kind -c Name -c Owner -c Call -c User
    $ nebulactl realised instance web

## The way of a packet, predicted

    $ nebulactl trace web 198.51.100.10 tcp 80

## The way of a packet, seen

One file, one interface for each point, the same packet recognised behind tunnel and NAT:

    $ nebulactl capture path web 198.51.100.10 --filter 'tcp port 80' -c 20 -w web.pcapng --print &
    $ nebulactl instance exec web -- curl -sS http://198.51.100.10/
    $ tshark -r web.pcapng -Y 'frame.comment contains "packet 1,"' -T fields -e frame.interface_name -e frame.comment

## Something breaks

The agents would mend it within a second or two, so the one of compute1 has to rest first.

    $ nebulactl node pause compute1
    $ nebulactl lab exec compute1 -- ovs-ofctl del-flows br-tun table=20
    $ nebulactl instance exec web -- ping -c 1 -W 1 192.168.50.4   # exit code 1

Where is it lost, and what would help?

    $ nebulactl trace web db   # exit code 3

What is not as it shall be on the nodes, and whose is it?

    $ nebulactl audit   # exit code 1
    $ nebulactl audit --fix
    $ nebulactl node resume compute1
    $ nebulactl trace web db --live
    $ nebulactl instance exec web -- ping -c 1 -W 1 192.168.50.4

## And away

    $ nebulactl plan router unset nebula_router --external-gateway
    $ nebulactl lab down
"""  # noqa: E501


class Failed(AssertionError):
    """A command did not do what the page says."""


def walk(run: Callable[[str], subprocess.Popen[str]]) -> str:
    """The page with the output of every command, typed in turn. Raises Failed."""
    page: list[str] = []
    behind: list[tuple[int, str, subprocess.Popen[str]]] = []
    for text in STORY.splitlines():
        page.append(text)
        command = _COMMAND.match(text)
        if command is None:
            continue
        line = command["line"]
        process = run(line.removesuffix(" &"))
        if line.endswith(" &"):
            behind.append((len(page), line, process))
            time.sleep(2)  # it listens
            continue
        page += _output(process, line, int(command["code"] or 0))
        while behind:
            at, line, process = behind.pop()
            page[at:at] = _output(process, line, 0)
    return "\n".join(page) + "\n"


def commands(page: str) -> list[str]:
    """What is typed in a page, and the text around it: all but the outputs."""
    return [text for text in page.splitlines() if text and (not text.startswith("    ") or _COMMAND.match(text))]


def _output(process: subprocess.Popen[str], line: str, code: int) -> list[str]:
    out, _ = process.communicate(timeout=60)
    if process.returncode != code:
        raise Failed(f"{line}: exit code {process.returncode}, not {code}\n{out}")
    lines = [text.rstrip().expandtabs() for text in out.splitlines()]
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES // 2], "...", *lines[-MOST_LINES // 2 :]]
    return [f"    {text[:_LONGEST]}{'...' if len(text) > _LONGEST else ''}".rstrip() for text in lines]


def typing(machine: Machine, folder: str) -> Callable[[str], subprocess.Popen[str]]:
    """Types lines on a machine as a user would, in a folder, both streams as on a terminal."""
    shim = f'cd "$0" && nebulactl() {{ {sys.executable} -m nebulactl "$@"; }} && {{ eval "$1"; }} 2>&1'

    def run(line: str) -> subprocess.Popen[str]:
        return machine.start("bash", "-c", shim, folder, line, user=True, env={"NEBULA_LAB": "nebula"})

    return run


def written() -> str:
    """The page, made in a lab that is made for it and is gone afterwards."""
    machine = Machine()
    folder = machine.call("mktemp", "-d", user=True).stdout.strip()
    try:
        return walk(typing(machine, folder))
    finally:
        machine.call(sys.executable, "-m", "nebulactl", "lab", "down", user=True)
        machine.call("rm", "-rf", folder, user=True)
        machine.close()


if __name__ == "__main__":
    PAGE.write_text(written(), encoding="utf-8")
