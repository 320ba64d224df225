"""Views and facts for tests of compile: the scenarios' case study, and views that hypothesis makes up. Pure."""

from __future__ import annotations

from pathlib import Path

import msgspec
from hypothesis import strategies as st

from nebula.compile.facts import BridgeMapping, Facts
from nebula.view.records import (
    AddressPair,
    AddressSet,
    DhcpHost,
    DhcpView,
    FixedIp,
    FloatingIpView,
    HostRoute,
    InstanceView,
    NetworkView,
    NodeView,
    PortForwardingView,
    PortView,
    RemotePort,
    RouterGateway,
    RouterView,
    SecurityGroupView,
    SecurityRule,
    SubnetView,
)

SCENARIOS = Path(__file__).parents[1] / "scenarios"
MAPPING = BridgeMapping("public", "br-ex", "inet0")
GROUPS = (
    "4be5f3c8-50f1-4b9e-9d3a-2f6a7c8b9d10",
    "9c0d1e2f-3a4b-4c5d-8e6f-708192a3b4c5",
    "9c0d1e2e-0000-4c5d-8e6f-708192a3b4c5",
)
GONE = "ffffffff-0000-4c5d-8e6f-708192a3b4c5"
ADDRESSES = "a7b8c9d0-e1f2-4314-9526-3748596a7b8c"
PEERS = ("10.0.0.2", "10.0.0.3", "10.0.0.4")


def scenario(name: str) -> tuple[NodeView, Facts]:
    """The input of a scenario folder."""
    folder = SCENARIOS / name
    view = msgspec.json.decode((folder / "view.json").read_bytes(), type=NodeView)
    return view, msgspec.json.decode((folder / "facts.json").read_bytes(), type=Facts)


def uuid_of(kind: int, number: int) -> str:
    """A UUID that is different for each kind and number, also in its first 8 digits."""
    return f"{kind:02x}{number:06x}-0000-4000-8000-{kind:04x}{number:08x}"


def _subnet(network: int, number: int, dhcp: bool) -> SubnetView:
    base = f"10.{network}.{number}"
    return SubnetView(uuid_of(2, network * 16 + number), "s", f"{base}.0/24", 4, f"{base}.1", dhcp)


@st.composite
def views(draw: st.DrawFn) -> tuple[NodeView, Facts]:
    """A node's whole view, sorted or not, with overlaps, ports without addresses, unknown networks, and facts."""
    networks: list[NetworkView] = []
    for number in range(draw(st.integers(0, 4))):
        flat = draw(st.integers(0, 3)) == 0
        subnets = tuple(
            _subnet(draw(st.integers(0, 2)), n, draw(st.booleans())) for n in range(draw(st.integers(0, 2)))
        )
        remote = tuple(
            RemotePort(
                uuid_of(4, number * 100 + n),
                _mac(draw),
                (f"10.0.0.{draw(st.integers(1, 9))}",),
                draw(st.sampled_from(PEERS)),
            )
            for n in range(draw(st.integers(0, 3)))
        )
        networks.append(
            NetworkView(
                id=uuid_of(1, number),
                name="n",
                project_id="p",
                network_type="flat" if flat else "vxlan",
                segmentation_id=None if flat else 100 + number,
                physical_network=draw(st.sampled_from(["public", "nowhere"])) if flat else None,
                mtu_bytes=1450,
                external=flat,
                subnets=subnets,
                remote_ports=() if flat else remote,
                flood_vteps=() if flat else tuple(draw(st.permutations(PEERS))[: draw(st.integers(0, 3))]),
            )
        )
    ports = [_port(draw, number, networks) for number in range(draw(st.integers(0, 8)))]
    ids = [port.id for port in ports]
    kinds = [draw(st.sampled_from(["instance", "interface", "gateway", "dhcp", "plugged", "free"])) for _ in ids]
    chosen = {kind: [port for port, given in zip(ports, kinds, strict=True) if given == kind] for kind in set(kinds)}
    groups, sets = _groups(draw)
    own = {"interface", "gateway", "dhcp"}  # a network's own ports have neither port security nor groups
    ports = [port if kind in own else _secured(draw, port) for port, kind in zip(ports, kinds, strict=True)]
    gateway = chosen.get("gateway", [])[:1]
    router = RouterView(
        id=uuid_of(5, 0),
        name="r",
        project_id="p",
        admin_state_up=draw(st.booleans()),
        interfaces=tuple(port.id for port in chosen.get("interface", [])),
        gateway=RouterGateway(gateway[0].id, gateway[0].network_id, draw(st.booleans())) if gateway else None,
        routes=(HostRoute("192.0.2.0/24", "10.0.0.9"),),
        floating_ips=tuple(
            FloatingIpView(uuid_of(8, n), f"203.0.113.{draw(st.integers(1, 3))}", "10.0.0.5")
            for n in range(draw(st.integers(0, 2)))
        ),
        port_forwardings=tuple(
            PortForwardingView(uuid_of(9, n), uuid_of(8, n), "203.0.113.2", "tcp", 80 + n, 90 + n, "10.0.0.6", 1, 11)
            for n in range(draw(st.integers(0, 2)))
        ),
    )
    dhcp = [DhcpView(port.network_id, port.id, tuple(map(_host, ports))) for port in chosen.get("dhcp", [])]
    instances = [
        InstanceView(uuid_of(6, n), draw(st.text(max_size=8)), "p", (port.id,))
        for n, port in enumerate(chosen.get("instance", []))
    ]
    view = NodeView(
        epoch="e",
        revision=1,
        host="node1",
        networks=tuple(networks),
        ports=tuple(ports),
        dhcp=tuple(dhcp),
        routers=(router,),
        instances=tuple(instances),
        peers=PEERS,
        security_groups=groups,
        address_sets=sets,
    )
    vlans = draw(st.lists(st.tuples(st.integers(0, 6), st.integers(-1, 6)), max_size=4))
    facts = Facts(
        host="node1",
        datapath_type=draw(st.sampled_from(["system", "netdev"])),
        vtep_ip="10.0.0.1",
        state_folder="/var/lib/nebula",
        dhcp_client_script="/usr/lib/nebula/dhcp-client.sh",
        bridge_mappings=(MAPPING,) if draw(st.booleans()) else (),
        local_vlans=tuple((uuid_of(1, number), tag) for number, tag in vlans),
        plugged=tuple((port.id, f"vnet{n}") for n, port in enumerate(chosen.get("plugged", []))),
        foreign_bridges=("br-ex",) if draw(st.booleans()) else (),
        vxlan_devices=draw(st.booleans()),
        segmentation_offload=draw(st.booleans()),
    )
    return view, facts


