"""What runs of a lab, and what does not.

Effects: reads /proc and the lab's folder, asks the controller with a short time limit.
"""

from __future__ import annotations

import contextlib

import msgspec

from nebula.errors import NebulaError
from nebula_lab import daemons, process
from nebula_lab.cloud import Cloud
from nebula_lab.fabric import FABRIC, OUTSIDE, WEB, WEB_IP, mgmt_ip, underlay_ip
from nebula_lab.opened import Lab
from nebula_lab.process import Process


class PlaceStatus(msgspec.Struct, frozen=True):
    """One place. ``pids`` are the machine's, by program; None for one that should run and does not.

    ``agent_alive`` is what the controller says: None where it has no agent, or nobody could be asked.
    """

    name: str
    role: str
    address: str
    pids: dict[str, int | None]
    agent_alive: bool | None = None

    @property
    def complete(self) -> bool:
        """True when all that shall run here does."""
        return None not in self.pids.values() and self.agent_alive is not False


class LabStatus(msgspec.Struct, frozen=True):
    """``endpoint`` answers when ``api_answers``."""

    name: str
    endpoint: str
    api_answers: bool
    datapath_type: str
    folder: str
    places: tuple[PlaceStatus, ...]

    @property
    def complete(self) -> bool:
        """True when nothing of the lab has died."""
        return self.api_answers and all(place.complete for place in self.places)


def status_of(lab: Lab) -> LabStatus:
    """Look at everything once."""
    alive: set[str] | None = None
    with contextlib.suppress(NebulaError, OSError):
        alive = Cloud(lab.endpoint, lab.credentials).alive_hosts()
    places = []
    for node in lab.record.nodes:
        programs = daemons.node_daemons(lab.folder, node.name)
        address = f"{mgmt_ip(node)} {underlay_ip(node)}"
        pids = _pids(lab, node.name, programs)
        places.append(
            PlaceStatus(node.name, "+".join(node.roles), address, pids, None if alive is None else node.name in alive)
        )
    places.append(
        PlaceStatus(FABRIC, "segments, controller", "10.200.0.1", _pids(lab, FABRIC, (daemons.controller(lab.folder),)))
    )
    places.append(PlaceStatus(OUTSIDE, "router of the outside world", "203.0.113.1", _pids(lab, OUTSIDE, ())))
    places.append(
        PlaceStatus(WEB, "web server of the outside world", WEB_IP, _pids(lab, WEB, (daemons.web(lab.folder),)))
    )
    return LabStatus(
        lab.name, lab.endpoint, alive is not None, lab.record.datapath_type, str(lab.folder), tuple(places)
    )


def _pids(lab: Lab, place: str, programs: tuple[daemons.Daemon, ...]) -> dict[str, int | None]:
    space = lab.record.space(place)
    init = space.init if space is not None and process.is_alive(space.init) else None
    residents: dict[int, Process] = process.inhabitants(init) if init is not None else {}
    found: dict[str, int | None] = {"init": init.pid if init is not None else None}
    for program in programs:
        running = daemons.running(program, residents)
        found[program.name] = running.pid if running is not None else None
    return found
