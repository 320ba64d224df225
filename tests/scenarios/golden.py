"""Scenarios: what a view becomes, written out to be read. ``python tests/scenarios/golden.py`` rewrites all files.

Reads ``view.json`` and ``facts.json`` of each folder beside it and writes the other files there. People review them
as code. Pure but for those files.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path

import msgspec

from nebula.compile import compile_node
from nebula.compile.facts import Facts
from nebula.compile.pipeline.tables import TABLES, Table, table_names
from nebula.desired.diff import diff
from nebula.desired.kinds import (
    Address,
    Bridge,
    BridgePort,
    Chain,
    ConfigFile,
    FdbEntry,
    Flow,
    KernelObject,
    LocalVlan,
    Namespace,
    Offload,
    Process,
    Route,
    Ruleset,
    Sysctl,
    VethPair,
    VxlanDevice,
)
from nebula.desired.shell import chain_text, command
from nebula.desired.state import EMPTY, NodeState
from nebula.ids import Owner
from nebula.view.records import NodeView

HERE = Path(__file__).parent
INPUT = ("about.txt", "view.json", "facts.json")
_OFFLOAD = {
    Offload.ALL: "",
    Offload.TCP: ", TCP's segments and checksums left to the device",
    Offload.NONE: ", checksums in software",
}
_TO_TABLE = re.compile(r"(goto_table:|resubmit\(,|ct\(table=)(\d+)")


def scenarios() -> list[Path]:
    """Folders that hold a view."""
    return sorted(path.parent for path in HERE.glob("*/view.json"))


def load(folder: Path) -> tuple[NodeView, Facts]:
    """The input of a scenario."""
    view = msgspec.json.decode((folder / "view.json").read_bytes(), type=NodeView)
    return view, msgspec.json.decode((folder / "facts.json").read_bytes(), type=Facts)


def golden(folder: Path) -> dict[str, str]:
    """The files that the scenario shall hold beside its input, by name."""
    state = compile_node(*load(folder))
    items = list(state.values())
    files = {"netns.txt": _namespaces(items), "bridges.txt": _bridges(items), "commands.sh": _commands(folder, state)}
    for bridge in sorted(item.name for item in items if isinstance(item, Bridge)):
        files[f"flows.{bridge}.txt"] = _flows(bridge, items)
    for item in items:
        if isinstance(item, Ruleset):
            files[f"iptables.{item.namespace}.txt"] = item.text
        elif isinstance(item, Chain):
            files["iptables.node.txt"] = chain_text(item, jump=True)
        elif isinstance(item, Process) and item.argv[0] == "dnsmasq":
            files[f"dnsmasq.{item.owner.id}.txt"] = _dnsmasq(item, state)
    return files


def _flows(bridge: str, items: Iterable[KernelObject]) -> str:
    """By table: owner, priority and match, then the actions, as ``ovs-ofctl --names dump-flows`` prints them."""
    flows = [item for item in items if isinstance(item, Flow) and item.bridge == bridge]
    lines: list[str] = []
    for table in _tables_of(bridge):
        lines.append(f"# Table {table.number}, {table.name}: {_meaning(table)}\n")
        here = [flow for flow in flows if flow.table == table.number]
        for flow in sorted(here, key=lambda flow: (-flow.priority, flow.match)):
            match = f",{flow.match}" if flow.match else ""
            actions = _TO_TABLE.sub(lambda to: to[1] + table_names(bridge)[int(to[2])], flow.actions)
            lines.append(f"{_short(flow.owner):<17} priority={flow.priority}{match} actions={actions}\n")
        lines.append("\n")
    return "".join(lines[:-1])


def _tables_of(bridge: str) -> list[Table]:
    kind = {"br-int": "int", "br-tun": "tun"}.get(bridge, "ex")
    return [table for table in TABLES if table.bridge == kind]


def _meaning(table: Table) -> str:
    """From the first line of the table's own file."""
    module = import_module(f"nebula.compile.pipeline.{table.bridge}_{table.number:02}_{_file_name(table)}")
    return (module.__doc__ or "").splitlines()[0].partition(": ")[2]


def _file_name(table: Table) -> str:
    return {"TUN_INPUT": "input"}.get(table.name, table.name.lower())


