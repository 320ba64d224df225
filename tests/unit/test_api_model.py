"""Random calls of several projects against the controller and against ``api_model``: both agree on every answer.

``make model RUNS=1000`` (or ``NEBULA_MODEL_RUNS``) says how many sequences; each starts with an empty database.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import hypothesis.strategies as st
import pytest
from api_agents import Agents
from api_agreement import COUNTED
from api_floatings import Floatings, Span, span
from api_groups import AddressGroups, Groups
from api_interfaces import Interfaces
from api_machine import asker, index
from api_networks import Networks, Shares
from api_pools import PREFIXES, Pools, Scopes
from api_port_addresses import PortAddresses
from api_ports import Ports
from api_qos import Qos, direction, kind, number
from api_records import ASKERS, DHCP, FORBIDDEN
from api_routers import Routers
from api_subnets import Subnets
from hypothesis import HealthCheck, settings
from hypothesis.stateful import initialize, precondition, rule

RUNS = int(os.environ.get("NEBULA_MODEL_RUNS", "8"))
STEPS = 40
pytestmark = pytest.mark.timeout(120 + 60 * RUNS)
"""So that a long run on a busy machine is not taken for one that hangs."""


M = TypeVar("M", bound=type)

beginning = initialize(outer=st.integers(0, 2), inner=st.integers(0, 2), also_bob=st.booleans(), served=st.booleans())


class Site(Networks, Subnets, Ports, PortAddresses, Routers, Interfaces):
    """What the calls of each test are about."""

    @beginning
    def begin(self, outer: int, inner: int, also_bob: bool, served: bool) -> None:
        """A way out and a network behind a router, so that most calls have something to be about; maybe a node."""
        if served:
            self.serve()
        self.create_networks("root", external=True, shared=False, count=1)
        (outside,) = self.world.networks
        self.create_subnet("root", outside, outer, "first")
        self.agree()
        for who in ("alice", "bob") if also_bob else ("alice",):
            self.create_networks(who, external=False, shared=False, count=1)
            network = list(self.world.networks)[-1]
            self.create_subnet(who, network, inner, "first")
            self.agree()
            room = not self.world.no_room(outside)
            self.create_router(who, gateway=room, at=outside, wish=("any", 0, 0))
            self.agree()
            self.add_subnet(who, list(self.world.routers)[-1], list(self.world.subnets)[-1])
            self.agree()
            self.create_port(who, network, ("any", 0, 0))


class WholeApi(Site, Shares, Floatings, Groups, AddressGroups, Pools, Scopes, Qos):
    """All calls."""

    @rule(
        who=asker,
        project=st.sampled_from(["p-alice", "p-bob"]),
        what=st.sampled_from(COUNTED),
        limit=st.integers(-1, 4),
    )
    def limit(self, who: str, project: str, what: str, limit: int) -> None:
        wrong = set() if ASKERS[who].admin else {FORBIDDEN}
        if self._call("PUT", f"/quotas/{project}", {"quota": {what: limit}}, who, wrong):
            self.world.limits[project, what] = limit

    @rule(
        who=asker,
        kind=st.sampled_from(["networks", "subnets", "ports", "routers", "floatingips", "subnetpools"]),
        at=index,
    )
    def tag(self, who: str, kind: str, at: int) -> None:
        key = self._pick(kind, at, who)
        wrong = self.world.unchangeable(ASKERS[who], kind, key)
        self._call("PUT", f"/{kind}/{key}/tags", {"tags": [who]}, who, wrong)


def undrawn(*parts: type) -> Callable[[M], M]:
    """The calls of these parts are there for ``begin``, and not drawn: the others come so much the more often."""

    def plain(rule: Any) -> Any:
        def call(self: Any, *given: Any, **named: Any) -> Any:
            return rule(self, *given, **named)

        return call

    def without(machine: M) -> M:
        for name, member in [found for part in parts for found in vars(part).items()]:
            if not name.startswith("_"):
                setattr(machine, name, plain(member))
        return machine

    return without


@undrawn(Networks, Subnets)
class Inside(Site, Floatings):
    """What leads through routers."""

    @beginning
    def begin(self, outer: int, inner: int, also_bob: bool, served: bool) -> None:
        """Also with floating IPs, and one of their ports led to a port."""
        super().begin(2 * (outer // 2), inner % 2, also_bob, served)
        outside = next(iter(self.world.networks))
        for _ in range(2):
            self.create_floating("alice", outside, None)
            self.agree()
        ports = [key for key, each in self.world.ports.items() if each.owner == "compute:nova"]
        self.create_forwarding(
            "alice", next(iter(self.world.floatingips)), ports[0], protocol="tcp", outer=(80, 80), inner=(80, 80)
        )

    @precondition(lambda self: self.world.floatingips)
    @rule(at=index, number=index, spans=st.lists(st.tuples(span, span), min_size=1, max_size=4))
    def forward_more(self, at: int, number: int, spans: list[tuple[Span, Span]]) -> None:
        """Some of one floating IP at once, which may overlap."""
        floating, port = self._pick("floatingips", at, "alice"), self._pick("ports", number, "alice")
        for outer, inner in spans:
            self.create_forwarding("alice", floating, port, protocol="tcp", outer=outer, inner=inner)
            self.agree()


@undrawn(Networks)
class Cutting(Networks, Subnets, Shares, Pools, Scopes):
    """Subnets of pools, on networks without anything else."""

    @initialize(wide=st.booleans(), together=st.booleans())
    def begin(self, wide: bool, together: bool) -> None:
        """Networks, and pools to cut from, maybe of one scope."""
        for who in ("alice", "alice", "bob"):
            self.create_networks(who, external=False, shared=False, count=1)
        self.create_scope("alice", 4, shared=False)
        for prefixes in (PREFIXES[0], PREFIXES[2] if together else PREFIXES[5]):
            body = {"default_prefixlen": 30} if ":" not in prefixes[0] else {}
            scope = next(iter(self.world.address_scopes)) if together else None
            self.create_pool("alice", prefixes, lengths=body, quota=None if wide else 8, flags="", scope=scope)

    @precondition(lambda self: self.world.networks and self.world.subnetpools)
    @rule(at=index, pool=index, lengths=st.lists(st.sampled_from([None, 29, 30]), min_size=1, max_size=4))
    def cut_more(self, at: int, pool: int, lengths: list[int | None]) -> None:
        """Some at once, of the pool that a network has already, so that pools become full."""
        network = self._pick("networks", at, "alice")
        had = [subnet.cut_from for subnet in self.world.subnets_of(network).values() if subnet.cut_from]
        chosen = (had or [self._pick("subnetpools", pool, "alice")])[0]
        for length in lengths:
            how = "usual" if length is None else "length"
            self.cut_subnet("alice", network, chosen, how=how, length=length or 30, other_version=False)
            self.agree()


@undrawn(Networks, Subnets, Ports, PortAddresses, Interfaces)
class Placing(Site, Agents):
    """Nodes that come and go, and what they are given by hand."""

    @beginning
    def begin(self, outer: int, inner: int, also_bob: bool, served: bool) -> None:
        """Also with a second node, now and then without the first."""
        self.serve("n2")
        super().begin(outer, inner, also_bob, served)

    @precondition(lambda self: self.world.networks and len(self.world.nodes) > 1)
    @rule(at=index, blocks=st.lists(st.sampled_from([2, 2, 3, 4]), min_size=1, max_size=2))
    def serve_by_all(self, at: int, blocks: list[int]) -> None:
        """A network is given to all nodes, and gets subnets, which may have no room for all servers."""
        network = self._pick("networks", at, "alice")
        for agent in range(len(self.world.nodes)):
            self.move_network("root", agent, network, add=True)
            self.agree()
        for block in blocks:
            self.create_subnet("alice", network, block, "first")
            self.agree()

    @rule(at=index)
    def delete_server(self, at: int) -> None:
        """The port of a DHCP server: there is another at once, unless more nodes serve the network."""
        servers = [key for key, port in self.world.ports.items() if port.owner == DHCP]
        if servers:
            self.delete_port("root", servers[at % len(servers)], "")


@undrawn(Networks, Subnets)
class Plugging(Networks, Subnets, Ports, PortAddresses, Shares, Groups, AddressGroups):
    """Ports and their groups, on networks that others may use."""

    @initialize(outer=st.integers(0, 4), served=st.booleans(), auto=st.booleans())
    def begin(self, outer: int, served: bool, auto: bool) -> None:
        """Networks of two subnets, maybe one more whose hosts make their addresses; groups of addresses."""
        if served:
            self.serve()
        for who, towards in (("alice", "p-bob"), ("bob", "p-alice")):
            self.create_networks(who, external=False, shared=False, count=1)
            network = list(self.world.networks)[-1]
            for block in (outer, outer + 2):
                self.create_subnet(who, network, block, "first")
            if auto:
                self.create_subnet_of_modes(who, network, "fd02::/64", ("slaac", "slaac"), dhcp=True)
            self.create_address_group(who, ["10.0.0.1"])
            self.share(who, "networks", network, towards)
            self.share(who, "address_groups", list(self.world.address_groups)[-1], towards)
            self.agree()
            self.create_port(who, network, ("any", 0, 0))


@undrawn(Networks, Subnets, Ports, Routers, Interfaces, Floatings)
class Assigning(Site, Shares, Floatings, Qos):
    """QoS policies and what has them."""

    @beginning
    def begin(self, outer: int, inner: int, also_bob: bool, served: bool) -> None:
        """Also with a floating IP and policies, one of them shared with all."""
        super().begin(2 * (outer // 2), inner % 2, also_bob, served)
        self.create_floating("alice", next(iter(self.world.networks)), None)
        self.create_policy("root", "p-admin", "shared")
        self.create_policy("root", "p-alice", "")

    @precondition(lambda self: self.world.policies)
    @rule(at=index, rules=st.lists(st.tuples(kind, direction, number), min_size=1, max_size=4))
    def limit_more(self, at: int, rules: list[tuple[str, str, int]]) -> None:
        """Some rules of one policy at once, which may clash."""
        policy = self._pick("policies", at, "root")
        for wanted, way, many in rules:
            self.create_rule_of_qos("root", policy, kind=wanted, direction=way, number=many)
            self.agree()


for machine in (WholeApi, Inside, Cutting, Placing, Plugging, Assigning):
    name = f"Test{machine.__name__}"
    globals()[name] = machine.TestCase
    globals()[name].settings = settings(
        max_examples=RUNS, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
    )
