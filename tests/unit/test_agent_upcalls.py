"""An ovs-vswitchd that takes no packet from the kernel is told by the names of its threads."""

from __future__ import annotations

from pathlib import Path

import pytest
from nebula_agent.upcalls import UpcallCheck


def _check(folder: Path, *threads: str) -> UpcallCheck:
    for number, name in enumerate(threads):
        comm = folder / "proc/77/task" / str(number) / "comm"
        comm.parent.mkdir(parents=True)
        comm.write_text(f"{name}\n")
    (folder / "ovs-vswitchd.pid").write_text("77\n")
    return UpcallCheck(folder / "ovs-vswitchd.pid", folder / "proc")


@pytest.mark.parametrize(
    "threads",
    [("ovs-vswitchd", "handler1", "handler2", "revalidator3"), ()],
    ids=["with handlers", "gone"],
)
def test_nothing_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture, threads: tuple[str, ...]) -> None:
    """Handlers are there, or nothing runs."""
    assert _check(tmp_path, *threads).look()
    assert caplog.text == ""


def test_no_handlers_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A datapath without handlers is one line that says what to do, once for each ovs-vswitchd."""
    check = _check(tmp_path, "ovs-vswitchd", "ovs-vswitchd", "urcu2")
    assert [check.look(), check.look()] == [False, False]
    assert [record.getMessage().count("restart it") for record in caplog.records] == [1]


def test_handlers_that_come_later(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """When ovs-vswitchd has counted again, all is well."""
    check = _check(tmp_path, "ovs-vswitchd", "ovs-vswitchd", "urcu2")
    check.look()
    (tmp_path / "proc/77/task/0/comm").write_text("handler2\n")
    with caplog.at_level("INFO"):
        assert check.look()
    assert "has handler threads now" in caplog.text


def test_no_pid_file(tmp_path: Path) -> None:
    """Without ovs-vswitchd there is nothing to say here."""
    assert UpcallCheck(tmp_path / "none").look()
