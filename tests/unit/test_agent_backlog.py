"""The room for packets that wait for ovs-vswitchd is made once for each device of each ovs-vswitchd."""

from __future__ import annotations

from pathlib import Path

import pytest
from nebula_agent.backlog import ROOM_BYTES, Backlog

_TWO = frozenset({("tap1", 7), ("vxlan-5", 9)})


class _Switch:
    """An ovs-vswitchd that has so many sockets of those asked for open, or may not be looked into."""

    def __init__(self, pid_file: Path) -> None:
        self.open = 2
        self.closed_to_us = False
        self.asked: list[tuple[int, frozenset[str], int]] = []
        self.pid_file = pid_file
        self.starts(77)

    def starts(self, pid: int) -> None:
        self.pid_file.write_text(f"{pid}\n")

    def enlarge(self, pid: int, devices: frozenset[str], size_bytes: int) -> int:
        self.asked.append((pid, devices, size_bytes))
        if self.closed_to_us:
            raise PermissionError(1, "Operation not permitted")
        return min(self.open, len(devices))


@pytest.fixture
def switch(tmp_path: Path) -> _Switch:
    return _Switch(tmp_path / "ovs-vswitchd.pid")


def test_once_for_the_same_devices(switch: _Switch) -> None:
    """The second turn with nothing new looks at no socket."""
    backlog = Backlog(switch.pid_file, switch.enlarge)
    backlog.make_room(_TWO)
    backlog.make_room(_TWO)
    assert switch.asked == [(77, frozenset({"tap1", "vxlan-5"}), ROOM_BYTES)]


@pytest.mark.parametrize(
    ("pid", "devices"),
    [(78, _TWO), (77, frozenset({("tap1", 8), ("vxlan-5", 9)}))],
    ids=["ovs-vswitchd started anew", "a device of the same name"],
)
def test_again_when_the_sockets_are_others(switch: _Switch, pid: int, devices: frozenset[tuple[str, int]]) -> None:
    """Another process or another device of the same name has new sockets."""
    backlog = Backlog(switch.pid_file, switch.enlarge)
    backlog.make_room(_TWO)
    switch.starts(pid)
    backlog.make_room(devices)
    assert [asked[0] for asked in switch.asked] == [77, pid]


def test_again_while_some_are_not_open_yet(switch: _Switch) -> None:
    """ovs-vswitchd opens them after the transaction that adds the ports."""
    backlog = Backlog(switch.pid_file, switch.enlarge)
    switch.open = 1
    backlog.make_room(_TWO)
    switch.open = 2
    backlog.make_room(_TWO)
    backlog.make_room(_TWO)
    assert len(switch.asked) == 2


def test_what_may_not_be_looked_into_is_said_once(switch: _Switch, caplog: pytest.LogCaptureFixture) -> None:
    """Without the right to trace ovs-vswitchd there is one line, with what an administrator can do."""
    backlog = Backlog(switch.pid_file, switch.enlarge)
    switch.closed_to_us = True
    backlog.make_room(_TWO)
    backlog.make_room(_TWO)
    assert [record.getMessage() for record in caplog.records] == ["fast streams lose packets here"]


def test_without_ovs_vswitchd(switch: _Switch) -> None:
    """It is gone: nothing is done and nothing raised."""
    switch.pid_file.unlink()
    Backlog(switch.pid_file, switch.enlarge).make_room(_TWO)
    assert switch.asked == []
