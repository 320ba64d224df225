"""project(): what a node is told, and what it is not."""

from __future__ import annotations

import random
import uuid

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nebula.ids import Host, InstanceId, NetworkId, PortId, RouterId, SubnetId
from nebula.model.snapshot import InstanceRow, NetworkRow, NodeRow, PortRow, RouterRow, Snapshot
from nebula.view import codec
from nebula.view.project import hostname, project
from nebula.view.records import (
    AddressPair,
    DhcpHost,
    DhcpOption,
    DhcpView,
    FixedIp,
    HostRoute,
    InstanceView,
    NetworkView,
    RemotePort,
    RouterGateway,
    RouterView,
    SubnetView,
)

NET1, COMPUTE1, COMPUTE2 = Host("net1"), Host("compute1"), Host("compute2")
RED, PUBLIC, LONELY = NetworkId("net-red"), NetworkId("net-public"), NetworkId("net-lonely")
RED_V4 = SubnetView(SubnetId("sub-red"), "red4", "192.168.50.0/24", 4, "192.168.50.1", True, ("9.9.9.9",))
RED_STATIC = SubnetView(SubnetId("sub-static"), "static", "192.168.60.0/24", 4, "192.168.60.1", False)
PUBLIC_V4 = SubnetView(SubnetId("sub-public"), "public4", "203.0.113.0/24", 4, "203.0.113.1", False)
ROUTER = RouterId("router-1")


def red(*subnets: SubnetView, admin_state_up: bool = True) -> NetworkRow:
    return NetworkRow(RED, "red", "p1", "vxlan", 77, None, 1450, False, admin_state_up, subnets or (RED_V4,))


def red_port(name: str, host: str, last: int, owner: str = "compute:nova", device: str = "", **more: object) -> PortRow:
    ips = (FixedIp(RED_V4.id, f"192.168.50.{last}"),)
    row = PortRow(PortId(name), RED, f"fa:16:3e:00:00:{last:02x}", ips, owner, device, Host(host))
    return msgspec.structs.replace(row, **more)


@pytest.fixture
def cloud() -> Snapshot:
    """net1 has DHCP and the router of red, compute1 and compute2 an instance each; lonely is bound to nobody."""
    snapshot = Snapshot("epoch-1", 9)
    for number, host in enumerate((NET1, COMPUTE1, COMPUTE2), start=1):
        snapshot.put_node(NodeRow(host, f"10.0.0.{number}"))
    snapshot.put_network(red())
    snapshot.put_network(NetworkRow(PUBLIC, "public", "p0", "flat", None, "physnet1", 1500, True, True, (PUBLIC_V4,)))
    snapshot.put_network(NetworkRow(LONELY, "lonely", "p2", "vxlan", 78, None, 1450, False))
    snapshot.put_port(red_port("p-dhcp", NET1, 2, "network:dhcp", "dhcp-red"))
    snapshot.put_port(red_port("p-qr", NET1, 1, "network:router_interface", ROUTER))
    gateway_ip = (FixedIp(PUBLIC_V4.id, "203.0.113.5"),)
    snapshot.put_port(
        PortRow(PortId("p-qg"), PUBLIC, "fa:16:3e:ff:00:01", gateway_ip, "network:router_gateway", ROUTER, NET1)
    )
    snapshot.put_port(red_port("p-vm1", COMPUTE1, 11, device="vm1"))
    snapshot.put_port(red_port("p-vm2", COMPUTE2, 12, device="vm2", dns_name="web"))
    snapshot.put_port(red_port("p-unbound", "", 13))
    snapshot.put_router(RouterRow(ROUTER, "r", "p1", NET1, routes=(HostRoute("10.9.0.0/16", "192.168.50.9"),)))
    snapshot.put_instance(InstanceRow(InstanceId("vm1"), "one", "p1", COMPUTE1, (PortId("p-vm1"),)))
    snapshot.put_instance(InstanceRow(InstanceId("vm2"), "two", "p1", COMPUTE2, (PortId("p-vm2"),)))
    return snapshot


