"""Single decisions of compile, feature by feature, on changes of the case study."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec
import pytest
from compile_views import scenario

from nebula.compile import compile_node, unwired_ports
from nebula.compile.features.instances import host_name
from nebula.compile.render import dnsmasq
from nebula.compile.render.iptables import normal_form, router_rules
from nebula.desired.kinds import (
    Address,
    Bridge,
    BridgePort,
    Chain,
    ConfigFile,
    FdbEntry,
    Flow,
    KernelObject,
    Namespace,
    Offload,
    Process,
    Route,
    Ruleset,
    VethPair,
    VxlanDevice,
)
from nebula.desired.state import NodeState
from nebula.ids import BR_TUN, Owner, OwnerKind
from nebula.rules.subnets import HOST_ROUTES_LIMIT, NAMESERVERS_LIMIT
from nebula.view.records import AddressPair, DhcpHost, FixedIp, HostRoute, NodeView, RemotePort, RouterView, SubnetView

ROUTER = Owner(OwnerKind.ROUTER, "5cf32528-565b-4acc-8f26-af86244c680b")
SUBNET = SubnetView("s1", "n", "192.168.50.0/24", 4, "192.168.50.1", True)
MAC = "fa:16:3e:9d:3c:34"

Kind = TypeVar("Kind", bound=KernelObject)


def _all(state: NodeState, kind: type[Kind]) -> list[Kind]:
    return [item for item in state.values() if isinstance(item, kind)]


def _network(view: NodeView, index: int = 0, **changes: object) -> NodeView:
    networks = list(view.networks)
    networks[index] = msgspec.structs.replace(networks[index], **changes)
    return msgspec.structs.replace(view, networks=tuple(networks))


def _port(view: NodeView, index: int = 0, **changes: object) -> NodeView:
    ports = list(view.ports)
    ports[index] = msgspec.structs.replace(ports[index], **changes)
    return msgspec.structs.replace(view, ports=tuple(ports))


def _router(view: NodeView, **changes: object) -> NodeView:
    return msgspec.structs.replace(view, routers=(msgspec.structs.replace(view.routers[0], **changes),))


# -- switching -------------------------------------------------------------------------------------------------


def test_veth_checksums_follow_the_datapath() -> None:
    """The kernel's datapath takes all; OVS's userspace one takes uncut TCP, where it is told to and nothing on the way
    (its own tunnels) loses that; else whole frames with their checksums.
    """
    view, facts = scenario("case-study-compute1")
    cases = [("system", False, False), ("netdev", True, True), ("netdev", True, False), ("netdev", False, True)]
    actual = []
    for datapath_type, offload, devices in cases:
        changes = {"datapath_type": datapath_type, "segmentation_offload": offload, "vxlan_devices": devices}
        state = compile_node(view, msgspec.structs.replace(facts, **changes))
        actual += [pair.offload for pair in _all(state, VethPair)]
    assert actual == [Offload.ALL, Offload.TCP, Offload.NONE, Offload.NONE]


def test_vxlan_devices_replace_the_tunnel_port() -> None:
    """Every MAC that a tunnel flow names has an FDB entry to the same node, and floods go to the same nodes."""
    view, facts = scenario("case-study-net1")
    tunnels = compile_node(view, facts)
    devices = compile_node(view, msgspec.structs.replace(facts, vxlan_devices=True))
    flows = [flow for flow in _all(tunnels, Flow) if "tun_dst" in flow.actions]
    wanted = {
        (mac[0] if (mac := re.findall("dl_dst=([0-9a-f:]+)", flow.match)) else FdbEntry.FLOOD, vtep_ip)
        for flow in flows
        for vtep_ip in re.findall("set_field:([0-9.]+)->tun_dst", flow.actions)
    }
    assert {(entry.mac_address, entry.vtep_ip) for entry in _all(devices, FdbEntry)} == wanted
    assert not [flow for flow in _all(devices, Flow) if "tun_dst" in flow.actions or "tun_src" in flow.match]


def test_no_vxlan_device_without_the_chain_that_keeps_strangers_out() -> None:
    """The chain lets in every peer, to the node's tunnel address alone, and ends with a drop; the devices need it."""
    view, facts = scenario("case-study-net1")
    state = compile_node(view, msgspec.structs.replace(facts, vxlan_devices=True))
    (chain,) = _all(state, Chain)
    assert [rule.split(" -m ")[0] for rule in chain.rules] == [
        *(f"-s {peer}/32 -d {facts.vtep_ip}/32" for peer in sorted(view.peers)),
        f'-m comment --comment "{chain.owner.mark}" -j DROP',
    ]
    assert [device.requires for device in _all(state, VxlanDevice)] == [(chain.key,)]


