"""The text of compiled flows is the very text that a real switch prints for them."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from dummy_ovs import DummyOvs

from nebula.compile import compile_node
from nebula.compile.facts import Facts
from nebula.compile.pipeline import int_71_base_egress, int_73_accept_or_ingress
from nebula.compile.pipeline.dump import observed_flows, owners_by_cookie
from nebula.desired.diff import diff
from nebula.desired.kinds import Bridge, Flow
from nebula.desired.state import NodeState, node_state
from nebula.ids import BR_INT, Owner, OwnerKind
from nebula.view.records import FixedIp, NodeView

sys.path.append(str(Path(__file__).parents[1] / "scenarios"))
from golden import HERE, load, scenarios

ODD_DEVICES = ("vnet0", "1st", "a.b", 'q"uote', "back\\slash", "d_e", "br@ce", "x=y", "semi;x", "*")


@pytest.fixture
def ovs() -> Iterator[DummyOvs]:
    with tempfile.TemporaryDirectory(prefix="ovs-") as folder, DummyOvs(Path(folder)) as running:
        yield running


def _verbatim(flow: Flow) -> str:
    """The line of ``ovs-ofctl --names --no-stats dump-flows`` before tables are named."""
    table = f"table={flow.table}, " if flow.table else ""
    match = f",{flow.match}" if flow.match else ""
    return f" cookie={flow.cookie:#x}, {table}priority={flow.priority}{match} actions={flow.actions}"


def _flows(state: NodeState, bridge: str) -> list[Flow]:
    return [item for item in state.values() if isinstance(item, Flow) and item.bridge == bridge]


def _bridges(state: NodeState) -> list[str]:
    return [item.name for item in state.values() if isinstance(item, Bridge)]


def _assert_same(ovs: DummyOvs, state: NodeState) -> None:
    for bridge in _bridges(state):
        assert sorted(ovs.dump(bridge).splitlines()) == sorted(map(_verbatim, _flows(state, bridge)))


def _plugged(view: NodeView, facts: Facts) -> tuple[NodeView, Facts]:
    """The view with a plugged port for each odd device, some with two addresses, one of them IPv6."""
    network = view.networks[0]
    subnet = network.subnets[0].id
    ports, plugged = list(view.ports), list(facts.plugged)
    for number, device in enumerate(ODD_DEVICES):
        port = msgspec.structs.replace(
            view.ports[0],
            id=f"{number:08x}-1111-4111-8111-111111111111",
            network_id=network.id,
            mac_address=f"fa:16:3e:aa:00:{number:02x}",
            fixed_ips=(FixedIp(subnet, f"192.168.50.{100 + number}"),),
        )
        ports.append(port)
        plugged.append((port.id, device))
    ports.sort(key=lambda port: port.id)
    return msgspec.structs.replace(view, ports=tuple(ports)), msgspec.structs.replace(facts, plugged=tuple(plugged))


@pytest.mark.parametrize("folder", scenarios(), ids=lambda folder: folder.name)
def test_dump_is_verbatim(ovs: DummyOvs, folder: Path) -> None:
    """Every flow of every scenario is dumped exactly as compiled."""
    view, facts = load(folder)
    state = compile_node(view, facts)
    ovs.build(state, plugged=[device for _, device in facts.plugged], named_tables=False)
    _assert_same(ovs, state)


def test_dump_is_verbatim_for_odd_devices(ovs: DummyOvs) -> None:
    """Whatever others call the interface that they plug: quoted, escaped, as the switch does."""
    view, facts = _plugged(*load(HERE / "case-study-compute1"))
    state = compile_node(view, facts)
    ovs.build(state, plugged=ODD_DEVICES, named_tables=False)
    _assert_same(ovs, state)


def test_dump_is_verbatim_for_rare_forms(ovs: DummyOvs) -> None:
    """Long flood lists in chunks, guards with IPv6 addresses, an empty flood list."""
    from ipaddress import ip_address

    owner = Owner(OwnerKind.PORT, "5759c106-0c7e-4d19-a5b3-8f6e1d2c4b70")
    addresses = [ip_address("203.0.113.9"), ip_address("2001:db8::0:9"), ip_address("2001:db8:1:2:3:4:5:6")]
    rare = [
        *int_73_accept_or_ingress.flood(
            4094, [(0, 1), (0, 0x10), (1, 0xFFFFFFFF), (1, 0xABCD), (3, 7)], owner, chunk=2
        ),
        *int_73_accept_or_ingress.flood(9, [], owner),
        *int_71_base_egress.guard_gateway(0xABCD, dict.fromkeys(addresses, owner), owner),
    ]
    state = node_state([Bridge(BR_INT, "netdev", "secure", owner), *rare])
    ovs.build(state, named_tables=False)
    _assert_same(ovs, state)


@pytest.mark.parametrize("named_tables", [False, True])
def test_observed_equals_desired(ovs: DummyOvs, *, named_tables: bool) -> None:
    """Read back, the flows with their owners and ports equal the desired ones: the diff is empty."""
    view, facts = _plugged(*load(HERE / "case-study-net1"))
    state = compile_node(view, facts)
    ovs.build(state, plugged=ODD_DEVICES, named_tables=named_tables)
    desired = node_state(item for item in state.values() if isinstance(item, Flow))
    owners = owners_by_cookie(_flows(state, BR_INT) + _flows(state, "br-tun") + _flows(state, "br-ex"))
    observed = node_state(
        flow for bridge in _bridges(state) for flow in observed_flows(bridge, ovs.dump(bridge), owners)
    )
    assert diff(desired, observed) == ()


def test_a_thousand_ports_hear_a_flood(ovs: DummyOvs) -> None:
    """A flood list of 1,050 ports on one node is split, loads, and reaches every port but the sender."""
    view, facts = load(HERE / "case-study-compute1")
    ports, plugged = [], []
    for number in range(1050):
        port = msgspec.structs.replace(view.ports[0], id=f"{number:08x}-1111-4111-8111-111111111111", fixed_ips=())
        ports.append(msgspec.structs.replace(port, mac_address=f"fa:16:3e:aa:{number >> 8:02x}:{number & 255:02x}"))
        plugged.append((port.id, f"p{number:04}"))
    state = compile_node(
        msgspec.structs.replace(view, ports=tuple(ports), instances=(), networks=(view.networks[0],)),
        msgspec.structs.replace(facts, plugged=tuple(plugged)),
    )
    ovs.build(state, plugged=[device for _, device in plugged], named_tables=False)
    frame = "icmp,dl_src=fa:16:3e:aa:00:00,dl_dst=ff:ff:ff:ff:ff:ff"
    reached = ovs.trace(BR_INT, f"in_port={ovs.ofport('p0000')},{frame}")
    assert [name for name in reached if name.startswith("p")] == [device for _, device in plugged[1:]]
