"""Driver of files under the agent's state folder.

Effects: files, written by rename. Ours by their path: those in ``dhcp/`` and ``udhcpc/`` of the state folder,
beside what the daemons there write themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from nebula.desired.diff import Change
from nebula.desired.kinds import ConfigFile, KernelObject, Key
from nebula.desired.state import NodeState
from nebula.errors import KernelRefused
from nebula.ids import Owner, OwnerKind
from nebula.view.report import Action
from nebula_agent.drivers.driver import Failures, into
from nebula_agent.edge import files

FOLDERS = ("dhcp", "udhcpc")
DAEMON_FILES = ("pid", "log", "loaded", "leases")
"""What the daemons, and the driver of processes, write into the same folders."""


class ConfigFileDriver:
    """Writes and removes files."""

    kinds = (ConfigFile.kind,)

    def __init__(self, state_folder: Path, owner: Owner) -> None:
        self._folder = state_folder
        self._owner = owner
        self._dirty = True

    @property
    def dirty(self) -> bool:
        return self._dirty

    def mark_dirty(self) -> None:
        self._dirty = True

    def observe(self, desired: NodeState) -> Iterable[KernelObject]:
        self._dirty = False
        for path in self._files():
            try:
                content = path.read_text(encoding="utf-8", errors="surrogateescape")
            except FileNotFoundError:
                continue
            wanted = desired.get(Key(ConfigFile.kind, str(path)))
            owner = wanted.owner if wanted is not None else _owner_of(path, self._owner)
            yield ConfigFile(str(path), content, owner)

    def _files(self) -> Iterable[Path]:
        for name in FOLDERS:
            for path in sorted((self._folder / name).glob("*/*")):
                if path.name not in DAEMON_FILES and path.is_file() and not path.is_symlink():
                    yield path

    def apply(self, changes: Sequence[Change]) -> Failures:
        failures: dict[Key, str] = {}
        for change in changes:
            with into(failures, change):
                subject = change.subject
                assert isinstance(subject, ConfigFile)
                path = Path(subject.path)
                if not path.is_relative_to(self._folder):
                    raise KernelRefused(f"{path} is not under {self._folder}")
                if change.action is Action.REMOVE:
                    files.remove(path)
                else:
                    files.write(path, subject.content.encode("utf-8", "surrogateescape"))
        return failures


def _owner_of(path: Path, otherwise: Owner) -> Owner:
    kind = {"dhcp": OwnerKind.NETWORK, "udhcpc": OwnerKind.PORT}.get(path.parent.parent.name)
    return Owner(kind, path.parent.name) if kind is not None else otherwise
