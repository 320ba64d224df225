"""What holds for every view, however strange: hypothesis looks for one where it does not."""

from __future__ import annotations

import re

import msgspec
from compile_views import shuffled, views
from hypothesis import given, settings
from hypothesis import strategies as st

from nebula.compile import compile_node, unwired_ports
from nebula.compile.facts import Facts
from nebula.compile.vlans import FIRST, LAST, local_vlans
from nebula.compile.wiring import Wiring
from nebula.desired.diff import diff
from nebula.desired.kinds import BridgePort, Flow, KernelObject, VethPair
from nebula.desired.shell import command
from nebula.desired.state import EMPTY
from nebula.view.records import NodeView

_MANY = settings(max_examples=30, deadline=None)


@_MANY
@given(views())
def test_compile_never_fails(case: tuple[NodeView, Facts]) -> None:
    """No two objects have one key, whatever clashes in the view, and a second compile gives the same bytes."""
    first, second = compile_node(*case), compile_node(*case)
    assert msgspec.json.encode(list(first.values())) == msgspec.json.encode(list(second.values()))


@_MANY
@given(st.data())
def test_order_of_the_input_does_not_matter(data: st.DataObject) -> None:
    """The same content in any order gives an equal state."""
    view, facts = data.draw(views())
    other = data.draw(st.composite(shuffled)(view, facts))
    assert compile_node(view, facts) == compile_node(*other)


@_MANY
@given(views())
def test_every_port_is_wired_or_explained_or_not_plugged(case: tuple[NodeView, Facts]) -> None:
    """A port that the node knows a device for is either wired or among the unwired, never lost."""
    view, facts = case
    wired = {port.id for port in Wiring(view, facts).ports}
    explained = {port.port_id for port in unwired_ports(view, facts)}
    routers = [router for router in view.routers if router.admin_state_up]
    devices = {
        *(port_id for port_id, _ in facts.plugged),
        *(port_id for instance in view.instances for port_id in instance.ports),
        *(dhcp.port_id for dhcp in view.dhcp),
        *(port_id for router in routers for port_id in router.interfaces),
        *(router.gateway.port_id for router in routers if router.gateway is not None),
    }
    assert (wired & explained, wired | explained) == (set(), {port.id for port in view.ports} & devices)


@_MANY
@given(views())
def test_everything_that_is_required_is_there(case: tuple[NodeView, Facts]) -> None:
    """No object needs one that is not desired; a flow may also name what something else plugged."""
    view, facts = case
    state = compile_node(view, facts)
    foreign = {device for _, device in facts.plugged}
    missing = {
        required
        for item in state.values()
        for required in item.requires
        if required not in state and not (required.kind == BridgePort.kind and required.name in foreign)
    }
    assert missing == set()


@_MANY
@given(views())
def test_flow_budget(case: tuple[NodeView, Facts]) -> None:
    """At most 12 flows belong to a local port without address pairs, and 2 to a remote one with one address."""
    view, facts = case
    plain = [msgspec.structs.replace(port, allowed_address_pairs=()) for port in view.ports]
    view = msgspec.structs.replace(view, ports=tuple(plain))
    state = compile_node(view, facts)
    local = {port.id for port in view.ports}
    counts: dict[str, int] = {}
    for item in state.values():
        if isinstance(item, Flow) and item.owner.kind == "port":
            counts[item.owner.id] = counts.get(item.owner.id, 0) + 1
    assert [owner for owner, count in counts.items() if count > (12 if owner in local else 2)] == []


@_MANY
@given(views())
def test_a_port_that_is_down_has_no_flows(case: tuple[NodeView, Facts]) -> None:
    """admin_state_up false: no flow of br-int is the port's, and no flood names its key."""
    view, facts = case
    flows = [item for item in compile_node(view, facts).values() if isinstance(item, Flow) and item.bridge == "br-int"]
    down = {port.id for port in view.ports if not port.admin_state_up}
    keys = {f"set_field:{int(port_id[:8], 16):#x}->reg5" for port_id in down}
    named = [flow for flow in flows if flow.owner.id in down or keys & set(flow.actions.split(","))]
    assert named == []