def test_port_of_an_unknown_network_is_left_out() -> None:
    """It is named with the reason, and nothing else is touched by it."""
    view, facts = scenario("case-study-compute1")
    view = _port(view, network_id="99999999-0000-4000-8000-000000000000")
    state = compile_node(view, facts)
    reasons = [(item.port_id, item.reason) for item in unwired_ports(view, facts)]
    expected = [(view.ports[0].id, "network 99999999-0000-4000-8000-000000000000 is unknown")]
    assert (reasons, _all(state, VethPair)) == (expected, [])


def test_port_of_an_unmapped_physical_network_is_left_out() -> None:
    """A flat network whose physical network has no bridge here."""
    view, facts = scenario("flat-provider-port")
    facts = msgspec.structs.replace(facts, bridge_mappings=())
    expected = "no bridge here is mapped to physical network 'public' for it"
    assert [item.reason for item in unwired_ports(view, facts)] == [expected]


def test_device_that_no_flow_can_name_is_left_out() -> None:
    """One line that ovs-ofctl cannot read would keep out all flows of the bridge."""
    view, facts = scenario("plugged-by-others")
    facts = msgspec.structs.replace(facts, plugged=((view.ports[0].id, "a,b"),))
    assert [item.reason for item in unwired_ports(view, facts)] == ["no flow can name the device 'a,b'"]


def test_port_without_addresses_is_switched() -> None:
    """It has a device and flows; nothing asks for its addresses."""
    view, facts = scenario("case-study-compute1")
    with_addresses = compile_node(view, facts)
    without = compile_node(_port(view, fixed_ips=()), facts)
    assert [_all(with_addresses, kind) for kind in (VethPair, BridgePort, Flow)] == [
        _all(without, kind) for kind in (VethPair, BridgePort, Flow)
    ]


def test_port_that_is_down_keeps_its_device() -> None:
    """admin_state_up false: the device stays, no flow is the port's."""
    view, facts = scenario("case-study-compute1")
    state = compile_node(_port(view, admin_state_up=False), facts)
    flows = [flow for flow in _all(state, Flow) if flow.owner.id == view.ports[0].id]
    assert ([pair.name for pair in _all(state, VethPair)], flows) == (["tap5759c106-0c"], [])


def test_mac_that_is_local_and_remote() -> None:
    """The local port gets the unicast in table 73; the remote one keeps its flow in br-tun."""
    view, facts = scenario("case-study-compute1")
    twin = RemotePort("0aaaaaaa-0000-4000-8000-000000000000", MAC, (), "10.0.0.12")
    view = _network(view, remote_ports=(*view.networks[0].remote_ports, twin))
    found = [(flow.table, flow.owner.id[:8]) for flow in _all(compile_node(view, facts), Flow) if MAC in flow.match]
    assert sorted(found) == [(20, "0aaaaaaa"), (73, "5759c106")]


