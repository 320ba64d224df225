"""Driver of daemons inside namespaces of ours: dnsmasq, udhcpc.

Effects: starts, signals and reaps processes. Ours are those whose environment has our mark and this node's own
network namespace; before any signal the command line is compared again. Each has a session of its own and lives
on when the agent goes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from nebula.desired.diff import Change
from nebula.desired.kinds import KernelObject, Key, Process, VethPair
from nebula.desired.reload import must_start_anew
from nebula.desired.shell import LOADED, is_reload
from nebula.desired.state import NodeState
from nebula.errors import KernelRefused
from nebula.ids import parse_mark
from nebula.view.report import Action
from nebula_agent.drivers.driver import Failures, into
from nebula_agent.drivers.kernel import Kernel, Look
from nebula_agent.edge import files, netns, processes
from nebula_agent.edge.processes import Running
from nebula_agent.edge.watch import Watch

NAME, OWNER, NODE, PID_FILE, LINKS, PROGRAM = (
    "NEBULA_PROCESS",
    "NEBULA_OWNER",
    "NEBULA_NODE",
    "NEBULA_PID_FILE",
    "NEBULA_LINKS",
    "NEBULA_PROGRAM",
)
_STOP_TIMEOUT_S = 2.0
_START_TIMEOUT_S = 10.0


class ProcessDriver:
    """Starts, reloads, restarts and stops daemons."""

    kinds = (Process.kind,)

    def __init__(self, kernel: Kernel, watch: Watch) -> None:
        self._kernel = kernel
        self._look = Look(kernel)
        self._watch = watch
        self._running: dict[str, list[Running]] = {}
        self._started: set[str] = set()
        """Names of processes that we started and have not seen yet: a daemon's own number is known once it is seen."""
        self._pidfds: dict[int, int] = {}
        self._dirty = True

    @property
    def dirty(self) -> bool:
        return self._dirty or self._look.dirty

    def mark_dirty(self) -> None:
        self._dirty = True

    def pids(self) -> dict[str, int]:
        """Numbers of the processes that were seen last, by name."""
        return {name: items[-1].pid for name, items in self._running.items()}

    def observe(self, desired: NodeState) -> Iterable[KernelObject]:
        self._look.take()
        self._dirty = False
        self._running = self._scan({item.argv: item for item in desired.values() if isinstance(item, Process)})
        self._started.clear()
        self._follow()
        for name, items in self._running.items():
            wanted = desired.get(Key(Process.kind, name))
            record = self._record(name, items, wanted if isinstance(wanted, Process) else None)
            if record is not None:
                yield record

    def _scan(self, wanted_by_argv: Mapping[tuple[str, ...], Process]) -> dict[str, list[Running]]:
        """Our processes by name, and those that are as if they were ours."""
        node = _node()
        found: dict[str, list[Running]] = {}
        for running in processes.scan(NAME, wanted_by_argv):
            mark = running.environment
            if NAME not in mark:
                mark = self._typed_by_hand(running, wanted_by_argv[running.argv])
                running = msgspec.structs.replace(running, environment=mark)  # noqa: PLW2901
            if mark.get(NODE) == node and running.argv and running.argv[0] == mark.get(PROGRAM):
                found.setdefault(mark[NAME], []).append(running)
        return {name: _without_children(items) for name, items in found.items()}

    def _see_started(self, changes: Sequence[Change]) -> None:
        """Look for what was started since the last look, where it is now to be stopped or signalled."""
        unseen = self._started & {change.key.name for change in changes if change.before is not None}
        if unseen:
            found = self._scan({})
            self._running.update((name, found.get(name, [])) for name in unseen)
            self._started -= unseen

    def _typed_by_hand(self, running: Running, wanted: Process) -> dict[str, str]:
        """Somebody ran the very command in the very namespace: it is as if we had."""
        space = self._kernel.spaces.get(wanted.namespace)
        here = space is not None and space.fd is not None
        same = here and netns.identity(space.fd) == netns.identity_of_process(running.pid)  # type: ignore[union-attr,arg-type]
        return self._environment(wanted) if same else {}

    def _record(self, name: str, items: Sequence[Running], wanted: Process | None) -> Process | None:
        running = items[-1]
        owner = parse_mark(running.environment.get(OWNER, ""))
        if owner is None:
            return None
        spaces = self._kernel.spaces.values()
        inode = netns.identity_of_process(running.pid)
        namespace = next((s.name for s in spaces if s.fd is not None and netns.identity(s.fd) == inode), "")
        pid_file = running.environment.get(PID_FILE, "")
        record = Process(name, namespace, running.argv, pid_file, owner)
        if wanted is None:
            return record
        record = msgspec.structs.replace(record, needs=wanted.needs, reload_on=wanted.reload_on)
        if len(items) > 1 or running.environment.get(LINKS) != self._links(wanted):
            return before_restart(record)
        loaded, text = _loaded(wanted), _files_text(wanted)
        if wanted.reload_on and loaded != text:
            return before_restart(record) if must_start_anew(loaded, text) else before_reload(record)
        return record

    def apply(self, changes: Sequence[Change]) -> Failures:
        self._see_started(changes)
        failures: dict[Key, str] = {}
        reloads = [change for change in changes if is_reload(change)]
        for change in reloads:
            with into(failures, change):
                self._reload(change.subject)
        others = [change for change in changes if not is_reload(change)]
        self._stop([change for change in others if change.before is not None], failures)
        self._start([c for c in others if c.action is not Action.REMOVE and c.key not in failures], failures)
        return failures

    def _reload(self, subject: KernelObject) -> None:
        assert isinstance(subject, Process)
        reached = [processes.send(running, signal.SIGHUP) for running in self._running.get(subject.name, ())]
        if any(reached):
            _note_loaded(subject)
        else:  # what was seen was a daemon on its way into the background: look again, then reload
            self._dirty = True

    def _stop(self, changes: Sequence[Change], failures: dict[Key, str]) -> None:
        going = [(change, running) for change in changes for running in self._running.get(change.key.name, ())]
        for change, running in going:
            with into(failures, change):
                processes.send(running, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        for change, running in going:
            with into(failures, change):
                if not processes.wait_end(running, deadline - time.monotonic()):
                    processes.send(running, signal.SIGKILL)
                    if not processes.wait_end(running, _STOP_TIMEOUT_S):
                        raise KernelRefused(f"process {running.pid} ({change.key.name}) does not end")
        for change in changes:
            self._running.pop(change.key.name, None)
            before = change.before
            if isinstance(before, Process) and before.pid_file and change.action is Action.REMOVE:
                for name in (LOADED, "log", "pid"):
                    files.remove(Path(before.pid_file).with_name(name))

    def _start(self, changes: Sequence[Change], failures: dict[Key, str]) -> None:
        started: list[tuple[Change, processes.Starting]] = []
        for change in changes:
            subject = change.subject
            assert isinstance(subject, Process)
            with into(failures, change):
                Path(subject.pid_file).parent.mkdir(parents=True, exist_ok=True)
                _note_loaded(subject)
                fd = self._kernel.space(subject.namespace).fd
                started.append((change, processes.start(subject.argv, self._environment(subject), fd)))
                self._started.add(subject.name)
        deadline = time.monotonic() + _START_TIMEOUT_S
        for change, starting in started:
            with into(failures, change):
                starting.finish(deadline - time.monotonic())
        self._dirty = True

    def _environment(self, subject: Process) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
            NAME: subject.name,
            OWNER: subject.owner.mark,
            NODE: _node(),
            PID_FILE: subject.pid_file,
            LINKS: self._links(subject),
            PROGRAM: subject.argv[0],
        }

    def _links(self, subject: Process) -> str:
        """Which very devices the process was started on: a daemon does not notice that its device was made anew."""
        names = sorted(key.name for key in subject.needs if key.kind == VethPair.kind)
        return ",".join(f"{name}={self._kernel.link_index(name)}" for name in names)

    def _follow(self) -> None:
        """Watch every process of ours for its end."""
        pids = {running.pid for items in self._running.values() for running in items}
        for pid in set(self._pidfds) - pids:
            self._unfollow(pid)
        for pid in pids - set(self._pidfds):
            try:
                self._pidfds[pid] = os.pidfd_open(pid)
            except OSError:  # it has ended since it was seen: look again
                self._dirty = True
                continue
            self._watch.add(self._pidfds[pid], lambda pid=pid: self._ended(pid))  # type: ignore[misc]

    def _ended(self, pid: int) -> None:
        self._unfollow(pid)
        processes.reap(pid)
        self._dirty = True

    def _unfollow(self, pid: int) -> None:
        fd = self._pidfds.pop(pid)
        self._watch.remove(fd)
        os.close(fd)


