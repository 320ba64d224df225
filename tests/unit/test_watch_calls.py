"""Nobody misses a ring: views kept in memory against the whole database, after random calls of the real APIs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from nebula_controller.nodes import rows
from southbound_world import World

from nebula.ids import Host
from nebula.view import codec
from nebula.view.project import project
from nebula.view.report import Role

HOSTS = ("n1", "n2", "c1")
ROLES = {"n1": (Role.NETWORK,), "n2": (Role.NETWORK, Role.COMPUTE), "c1": (Role.COMPUTE,)}
NUMBERS = st.integers(0, 99)


class Calls(RuleBasedStateMachine):
    """Calls that succeed and calls that are refused; whichever, every view is that of the database."""

    new_world: Callable[[], World]

    @initialize()
    def begin(self) -> None:
        self.world = type(self).new_world()
        for number, host in enumerate(HOSTS, start=1):
            self.world.node(host, number, ROLES[host])
        self.subnets = 0
        external = {"router:external": True, "provider:network_type": "flat", "provider:physical_network": "physnet1"}
        public = self.world.made("networks", name="public", **external)["id"]
        self.world.made("subnets", network_id=public, ip_version=4, cidr="203.0.113.0/24", enable_dhcp=False)
        self.add_network(0)

    def some(self, plural: str, which: int, prefix: str = "/network/v2.0") -> str:
        found = self.world.call("GET", f"{prefix}/{plural}", expect=200)[plural]
        return str(found[which % len(found)]["id"]) if found else "00000000-0000-0000-0000-000000000000"

    def change(self, plural: str, which: int, **values: Any) -> None:
        path = f"/network/v2.0/{plural}/{self.some(plural, which)}"
        assert self.world.status_of("PUT", path, {plural.removesuffix("s"): values}) < 500

    @rule(which=NUMBERS)
    def add_network(self, which: int) -> None:
        network = self.world.made("networks", name=f"net{which}")["id"]
        self.subnets += 1
        cidr = f"10.{self.subnets}.0.0/24"
        self.world.made("subnets", network_id=network, ip_version=4, cidr=cidr, enable_dhcp=bool(which % 3))

    @rule(which=NUMBERS, kind=st.integers(0, 3))
    def change_network(self, which: int, kind: int) -> None:
        values: list[dict[str, Any]] = [{"admin_state_up": False}, {"admin_state_up": True}, {"mtu": 1400}]
        self.change("networks", which, **[*values, {"name": "other"}][kind])

    @rule(which=NUMBERS, kind=st.integers(0, 3))
    def change_subnet(self, which: int, kind: int) -> None:
        values: list[dict[str, Any]] = [{"enable_dhcp": False}, {"enable_dhcp": True}, {"gateway_ip": None}]
        self.change("subnets", which, **[*values, {"dns_nameservers": ["9.9.9.9"]}][kind])

    @rule(which=NUMBERS, host=st.sampled_from(("", *HOSTS)))
    def add_port(self, which: int, host: str) -> None:
        body = {"port": {"network_id": self.some("networks", which), "binding:host_id": host}}
        assert self.world.status_of("POST", "/network/v2.0/ports", body) < 500

    @rule(which=NUMBERS, host=st.sampled_from(("", *HOSTS)))
    def bind_port(self, which: int, host: str) -> None:
        self.change("ports", which, **{"binding:host_id": host})

    @rule(which=NUMBERS, kind=st.integers(0, 3))
    def change_port(self, which: int, kind: int) -> None:
        values: list[dict[str, Any]] = [{"admin_state_up": False}, {"admin_state_up": True}, {"fixed_ips": []}]
        self.change("ports", which, **[*values, {"dns_name": "web"}][kind])

    @rule(which=NUMBERS)
    def add_router(self, which: int) -> None:
        gateway = {"network_id": self.some("networks", 0)} if which % 2 else None
        body = {"router": {"name": "r", "external_gateway_info": gateway}}
        assert self.world.status_of("POST", "/network/v2.0/routers", body) < 500

    @rule(which=NUMBERS, subnet=NUMBERS, verb=st.sampled_from(("add", "remove")))
    def connect(self, which: int, subnet: int, verb: str) -> None:
        path = f"/network/v2.0/routers/{self.some('routers', which)}/{verb}_router_interface"
        assert self.world.status_of("PUT", path, {"subnet_id": self.some("subnets", subnet)}) < 500

    @rule(which=NUMBERS, kind=st.integers(0, 3))
    def change_router(self, which: int, kind: int) -> None:
        public = self.world.call("GET", "/network/v2.0/networks?name=public")["networks"]
        gateway = {"network_id": public[0]["id"], "enable_snat": False} if public else None
        values: list[dict[str, Any]] = [{"admin_state_up": False}, {"external_gateway_info": None}, {"name": "s"}]
        self.change("routers", which, **[*values, {"external_gateway_info": gateway}][kind])

    @rule(which=NUMBERS)
    def add_server(self, which: int) -> None:
        body = {"server": {"name": "vm", "networks": [{"uuid": self.some("networks", which)}]}}
        assert self.world.status_of("POST", "/compute/v2.1/servers", body) < 500

    @rule(which=NUMBERS, plural=st.sampled_from(("ports", "routers", "subnets", "networks", "servers")))
    def delete(self, which: int, plural: str) -> None:
        prefix = "/compute/v2.1" if plural == "servers" else "/network/v2.0"
        assert self.world.status_of("DELETE", f"{prefix}/{plural}/{self.some(plural, which, prefix)}") < 500

    @rule(host=st.sampled_from(HOSTS), mapped=st.booleans(), number=st.sampled_from((0, 10)))
    def report(self, host: str, mapped: bool, number: int) -> None:
        mappings = {"physnet1": "br-ex"} if mapped else {}
        self.world.node(host, HOSTS.index(host) + 1 + number, ROLES[host], bridge_mappings=mappings)

    @rule(host=st.sampled_from(HOSTS))
    def lose(self, host: str) -> None:
        """A node goes down and its agents are deleted; maybe it comes back by another rule."""
        self.world.later(16)
        for other in HOSTS:
            if other != host:
                self.world.node(other, HOSTS.index(other) + 1, ROLES[other])
        self.world.southbound.registry.sweep()
        for agent in self.world.call("GET", f"/network/v2.0/agents?host={host}")["agents"]:
            assert self.world.status_of("DELETE", f"/network/v2.0/agents/{agent['id']}") in (204, 404)

    @rule(host=st.sampled_from(HOSTS))
    def look(self, host: str) -> None:
        self.world.southbound.views.current(Host(host))

    @rule()
    def compare(self) -> None:
        """Now and then, so that what happened in between is taken in at once; and at the end."""
        views = self.world.southbound.views
        views.refresh()
        with self.world.database.read() as tx:
            whole = rows.load(tx, self.world.database.epoch)
        assert views.snapshot.nodes == whole.nodes
        for host in HOSTS:
            current = views.current(Host(host))
            if Host(host) not in whole.nodes:
                assert current is None
                continue
            assert current is not None
            expected = msgspec.structs.replace(project(whole, Host(host)), revision=0)
            assert msgspec.structs.replace(codec.decode(current.body), revision=0) == expected

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.compare()
            self.world.database.close()


def test_no_call_is_missed(tmp_path_factory: pytest.TempPathFactory) -> None:
    """After calls of all kinds, refused or not, the patched views equal a projection of everything."""

    class Here(Calls):
        new_world = staticmethod(lambda: World(tmp_path_factory.mktemp("calls")))

    run_state_machine_as_test(Here, settings=settings(max_examples=6, stateful_step_count=25, deadline=None))
