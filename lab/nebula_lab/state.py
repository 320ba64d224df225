"""What a lab remembers of itself between two commands: one JSON file in its folder.

Effects: reads and writes that file. The processes themselves are the truth; the file says where to look.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from nebula.errors import ConfigError
from nebula_lab.space import Space

FILE = "lab.json"


class NodePlan(msgspec.Struct, frozen=True):
    """One node: ``number`` gives its addresses, ``roles`` what the scheduler may place on it."""

    name: str
    number: int
    roles: tuple[str, ...]


class LabRecord(msgspec.Struct, frozen=True):
    """``spaces`` are (place, its namespaces) for fabric, outside, web and the nodes; ``boot_id`` the machine's
    (proc_sys_kernel(5)): after a restart of the machine no pid in here means anything.
    """

    name: str
    boot_id: str
    datapath_type: str
    api_port: int
    nodes: tuple[NodePlan, ...]
    spaces: tuple[tuple[str, Space], ...] = ()

    def space(self, place: str) -> Space | None:
        """The place's namespaces, None where it was never made."""
        return dict(self.spaces).get(place)

    def with_space(self, place: str, space: Space) -> LabRecord:
        """The record after ``place`` was made (again)."""
        return msgspec.structs.replace(self, spaces=tuple(sorted({**dict(self.spaces), place: space}.items())))


def boot_id() -> str:
    """Random id of the machine's running kernel."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def plan_nodes(count: int) -> tuple[NodePlan, ...]:
    """``net1`` with the network role and compute1, compute2...; a single node has both roles."""
    if count == 1:
        return (NodePlan("net1", 1, ("network", "compute")),)
    first = NodePlan("net1", 1, ("network",))
    return (first, *(NodePlan(f"compute{number}", number + 1, ("compute",)) for number in range(1, count)))


def load(folder: Path) -> LabRecord | None:
    """The lab's record; None where there is none, or it is of a time before the machine's last start.

    Raises ConfigError where the file is damaged.
    """
    try:
        content = (folder / FILE).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        record = msgspec.json.decode(content, type=LabRecord)
    except msgspec.MsgspecError as error:
        raise ConfigError(f"{folder / FILE} is damaged ({error}): run 'nebulactl lab down'") from error
    return record if record.boot_id == boot_id() else msgspec.structs.replace(record, spaces=())


def save(folder: Path, record: LabRecord) -> None:
    """Write the record whole or not at all."""
    fresh = folder / f"{FILE}.new"
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(record)))
    os.replace(fresh, folder / FILE)  # noqa: PTH105  one word for the atomic step
