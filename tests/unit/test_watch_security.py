"""Views follow security groups: whatever changes in them, every node's view is what the database says."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nebula_controller.nodes import rows
from southbound_world import World

from nebula.ids import Host
from nebula.view import codec
from nebula.view.project import project
from nebula.view.records import AddressPair, AddressSet, NodeView, PortView

HOSTS = ("node1", "node2", "node3")


@pytest.fixture
def world(tmp_path: Path) -> World:
    new = World(tmp_path)
    for number, host in enumerate(HOSTS, start=1):
        new.node(host, number)
    return new


def seen(world: World, host: str) -> NodeView:
    """The node's view from memory."""
    view = world.southbound.views.current(Host(host))
    assert view is not None
    return msgspec.structs.replace(codec.decode(view.body), revision=0)


def whole(world: World, host: str) -> NodeView:
    """What the whole database projects to."""
    with world.database.read() as tx:
        return msgspec.structs.replace(project(rows.load(tx, world.database.epoch), Host(host)), revision=0)


def port(world: World, network: str, host: str, **values: Any) -> Any:
    return world.made("ports", network_id=network, **{"binding:host_id": host}, **values)


def network(world: World) -> str:
    identity = made(world, "networks", name="n")
    made(world, "subnets", network_id=identity, cidr="10.0.0.0/24", ip_version=4, enable_dhcp=False)
    return identity


def made(world: World, plural: str, **values: Any) -> str:
    """The id of a new object."""
    word = plural.removesuffix("s").replace("-", "_")
    return str(world.call("POST", f"/network/v2.0/{plural}", {word: values}, expect=201)[word]["id"])


def first_port(view: NodeView) -> PortView:
    return next(found for found in view.ports if not found.device_owner)


def test_a_port_comes_with_its_groups_and_their_members(world: World) -> None:
    """A secured port's view names its groups with all rules, and the addresses of remote groups on every node."""
    net = network(world)
    mine = port(world, net, "node1", allowed_address_pairs=[{"ip_address": "10.0.0.200"}])
    other = port(world, net, "node2")
    view = seen(world, "node1")
    (group,) = view.security_groups
    assert first_port(view).security_groups == (group.id,) == tuple(mine["security_groups"])
    assert first_port(view).allowed_address_pairs == (AddressPair(mine["mac_address"], "10.0.0.200"),)
    assert sorted((rule.direction, rule.ip_version, rule.remote_group_id) for rule in group.rules) == [
        ("egress", 4, None),
        ("egress", 6, None),
        ("ingress", 4, group.id),
        ("ingress", 6, group.id),
    ]
    addresses = sorted([mine["fixed_ips"][0]["ip_address"], other["fixed_ips"][0]["ip_address"], "10.0.0.200"])
    assert view.address_sets == (AddressSet(group.id, tuple(addresses)),)


def test_a_port_without_port_security_has_no_groups(world: World) -> None:
    """It is told to be unprotected, and the node learns no group for it."""
    port(world, network(world), "node1", port_security_enabled=False, security_groups=[])
    view = seen(world, "node1")
    assert (first_port(view).secured, first_port(view).security_groups, view.security_groups) == (False, (), ())


def test_a_service_port_is_trusted(world: World) -> None:
    """Ports of Neutron's own kind are never held to groups."""
    world.port(network(world), "node1", device_owner="network:dhcp")
    assert {found.secured for found in seen(world, "node1").ports} == {False}


class Walk:
    """Random changes through the API."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.random = world, random.Random(seed)
        self.network = network(world)
        self.groups = [made(world, "security-groups", name=f"g{number}") for number in range(3)]
        self.address_group = made(world, "address-groups", name="a", addresses=["192.0.2.0/24"])
        self.rules: list[str] = []
        self.ports: list[str] = []

    def step(self) -> None:
        kind = self.random.randrange(7)
        some = self.random.sample(self.groups, self.random.randrange(3))
        if kind == 0 or not self.ports:
            self.ports.append(port(self.world, self.network, self.random.choice(HOSTS), security_groups=some)["id"])
        elif kind == 1:
            self._put("ports", self.random.choice(self.ports), security_groups=some)
        elif kind == 2:
            self._put("ports", self.random.choice(self.ports), **{"binding:host_id": self.random.choice(HOSTS)})
        elif kind == 3:
            self._add_rule()
        elif kind == 4 and self.rules:
            rule = self.rules.pop(self.random.randrange(len(self.rules)))
            self.world.call("DELETE", f"/network/v2.0/security-group-rules/{rule}", expect=204)
        elif kind == 5:
            action = self.random.choice(("add_addresses", "remove_addresses"))
            body = {"addresses": [f"198.51.100.{self.random.randrange(4)}/32"]}
            self.world.call("PUT", f"/network/v2.0/address-groups/{self.address_group}/{action}", body)
        elif kind == 6 and len(self.ports) > 3:
            self.world.call("DELETE", f"/network/v2.0/ports/{self.ports.pop()}", expect=204)

    def _add_rule(self) -> None:
        remote = self.random.choice(
            ({"remote_group_id": self.random.choice(self.groups)}, {"remote_address_group_id": self.address_group})
        )
        first = self.random.randrange(1, 60000)
        ports = {"protocol": "tcp", "port_range_min": first, "port_range_max": first + 5}
        rule = {"security_group_id": self.random.choice(self.groups), "direction": "ingress", **ports, **remote}
        self.rules.append(made(self.world, "security-group-rules", **rule))

    def _put(self, plural: str, identity: str, **values: Any) -> None:
        body = {plural.removesuffix("s"): values}
        self.world.call("PUT", f"/network/v2.0/{plural}/{identity}", body, expect=200)


@pytest.mark.parametrize("seed", range(3))
def test_views_in_memory_equal_the_whole_database(world: World, seed: int) -> None:
    """After each of many random changes of groups, rules, address groups and ports no node's view is out of date."""
    walk = Walk(world, seed)
    for _ in range(40):
        walk.step()
        assert {host: seen(world, host) for host in HOSTS} == {host: whole(world, host) for host in HOSTS}
