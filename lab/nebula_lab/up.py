"""``lab up`` and ``lab down``: one at a time per lab, all or nothing for a new lab, one clear line for each obstacle.

Effects: all of a lab's, under its lock.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from nebula.errors import ConfigError, InvalidAttribute, NebulaError, Unavailable
from nebula_lab import daemons, openvswitch, preflight, process, state
from nebula_lab.build import Build
from nebula_lab.cloud import Cloud
from nebula_lab.end import end, inits
from nebula_lab.fabric import FABRIC
from nebula_lab.folders import check_name, drop_labs_folder, labs_folder, make_labs_folder
from nebula_lab.lock import hold
from nebula_lab.opened import Lab
from nebula_lab.state import LabRecord

DEFAULT_NODES = 3
MOST_NODES = 60
_WAIT_S = 120.0
_API_S = 300.0
_ALIVE_S = 120.0
"""On an emulated machine a controller takes a minute, on a busy one more; one that ends is not waited for."""


class Outcome(msgspec.Struct, frozen=True):
    """What ``up`` did. ``did`` is empty where everything ran already; ``seconds`` is the whole call's time."""

    did: tuple[str, ...]
    new: bool
    seconds: float


def up(
    name: str,
    *,
    nodes: int | None = None,
    datapath_type: str = "auto",
    report: Callable[[str], None] = lambda _text: None,
) -> tuple[Lab, Outcome]:
    """Make the lab, or start again what has died of it; returns when its agents are alive.

    Raises ConfigError where the machine does not allow it, InvalidAttribute for a wrong name or number of nodes,
    Unavailable where a daemon does not come up. A new lab that does not come up, or is interrupted, is removed.
    """
    started_s = time.monotonic()
    check_name(name)
    if nodes is not None and not 1 <= nodes <= MOST_NODES:
        raise InvalidAttribute("nodes", f"{nodes} is not in 1..{MOST_NODES}")
    folder = labs_folder(os.geteuid(), os.environ) / name
    with on_signals(interrupted):
        try:
            make_labs_folder(folder.parent)
            with _plain_words(folder), hold(folder, "up", report=report, interrupt=False, timeout_s=_WAIT_S):
                lab, did, new = _up(folder, name, nodes, datapath_type, report)
        finally:
            drop_labs_folder(folder.parent)
    return lab, Outcome(tuple(did), new, time.monotonic() - started_s)


def _up(
    folder: Path, name: str, nodes: int | None, datapath_type: str, report: Callable[[str], None]
) -> tuple[Lab, list[str], bool]:
    """The lab, what was done, whether it is new; called with the lock held."""
    record = _kept_record(folder, name, nodes, openvswitch.choose_datapath(datapath_type))
    preflight.check(folder.parent, record.datapath_type)
    fabric = record.space(FABRIC)
    new = fabric is None or not process.is_alive(fabric.init)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        state.save(folder, record)
        lab, did = _bring_up(folder, record, report, new)
    except BaseException:
        if new:
            report("taking down what was made")
            with on_signals(signal.SIG_IGN):  # a second Ctrl-C shall not leave half of it
                end(folder)
        raise
    return lab, did, new


def down(name: str, *, report: Callable[[str], None] = lambda _text: None) -> bool:
    """Remove all of the lab, whatever is left of it; False where there was none. Raises Conflict, ConfigError."""
    folder = labs_folder(os.geteuid(), os.environ) / check_name(name)
    if not folder.parent.is_dir() and not inits(folder):  # a logout may remove the folder of a lab that lives
        return False
    make_labs_folder(folder.parent)
    try:
        with _plain_words(folder), hold(folder, "down", report=report, interrupt=True, timeout_s=_WAIT_S):
            existed = folder.exists() or bool(inits(folder))
            end(folder)
    finally:
        drop_labs_folder(folder.parent)
    return existed


def _kept_record(folder: Path, name: str, nodes: int | None, datapath_type: str) -> LabRecord:
    """The lab's record, or a new one. Raises ConfigError where the lab has another number of nodes."""
    record = state.load(folder)
    if record is None:
        return LabRecord(name, state.boot_id(), datapath_type, 0, state.plan_nodes(nodes or DEFAULT_NODES))
    if nodes is not None and nodes != len(record.nodes):
        raise ConfigError(
            f"lab {name!r} has {len(record.nodes)} nodes: run 'nebulactl lab down' first for another number"
        )
    return msgspec.structs.replace(record, boot_id=state.boot_id())


def _bring_up(folder: Path, record: LabRecord, report: Callable[[str], None], new: bool) -> tuple[Lab, list[str]]:
    build = Build(folder, record, report, new=new)
    build.run()
    lab = Lab(folder, build.record)
    cloud = Cloud(lab.endpoint, lab.credentials)
    try:
        trunk, controller = lab.space(FABRIC), daemons.controller(folder)
        cloud.wait_until_up(_API_S, lambda: daemons.any_runs(controller, process.inhabitants(trunk.init)))
        if cloud.ensure_public():
            build.did.append("network public: made")
        if build.did:
            report("waiting for the agents")
        missing = cloud.wait_alive(lab.nodes, build.agents_started, _ALIVE_S)
    except Unavailable as error:
        log = daemons.controller_folder(folder) / "controller.log"
        raise Unavailable(f"the controller does not come up: {daemons.last_words(log) or error.message}") from error
    if missing:
        first = min(missing)
        words = daemons.last_words(daemons.node_folder(folder, first) / "log/nebula/agent.log")
        raise Unavailable(
            f"no sign of life from the agent of {', '.join(sorted(missing))}: {words or 'its log is empty'}"
        )
    return lab, build.did


def interrupted(_number: int, _frame: object) -> None:
    """A signal's handler that ends the program as Ctrl-C does."""
    raise KeyboardInterrupt


@contextlib.contextmanager
def on_signals(handler: Callable[[int, object], None] | signal.Handlers) -> Iterator[None]:
    """What Ctrl-C, SIGTERM and a closed terminal do meanwhile; one that is ignored (nohup) stays so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    mine = [number for number in numbers if before[number] != signal.SIG_IGN]
    for number in mine:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in mine:
            signal.signal(number, before[number])


@contextlib.contextmanager
def _plain_words(folder: Path) -> Iterator[None]:
    """A full disk and its like as one line."""
    try:
        yield
    except OSError as error:
        if isinstance(error, NebulaError) or error.errno is None:
            raise
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        hint = ": make room there and try again" if full else ""
        raise ConfigError(f"{error.filename or folder.parent}: {error.strerror}{hint}") from error
