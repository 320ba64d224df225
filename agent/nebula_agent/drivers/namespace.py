"""Driver of network namespaces.

Effects: names under /run/netns, and the loopback of each new namespace. Ours are those whose loopback's alias is
our mark; the mark is set before the name exists, so that no namespace of ours is ever without.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from nebula.desired.diff import Change
from nebula.desired.kinds import KernelObject, Key, Namespace
from nebula.desired.state import NodeState
from nebula.errors import KernelRefused
from nebula.ids import Owner, OwnerKind
from nebula.view.report import Action
from nebula_agent.drivers.driver import Failures, into
from nebula_agent.drivers.kernel import Kernel, Look
from nebula_agent.edge import netns, rtnl
from nebula_agent.edge.netlink import Netlink

_OUR_NAMES = re.compile(r"(qrouter|qdhcp|instance)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PROMOTE = Path("/proc/sys/net/ipv4/conf/all/promote_secondaries")
"""With 1, deleting an address does not take the other addresses of its subnet along (ip-sysctl.rst)."""


class NamespaceDriver:
    """Makes and deletes namespaces."""

    kinds = (Namespace.kind,)

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
            if space.owner is not None:
                yield Namespace(space.name, space.owner)
        for name in self._kernel.unfinished:
            if _OUR_NAMES.fullmatch(name):
                yield Namespace(name, Owner(OwnerKind.NODE, ""))

    def apply(self, changes: Sequence[Change]) -> Failures:
        failures: dict[Key, str] = {}
        for change in changes:
            with into(failures, change):
                subject = change.subject
                assert isinstance(subject, Namespace)
                if change.action is Action.REMOVE:
                    self._kernel.forget(subject.name)
                    self._kernel.unfinished.discard(subject.name)
                    netns.delete(subject.name)
                else:
                    self._create(subject)
        return failures

    def _create(self, wanted: Namespace) -> None:
        if self._kernel.is_foreign(wanted.name):
            raise KernelRefused(
                f"network namespace {wanted.name} exists and is not ours: remove it with 'ip netns del {wanted.name}'",
                "EEXIST",
            )
        mark = wanted.owner.mark
        if wanted.name in self._kernel.spaces:
            with self._kernel.space(wanted.name).netlink() as netlink:
                _raise_first(netlink.requests([rtnl.set_link("lo", alias=mark, up=True)]))
            self._kernel.forget(wanted.name)
        else:
            netns.create(wanted.name, lambda: _prepare(mark))
        self._kernel.space(wanted.name)


def _prepare(mark: str) -> None:
    with Netlink() as netlink:
        _raise_first(netlink.requests([rtnl.set_link("lo", alias=mark, up=True)]))
    with contextlib.suppress(OSError):
        _PROMOTE.write_text("1", encoding="ascii")


def _raise_first(answers: Sequence[KernelRefused | None]) -> None:
    for answer in answers:
        if answer is not None:
            raise answer
