"""What others have plugged into br-int, from the records of Open vSwitch's database."""

from __future__ import annotations

from nebula_agent.drivers.openvswitch import plugged, uplink
from nebula_agent.edge.ovsdb_rows import InterfaceRow, OvsState

_MARK = {"nebula-owner": "nebula:port:10000000-0000-4000-8000-000000000000"}


def _row(name: str, *, bridge: str = "br-int", kind: str = "", port: str = "p", **ours: str) -> InterfaceRow:
    return InterfaceRow(name, bridge, None, kind, (), ours, {"iface-id": port} if port else {}, 1, "")


def _plugged(*rows: InterfaceRow, devices: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    state = OvsState({}, {row.name: row for row in rows}, (), "")
    return plugged(state, devices.__contains__)


def test_plugs_are_others_interfaces_on_br_int_that_name_a_port() -> None:
    """Not ours, not those of other bridges, not those that name none."""
    rows = (_row("b", port="q"), _row("a"), _row("o", **_MARK), _row("x", bridge="br-x"), _row("n", port=""))
    assert _plugged(*rows, devices=("a", "b", "o", "x", "n")) == (("p", "a"), ("q", "b"))


def test_interface_whose_device_is_gone_is_no_plug() -> None:
    """The row outlives the device; only devices that OVS takes from the kernel are looked for there."""
    assert _plugged(_row("gone"), _row("vhost", kind="dpdkvhostuser"), devices=()) == (("p", "vhost"),)


def test_uplink_is_a_bridges_device_of_the_kernel() -> None:
    """Not its own port, nor a tunnel, nor what another bridge has."""
    rows = (
        _row("br-phy", bridge="br-phy", kind="internal"),
        _row("gre0", bridge="br-phy", kind="gre"),
        _row("eth1", bridge="br-phy"),
        _row("a0", bridge="br-x"),
    )
    state = OvsState({}, {row.name: row for row in rows}, (), "")
    assert (uplink(state, "br-phy"), uplink(state, "br-none")) == ("eth1", "")
