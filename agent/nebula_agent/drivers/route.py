"""Driver of static routes in namespaces of ours.

Effects: routes. Ours are those of the main table with ``proto static``; the DHCP client's script in an instance
says ``proto dhcp``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nebula.desired.diff import Change
from nebula.desired.kinds import KernelObject, Key, NextHop, Route
from nebula.desired.state import NodeState
from nebula.errors import KernelRefused
from nebula.view.report import Action
from nebula_agent.drivers.driver import Failures, into
from nebula_agent.drivers.kernel import Kernel, Look
from nebula_agent.edge import rtnl
from nebula_agent.edge.ioctl import interface_index

_GONE = ("ESRCH", "ENODEV", "ENOENT")


class RouteDriver:
    """Adds, replaces and deletes routes."""

    kinds = (Route.kind,)

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._look = Look(kernel)

    @property
    def dirty(self) -> bool:
        return self._look.dirty

    def mark_dirty(self) -> None:
        self._look.mark_dirty()

    def observe(self, desired: NodeState) -> Iterable[KernelObject]:
        self._look.take()
        for space in self._kernel.spaces.values():
            if space.owner is None:
                continue
            devices = {link.index: link.name for link in space.links.values()}
            for found in space.routes:
                if found.protocol != rtnl.RTPROT_STATIC or found.table != rtnl.RT_TABLE_MAIN:
                    continue
                hops = sorted((via or "", devices.get(index, "")) for via, index in found.hops)
                known = tuple(NextHop(via or None, device) for via, device in hops)
                route = Route(space.name, found.destination, known, space.owner)
                wanted = desired.get(route.key)
                same = isinstance(wanted, Route) and sorted((hop.via or "", hop.device) for hop in wanted.hops) == hops
                yield wanted if same and wanted is not None else route

    def apply(self, changes: Sequence[Change]) -> Failures:
        failures: dict[Key, str] = {}
        for change in changes:
            with into(failures, change):
                subject = change.subject
                assert isinstance(subject, Route)
                self._apply(subject, change.action)
        return failures

    def _apply(self, wanted: Route, action: Action) -> None:
        remove = action is Action.REMOVE
        try:
            with self._kernel.space(wanted.namespace).netlink() as netlink:
                hops = [(hop.via, interface_index(netlink.fileno(), hop.device)) for hop in wanted.hops]
                request = rtnl.route(wanted.destination, hops, delete=remove, replace=action is Action.CHANGE)
                answer = netlink.requests([request])[0]
        except KernelRefused as error:
            if remove and error.errno_name in _GONE:
                return
            raise
        if answer is not None and not (remove and answer.errno_name in _GONE):
            via = "".join(f" via {hop.via}" for hop in wanted.hops if hop.via)
            raise KernelRefused(f"route {wanted.destination}{via}: {answer.message}", answer.errno_name)