def _short(owner: Owner) -> str:
    return f"{owner.kind} {owner.id if owner.kind in ('node', 'peer') else owner.id[:8]}"


def _namespaces(items: list[KernelObject]) -> str:
    spaces = [item for item in items if isinstance(item, Namespace)]
    text = "\n".join("".join(_namespace(space, items)) for space in sorted(spaces, key=lambda item: item.name))
    return text or "no namespaces\n"


def _namespace(space: Namespace, items: list[KernelObject]) -> Iterator[str]:
    name = space.name
    yield f"{name}   ({space.owner.mark})\n"
    for item in items:
        match item:
            case VethPair(peer_namespace=where) if where == name:
                yield (
                    f"  device   {item.peer_name} {item.peer_mac_address} mtu {item.mtu_bytes}, other end {item.name}"
                    f"{_OFFLOAD[item.offload]}\n"
                )
        match item:
            case Address(namespace=where) if where == name:
                yield f"  address  {item.cidr} on {item.device}\n"
            case Route(namespace=where) if where == name:
                hops = " and ".join(f"via {hop.via} on {hop.device}" for hop in item.hops)
                yield f"  route    {item.destination} {hops}\n"
            case Sysctl(namespace=where) if where == name:
                yield f"  sysctl   {item.name} = {item.value}{' once the rules are in' if item.after_rules else ''}\n"
            case Process(namespace=where) if where == name:
                yield f"  process  {' '.join(item.argv)}\n"
            case _:
                pass


def _bridges(items: list[KernelObject]) -> str:
    lines: list[str] = []
    for bridge in sorted((item for item in items if isinstance(item, Bridge)), key=lambda item: item.name):
        how = "adopted, not ours" if bridge.adopt else f"datapath {bridge.datapath_type}, fail mode {bridge.fail_mode}"
        lines.append(f"{bridge.name}: {how}\n")
        ports = [item for item in items if isinstance(item, BridgePort) and item.bridge == bridge.name]
        for port in sorted(ports, key=lambda item: item.name):
            options = " ".join(f"{key}={value}" for key, value in port.options)
            tag = f"tag {port.tag}" if port.tag is not None else ""
            facts = [text for text in (port.type, options, tag, f"({_short(port.owner)})") if text]
            lines.append(f"  port {port.name:<14} {' '.join(facts)}\n")
    for vlan in items:
        if isinstance(vlan, LocalVlan):
            lines.append(f"local VLAN {vlan.tag} is network {vlan.network_id}\n")
    for item in items:
        if isinstance(item, VxlanDevice):
            lines.append(
                f"{item.name}: VNI {item.vni} from {item.vtep_ip}, mtu {item.mtu_bytes} ({_short(item.owner)})\n"
            )
        elif isinstance(item, FdbEntry):
            what = "floods" if item.mac_address == item.FLOOD else item.mac_address
            lines.append(f"  {item.device} sends {what} to {item.vtep_ip} ({_short(item.owner)})\n")
    return "".join(lines)


def _dnsmasq(item: Process, state: NodeState) -> str:
    lines = [" \\\n  ".join(item.argv), "\n"]
    for path in item.reload_on:
        content = next(
            found.content for found in state.values() if isinstance(found, ConfigFile) and found.path == path
        )
        lines.append(f"\n==> {path} <==\n{content}")
    return "".join(lines)


def _commands(folder: Path, state: NodeState) -> str:
    about = "".join(f"# {line}\n" for line in (folder / "about.txt").read_text(encoding="utf-8").splitlines())
    what = "# All changes of the first pass on an empty node, in order, as a person would type them.\n"
    lines = [f"#!/bin/bash\n{about}{what}set -e\n"]
    kind = ""
    for change in diff(state, EMPTY):
        if change.key.kind != kind:
            kind = change.key.kind
            lines.append(f"\n# {kind}\n")
        lines.append(f"{command(change)}\n")
    return "".join(lines)


def main() -> int:
    """Rewrite every scenario; says what changed."""
    for folder in scenarios():
        wanted = golden(folder)
        for path in folder.iterdir():
            if path.name not in wanted and path.name not in INPUT:
                path.unlink()
                print(f"removed {path.relative_to(HERE)}")
        for name, text in wanted.items():
            path = folder / name
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")
                print(f"written {path.relative_to(HERE)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
