"""Driver of iptables rules inside namespaces of ours.

Effects: runs iptables-save and iptables-restore in the namespace, and ends connections that the rules contradict. All
rules of a namespace of ours are ours; they are replaced table by table, each in one commit. Reads them only where
rules are wanted, or in routers. A ruleset is in only when its connections have been seen to: the rules of an agent that
died before that differ by one line of comment from those that shall be.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence

from nebula.desired.diff import Change
from nebula.desired.kinds import KernelObject, Key, Ruleset
from nebula.desired.state import NodeState
from nebula.ids import OwnerKind
from nebula.view.report import Action
from nebula_agent.drivers.driver import Failures, into
from nebula_agent.drivers.kernel import Kernel, Look, Space
from nebula_agent.drivers.translations import Way, end_stale, has_stale, ways
from nebula_agent.edge.rtnl import RT_TABLE_MAIN
from nebula_agent.edge.run import in_namespace, run

_STALE = "# connections that these rules contradict\n"
_BUILT_IN = {
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "raw": ("PREROUTING", "OUTPUT"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "security": ("INPUT", "FORWARD", "OUTPUT"),
}


class RulesetDriver:
    """Loads whole rulesets."""

    kinds = (Ruleset.kind,)

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._look = Look(kernel)
        self._known: dict[str, str] = {}
        self._settled: set[str] = set()
        """Namespaces whose connections are known to agree with the rules: looked at once, and after every change."""

    @property
    def dirty(self) -> bool:
        spaces = self._kernel.spaces
        return self._look.dirty or any(spaces[name].rules_dirty for name in self._known if name in spaces)

    def mark_dirty(self) -> None:
        self._known.clear()

    def observe(self, desired: NodeState) -> Iterable[KernelObject]:
        self._look.take()
        asked = {item.namespace: item for item in desired.values() if isinstance(item, Ruleset)}
        for name, space in self._kernel.spaces.items():
            if space.owner is None or (name not in asked and space.owner.kind is not OwnerKind.ROUTER):
                self._known.pop(name, None)
                self._settled.discard(name)
                continue
            if space.rules_dirty or name not in self._known:
                space.rules_dirty = False
                self._known[name] = run(["iptables-save"], namespace_fd=space.fd)
            text = self._known[name]
            wanted = asked.get(name)
            if wanted is not None and canonical(wanted.text) == canonical(text):
                yield wanted if self._settle(space, wanted.text) else Ruleset(name, text + _STALE, wanted.owner)
            elif canonical(text):
                owner = wanted.owner if wanted is not None else space.owner
                yield Ruleset(name, plain(text), owner)

    def apply(self, changes: Sequence[Change]) -> Failures:
        failures: dict[Key, str] = {}
        for change in changes:
            with into(failures, change):
                subject = change.subject
                assert isinstance(subject, Ruleset)
                self._known.pop(subject.namespace, None)
                self._settled.discard(subject.namespace)
                if change.action is Action.REMOVE:
                    space = self._kernel.spaces.get(subject.namespace)
                    if space is not None:
                        run(["iptables-restore"], stdin=emptied(subject.text), namespace_fd=space.fd)
                    continue
                text = subject.text
                if isinstance(change.before, Ruleset):
                    text += _only_in_first(change.before.text, subject.text)
                space = self._kernel.space(subject.namespace)
                run(["iptables-restore"], stdin=text, namespace_fd=space.fd)
                with in_namespace(space.fd):
                    end_stale(subject.text, _ways(space))
                self._settled.add(subject.namespace)
        return failures

    def _settle(self, space: Space, rules: str) -> bool:
        """True where no connection is known to contradict the rules; a kernel that does not tell has none to end."""
        if space.name not in self._settled:
            with contextlib.suppress(OSError), in_namespace(space.fd):
                if has_stale(rules, _ways(space)):
                    return False
            self._settled.add(space.name)
        return True


def _ways(space: Space) -> Way:
    """The way out of the namespace, as its routes were seen last."""
    names = {link.index: link.name for link in space.links.values()}
    routes = (
        (route.destination, names.get(route.hops[0][1], ""))
        for route in space.routes
        if route.table == RT_TABLE_MAIN and ":" not in route.destination
    )
    return ways(routes, {address.cidr.partition("/")[0] for address in space.addresses})


def plain(text: str) -> str:
    """``iptables-save`` output without comment lines and counters."""
    return "".join(line.split(" [")[0] + "\n" if line[:1] == ":" else line + "\n" for line in _lines(text))


def canonical(text: str) -> dict[str, tuple[str, ...]]:
    """Lines by table, chains sorted; tables that say nothing beyond the kernel's defaults left out."""
    tables: dict[str, list[str]] = {}
    table = ""
    for line in _lines(text):
        if line.startswith("*"):
            table = line[1:].strip()
        elif line != "COMMIT":
            tables.setdefault(table, []).append(line.split(" [")[0] if line[:1] == ":" else line.strip())
    result: dict[str, tuple[str, ...]] = {}
    for name, lines in tables.items():
        defaults = {f":{chain} ACCEPT" for chain in _BUILT_IN.get(name, ())}
        chains = sorted(line for line in lines if line[:1] == ":" and line not in defaults)
        rules = [line for line in lines if line[:1] != ":"]
        if chains or rules:
            result[name] = (*chains, *rules)
    return result


def emptied(text: str) -> str:
    """A restore that flushes each table that the text has."""
    lines: list[str] = []
    for table in canonical(text):
        lines += [f"*{table}", *(f":{chain} ACCEPT" for chain in _BUILT_IN.get(table, ())), "COMMIT"]
    return "\n".join(lines) + "\n"


def _only_in_first(first: str, second: str) -> str:
    """Flush the tables that the first text fills and the second does not mention."""
    mentioned = {line[1:].strip() for line in _lines(second) if line.startswith("*")}
    return "".join(
        emptied(f"*{table}\n" + "\n".join(lines) + "\nCOMMIT\n")
        for table, lines in canonical(first).items()
        if table not in mentioned
    )


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]
