"""Make what is not there: the steps of ``lab up``, each of which leaves alone what already runs.

Effects: all of them, through the modules of this package. Locks, clean-up and messages at the end are up.py's.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from nebula.errors import ConfigError
from nebula_lab import daemons, fabric, openvswitch, process, state
from nebula_lab.space import LAB_MARK, PLACE_MARK, Space, birth, furnish
from nebula_lab.state import LabRecord, NodePlan

_NODE_PRIVATE = (("run", "/run"), ("lib", "/var/lib"), ("log", "/var/log"))
_PRIVATE = (("run", "/run"),)


class Build:
    """One run of ``lab up``. ``did`` says what was made, in the order in which it was; ``agents_started`` when this
    run started an agent, by node, in UTC as ``2026-11-22 14:42:27``.

    ``new``: the lab did not run before, so that a failure may kill it at once.
    """

    def __init__(self, folder: Path, record: LabRecord, report: Callable[[str], None], *, new: bool) -> None:
        self.folder = folder
        self.record = record
        self.did: list[str] = []
        self.agents_started: dict[str, str] = {}
        self._report = report
        self._new = new
        self._guard = threading.Lock()

    def run(self) -> None:
        """Every step. Raises CommandFailed or ConfigError of the first one that fails."""
        (self.folder / "nodes").mkdir(exist_ok=True)
        trunk = self._fabric()
        self._controller(trunk)
        pool = ThreadPoolExecutor(max_workers=4)
        try:
            jobs = [pool.submit(self._node, trunk, node) for node in self.record.nodes]
            jobs.append(pool.submit(self._outside, trunk))
            for job in jobs:
                job.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            if self._new:
                process.kill(trunk.init)  # ends what the other threads still wait for
            raise
        finally:
            pool.shutdown(wait=True)

    def _fabric(self) -> Space:
        return self._place(fabric.FABRIC, None, _PRIVATE, fabric.lay_segments)[0]

    def _controller(self, trunk: Space) -> None:
        daemon = daemons.controller(self.folder)
        if daemons.running(daemon, process.inhabitants(trunk.init)):
            return
        try:
            listener = daemons.listen(self.record.api_port)
        except ConfigError as error:
            self._report(f"{error.message}: the API moves to another port")
            listener = daemons.listen(0)
        with listener:
            port = int(listener.getsockname()[1])
            if port != self.record.api_port:
                self._keep(lambda record: msgspec.structs.replace(record, api_port=port))
            daemons.start_controller(trunk, self.folder, listener)
        self._say(f"controller: started, http://127.0.0.1:{port}")

    def _outside(self, trunk: Space) -> None:
        outside, new = self._place(fabric.OUTSIDE, trunk, _PRIVATE, lambda space: fabric.lay_outside(trunk, space))
        web, _new = self._place(fabric.WEB, trunk, _PRIVATE, lambda space: fabric.lay_web(outside, space), again=new)
        if not daemons.running(daemons.web(self.folder), process.inhabitants(web.init)):
            daemons.start_web(web, self.folder)
            self._say(f"web: web server started on {fabric.WEB_IP}:80")

    def _node(self, trunk: Space, node: NodePlan) -> None:
        space, new = self._place(
            node.name,
            trunk,
            _NODE_PRIVATE,
            lambda space: fabric.lay_node(trunk, node, space, self.record.datapath_type),
        )
        own = daemons.node_folder(self.folder, node.name)
        database, switch, agent = daemons.node_daemons(self.folder, node.name)
        residents = process.inhabitants(space.init)
        if not daemons.running(database, residents):
            openvswitch.start_database(space, own)
            self._say(f"{node.name}: ovsdb-server started", quiet=new)
        if not daemons.running(switch, residents):
            openvswitch.configure(space, node.name, self.record.datapath_type)
            openvswitch.start_switch(space, own)
            self._say(f"{node.name}: ovs-vswitchd started", quiet=new)
        if not daemons.running(agent, residents):
            self.agents_started[node.name] = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
            daemons.start_agent(space, self.folder, node, self.record.datapath_type)
            self._say(f"{node.name}: nebula-agent started", quiet=new)
        if new:
            self._say(f"{node.name}: node started with Open vSwitch and nebula-agent")

    def _place(
        self,
        place: str,
        inside: Space | None,
        private: tuple[tuple[str, str], ...],
        lay: Callable[[Space], None],
        *,
        again: bool = False,
    ) -> tuple[Space, bool]:
        """The place's namespaces, made where they are gone (or to be made ``again``); true where they are new.

        The record names a place only when it is complete, so that the next run makes a half-made one again.
        """
        known = self.record.space(place)
        if known is not None and process.is_alive(known.init) and not again:
            return known, False
        for stale in process.bearing({LAB_MARK: str(self.folder), PLACE_MARK: place}):
            process.kill(stale)
            process.wait_gone(stale, 5.0)
        own = daemons.node_folder(self.folder, place)
        shutil.rmtree(own / "run", ignore_errors=True)  # as a restart of a machine does; /var/lib stays
        for name, _inside in private:
            (own / name).mkdir(parents=True, exist_ok=True)
        space = birth(self.folder, place, own / "init.log", inside)
        furnish(space, place, own, private=private)
        lay(space)
        self._keep(lambda record: record.with_space(place, space))
        return space, True

    def _keep(self, change: Callable[[LabRecord], LabRecord]) -> None:
        with self._guard:
            self.record = change(self.record)
            state.save(self.folder, self.record)

    def _say(self, text: str, *, quiet: bool = False) -> None:
        if not quiet:
            self.did.append(text)
            self._report(text)
