"""From what is asked for to points: each kind, the ways between two ends, and what another project may not see."""

from __future__ import annotations

import pytest

from nebula.capture.points import Kind, Sight, What
from nebula.errors import BadRequest, NebulaError, NotFound
from nebula.ids import Host, InstanceId, NetworkId, PortId, RouterId, SubnetId
from nebula.model.port import DHCP, ROUTER_GATEWAY, ROUTER_INTERFACE
from nebula.model.snapshot import InstanceRow, NetworkRow, NodeRow, PortRow, RouterRow, Snapshot
from nebula.view.records import FixedIp, FloatingIpView

A, B, PUBLIC = "net-a", "net-b", "net-public"


def port(*words: str) -> PortRow:
    identity, network, host, owner, device, address = words
    ips = (FixedIp(SubnetId(f"sub-{network}"), address),)
    return PortRow(PortId(identity), NetworkId(network), "fa:16:3e:00:00:01", ips, owner, device, Host(host))


def cloud() -> Snapshot:
    """Two networks of project p on a router with a way out; web and db on two nodes; project q beside them."""
    made = Snapshot("epoch", 1)
    for number, host in enumerate(("net1", "c1", "c2")):
        made.put_node(NodeRow(Host(host), f"10.0.0.{number}"))
    for network, project, vni, external in ((A, "p", 1, False), (B, "p", 2, False), (PUBLIC, "admin", None, True)):
        kind = "flat" if external else "vxlan"
        made.put_network(NetworkRow(NetworkId(network), network[4:], project, kind, vni, "provider", 1450, external))
    made.put_network(NetworkRow(NetworkId("net-q"), "q", "q", "vxlan", 9, None, 1450, False))
    floating = FloatingIpView("fip", "203.0.113.50", "192.168.1.3")  # type: ignore[arg-type]
    made.put_router(RouterRow(RouterId("r"), "r", "p", Host("net1"), floating_ips=(floating,)))
    for row in (
        port("dhcp-a", A, "net1", DHCP, "d", "192.168.1.2"),
        port("qr-a", A, "net1", ROUTER_INTERFACE, "r", "192.168.1.1"),
        port("qr-b", B, "net1", ROUTER_INTERFACE, "r", "192.168.2.1"),
        port("qg", PUBLIC, "net1", ROUTER_GATEWAY, "r", "203.0.113.10"),
        port("web0", A, "c1", "compute:nova", "web", "192.168.1.3"),
        port("db0", A, "c2", "compute:nova", "db", "192.168.1.4"),
        port("far0", B, "c2", "compute:nova", "far", "192.168.2.3"),
        port("near0", B, "net1", "compute:nova", "near", "192.168.2.4"),
        port("plain", A, "", "", "", "192.168.1.9"),
        port("q0", "net-q", "c1", "compute:nova", "qi", "192.168.1.3"),
        port("q-on-a", A, "c1", "compute:kvm", "libvirt", "192.168.1.7"),
    ):
        made.put_port(row)
    for name, project, node, number in (
        ("web", "p", "c1", "web0"), ("db", "p", "c2", "db0"), ("far", "p", "c2", "far0"),
        ("near", "p", "net1", "near0"),
        ("qi", "q", "c1", "q0"),
    ):  # fmt: skip
        made.put_instance(InstanceRow(InstanceId(name), name, project, Host(node), (PortId(number),)))
    return made


def titles(*wanted: What, project: str | None = None) -> list[str]:
    owners = {"q-on-a": "q", "plain": "p"}
    spots = Sight(cloud(), project, owners.get).spots(wanted)
    return [f"{spot.host}: {spot.title}{'' if spot.vnis is None else sorted(spot.vnis)}" for spot in spots]


def path(beginning: str, end: str, project: str | None = None) -> list[str]:
    return titles(What(Kind.PATH, beginning, to=end), project=project)


def test_each_kind() -> None:
    """Instance, port, router, and a network with its DHCP server, its routers and its tunnels."""
    assert titles(What(Kind.INSTANCE, "web")) == ["c1: web"]
    assert titles(What(Kind.PORT, "q-on-a")) == ["c1: port q-on-a"]
    assert titles(What(Kind.PORT, "plain")) == [": port plain"]
    assert titles(What(Kind.ROUTER, "r")) == ["net1: r qg", "net1: r qr a", "net1: r qr b"]
    assert titles(What(Kind.NETWORK, A)) == [
        "c2: db", "net1: a dhcp", "c1: port q-on-a", "net1: r qr a", "c1: web",
        "c1: underlay[1]", "c2: underlay[1]", "net1: underlay[1]",
    ]  # fmt: skip
    assert titles(What(Kind.UNDERLAY)) == ["c1: underlay", "c2: underlay", "net1: underlay"]
    assert titles(What(Kind.UNDERLAY, host="c2")) == ["c2: underlay"]


