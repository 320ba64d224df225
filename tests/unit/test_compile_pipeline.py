"""The OpenFlow pipeline's files, its table list and its document say the same; dumps are read back."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest
from compile_views import scenario

from nebula.compile import compile_node, pipeline
from nebula.compile.pipeline import text
from nebula.compile.pipeline.dump import DumpedFlow, observed_flow, observed_flows, owners_by_cookie, parse_flow
from nebula.compile.pipeline.tables import TABLES, Table, table_names
from nebula.desired.kinds import Flow
from nebula.desired.openflow import flow_line
from nebula.ids import Owner, OwnerKind

DOCUMENT = Path(__file__).parents[2] / "docs" / "pipeline.md"
_TABLE_FILE = re.compile(r"(int|tun|ex)_(\d\d)_\w+")
PORT = Owner(OwnerKind.PORT, "5759c106-0c7e-4d19-a5b3-8f6e1d2c4b70")


def _modules() -> dict[str, Table]:
    names = [module.name for module in pkgutil.iter_modules(pipeline.__path__) if _TABLE_FILE.fullmatch(module.name)]
    return {name: import_module(f"nebula.compile.pipeline.{name}").TABLE for name in sorted(names)}


def test_one_file_per_table() -> None:
    """Every table of the list has its file, named after bridge and number, and no file has none."""
    numbered = {name: (table.bridge, table.number) for name, table in _modules().items()}
    named = {name: (match[1], int(match[2])) for name in numbered if (match := _TABLE_FILE.fullmatch(name))}
    assert (numbered, set(_modules().values())) == (named, set(TABLES))


def test_one_section_per_table() -> None:
    """docs/pipeline.md has one section for each table, in the list's order, under its bridge, number and name."""
    sections = re.findall(r"^### (\S+) table (\d+): (\w+)$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    bridges = {"int": "br-int", "tun": "br-tun", "ex": "br-ex"}
    assert sections == [(bridges[table.bridge], str(table.number), table.name) for table in TABLES]


def test_each_file_starts_with_number_and_name() -> None:
    """The first line of a table's file names bridge, number and name."""
    bridges = {"int": "br-int", "tun": "br-tun", "ex": "a provider bridge (br-ex)"}
    first = {
        name: (import_module(f"nebula.compile.pipeline.{name}").__doc__ or "").split(":")[0] for name in _modules()
    }
    expected = {
        name: f"Table {table.number} of {bridges[table.bridge]}, {table.name}" for name, table in _modules().items()
    }
    assert first == expected


def test_flows_only_go_forward_to_tables_that_exist() -> None:
    """goto_table names a later table of the same bridge; resubmit one of the same bridge."""
    for bridge in ("br-int", "br-tun", "br-ex"):
        numbers = set(table_names(bridge))
        for name in ("case-study-net1", "two-subnets-on-a-router"):
            flows = [item for item in compile_node(*scenario(name)).values() if isinstance(item, Flow)]
            for flow in (flow for flow in flows if flow.bridge == bridge):
                gotos = [int(number) for number in re.findall(r"goto_table:(\d+)", flow.actions)]
                resubmits = [int(number) for number in re.findall(r"resubmit\(,(\d+)\)", flow.actions)]
                assert {flow.table, *gotos, *resubmits} <= numbers
                assert all(number > flow.table for number in gotos)


NAMES = table_names("br-int")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            " cookie=0x4e045759c1060c7e, table=TRANSIENT, priority=100,in_port=vnet0 "
            'actions=set_field:0x1->reg6,goto_table:"BASE_EGRESS"',
            DumpedFlow(0x4E045759C1060C7E, 60, 100, "in_port=vnet0", "set_field:0x1->reg6,goto_table:71"),
        ),
        (" cookie=0x1, priority=0 actions=drop", DumpedFlow(1, 0, 0, "", "drop")),
        (" cookie=0x1, table=60, actions=drop", DumpedFlow(1, 60, 32768, "", "drop")),
        (" cookie=0x1, table=60, reg5=0x1 actions=drop", DumpedFlow(1, 60, 32768, "reg5=0x1", "drop")),
        (
            ' cookie=0x1, table="BASE_INGRESS", priority=1,reg5=0x1 actions=resubmit(,"BASE_INGRESS"),resubmit(,94)',
            DumpedFlow(1, 81, 1, "reg5=0x1", "resubmit(,81),resubmit(,94)"),
        ),
        (
            " cookie=0x1, duration=9.5s, table=71, n_packets=7, n_bytes=9, idle_age=3, priority=5,arp actions=NORMAL",
            DumpedFlow(1, 71, 5, "arp", "NORMAL"),
        ),
        (
            ' cookie=0x1, table=60, priority=5,in_port="a b" actions=output:"table=3"',
            DumpedFlow(1, 60, 5, 'in_port="a b"', 'output:"table=3"'),
        ),
        ("OFPST_FLOW reply (OF1.4) (xid=0x2):", None),
        (" priority=0 actions=NORMAL", None),
        ("", None),
    ],
)
def test_parse_flow(line: str, expected: DumpedFlow | None) -> None:
    """Names of tables become numbers; statistics are skipped; what is no flow, or has no cookie, is None."""
    assert parse_flow(line, NAMES) == expected


def test_parse_flow_rejects_unknown_table_names() -> None:
    """A name that is not one of the bridge's is an error, not a guess."""
    with pytest.raises(ValueError, match="'NOWHERE'"):
        parse_flow(" cookie=0x1, table=NOWHERE, priority=0 actions=drop", NAMES)


def test_observed_flow_gets_its_desired_owner() -> None:
    """The cookie finds the owner among the desired flows', so that an unchanged flow is equal."""
    flow = text.flow(TABLES[0], 5, 'in_port="a b"', "output:vxlan", PORT)
    assert observed_flows("br-int", f" {flow_line(flow)}".replace(",table", ", table"), owners_by_cookie([flow])) == [
        flow
    ]


def test_observed_flow_of_a_forgotten_owner() -> None:
    """An owner that nobody knows has the right kind and the same cookie again."""
    dumped = DumpedFlow(PORT.cookie, 60, 1, "in_port=vnet0", "drop")
    flow = observed_flow("br-int", dumped, {})
    assert flow is not None
    assert (flow.owner, flow.cookie, flow.ports) == (
        Owner(OwnerKind.PORT, "5759c106-0c7e-0000-0000-000000000000"),
        PORT.cookie,
        ("vnet0",),
    )


def test_foreign_flows_are_not_observed() -> None:
    """A cookie without our mark is none of our business."""
    assert observed_flow("br-ex", DumpedFlow(0x9A5D1F82AEC77E02, 0, 0, "", "NORMAL"), {}) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [("vxlan", "vxlan"), ("eth0", "eth0"), ("a.b", '"a.b"'), ("1st", '"1st"'), ('q"', '"q\\""'), ("b\\", '"b\\\\"')],
)
def test_port_text(name: str, expected: str) -> None:
    """Names are quoted where the switch quotes them, and read back."""
    assert (text.port_text(name), text.port_names(f"in_port={expected}")) == (expected, (name,))