def test_compute_node_gets_its_networks_ports_and_remote_ports_only(cloud: Snapshot) -> None:
    """A compute node sees red with the others' ports, and neither public nor lonely."""
    view = project(cloud, COMPUTE1)
    remote = (
        RemotePort(PortId("p-dhcp"), "fa:16:3e:00:00:02", ("192.168.50.2",), "10.0.0.1"),
        RemotePort(PortId("p-qr"), "fa:16:3e:00:00:01", ("192.168.50.1",), "10.0.0.1"),
        RemotePort(PortId("p-vm2"), "fa:16:3e:00:00:0c", ("192.168.50.12",), "10.0.0.3"),
    )
    flood = ("10.0.0.1", "10.0.0.3")
    assert view.networks == (NetworkView(RED, "red", "p1", "vxlan", 77, None, 1450, False, (RED_V4,), remote, flood),)
    assert [port.id for port in view.ports] == ["p-vm1"]
    assert (view.dhcp, view.routers) == ((), ())
    assert view.instances == (InstanceView(InstanceId("vm1"), "one", "p1", (PortId("p-vm1"),)),)
    assert view.peers == ("10.0.0.1", "10.0.0.3")
    assert (view.epoch, view.revision, view.host) == ("epoch-1", 9, COMPUTE1)


def test_network_node_gets_router_and_dhcp_hosts(cloud: Snapshot) -> None:
    """DHCP hosts are all ports of the network but the server's own, bound or not, named as Neutron names them."""
    view = project(cloud, NET1)
    assert [network.id for network in view.networks] == [PUBLIC, RED]
    assert view.routers == (
        RouterView(
            ROUTER,
            "r",
            "p1",
            True,
            (PortId("p-qr"),),
            RouterGateway(PortId("p-qg"), PUBLIC, True),
            (HostRoute("10.9.0.0/16", "192.168.50.9"),),
        ),
    )
    assert [server.port_id for server in view.dhcp] == ["p-dhcp"]
    assert [(host.port_id, host.hostname) for host in view.dhcp[0].hosts] == [
        ("p-qr", "host-192-168-50-1"),
        ("p-unbound", "host-192-168-50-13"),
        ("p-vm1", "host-192-168-50-11"),
        ("p-vm2", "web"),
    ]


def test_macs_of_address_pairs_are_known_elsewhere(cloud: Snapshot) -> None:
    """Of ports with port security, without the port's own: other nodes must know where such a MAC may be."""
    pairs = (AddressPair("00:00:5E:00:01:07", "192.168.50.9"), AddressPair("fa:16:3e:00:00:0c", "10.0.0.0/8"))
    for secured in (True, False):
        fields = {"port_security_enabled": secured, "allowed_address_pairs": pairs}
        cloud.put_port(red_port("p-vm2", COMPUTE2, 12, device="vm2", **fields))
        (network,) = project(cloud, COMPUTE1).networks
        found = {port.id: port.pair_macs for port in network.remote_ports if port.pair_macs}
        assert found == ({"p-vm2": ("00:00:5e:00:01:07",)} if secured else {})


def test_flat_network_has_no_remote_ports_and_no_flood(cloud: Snapshot) -> None:
    """Tunnels are for VXLAN networks: a flat network's other ports are reached through the fabric."""
    ips = (FixedIp(PUBLIC_V4.id, "203.0.113.9"),)
    cloud.put_port(PortRow(PortId("p-ext"), PUBLIC, "fa:16:3e:ff:00:02", ips, "compute:nova", "", COMPUTE1))
    (public,) = [network for network in project(cloud, NET1).networks if network.id == PUBLIC]
    assert (public.remote_ports, public.flood_vteps) == ((), ())