def test_macs_of_address_pairs_reach_every_port_that_has_the_pair() -> None:
    """A copy for each port here (table 73) and for each node with one (table 20); a port's own MAC is its alone, and
    group addresses are nobody's. A device has an FDB entry only where one node has the MAC."""
    view, facts = scenario("case-study-net1")
    virtual, own, group = "00:00:5e:00:01:07", view.networks[1].remote_ports[0].mac_address, "01:00:5e:00:00:01"
    pairs = tuple(AddressPair(mac, "192.168.50.9") for mac in (virtual, own, group))
    here = [port for port in view.ports if port.network_id == view.networks[1].id][:2]
    ports = [msgspec.structs.replace(port, secured=True, allowed_address_pairs=pairs) for port in here]
    view = msgspec.structs.replace(view, ports=(*ports, *(port for port in view.ports if port not in here)))
    remote = view.networks[1].remote_ports[0]
    for vteps in (("10.0.0.11",), ("10.0.0.11", "10.0.0.12")):
        more = tuple(RemotePort(f"{n:08x}-0000-4000-8000-0", f"fa:16:3e:99:00:0{n}", (), vtep, (virtual, own, group))
                     for n, vtep in enumerate(vteps))  # fmt: skip
        for devices in (False, True):
            there = _network(view, 1, remote_ports=(remote, *more), flood_vteps=vteps)
            state = compile_node(there, msgspec.structs.replace(facts, vxlan_devices=devices))
            flows = {flow.table: flow for flow in _all(state, Flow) if f"dl_dst={virtual}" in flow.match}
            assert sorted(flows) == [20, 73]
            assert flows[73].actions.count("resubmit(,81)") == len(ports)
            assert flows[73].actions.endswith("goto_table:91")
            told = [entry.vtep_ip for entry in _all(state, FdbEntry) if entry.mac_address == virtual]
            assert told == (list(vteps) if devices and len(vteps) == 1 else [])
            assert flows[20].actions.count("tun_dst") == (0 if devices else len(vteps))
            assert len([flow for flow in _all(state, Flow) if flow.table == 20 and f"dl_dst={own}" in flow.match]) == 1
            assert not [flow for flow in _all(state, Flow) if flow.table in (20, 73) and group in flow.match]


# -- overlay ---------------------------------------------------------------------------------------------------


def test_flood_leaves_out_the_node_itself() -> None:
    """Whatever the view says: never a tunnel to one's own address."""
    view, facts = scenario("case-study-compute1")
    flows = _all(compile_node(_network(view, flood_vteps=(facts.vtep_ip, "10.0.0.12")), facts), Flow)
    targets = [flow.actions.count("tun_dst") for flow in flows if (flow.table, flow.priority) == (22, 10)]
    assert targets == [1]


def test_arp_is_answered_for_ipv4_only() -> None:
    """IPv6 addresses of a remote port make no ARP answers."""
    view, facts = scenario("case-study-compute1")
    port = msgspec.structs.replace(view.networks[0].remote_ports[0], ip_addresses=("192.168.50.9", "2001:db8::9"))
    flows = _all(compile_node(_network(view, remote_ports=(port,)), facts), Flow)
    answers = [flow.match for flow in flows if flow.bridge == BR_TUN and (flow.table, flow.priority) == (21, 10)]
    assert answers == ["arp,dl_vlan=1,arp_tpa=192.168.50.9,arp_op=1"]


# -- provider --------------------------------------------------------------------------------------------------


def test_adopted_bridge_keeps_its_own() -> None:
    """No port, no default flow and no settings for a bridge that is not ours."""
    state = compile_node(*scenario("adopted-bridge"))
    bridge = next(item for item in _all(state, Bridge) if item.name == "br-ex")
    ports = [port.name for port in _all(state, BridgePort) if port.bridge == "br-ex"]
    flows = sorted(flow.match for flow in _all(state, Flow) if flow.bridge == "br-ex")
    expected = Bridge("br-ex", "", "", Owner(OwnerKind.NODE, "net1"), adopt=True)
    matches = ['in_port="phy-br-ex"', 'in_port="phy-br-ex",dl_vlan=1']
    assert (bridge, ports, flows) == (expected, ["phy-br-ex"], matches)


# -- routing and SNAT ------------------------------------------------------------------------------------------


def test_forwarding_waits_for_the_rules() -> None:
    """Of the router's sysctls only ip_forward needs the ruleset, and there always is one."""
    for name in ("case-study-net1", "gateway-without-snat"):
        state = compile_node(*scenario(name))
        ruleset = _all(state, Ruleset)[0].key
        waiting = [item.key.name.split()[1] for item in state.values() if ruleset in item.requires]
        assert waiting == ["net.ipv4.ip_forward"]