def before_reload(process: Process) -> Process:
    """The process as observed when it has yet to read its files again: its change is a SIGHUP (``is_reload``)."""
    return msgspec.structs.replace(process, reload_on=())


def before_restart(process: Process) -> Process:
    """The process as observed when only a new start makes it what it shall be."""
    return msgspec.structs.replace(process, namespace="")


def _node() -> str:
    return f"net:[{netns.home_identity()}]"


def _without_children(items: Sequence[Running]) -> list[Running]:
    """A daemon about to run a script is for a moment two processes of one name."""
    pids = {item.pid for item in items}
    return sorted((item for item in items if item.parent not in pids), key=lambda item: item.pid)


def _files_text(subject: Process) -> str:
    """What the daemon's files hold now, one after the other."""
    texts: list[str] = []
    for name in subject.reload_on:
        with contextlib.suppress(OSError):
            texts.append(Path(name).read_text(encoding="utf-8", errors="replace"))
    return "".join(texts)


def _marker(subject: Process) -> Path:
    return Path(subject.pid_file).with_name(LOADED)


def _loaded(subject: Process) -> str:
    """What the files held when the daemon read them last; '' where that is not known."""
    try:
        return _marker(subject).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _note_loaded(subject: Process) -> None:
    if subject.reload_on:
        files.write(_marker(subject), _files_text(subject).encode())