def test_port_on_an_unregistered_node_is_not_remote(cloud: Snapshot) -> None:
    """A node whose tunnel address nobody knows cannot be sent anything."""
    cloud.put_port(red_port("p-far", "elsewhere", 40))
    (network,) = project(cloud, COMPUTE1).networks
    assert "p-far" not in [port.id for port in network.remote_ports]
    assert network.flood_vteps == ("10.0.0.1", "10.0.0.3")


def test_subnet_without_dhcp_is_not_served(cloud: Snapshot) -> None:
    """Only addresses of DHCP-enabled subnets are handed out; a port with no such address is no host."""
    cloud.put_network(red(RED_V4, RED_STATIC))
    both = (FixedIp(RED_V4.id, "192.168.50.20"), FixedIp(RED_STATIC.id, "192.168.60.20"))
    cloud.put_port(red_port("p-both", "", 20, fixed_ips=both))
    cloud.put_port(red_port("p-static", "", 21, fixed_ips=both[1:]))
    (server,) = project(cloud, NET1).dhcp
    hosts = {host.port_id: host for host in server.hosts}
    assert hosts[PortId("p-both")] == DhcpHost(PortId("p-both"), "fa:16:3e:00:00:14", "host-192-168-50-20", (both[0],))
    assert PortId("p-static") not in hosts


def test_no_dhcp_server_without_a_dhcp_subnet_or_with_the_network_down(cloud: Snapshot) -> None:
    """The port may be there; the server is not."""
    cloud.put_network(red(RED_STATIC))
    assert project(cloud, NET1).dhcp == ()
    cloud.put_network(red(admin_state_up=False))
    assert project(cloud, NET1).dhcp == ()


def test_what_is_administratively_down(cloud: Snapshot) -> None:
    """A disabled port stays on its node, marked, and is no longer announced; a disabled network disables all."""
    cloud.put_port(red_port("p-vm2", COMPUTE2, 12, admin_state_up=False))
    assert [port.admin_state_up for port in project(cloud, COMPUTE2).ports] == [False]
    assert "p-vm2" not in [port.id for port in project(cloud, COMPUTE1).networks[0].remote_ports]
    cloud.put_network(red(admin_state_up=False))
    view = project(cloud, COMPUTE1)
    assert [port.admin_state_up for port in view.ports] == [False]
    assert view.networks[0].remote_ports == ()


def test_unscheduled_or_disabled_router(cloud: Snapshot) -> None:
    """A disabled router is told as such; one without a node is told to nobody."""
    row = cloud.routers[ROUTER]
    cloud.put_router(RouterRow(ROUTER, row.name, row.project_id, NET1, admin_state_up=False, enable_snat=False))
    (router,) = project(cloud, NET1).routers
    assert router.admin_state_up is False
    assert router.gateway is not None and router.gateway.enable_snat is False
    cloud.put_router(RouterRow(ROUTER, row.name, row.project_id, Host("")))
    assert project(cloud, NET1).routers == ()


def test_ports_of_a_router_that_moved_are_not_its_interfaces_here(cloud: Snapshot) -> None:
    """A router view never names a port that is not among the node's ports."""
    cloud.put_port(red_port("p-qr", COMPUTE1, 1, "network:router_interface", ROUTER))
    (router,) = project(cloud, NET1).routers
    assert router.interfaces == ()


def test_second_dhcp_port_on_a_node_adds_no_second_server(cloud: Snapshot) -> None:
    """One dnsmasq per network and node."""
    cloud.put_port(red_port("p-dhcp-b", NET1, 3, "network:dhcp", "dhcp-red"))
    assert [(server.network_id, server.port_id) for server in project(cloud, NET1).dhcp] == [(RED, "p-dhcp")]