def test_a_point_asked_for_twice_is_one() -> None:
    """On the underlay, the packets of both; all of them where one asks for all."""
    both = titles(What(Kind.NETWORK, A), What(Kind.NETWORK, B), What(Kind.INSTANCE, "web"))
    assert [text for text in both if "underlay" in text] == [
        "c1: underlay[1]", "c2: underlay[1, 2]", "net1: underlay[1, 2]"
    ]  # fmt: skip
    assert both.count("c1: web") == 1
    assert "c1: underlay" in titles(What(Kind.NETWORK, A), What(Kind.UNDERLAY))


def test_ways() -> None:
    """On one network, over a router, to the outside, to and from a floating address, on one node alone."""
    a_tunnel, router = ["c1: underlay[1]", "net1: underlay[1]"], ["net1: r qr a", "net1: r qr b"]
    assert path("web", "db") == ["c1: web", "c1: underlay[1]", "c2: underlay[1]", "c2: db"]
    assert path("web", "far") == [
        "c1: web", "c1: underlay[1]", "net1: underlay[1, 2]", *router, "c2: underlay[2]", "c2: far"
    ]  # fmt: skip
    assert path("web", "near") == ["c1: web", *a_tunnel, *router, "net1: near"]
    assert path("web", "192.168.2.4") == path("web", "near")
    assert path("web", "198.51.100.10") == ["c1: web", *a_tunnel, "net1: r qr a", "net1: r qg"]
    assert path("198.51.100.10", "web") == path("web", "198.51.100.10")
    assert path("198.51.100.10", "203.0.113.50") == path("web", "198.51.100.10")
    assert path("near", "far0") == ["net1: near", "c2: underlay[2]", "net1: underlay[2]", "c2: far"]
    assert path("web", "192.168.1.1") == ["c1: web", *a_tunnel, "net1: r qr a"]


def test_no_way() -> None:
    """Networks that no router joins; addresses that are nobody's; what is no end."""
    with pytest.raises(BadRequest, match="No router leads from qi to web0"):
        path("qi", "web0")
    with pytest.raises(BadRequest, match=r"from qi to 198\.51\.100\.10, beyond the cloud"):
        path("qi", "198.51.100.10")
    with pytest.raises(NotFound, match="Neither"):
        path("198.51.100.10", "198.51.100.11")
    with pytest.raises(NotFound, match="nobody is neither an address"):
        path("nobody", "web")


def test_what_is_a_projects_own() -> None:
    """Its instances and routers, its networks with all that is on them, and on the underlay their packets."""
    assert titles(What(Kind.UNDERLAY), project="p")[0] == "c1: underlay[1, 2]"
    assert titles(What(Kind.NETWORK, A), project="p") == titles(What(Kind.NETWORK, A))
    assert titles(What(Kind.ROUTER, "r"), project="p") == titles(What(Kind.ROUTER, "r"))
    assert path("web", "198.51.100.10", "p") == path("web", "198.51.100.10")


def test_what_is_anothers() -> None:
    """Not found; of a network that it only has a port on, that port and nothing of the tunnels."""
    assert titles(What(Kind.NETWORK, A), project="q") == ["c1: port q-on-a"]
    assert titles(What(Kind.UNDERLAY), project="q")[0] == "c1: underlay[9]"
    assert path("q-on-a", "198.51.100.10", "q") == ["c1: port q-on-a"]
    for what in (
        What(Kind.INSTANCE, "web"), What(Kind.PORT, "web0"), What(Kind.ROUTER, "r"), What(Kind.NETWORK, B),
        What(Kind.PATH, "qi", to="web0"), What(Kind.PATH, "203.0.113.50", to="198.51.100.10"),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            titles(what, project="q")
    with pytest.raises(BadRequest, match="nothing on the underlay is yours"):
        titles(What(Kind.UNDERLAY), project="stranger")


@pytest.mark.parametrize(
    "what",
    [
        What(Kind.INSTANCE, "x"),
        What(Kind.NETWORK, "x"),
        What(Kind.NETWORK, "net-empty"),
        What(Kind.ROUTER, "x"),
        What(Kind.PORT, ""),
        What(Kind.UNDERLAY, host="c9"),
    ],
)
def test_what_there_is_not(what: What) -> None:
    """An error, never an empty capture."""
    with pytest.raises(NebulaError):
        titles(what)
