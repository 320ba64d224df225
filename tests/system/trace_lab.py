"""A lab for traces: three nodes, instances of two groups, an address outside; what it says as documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

from tests.netns.agent_node import PATIENCE
from tests.netns.user_lab import UserLab

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs/schemas/trace.json").read_text())
_WAIT_S = "5" if PATIENCE == 1 else "30"
MAKE = (
    "network create n",
    "subnet create s --network n --subnet-range 192.168.50.0/24",
    "router create r",
    "router add subnet r s",
    "router set r --external-gateway public",
    "security group create open",
    "security group rule create open --ingress --protocol tcp --dst-port 80",
    "security group rule create open --ingress --protocol icmp",
    "port create p-app --network n --security-group open",
    "instance create web --network n --node compute1",
    "instance create near --network n --node compute1",
    "instance create db --network n --node compute2",
    "instance create app --port p-app --node compute2",
    "floating ip create public --port p-app --floating-ip-address 203.0.113.77 --wait",
)
SECOND_NETWORK = (
    "network create m",
    "subnet create t --network m --subnet-range 192.168.60.0/24",
    "router add subnet r t",
    "port create p-other --network m --security-group open",
    "instance create other --port p-other --node compute2 --wait",
)
SILENT_AND_SIX = (
    "security group create silent",
    "port create p-quiet --network n --security-group silent",
    "instance create quiet --port p-quiet --node compute1",
    "network create v6",
    "subnet create u --network v6 --ip-version 6 --subnet-range fd00:6::/64 --no-dhcp",
    "port create p-six3 --network v6 --security-group silent",
    "instance create six1 --network v6 --node compute1",
    "instance create six2 --network v6 --node compute2",
    "instance create six3 --port p-six3 --node compute2",
)


class TraceLab(UserLab):
    """With what ``MAKE`` makes, and the rest once a trace is about it."""

    def __init__(self) -> None:
        super().__init__("traced", MAKE)
        self._ports: dict[str, str] = {}
        try:
            for name in ("web", "near", "db", "app"):
                self.has_address(name)
        except BaseException:
            self.close()
            raise

    def _need(self, words: tuple[str, ...]) -> None:
        """Makes what is not there yet of what these words name."""
        if "other" in words and self.make(SECOND_NETWORK):
            self.has_address("other")
        if {"quiet", "six1", "six2"} & {*words} and self.make(SILENT_AND_SIX):
            for name in ("quiet", "six1", "six2", "six3"):
                self.has_address(name)
            for rule in json.loads(self.good("security", "group", "rule", "list", "silent", "-f", "json")):
                self.good("security", "group", "rule", "delete", rule["ID"], "--wait")  # the last call: all is there

    def port_of(self, instance: str) -> str:
        """The id of its one port."""
        if instance not in self._ports:
            identity = json.loads(self.good("instance", "show", instance, "-f", "json"))["id"]
            listed = self.good("port", "list", "--device-id", identity, "-f", "value", "-c", "ID")
            self._ports[instance] = listed.strip()
        return self._ports[instance]

    def mend(self, node: str) -> tuple[int, str, str]:
        """Exit code and what was printed. A node of an emulated machine may need longer than it is waited for."""
        fixed = self.call("audit", "--fix", "--node", node)
        if fixed[0] != 0 and PATIENCE > 1:
            return self.call("audit", "--fix", "--node", node)
        return fixed

    def trace(self, *words: str) -> dict[str, Any]:
        """The document, with the exit code as ``code``."""
        self._need(words)
        code, out, error = self.call("trace", *words, "--wait", _WAIT_S, "-f", "json")
        assert out, error
        found: dict[str, Any] = json.loads(out)
        jsonschema.validate(found, SCHEMA)
        return {**found, "code": code}


def hosts(course: dict[str, Any]) -> list[str]:
    """The nodes, in order."""
    return [leg["host"] or "outside" for leg in course["legs"]]


def steps(course: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """All steps of a kind, in order."""
    return [step for leg in course["legs"] for step in leg["steps"] if step["kind"] == kind]