def test_servers_of_a_network_know_of_each_other(cloud: Snapshot) -> None:
    """Each has the addresses of all that serve; one alone, or beside one that is down or nowhere, names none."""
    assert project(cloud, NET1).dhcp[0].servers == ()
    second = red_port("p-dhcp-b", COMPUTE1, 3, "network:dhcp", "dhcp-red")
    cloud.put_port(second)
    addresses = tuple(FixedIp(RED_V4.id, ip) for ip in ("192.168.50.2", "192.168.50.3"))
    assert [project(cloud, host).dhcp[0].servers for host in (NET1, COMPUTE1)] == [addresses, addresses]
    for change in ({"host": Host("")}, {"admin_state_up": False}):
        cloud.put_port(msgspec.structs.replace(second, **change))
        assert project(cloud, NET1).dhcp[0].servers == ()


def test_dhcp_options_and_names_of_each_address(cloud: Snapshot) -> None:
    """A port's options go to its host, and each of its addresses has the name that the API shows for it."""
    options = (DhcpOption("mtu", "1400"),)
    two = tuple(FixedIp(RED_V4.id, f"192.168.50.{last}") for last in (20, 21))
    cloud.put_port(red_port("p-two", COMPUTE1, 20, fixed_ips=two, dhcp_options=options))
    hosts = [host for host in project(cloud, NET1).dhcp[0].hosts if host.port_id == "p-two"]
    assert [(host.hostname, host.options) for host in hosts] == [
        ("host-192-168-50-20", options),
        ("host-192-168-50-21", options),
    ]


def test_unknown_host_gets_an_empty_view_with_peers(cloud: Snapshot) -> None:
    """A node that just registered, with nothing bound, still learns its peers."""
    view = project(cloud, Host("new"))
    assert (view.networks, view.ports, view.dhcp, view.routers, view.instances) == ((), (), (), (), ())
    assert view.peers == ("10.0.0.1", "10.0.0.2", "10.0.0.3")


@given(st.text(max_size=70))
def test_hostname_is_always_a_dns_label(dns_name: str) -> None:
    """Whatever the user calls a port, DHCP's files get letters, digits and inner hyphens only."""
    ips = (FixedIp(SubnetId("s"), "fd00::"), FixedIp(SubnetId("t"), "10.0.0.7"))
    name = hostname(dns_name, ips)
    assert name in (dns_name, "host-10-0-0-7")
    assert 0 < len(name) <= 63
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")
    assert not name.startswith("-") and not name.endswith("-")


def test_hostname_of_an_ipv6_only_port() -> None:
    """No trailing hyphen where the address ends in colons."""
    assert hostname("", (FixedIp(SubnetId("s"), "fd00::"),)) == "host-fd00"
    assert hostname("web\n", (FixedIp(SubnetId("s"), "fd00::5"),)) == "host-fd00--5"


@given(st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter_and_dropping_undoes_putting(shuffler: random.Random) -> None:
    """Equal rows give equal bytes, in whatever order they came and whatever came and went in between."""
    rows = [red_port(f"p{number}", f"compute{number % 3}", number) for number in range(12)]
    straight, shuffled = Snapshot("e", 1), Snapshot("e", 1)
    for snapshot in (straight, shuffled):
        for number in range(3):
            snapshot.put_node(NodeRow(Host(f"compute{number}"), f"10.0.0.{number}"))
        snapshot.put_network(red())
    for row in rows:
        straight.put_port(row)
    shuffler.shuffle(rows)
    for row in rows:
        shuffled.put_port(msgspec.structs.replace(row, host=Host("compute9")))
        extra = red_port(str(uuid.UUID(int=shuffler.getrandbits(128))), "compute1", 99)
        shuffled.put_port(extra)
        shuffled.put_port(row)
        shuffled.drop_port(extra.id)
    for number in range(3):
        host = Host(f"compute{number}")
        assert codec.encode(project(straight, host)) == codec.encode(project(shuffled, host))
    assert shuffled.hosts_of_network(RED) == straight.hosts_of_network(RED)


def test_dhcp_view_defaults() -> None:
    """Neutron's defaults: a day's lease, openstacklocal."""
    view = DhcpView(RED, PortId("p"), ())
    assert (view.lease_time_s, view.domain) == (86400, "openstacklocal")