def test_router_that_is_down_has_no_namespace() -> None:
    """admin_state_up false: no namespace, no devices, no rules, as in Neutron."""
    view, facts = scenario("case-study-net1")
    state = compile_node(_router(view, admin_state_up=False), facts)
    spaces = [item.name.partition("-")[0] for item in _all(state, Namespace)]
    assert (spaces, _all(state, Ruleset), len(_all(state, VethPair))) == (["qdhcp"], [], 1)


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ((), [("0.0.0.0/0", "203.0.113.1")]),
        ((HostRoute("0.0.0.0/0", "192.168.50.9"),), [("0.0.0.0/0", "192.168.50.9")]),
        ((HostRoute("10.9.0.0/16", "192.168.50.9"),), [("0.0.0.0/0", "203.0.113.1"), ("10.9.0.0/16", "192.168.50.9")]),
        (
            (HostRoute("10.9.0.0/16", "203.0.113.7"), HostRoute("10.9.0.0/16", "192.168.50.9")),
            [("0.0.0.0/0", "203.0.113.1"), ("10.9.0.0/16", "192.168.50.9 203.0.113.7")],
        ),
        ((HostRoute("10.9.0.0/16", "172.16.0.1"),), [("0.0.0.0/0", "203.0.113.1")]),
    ],
)
def test_routes(routes: tuple[HostRoute, ...], expected: list[tuple[str, str]]) -> None:
    """The default route is the gateway's unless the user gave one; next hops of one destination are one route.

    A next hop on no interface is left out.
    """
    view, facts = scenario("case-study-net1")
    state = compile_node(_router(view, routes=routes), facts)
    found = [(route.destination, " ".join(hop.via or "" for hop in route.hops)) for route in _all(state, Route)]
    assert sorted(found) == expected


def test_router_without_gateway_has_empty_rules() -> None:
    """Chains and nothing in them, and no default route."""
    view, facts = scenario("case-study-net1")
    state = compile_node(_router(view, gateway=None), facts)
    assert (_all(state, Ruleset)[0].text, _all(state, Route)) == (router_rules(None, ROUTER), [])


def test_normal_form_of_saved_rules() -> None:
    """Comments and counters go, nothing else does."""
    saved = (
        "# Generated by iptables-save v1.8.9 (nf_tables) on Sun Nov 22 10:53:08 2026\n*filter\n"
        ":INPUT ACCEPT [10:2774]\n:FORWARD ACCEPT [25:1473]\n"
        '-A FORWARD -m comment --comment "# [1:2]" -j DROP\nCOMMIT\n# Completed on Sun Nov 22 10:53:08 2026\n'
    )
    expected = '*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n-A FORWARD -m comment --comment "# [1:2]" -j DROP\nCOMMIT\n'
    assert normal_form(saved) == expected


# -- DHCP ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hostname", "expected"),
    [
        ("vm1", f"{MAC},vm1,192.168.50.9\n"),
        ("", f"{MAC},192.168.50.9\n"),
        ("a,b", f"{MAC},192.168.50.9\n"),
        ("a\n00:00:00:00:00:01,x", f"{MAC},192.168.50.9\n"),
        ("ignore\n", f"{MAC},192.168.50.9\n"),
        ("-a", f"{MAC},192.168.50.9\n"),
        ("é", f"{MAC},192.168.50.9\n"),
        ("x" * 64, f"{MAC},192.168.50.9\n"),
    ],
)
def test_host_file_takes_labels_only(hostname: str, expected: str) -> None:
    """A name that is no DNS label is left out, and can add neither field nor line."""
    host = DhcpHost("p", MAC.upper(), hostname, (FixedIp("s1", "192.168.50.9"), FixedIp("other", "10.0.0.1")))
    assert dnsmasq.host_file([host], [SUBNET]) == expected


@pytest.mark.parametrize("name", ["ignore", "Infinite", "12", "12h", "45m", "30s"])
def test_host_file_leaves_out_words_of_dnsmasqs_own(name: str) -> None:
    """A label that dnsmasq reads as a keyword or a lease time would deny the lease or change it."""
    assert dnsmasq.host_file([DhcpHost("p", MAC, name, (FixedIp("s1", "192.168.50.9"),))], [SUBNET]) == (
        f"{MAC},192.168.50.9\n"
    )


