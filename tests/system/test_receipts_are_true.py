"""What a receipt says is what the kernels show: compared, call by call, with what the tools of the trade list."""

import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from nebula.compile.pipeline.tables import table_names
from tests.netns.lab_machine import Machine

_NODES = ("net1", "compute1")
_BRIDGES = ("br-int", "br-tun", "br-ex")
_TABLES = {(bridge, name): number for bridge in _BRIDGES for number, name in dict(table_names(bridge)).items()}
_KINDS = ("namespace", "veth", "bridge-port", "flow")
_SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs/schemas/explain.json").read_text())
_LIST = """
ip netns; echo @; ip -o link; echo @; ovs-vsctl --bare --columns=name list Port; echo @
for bridge in br-int br-tun br-ex; do
    echo $bridge; ovs-ofctl -O OpenFlow14 --names --no-stats dump-flows $bridge 2> /dev/null || true
done
"""
Found = dict[tuple[str, str, str], str]

CALLS = """
subnet create s --network n --subnet-range 192.168.50.0/24
router create r
router add subnet r s
router set r --external-gateway public
instance create web --network n --node compute1
router remove subnet r s
router delete r
instance delete web
network delete n
"""
"""The first instance of a network on a node brings flows for ports that earlier calls made elsewhere."""


@pytest.fixture
def lab() -> Iterator[Machine]:
    """A machine with an ordinary user's lab of two nodes."""
    machine = Machine()
    try:
        machine.nebulactl("lab", "up", "--name", "receipts", "--nodes", "2", user=True)
        while machine.ctl("audit", user=True, env={"NEBULA_LAB": "receipts"}).returncode:
            time.sleep(0.2)  # 'lab up' waits for the agents, not for their first pass
        yield machine
    finally:
        machine.call(sys.executable, "-m", "nebulactl", "lab", "down", "--name", "receipts", user=True)
        machine.close()


def _call(machine: Machine, line: str) -> str:
    return machine.good(*line.split(), user=True, env={"NEBULA_LAB": "receipts"})


def _flows(dump: str) -> dict[str, str]:
    """Matches, written as a receipt writes them, to cookie and actions."""
    found: dict[str, str] = {}
    bridge = ""
    for line in dump.splitlines():
        flow = re.match(r' cookie=(\S+), table="?([^",]+)"?, (.*) actions=(.*)', line)
        if flow is None:
            bridge = line.strip() if line.strip() in _BRIDGES else bridge
        else:
            table = _TABLES.get((bridge, flow[2]), flow[2])
            found[f"{bridge} table={table},{flow[3]}".rstrip(",")] = flow[1] + flow[4]
    return found


def _kernels(machine: Machine) -> Found:
    """What there is on all nodes: (node, kind, name) to whatever else is known of it."""
    found: Found = {}
    for node in _NODES:
        out = machine.good("lab", "exec", "--name", "receipts", node, "--", "sh", "-c", _LIST, user=True)
        spaces, links, ports, flows = out.split("@\n")
        kinds = {
            "namespace": {line.split()[0]: "" for line in spaces.splitlines() if line},
            "veth": dict.fromkeys(re.findall(r"^\d+: (tap[^@:]+)", links, re.MULTILINE), ""),
            "bridge-port": {name: "" for name in ports.split() if name.startswith(("tap", "vxlan-"))},
            "flow": _flows(flows),
        }
        found |= {(node, kind, name): text for kind, items in kinds.items() for name, text in items.items()}
    return found


def _changed(before: Found, after: Found) -> Found:
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    return {key: "add" if key not in before else "change" if key in after else "remove" for key in changed}


def _receipt(machine: Machine) -> Found:
    body = json.loads(_call(machine, "explain --last -f json"))
    jsonschema.validate(body, _SCHEMA)
    assert body["waiting"] == []
    return {
        (receipt["host"], change["kind"], change["name"].rstrip(",")): change["action"]
        for receipt in body["receipts"]
        for change in receipt["changes"]
        if change["kind"] in _KINDS and change["result"] == "done"
    }


def _plan(machine: Machine, line: str) -> Counter[tuple[str, str, str]]:
    """What a plan says of each node, without the names: what the real call makes gets ids of its own."""
    body = json.loads(_call(machine, f"plan -f json {line}"))
    return Counter(
        (node["host"], item["kind"], item["action"])
        for node in body["nodes"]
        for item in node["differences"]
        if item["kind"] in _KINDS
    )


@pytest.mark.timeout(180)
def test_every_receipt_is_what_changed_in_the_kernels(lab: Machine) -> None:
    """From an empty network to an empty node: each call's receipt names all that changed on every node, and no more;
    its plan, made before, foretold that.

    Each call waits for the nodes, so what it is answered by has happened.
    """
    _call(lab, "network create n")
    empty = before = _kernels(lab)
    for line in CALLS.split("\n")[1:-1]:
        planned = _plan(lab, line)
        assert _kernels(lab) == before, f"a plan of {line} has changed something"
        _call(lab, f"{line} --wait")
        after = _kernels(lab)
        real = _changed(before, after)
        assert real
        said = _receipt(lab)
        assert said == real, line
        assert planned == Counter((node, kind, action) for (node, kind, _name), action in said.items()), line
        before = after
    assert before == empty


def _receipts(machine: Machine) -> list[dict[str, Any]]:
    """All on record, the oldest first; also of what agents did at their start, which belongs to no call."""
    environment = _call(machine, "lab env --name receipts")
    url = re.search(r"OS_AUTH_URL='?([^'\s]+)/identity/v3", environment)
    assert url is not None, environment
    token = f"X-Auth-Token: {_call(machine, 'token issue -f value -c id').strip()}"
    body = machine.run("curl", "-sS", "-H", token, f"{url[1]}/nebula/v1/receipts?limit=1000", user=True)
    found: list[dict[str, Any]] = json.loads(body)["receipts"]
    return sorted(found, key=lambda receipt: int(receipt["id"]))


@pytest.mark.timeout(180)
def test_explains_commands_make_the_same_node(lab: Machine) -> None:
    """The commands of all receipts, typed one after the other on nodes that were emptied: an agent would find nothing
    to change there.
    """

    def on(node: str, *argv: str, stdin: str = "") -> str:
        line = (sys.executable, "-m", "nebulactl", "lab", "exec", "--name", "receipts", node, "--", *argv)
        ended = lab.call(*line, user=True, stdin=stdin)
        assert ended.returncode == 0, f"{node}: {argv}: {ended.stdout[-500:]}{ended.stderr}"
        return ended.stdout

    _call(lab, "network create n")
    for line in CALLS.split("\n")[1:6]:
        _call(lab, f"{line} --wait")
    _call(lab, "router unset r --external-gateway --wait")
    _call(lab, "router set r --external-gateway public --wait")
    receipts = _receipts(lab)
    for node in _NODES:
        changes = [change for receipt in receipts if receipt["host"] == node for change in receipt["changes"]]
        assert all(change["result"] == "done" for change in changes)
        on(node, "sh", "-c", "kill -9 $(cat /run/nebula/agent.pid)")
        on(node, "nebula-agent", "clean")
        assert not on(node, "nebula-agent", "plan").startswith(f"# {node}: 0 changes")
        on(node, "bash", "-e", stdin="\n".join(change["command"] for change in changes))
        plan = on(node, "nebula-agent", "plan")
        assert plan.startswith(f"# {node}: 0 changes"), plan
