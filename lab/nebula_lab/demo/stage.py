"""What the demo's audience sees: steps, commands, what they show, checks, the closing table.

Effects: writes to standard output, runs nebulactl as a child process, and commands inside the lab.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence

import msgspec

from nebula.capture.text import Packet
from nebula.errors import CommandFailed, NebulaError
from nebula_lab import Lab
from nebula_lab.command import environment

_LIMIT_S = 90.0


class Check(msgspec.Struct, frozen=True):
    """Something that must hold. ``seconds`` is what it took to find out."""

    name: str
    held: bool
    seconds: float
    detail: str


class Stage:
    """Prints as things happen, and remembers the checks."""

    def __init__(self, lab_name: str) -> None:
        self.checks: list[Check] = []
        self._lab_name = lab_name
        self._began_s = time.monotonic()
        self._colour = sys.stdout.isatty()

    def step(self, number: int, title: str) -> None:
        """A headline with the time since the start."""
        self.say(f"\n{self._bold(f'{number}. {title}')}   (at {time.monotonic() - self._began_s:.1f} s)")

    def say(self, text: str) -> None:
        sys.stdout.write(f"{text}\n")  # in one piece: several threads report
        sys.stdout.flush()

    def show(self, title: str, lines: Iterable[str]) -> None:
        """Real output of something, indented under its title."""
        self.say(f"  {title}")
        for line in lines:
            self.say(f"    {line}")

    def packets(self, title: str, packets: Sequence[Packet], most: int = 8) -> None:
        """One line per packet, at most this many."""
        more = [f"... and {len(packets) - most} more"] if len(packets) > most else []
        self.show(title, [*(packet.line for packet in packets[:most]), *more])

    def check(self, name: str, held: bool, detail: str, began_s: float) -> None:
        """Remember and print a check; ``began_s`` is monotonic time."""
        one = Check(name, held, time.monotonic() - began_s, detail)
        self.checks.append(one)
        self.say(f"  {self._verdict(held)} {name}: {detail}")

    def failed(self, name: str, message: str) -> None:
        """A step that could not be finished."""
        self.check(name, False, message, time.monotonic())

    def nebulactl(self, *words: str, project: str | None = None) -> object:
        """Print and run a call; the answer as JSON (None where it has none). Raises CommandFailed."""
        shown = ["nebulactl", *(["--os-project-name", project] if project else []), *words]
        self.say(f"  $ {shlex.join(shown)}")
        wants_json = not {"delete", "add", "set"} & set(words[:2])
        argv = [*_program(), *shown[1:], *(["-f", "json"] if wants_json else [])]
        out = self._call(argv)
        try:
            return json.loads(out) if wants_json and out.strip() else None
        except ValueError:
            raise CommandFailed(shown, 0, f"no JSON: {out[:200]}") from None

    def inside(self, instance: str, *argv: str, project: str | None = None, quiet: bool = False) -> tuple[int, str]:
        """Print and run a program in an instance: exit code and output."""
        shown = [
            "nebulactl",
            *(["--os-project-name", project] if project else []),
            "instance",
            "exec",
            instance,
            "--",
            *argv,
        ]
        if not quiet:
            self.say(f"  $ {shlex.join(shown)}")
        ended = self._run([*_program(), *shown[1:]])
        return ended.returncode, ended.stdout + ended.stderr

    def start_inside(self, instance: str, *argv: str, project: str | None = None) -> subprocess.Popen[bytes]:
        """Start a program in an instance; it ends with the lab."""
        words = [*(["--os-project-name", project] if project else []), "instance", "exec", instance, "--", *argv]
        self.say(f"  $ {shlex.join(['nebulactl', *words])} &")
        return subprocess.Popen(
            [*_program(), *words],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def closing(self) -> bool:
        """Print the table of checks; True when there are some and all held."""
        width = max((len(check.name) for check in self.checks), default=10)
        self.say(f"\n{self._bold('Checks')}")
        for check in self.checks:
            self.say(f"  {self._verdict(check.held)} {check.name:{width}} {check.seconds:6.2f} s  {check.detail}")
        failed = sum(not check.held for check in self.checks)
        total = time.monotonic() - self._began_s
        self.say(f"\n{len(self.checks) - failed} of {len(self.checks)} checks held, {total:.1f} s in all.")
        return bool(self.checks) and not failed

    def _call(self, argv: Sequence[str]) -> str:
        ended = self._run(argv)
        if ended.returncode != 0:
            raise CommandFailed(["nebulactl", *argv[len(_program()) :]], ended.returncode, ended.stderr)
        return ended.stdout

    def _run(self, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                argv,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise CommandFailed(argv, None, "") from error

    def _environment(self) -> dict[str, str]:
        """Only the lab says whom to call."""
        plain = {name: value for name, value in environment().items() if not name.startswith("OS_")}
        return {**plain, "NEBULA_LAB": self._lab_name}

    def _bold(self, text: str) -> str:
        return f"\033[1m{text}\033[0m" if self._colour else text

    def _verdict(self, held: bool) -> str:
        word = "ok  " if held else "FAIL"
        return f"\033[{32 if held else 31}m{word}\033[0m" if self._colour else word


def look(lab: Lab, node: str, *argv: str) -> list[str]:
    """Lines that a command on a node prints. Raises CommandFailed."""
    return lab.space(node).run(list(argv)).splitlines()


def wait_for(condition: Callable[[], bool], timeout_s: float, pause_s: float = 0.05) -> bool:
    """Call until it is true. A NebulaError counts as not yet."""
    end = time.monotonic() + timeout_s
    while True:
        try:
            if condition():
                return True
        except NebulaError:
            pass
        if time.monotonic() > end:
            return False
        time.sleep(pause_s)


def _program() -> list[str]:
    return [sys.executable, "-m", "nebulactl"]
