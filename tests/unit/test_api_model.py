"""Random calls of several projects against the controller and against ``api_model``: both agree on every answer.

``make model RUNS=1000`` (or ``NEBULA_MODEL_RUNS``) says how many sequences; each starts with an empty database.
"""

from __future__ import annotations

import os

import hypothesis.strategies as st
from api_agreement import COUNTED
from api_floatings import Floatings
from api_groups import Groups
from api_interfaces import Interfaces
from api_machine import asker, index
from api_networks import Networks
from api_pools import PREFIXES, Pools, Scopes
from api_ports import Ports
from api_qos import Qos
from api_records import ASKERS, FORBIDDEN
from api_routers import Routers
from api_subnets import Subnets
from hypothesis import HealthCheck, settings
from hypothesis.stateful import initialize, rule

RUNS = int(os.environ.get("NEBULA_MODEL_RUNS", "20"))
STEPS = 40


beginning = initialize(outer=st.integers(0, 2), inner=st.integers(0, 2), also_bob=st.booleans(), served=st.booleans())


class Site(Networks, Subnets, Ports, Routers, Interfaces):
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


class WholeApi(Site, Floatings, Groups, Pools, Scopes, Qos):
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


class Inside(Site, Floatings):
    """What leads through routers."""

    @beginning
    def begin(self, outer: int, inner: int, also_bob: bool, served: bool) -> None:
        """Also with a floating IP, and one of its ports led to a port."""
        super().begin(outer, inner, also_bob, served)
        outside = next(iter(self.world.networks))
        self.create_floating("alice", outside, None)
        self.agree()
        ports = [key for key, each in self.world.ports.items() if each.owner == "compute:nova"]
        for floating, port in zip(list(self.world.floatingips), ports, strict=False):
            self.create_forwarding("alice", floating, port, protocol="tcp", outer=(80, 80), inner=(80, 80))


class Cutting(Networks, Subnets, Pools, Scopes):
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


class Assigning(Site, Floatings, Qos):
    """QoS policies and what has them."""


for machine in (WholeApi, Inside, Cutting, Assigning):
    name = f"Test{machine.__name__}"
    globals()[name] = machine.TestCase
    globals()[name].settings = settings(
        max_examples=RUNS, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
    )
