"""Driver of sysctls inside namespaces of ours.

Effects: reads and writes /proc/sys from inside the namespace. A sysctl always has a value and keeps no owner: only
those asked for are read, and none is ever removed (it goes with its namespace).
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from nebula.desired.diff import Change
from nebula.desired.kinds import KernelObject, Key, Sysctl
from nebula.desired.state import NodeState
from nebula.errors import KernelRefused
from nebula.view.report import Action
from nebula_agent.drivers.driver import Failures, into
from nebula_agent.drivers.kernel import Kernel, Look
from nebula_agent.edge import netns


class SysctlDriver:
    """Sets sysctls."""

    kinds = (Sysctl.kind,)

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._look = Look(kernel)
        self._dirty = True

    @property
    def dirty(self) -> bool:
        return self._dirty or self._look.dirty

    def mark_dirty(self) -> None:
        self._dirty = True

    def observe(self, desired: NodeState) -> Iterable[KernelObject]:
        self._look.take()
        self._dirty = False
        for wanted in desired.values():
            if isinstance(wanted, Sysctl) and wanted.namespace in self._kernel.spaces:
                value = self._read(wanted)
                if value is not None:
                    yield msgspec.structs.replace(wanted, value=value)

    def _read(self, wanted: Sysctl) -> str | None:
        fd = self._kernel.space(wanted.namespace).fd
        assert fd is not None
        try:
            with netns.inside(fd):
                return " ".join(_path(wanted).read_text(encoding="ascii").split())
        except OSError:
            return None

    def apply(self, changes: Sequence[Change]) -> Failures:
        failures: dict[Key, str] = {}
        for change in changes:
            with into(failures, change):
                subject = change.subject
                assert isinstance(subject, Sysctl)
                if change.action is not Action.REMOVE:
                    self._write(subject)
        return failures

    def _write(self, wanted: Sysctl) -> None:
        fd = self._kernel.space(wanted.namespace).fd
        assert fd is not None
        try:
            with netns.inside(fd):
                _path(wanted).write_text(wanted.value, encoding="ascii")
        except OSError as error:
            name = errno.errorcode.get(error.errno or 0, "")
            raise KernelRefused(f"sysctl {wanted.name} in {wanted.namespace}: {error.strerror}", name) from error


def _path(wanted: Sysctl) -> Path:
    return Path("/proc/sys", *wanted.name.split("."))
