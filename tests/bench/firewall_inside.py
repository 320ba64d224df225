"""What ``tests.bench.firewall`` runs inside private namespaces: 500 ports and 1,000 rules; prints JSON.

50 groups of 20 rules, as many for prefixes as for remote groups; each port is in one group.
"""

from __future__ import annotations

import json
import time

import msgspec

from nebula.compile.facts import Facts
from nebula.compile.node import compile_node
from nebula.ids import Host
from nebula.view.records import AddressSet, NodeView, SecurityGroupView, SecurityRule
from tests.bench import node_inside

PORTS, GROUPS, RULES = 500, 50, 20
CHANGES, QUIET_S = 15, 1.0
"""After each change the agent reads all flows back; the next one waits for that to be over."""


def secured(revision: int, rules: int, extra: int = 0) -> NodeView:
    """The node with so many rules in each group, the first group with one more, for port ``extra``, where not 0."""
    whole = node_inside.view(PORTS, revision)
    groups = [f"{number:08x}-9999-4999-8999-999999999999" for number in range(1, GROUPS + 1)]
    ports = tuple(
        msgspec.structs.replace(port, secured=True, security_groups=(groups[number % GROUPS],))
        for number, port in enumerate(whole.ports)
    )
    made = {group: [_rule(group, number, groups) for number in range(rules)] for group in groups}
    if extra:
        made[groups[0]].append(_fields(groups[0], 999, port_min=extra, port_max=extra))
    sets = tuple(
        AddressSet(
            group, tuple(sorted(port.fixed_ips[0].ip_address for port in ports if group in port.security_groups))
        )
        for group in groups
    )
    return msgspec.structs.replace(
        whole,
        ports=ports,
        security_groups=tuple(SecurityGroupView(group, True, tuple(found)) for group, found in made.items()),
        address_sets=sets,
    )


def _rule(group: str, number: int, groups: list[str]) -> SecurityRule:
    if number < 2:
        return _fields(group, number, direction="egress", protocol=None, ip_version=4 + 2 * number)
    remote: dict[str, object] = {"remote_ip_prefix": f"10.{number}.0.0/16"}
    if number % 2:
        remote = {"remote_group_id": groups[number]}
    return _fields(group, number, port_min=1000 + number, port_max=1000 + number, **remote)


def _fields(group: str, number: int, **rest: object) -> SecurityRule:
    fields = {"id": f"{group[:8]}-{number:04x}-4aaa-8aaa-aaaaaaaaaaaa", "direction": "ingress", "ip_version": 4}
    return msgspec.convert({**fields, "protocol": 6, **rest}, SecurityRule)


def _facts() -> Facts:
    return Facts(Host("bench"), "netdev", "10.201.0.2", "/var/lib/nebula", "/var/lib/nebula/udhcpc.script")


def main() -> dict[str, list[float]]:
    whole, facts = secured(3, RULES), _facts()
    compiled = []
    for _ in range(5):
        began = time.perf_counter()
        compile_node(whole, facts)
        compiled.append((time.perf_counter() - began) * 1000)
    agent = node_inside.Agent(node_inside.node_folder())
    agent.show(secured(2, 0))
    applied = agent.show(whole)
    changes = []
    for number in range(CHANGES):
        time.sleep(QUIET_S)
        changes.append(agent.show(secured(4 + number, RULES, 2000 + number)) * 1000)
    flows = node_inside.run("ovs-ofctl", "-O", "OpenFlow14", "dump-flows", "br-int").count("cookie=0x4e")
    agent.stop()
    return {"compile_ms": compiled, "apply_s": [applied], "change_ms": changes, "flows_per_port": [flows / PORTS]}


if __name__ == "__main__":
    print(json.dumps(main()))