def _groups(draw: st.DrawFn) -> tuple[tuple[SecurityGroupView, ...], tuple[AddressSet, ...]]:
    """Three groups, the last two with ids that begin alike, and rules that name them, an address group, or nothing."""
    remotes = [None, *GROUPS, GONE]
    groups = []
    for number, group in enumerate(GROUPS):
        rules = [
            SecurityRule(
                id=uuid_of(11, number * 10 + n),
                direction=draw(st.sampled_from(["ingress", "egress"])),
                ip_version=draw(st.sampled_from([4, 6])),
                protocol=draw(st.sampled_from([None, 0, 1, 6, 17, 33, 47, 58, 132])),
                port_min=draw(st.sampled_from([None, 0, 8, 1024])),
                port_max=draw(st.sampled_from([None, 8, 65535])),
                remote_ip_prefix=draw(st.sampled_from([None, "0.0.0.0/0", "::/0", "192.0.2.7/24", "2001:db8::/32"])),
                remote_group_id=draw(st.sampled_from(remotes)),
                remote_address_group_id=draw(st.sampled_from([None, ADDRESSES])),
            )
            for n in range(draw(st.integers(0, 3)))
        ]
        groups.append(SecurityGroupView(group, draw(st.booleans()), tuple(rules)))
    members = st.lists(st.sampled_from(["10.0.0.1", "10.0.0.0/24", "::1.2.3.4", "2001:db8::/48", "0.0.0.0/0"]))
    return tuple(groups), tuple(AddressSet(key, tuple(draw(members))) for key in (*GROUPS, ADDRESSES))


def _secured(draw: st.DrawFn, port: PortView) -> PortView:
    pairs = st.sampled_from([port.mac_address, "00:00:5e:00:01:07"])
    ranges = st.sampled_from(["10.0.0.9", "10.0.0.0/24", "0.0.0.0/0", "::/0", "2001:db8::9"])
    return msgspec.structs.replace(
        port,
        secured=draw(st.booleans()),
        security_groups=tuple(draw(st.lists(st.sampled_from([*GROUPS, GONE]), max_size=3))),
        allowed_address_pairs=tuple(draw(st.lists(st.builds(AddressPair, pairs, ranges), max_size=3))),
    )


def _mac(draw: st.DrawFn) -> str:
    """Of few, so that they clash."""
    return f"fa:16:3e:00:00:{draw(st.integers(1, 4)):02x}"


def _port(draw: st.DrawFn, number: int, networks: list[NetworkView]) -> PortView:
    network = draw(st.sampled_from([*networks, None]))
    subnets = network.subnets if network is not None else ()
    fixed_ips = tuple(
        FixedIp(subnet.id, subnet.cidr.replace("0/24", str(draw(st.integers(2, 250)))))
        for subnet in subnets
        if draw(st.booleans())
    )
    return PortView(
        id=uuid_of(3, number),
        network_id=network.id if network is not None else uuid_of(9, 9),
        mac_address=_mac(draw),
        fixed_ips=fixed_ips,
        device_owner="",
        device_id="",
        admin_state_up=draw(st.integers(0, 4)) > 0,
    )


def _host(port: PortView) -> DhcpHost:
    return DhcpHost(port.id, port.mac_address, "host", port.fixed_ips)


def shuffled(draw: st.DrawFn, view: NodeView, facts: Facts) -> tuple[NodeView, Facts]:
    """The same content in another order, wherever the order says nothing."""
    networks = [
        msgspec.structs.replace(
            network,
            subnets=tuple(draw(st.permutations(network.subnets))),
            remote_ports=tuple(draw(st.permutations(network.remote_ports))),
            flood_vteps=tuple(draw(st.permutations(network.flood_vteps))),
        )
        for network in draw(st.permutations(view.networks))
    ]
    routers = [
        msgspec.structs.replace(router, interfaces=tuple(draw(st.permutations(router.interfaces))))
        for router in view.routers
    ]
    view = msgspec.structs.replace(
        view,
        networks=tuple(networks),
        ports=tuple(draw(st.permutations(view.ports))),
        dhcp=tuple(draw(st.permutations(view.dhcp))),
        routers=tuple(routers),
        instances=tuple(draw(st.permutations(view.instances))),
        security_groups=tuple(draw(st.permutations(view.security_groups))),
        address_sets=tuple(draw(st.permutations(view.address_sets))),
        peers=tuple(draw(st.permutations(view.peers))),
    )
    facts = msgspec.structs.replace(
        facts,
        local_vlans=tuple(draw(st.permutations(facts.local_vlans))),
        plugged=tuple(draw(st.permutations(facts.plugged))),
    )
    return view, facts
