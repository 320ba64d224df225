"""Extra routes: routers joined by a transit network, with two equal ways, between nodes."""

from __future__ import annotations

import json

import pytest
import transit_views as views
from agent_node import AgentNode, eventually, two_nodes

from nebula.view.records import HostRoute

pytestmark = pytest.mark.sandbox

HOSTS = ("net1", "compute1")
TARGETS = 40


def _received(node: AgentNode, router: str) -> int:
    """Packets that came into the router by its transit interface."""
    links = json.loads(node.run("ip", "-j", "-s", "-4", "address", namespace=views.router(router)))
    links = [link for link in links if any(a["local"].startswith("172.16.") for a in link["addr_info"])]
    counted = json.loads(node.run("ip", "-j", "-s", "link", "show", links[0]["ifname"], namespace=views.router(router)))
    return int(counted[0]["stats64"]["rx"]["packets"])


def _route(node: AgentNode) -> str:
    return " ".join(node.run("ip", "route", "show", views.RIGHT, namespace=views.router("a")).split())


def test_two_equal_ways_through_a_transit_network() -> None:
    """left - A - transit - B and C - right, A on another node than B and C.

    Packets go both ways and use both ways; a way that a person takes away comes back; a restart writes nothing; a
    change to one way leaves that alone.
    """
    with two_nodes() as (net1, compute1):
        for node in (net1, compute1):
            node.show(views.view(node.host, HOSTS))
            node.start_agent()
        for node in (net1, compute1):
            node.wait_sync(1)
        here = views.instance("vm-left")
        ping = ("ping", "-c", "1", "-W", "1", views.RIGHT_VM)
        eventually(lambda: net1.status(*ping, namespace=here) == 0, "ping from left to right")
        assert "nexthop via 172.16.0.2" in _route(net1)
        assert "nexthop via 172.16.0.3" in _route(net1)

        before = {name: _received(compute1, name) for name in "bc"}
        targets = " ".join(f"10.20.0.{100 + number}" for number in range(TARGETS))
        net1.status("sh", "-c", f"for to in {targets}; do ping -c 1 -W 0.05 $to & done; wait", namespace=here)
        grown = {name: _received(compute1, name) - before[name] for name in "bc"}
        assert grown["b"] + grown["c"] >= TARGETS
        assert min(grown.values()) > 0

        one = ("ip", "route", "replace", views.RIGHT, "via", "172.16.0.2", "proto", "static")
        net1.run(*one, namespace=views.router("a"))
        eventually(lambda: "nexthop via 172.16.0.3" in _route(net1), "the second way is back")

        net1.stop_agent()
        since = len(net1.passes())
        net1.start_agent()
        net1.wait_sync(1, since)
        assert net1.changes(since) == 0

        since = len(net1.passes())
        net1.show(views.view("net1", HOSTS, 2, (HostRoute(views.RIGHT, "172.16.0.3"),)))
        net1.wait_sync(2, since)
        assert net1.changes(since) == 1
        assert " via 172.16.0.3 " in f" {_route(net1)} "
        assert net1.status(*ping, namespace=here) == 0

        since = len(net1.passes())
        net1.show(views.view("net1", HOSTS, 3, ()))
        net1.wait_sync(3, since)
        assert _route(net1) == ""