def test_host_file_rejects_what_is_no_address() -> None:
    """Compile fails on a view that holds something else in place of an address."""
    with pytest.raises(ValueError, match="not-an-address"):
        dnsmasq.host_file([DhcpHost("p", MAC, "a", (FixedIp("s1", "not-an-address"),))], [SUBNET])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["option:router,192.168.50.1"]),
        ({"gateway_ip": None}, ["option:router"]),
        ({"dns_nameservers": ("9.9.9.9", "2001:db8::1")}, ["option:dns-server,9.9.9.9", "option:router,192.168.50.1"]),
        (
            {"host_routes": (HostRoute("10.0.0.0/8", "192.168.50.9"),)},
            [
                "option:classless-static-route,10.0.0.0/8,192.168.50.9,0.0.0.0/0,192.168.50.1",
                "249,10.0.0.0/8,192.168.50.9,0.0.0.0/0,192.168.50.1",
                "option:router,192.168.50.1",
            ],
        ),
    ],
)
def test_options_file(changes: dict[str, object], expected: list[str]) -> None:
    """Router, name servers and classless routes (with the default route among them) of a subnet."""
    subnet = msgspec.structs.replace(SUBNET, **changes)
    assert dnsmasq.options_file([subnet]).splitlines() == [f"tag:subnet-s1,{line}" for line in expected]


def test_lines_of_options_are_short_enough() -> None:
    """As many host routes, with texts as long, as the API takes: dnsmasq reads a line beyond 1024 bytes as two."""
    routes = tuple(HostRoute(f"100.100.100.{100 + n}/32", f"192.168.100.{100 + n}") for n in range(HOST_ROUTES_LIMIT))
    servers = tuple(f"192.168.100.{100 + n}" for n in range(NAMESERVERS_LIMIT))
    subnet = msgspec.structs.replace(
        SUBNET,
        id="3eb31d05-a8a9-450f-83c5-8bf94d064f98",
        gateway_ip="192.168.100.254",
        host_routes=routes,
        dns_nameservers=servers,
    )
    lines = dnsmasq.options_file([subnet]).splitlines()
    assert (lines[0].count("/32"), max(len(line) for line in lines) < 1024) == (HOST_ROUTES_LIMIT, True)


def test_new_host_only_reloads_dnsmasq() -> None:
    """A new port changes the files of hosts and names, not the command line: SIGHUP, and nobody loses the server."""
    view, facts = scenario("case-study-net1")
    fewer = msgspec.structs.replace(view.dhcp[0], hosts=view.dhcp[0].hosts[:1])
    before, after = compile_node(msgspec.structs.replace(view, dhcp=(fewer,)), facts), compile_node(view, facts)
    changed = [item.key for item in after.values() if before.get(item.key) != item]
    files = {item.key for item in _all(after, ConfigFile) if item.path.endswith(("/host", "/addn_hosts"))}
    assert set(changed) == files


# -- instances -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vm1", "vm1"),
        ("Web Server #1", "web-server-1"),
        ("--", ""),
        ("a;b\n", "a-b"),
        ("\N{SNOWMAN}", ""),
        ("x" * 70, "x" * 63),
    ],
)
def test_host_names_are_made_safe(name: str, expected: str) -> None:
    """A free name becomes a DNS label, or nothing."""
    assert host_name(name) == expected


def test_instance_without_dhcp_gets_its_addresses() -> None:
    """As a config drive would set them: address, and a default route where the subnet has a gateway."""
    state = compile_node(*scenario("flat-provider-port"))
    addresses = [(item.device, item.cidr) for item in _all(state, Address)]
    routes = [(item.destination, hop.via) for item in _all(state, Route) for hop in item.hops]
    assert (addresses, routes, _all(state, Process)) == (
        [("eth0", "203.0.113.50/24")],
        [("0.0.0.0/0", "203.0.113.1")],
        [],
    )


def test_instance_devices_keep_their_order() -> None:
    """eth0, eth1... are the instance's ports in its order, also where one is not here."""
    view, facts = scenario("case-study-compute1")
    port = view.ports[0]
    absent = "ffffffff-0000-4000-8000-000000000000"
    instance = msgspec.structs.replace(view.instances[0], ports=(absent, port.id))
    state = compile_node(msgspec.structs.replace(view, instances=(instance,)), facts)
    assert [pair.peer_name for pair in _all(state, VethPair)] == ["eth1"]


def test_two_claims_on_one_port() -> None:
    """A port that an instance and a router name is the router's, and exists once."""
    view, facts = scenario("case-study-compute1")
    port = view.ports[0].id
    view = msgspec.structs.replace(view, routers=(RouterView("r", "r", "p", True, (port,)),))
    pairs = [(pair.peer_namespace, pair.peer_name) for pair in _all(compile_node(view, facts), VethPair)]
    assert pairs == [("qrouter-r", "qr-5759c106-0c")]
