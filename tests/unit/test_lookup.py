"""Whose is it: things as the tools print them, and the objects that they name."""

from __future__ import annotations

import pytest
from compile_views import SCENARIOS, scenario

from nebula.compile.lookup import named
from nebula.compile.node import compile_node
from nebula.desired.kinds import Address, ConfigFile, Flow, KernelObject, LocalVlan, Process, Route, Ruleset, Sysctl
from nebula.desired.openflow import flow_line
from nebula.desired.state import NodeState

ROUTER = "nebula:router:5cf32528-565b-4acc-8f26-af86244c680b"
PIDS = {"dnsmasq:b69b8128-c03e-49a3-b100-6f862ae50fb8": 4711}


@pytest.fixture(scope="module")
def state() -> NodeState:
    return compile_node(*scenario("case-study-net1"))


def owners(state: NodeState, thing: str) -> set[str]:
    return {item.owner.mark for item in named(state, thing, PIDS)}


def printed(item: KernelObject) -> list[str]:  # noqa: PLR0911 - one line per kind
    """How the tools of the trade print the object."""
    match item:
        case Flow():
            line = f" {flow_line(item)}"
            return [line.replace(f",table={item.table},", f", duration=3.2s, table={item.table}, n_packets=5, ")]
        case Ruleset():
            return [line for line in item.text.splitlines() if line.startswith("-A")]
        case Address():
            return [item.cidr, item.cidr.split("/")[0]]
        case Route():
            return [f"{item.namespace} {item.destination}"]
        case Sysctl():
            return [f"{item.namespace} {item.name}"]
        case LocalVlan():
            return [f"vlan {item.tag}"]
        case ConfigFile():
            return [item.path]
        case Process():
            return [item.name]
        case _:
            return [item.key.name]


@pytest.mark.parametrize("name", sorted(path.name for path in SCENARIOS.iterdir() if (path / "view.json").exists()))
def test_everything_that_is_made_resolves(name: str) -> None:
    """Each object of each scenario, as it is printed, leads to itself."""
    state = compile_node(*scenario(name))
    lost = [
        (item.key, thing)
        for item in state.values()
        for thing in printed(item)
        if item.key not in {found.key for found in named(state, thing, {})}
    ]
    assert lost == []


def test_a_line_is_one_flow_and_a_cookie_all_of_its_owner(state: NodeState) -> None:
    """The most exact meaning wins."""
    flow = next(item for item in state.values() if isinstance(item, Flow) and item.table == 60)
    same_owner = [item for item in state.values() if isinstance(item, Flow) and item.owner == flow.owner]
    assert named(state, flow_line(flow), {}) == [flow]
    assert named(state, f"{flow.cookie:#x}", {}) == same_owner
    assert named(state, f"cookie={flow.cookie:#x}", {}) == same_owner


@pytest.mark.parametrize(
    ("thing", "mark"),
    [
        ("4711", "nebula:network:b69b8128-c03e-49a3-b100-6f862ae50fb8"),
        ("qr-285e4d49-5c", "nebula:port:285e4d49-5c0b-4b62-8d2f-1c9e7a6b5d40"),
        ("fa:16:3e:7c:51:9f", "nebula:port:285e4d49-5c0b-4b62-8d2f-1c9e7a6b5d40"),
        (
            "link/alias nebula:router:5cf32528-565b-4acc-8f26-af86244c680b",
            "nebula:router:5cf32528-565b-4acc-8f26-af86244c680b",
        ),
    ],
)
def test_other_words_for_it(state: NodeState, thing: str, mark: str) -> None:
    """A process's number, the end inside a namespace, a MAC address, a mark somewhere in a line."""
    assert mark in owners(state, thing)


@pytest.mark.parametrize(
    "thing", ["", "nothing", "0x0", "0x4e04000000000000", "-A nothing", "table=1", "4712", "nebula:house:1"]
)
def test_what_is_not_ours_is_nobodys(state: NodeState, thing: str) -> None:
    """No object, and no error."""
    assert named(state, thing, PIDS) == []