@_MANY
@given(views())
def test_flows_stay_in_their_network(case: tuple[NodeView, Facts]) -> None:
    """A flow that delivers to a port's key, or floods, matches that port's network and no other."""
    view, facts = case
    wiring = Wiring(view, facts)
    tags = {f"{port.key:#x}": port.tag for port in wiring.ports}
    for item in compile_node(view, facts).values():
        if isinstance(item, Flow) and item.bridge == "br-int" and item.table in (73, 74):
            found = re.match(r"reg6=(0x[0-9a-f]+),", item.match)
            for key in re.findall(r"set_field:(0x[0-9a-f]+)->reg5", item.actions):
                assert found is not None and tags[key] == int(found[1], 16)


@_MANY
@given(views(), views())
def test_diff_turns_one_state_into_another(one: tuple[NodeView, Facts], two: tuple[NodeView, Facts]) -> None:
    """Applying the changes gives the desired state; the diff of a state with itself is empty."""
    desired, observed = compile_node(*one), compile_node(*two)
    result: dict[object, KernelObject] = dict(observed)
    for change in diff(desired, observed):
        if change.after is None:
            del result[change.key]
        else:
            result[change.key] = change.after
    assert (result, diff(desired, desired)) == (dict(desired), ())


@_MANY
@given(views())
def test_requirements_come_first(case: tuple[NodeView, Facts]) -> None:
    """On an empty node everything is added after what it requires; removal goes the other way."""
    state = compile_node(*case)
    added = [change.key for change in diff(state, EMPTY)]
    removed = [change.key for change in diff(EMPTY, state)]
    place = {key: number for number, key in enumerate(added)}
    back = {key: number for number, key in enumerate(removed)}
    for key, item in state.items():
        for required in item.requires:
            if required in state:
                assert place[required] < place[key] and back[required] > back[key]


@_MANY
@given(views())
def test_every_change_has_a_command(case: tuple[NodeView, Facts]) -> None:
    """Each add and removal can be written down as shell."""
    state = compile_node(*case)
    commands = [command(change) for change in (*diff(state, EMPTY), *diff(EMPTY, state))]
    assert [text for text in commands if not text.strip()] == []


@_MANY
@given(views())
def test_veth_pairs_fit_the_kernel(case: tuple[NodeView, Facts]) -> None:
    """Device names have at most 15 bytes (IFNAMSIZ)."""
    pairs = [item for item in compile_node(*case).values() if isinstance(item, VethPair)]
    assert [pair for pair in pairs if max(len(pair.name), len(pair.peer_name)) > 15] == []


_IDS = st.sets(st.text("abcdef", min_size=1, max_size=3), max_size=12)


@_MANY
@given(_IDS, _IDS, st.lists(st.tuples(st.text("abcdef", max_size=2), st.integers(-2, 5000)), max_size=6))
def test_local_vlans_are_stable(before: set[str], after: set[str], present: list[tuple[str, int]]) -> None:
    """Networks that stay keep their tag when others come and go; tags are unique and valid."""
    first = local_vlans(before, present)  # type: ignore[arg-type]
    second = local_vlans(after, first.items())  # type: ignore[arg-type]
    assert {name: second[name] for name in before & after} == {name: first[name] for name in before & after}
    assert len(set(second.values())) == len(second) == len(after)
    assert all(FIRST <= tag <= LAST for tag in second.values())


def test_local_vlans_are_not_given_out_while_their_network_leaves() -> None:
    """A new network does not take the tag of one that goes in the same pass."""
    assert local_vlans(["new"], [("old", 1)]) == {"new": 2}  # type: ignore[list-item]


def test_local_vlans_run_out() -> None:
    """The 4,095th network gets none; all others keep theirs."""
    tags = local_vlans([f"{number:04}" for number in range(4095)], [])  # type: ignore[misc]
    assert (len(tags), "4094" in tags) == (4094, False)
