"""What exists on the nodes, read from the kernel and Open vSwitch themselves.

Effects: runs commands inside the lab; changes nothing.
"""

from __future__ import annotations

import re

from nebula.compile.pipeline.tables import table_names
from nebula_lab import Lab
from nebula_lab.demo.stage import Stage, look

_WIDTH = 150
_MOST = 6
_COOKIE = re.compile(r"^\s*cookie=0x[0-9a-f]+,\s*")
_TABLE = re.compile(r"table=(\d+)")
_JUMP = re.compile(r"(goto_table:|resubmit\(,)(\d+)")


def namespaces(stage: Stage, lab: Lab, node: str) -> None:
    """``ip netns`` of a node."""
    stage.show(f"{node}# ip netns", [line.split(" ")[0] for line in look(lab, node, "ip", "netns")] or ["(none)"])


def bridges(stage: Stage, lab: Lab, node: str) -> None:
    """Each bridge of a node with its ports."""
    lines = []
    for bridge in look(lab, node, "ovs-vsctl", "list-br"):
        ports = look(lab, node, "ovs-vsctl", "list-ports", bridge)
        lines.append(f"{bridge}: {', '.join(sorted(ports)) or '(no ports)'}")
    stage.show(f"{node}# ovs-vsctl list-ports (each bridge)", lines)


def flows(stage: Stage, lab: Lab, node: str, bridge: str, wanted: tuple[str, ...]) -> None:
    """The flows of a bridge that hold one of these words, with the tables' names."""
    names = table_names(bridge)
    dump = look(lab, node, "ovs-ofctl", "-O", "OpenFlow14", "--names", "--no-stats", "dump-flows", bridge)
    found = [named(line, dict(names)) for line in dump if any(word in line for word in wanted)]
    more = [f"... and {len(found) - _MOST} more"] if len(found) > _MOST else []
    stage.show(f"{node}# ovs-ofctl --names --no-stats dump-flows {bridge} (some)", [*map(_short, found[:_MOST]), *more])


def snat_rules(lab: Lab, node: str, router_id: str) -> list[str]:
    """The source NAT rules of a router."""
    rules = look(lab, node, "ip", "netns", "exec", f"qrouter-{router_id}", "iptables", "-t", "nat", "-S", "POSTROUTING")
    return [rule for rule in rules if "SNAT" in rule]


def processes(stage: Stage, lab: Lab, node: str, program: str) -> list[str]:
    """The node's processes of this program, shown."""
    lines = [line for line in look(lab, node, "ps", "-e", "-o", "pid=,args=") if _program_of(line) == program]
    stage.show(f"{node}# ps -e -o pid,args | grep {program}", map(_short, lines))
    return lines


def named(line: str, names: dict[int, str]) -> str:
    """A dumped flow without its cookie, with names for the numbers of tables."""
    line = _COOKIE.sub("", line.strip())
    if not line.startswith("table="):
        line = f"table=0, {line}"
    line = _TABLE.sub(lambda match: f"table={names.get(int(match[1]), match[1])}", line, count=1)
    return _JUMP.sub(lambda match: f"{match[1]}{names.get(int(match[2]), match[2])}", line)


def _program_of(line: str) -> str:
    words = line.split()
    return words[1].rpartition("/")[2] if len(words) > 1 else ""


def _short(line: str) -> str:
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 4]} ..."
