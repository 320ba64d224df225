"""A lab that exists, for those who use it: where its API is, who may call it, the way into its nodes.

Effects: reads the lab's folder and /proc.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from nebula.errors import NotFound
from nebula_lab import daemons, process, state
from nebula_lab.cloud import Credentials
from nebula_lab.command import search_path
from nebula_lab.fabric import FABRIC, OUTSIDE, WEB
from nebula_lab.folders import check_name, default_name, labs_folder
from nebula_lab.space import Space
from nebula_lab.state import LabRecord


class Lab:
    """One lab. Open it with open_lab()."""

    def __init__(self, folder: Path, record: LabRecord) -> None:
        self.folder = folder
        self.record = record

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def endpoint(self) -> str:
        """The controller's URL on this machine: ``http://127.0.0.1:PORT``."""
        return f"http://127.0.0.1:{self.record.api_port}"

    @property
    def credentials(self) -> Credentials:
        """The administrator's."""
        return Credentials(
            auth_url=f"{self.endpoint}/identity/v3",
            username="admin",
            password=daemons.read_secret(daemons.controller_folder(self.folder) / "admin-password"),
            project_name="admin",
        )

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes with Open vSwitch and an agent, the network node first."""
        return tuple(node.name for node in self.record.nodes)

    @property
    def places(self) -> tuple[str, ...]:
        """Everything that can be entered: the nodes, and fabric, outside, web."""
        return (*self.nodes, FABRIC, OUTSIDE, WEB)

    def space(self, place: str) -> Space:
        """The place's namespaces. Raises NotFound for a name that is none, or a place that is not running."""
        if place not in self.places:
            raise NotFound(f"lab {self.name!r} has no node {place!r}: it has {', '.join(self.places)}")
        space = self.record.space(place)
        if space is None or not process.is_alive(space.init):
            raise NotFound(f"{place} of lab {self.name!r} is not running: 'nebulactl lab up' starts it again")
        return space

    def enter(self, place: str, argv: Sequence[str]) -> list[str]:
        """The command line that runs ``argv`` inside a place, for exec or subprocess. Raises NotFound.

        On a node ``nebula-agent plan`` and its like find the configuration of the agent that runs there.
        """
        variables = [f"PATH={search_path()}", f"NEBULA_AGENT_CONFIG={daemons.AGENT_CONFIG}"]
        return self.space(place).enter(["env", *(variables if place in self.nodes else variables[:1]), *argv])


def find_lab(name: str | None = None) -> Lab | None:
    """The lab, running or dead; None where there is none of this name."""
    name = check_name(name or default_name())
    folder = labs_folder(os.geteuid(), os.environ) / name
    record = state.load(folder)
    return Lab(folder, record) if record is not None else None


def open_lab(name: str | None = None) -> Lab:
    """A running lab; ``name`` None: ``NEBULA_LAB``, else ``nebula``. Raises NotFound where it is not up."""
    lab = find_lab(name)
    if lab is None:
        raise NotFound(f"lab {name or default_name()!r} is not up: start it with 'nebulactl lab up'")
    if not is_up(lab):
        raise NotFound(f"lab {lab.name!r} has died: 'nebulactl lab up' starts it again, 'nebulactl lab down' clears it")
    return lab


def is_up(lab: Lab) -> bool:
    """True while the lab's first place lives; single daemons of it may have died."""
    fabric = lab.record.space(FABRIC)
    return fabric is not None and process.is_alive(fabric.init)


def lab_names() -> list[str]:
    """Names of the caller's labs, running or dead."""
    folder = labs_folder(os.geteuid(), os.environ)
    if not folder.is_dir():
        return []
    return sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith(".") and entry.is_dir())
