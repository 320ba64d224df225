"""Audit, owner, realised, pause and fix in a lab: what is broken by hand is found, named, and mended when asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.netns.user_lab import UserLab

_SCHEMAS = Path(__file__).resolve().parents[2] / "docs/schemas"
_MAKE = (
    "network create n",
    "subnet create s --network n --subnet-range 192.168.50.0/24",
    "router create r",
    "router add subnet r s",
    "router set r --external-gateway public",
    "instance create web --network n --node compute1",
)


class _Lab(UserLab):
    """And what its commands say."""

    def told(self, schema: str, *words: str) -> Any:
        """What a command says with ``-f json``, which is as its schema says."""
        _code, out, error = self.call(*words, "-f", "json")
        assert out, error
        found = json.loads(out)
        jsonschema.validate(found, json.loads((_SCHEMAS / f"{schema}.json").read_text()))
        return found

    def audit(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.told("audit", "audit")
        return found


@pytest.fixture(scope="module")
def lab() -> Iterator[_Lab]:
    lab = _Lab("audited", [f"{line} --wait" for line in _MAKE], nodes=2)
    try:
        yield lab
    finally:
        lab.close()


def test_all_is_in_order_until_somebody_breaks_it(lab: _Lab) -> None:
    """An agent that rests mends nothing; the audit names each thing that was broken and no other; a fix mends it."""
    assert lab.call("audit")[0] == 0
    lab.good("node", "pause", "net1")
    lab.on("net1", "ovs-ofctl del-flows br-tun table=22; ovs-ofctl add-flow br-int table=0,priority=1,actions=drop")
    lab.on("net1", "r=$(ls /run/netns | grep qrouter); ip -n $r route del default; ip netns exec $r iptables -t nat -F")
    lab.on("net1", "kill $(cat /var/lib/nebula/dhcp/*/pid); ip netns add somebodys")
    code, text, _error = lab.call("audit")
    net1 = next(answer for answer in lab.audit() if answer["host"] == "net1")
    kinds = sorted({item["kind"] for item in net1["differences"]})
    foreign = {(item["kind"], item["name"].split()[-1]) for item in net1["foreign"]}
    assert (code, net1["paused"], kinds) == (1, True, ["flow", "process", "route", "ruleset"])
    assert {("namespace", "somebodys"), ("flow", "actions=drop")} == foreign
    assert "is missing, for network n" in text
    assert lab.call("audit", "--fix")[0] == 0
    assert [answer["differences"] for answer in lab.audit()] == [[], []]
    assert "drop" in lab.on("net1", "ovs-ofctl dump-flows br-int table=0,cookie=0/-1")
    lab.good("node", "resume", "net1")
    lab.on("net1", "ip netns del somebodys; ovs-ofctl --strict del-flows br-int table=0,priority=1")


def test_a_paused_agent_takes_up_what_it_missed(lab: _Lab) -> None:
    """A call meanwhile is carried out when the agent is resumed, and not before."""
    lab.good("node", "pause", "compute1")
    listed = lab.told("nodes", "node", "list", "--long")
    assert {row["Node"]: row["Paused"] for row in listed} == {"net1": False, "compute1": True}
    lab.good("instance", "create", "late", "--network", "n", "--node", "compute1", "--no-wait")
    assert lab.on("compute1", "ls /run/netns | wc -l") == "1\n"
    lab.good("node", "resume", "compute1")
    lab.good("instance", "delete", "late", "--wait")
    assert lab.call("audit")[0] == 0


def test_what_the_tools_print_leads_to_object_call_and_user(lab: _Lab) -> None:
    """A flow's line, a rule, a device, a process and a file as they are printed on the node."""
    things = {
        "flow": lab.on("net1", "ovs-ofctl --names dump-flows br-int | grep in_port.*tap | tail -1"),
        "ruleset": lab.on("net1", "ip netns exec $(ls /run/netns | grep qrouter) iptables -t nat -S | grep SNAT"),
        "veth": lab.on("compute1", "ip -o link show | grep -o 'tap[^@]*'"),
        "process": lab.on("net1", "cat /var/lib/nebula/dhcp/*/pid"),
        "file": lab.on("net1", "ls /var/lib/nebula/dhcp/*/host"),
    }
    for kind, thing in things.items():
        rows = lab.told("owner", "owner", thing.strip())
        assert kind in {row["Kind"] for row in rows}, thing
        assert {(row["User"], row["Request ID"][:4]) for row in rows} == {("admin", "req-")}, thing
    lab.on("net1", "ip netns add others")
    assert [row["Owner"] for row in lab.told("owner", "owner", "others")] == ["not ours"]
    lab.on("net1", "ip netns del others")
    assert lab.call("owner", "nosuch")[0] == 1


def test_what_exists_because_of_an_object(lab: _Lab) -> None:
    """The instance's namespace, port and flows on its node, and on the others the way to it; nothing of the router."""
    rows = lab.told("realised", "realised", "instance", "web")
    assert all(row["Command"] for row in lab.told("realised", "realised", "instance", "web", "--long"))
    on_compute1 = {row["Kind"] for row in rows if row["Node"] == "compute1"}
    assert {"namespace", "veth", "bridge-port", "flow", "process"} <= on_compute1
    assert {row["Kind"] for row in rows if row["Node"] == "net1"} == {"fdb", "flow"}
    assert not [row for row in rows if "router" in row["Owner"]]


def test_a_plan_is_as_its_schema_says(lab: _Lab) -> None:
    """The call, the rows, and what each node would do; the next look finds nothing of it."""
    code, out, error = lab.call("plan", "-f", "json", "router", "unset", "r", "--external-gateway")
    assert code == 0, error
    found = json.loads(out)
    jsonschema.validate(found, json.loads((_SCHEMAS / "plan.json").read_text()))
    (net1,) = found["nodes"]
    assert (net1["host"], found["call"].split()[0]) == ("net1", "PUT")
    assert {("remove", "veth"), ("remove", "route")} <= {(item["action"], item["kind"]) for item in net1["differences"]}
    assert lab.call("audit")[0] == 0
