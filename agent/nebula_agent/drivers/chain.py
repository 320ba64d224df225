"""Driver of iptables chains in the node's own namespace.

Effects: runs iptables-save and iptables-restore there. Ours are the chains of the table ``mangle`` whose names begin
with ``nebula-``, and the jumps to them in INPUT; all else in that namespace is the administrator's. A chain and its
jump change in one commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from nebula.desired.diff import Change
from nebula.desired.kinds import Chain, KernelObject, Key
from nebula.desired.shell import chain_text
from nebula.desired.state import NodeState
from nebula.ids import Owner, OwnerKind, parse_mark
from nebula.view.report import Action
from nebula_agent.drivers.driver import Failures, into
from nebula_agent.drivers.kernel import Kernel
from nebula_agent.edge.run import run

_OURS = "nebula-"


class ChainDriver:
    """Loads and takes away chains."""

    kinds = (Chain.kind,)

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._read = False
        self._any = False

    @property
    def dirty(self) -> bool:
        return not self._read or (self._any and self._kernel.root.rules_dirty)

    def mark_dirty(self) -> None:
        self._read = False

    def observe(self, desired: NodeState) -> Iterable[KernelObject]:
        self._kernel.root.rules_dirty = False
        lines = _lines()
        self._read = True
        found = [_chain(name, lines, desired) for name in _names(lines)]
        self._any = bool(found) or any(isinstance(item, Chain) for item in desired.values())
        return found

    def apply(self, changes: Sequence[Change]) -> Failures:
        failures: dict[Key, str] = {}
        for change in changes:
            with into(failures, change):
                subject = change.subject
                assert isinstance(subject, Chain)
                lines = _lines()
                text = "".join(f"-D {jump}\n" for jump in _jumps(subject.name, lines))
                if change.action is not Action.REMOVE:
                    _, _, rest = chain_text(subject, jump=True).partition("\n")
                    run(["iptables-restore", "--noflush"], stdin=f"*mangle\n{text}{rest}")
                elif subject.name in _names(lines):
                    text += f"-F {subject.name}\n-X {subject.name}\n"
                    run(["iptables-restore", "--noflush"], stdin=f"*mangle\n{text}COMMIT\n")
        return failures


def _lines() -> list[str]:
    return run(["iptables-save", "-t", "mangle"]).splitlines()


def _names(lines: Sequence[str]) -> list[str]:
    return [line[1:].split()[0] for line in lines if line.startswith(f":{_OURS}")]


def _jumps(name: str, lines: Sequence[str]) -> list[str]:
    return [line.removeprefix("-A ") for line in lines if line.startswith("-A INPUT ") and line.endswith(f" -j {name}")]


def _chain(name: str, lines: Sequence[str], desired: NodeState) -> Chain:
    """As it is; without a match where the jump is not the one that is wanted."""
    rules = tuple(line.removeprefix(f"-A {name} ") for line in lines if line.startswith(f"-A {name} "))
    wanted = desired.get(Key(Chain.kind, name))
    if isinstance(wanted, Chain):
        found = msgspec.structs.replace(wanted, rules=rules)
        return found if _jumps(name, lines) == [wanted.jump] else msgspec.structs.replace(found, match="")
    return Chain(name, "", rules, _owner(_jumps(name, lines)))


def _owner(jumps: Sequence[str]) -> Owner:
    marks = (parse_mark(word.strip('"')) for jump in jumps for word in jump.split())
    return next((mark for mark in marks if mark is not None), Owner(OwnerKind.NODE, ""))
