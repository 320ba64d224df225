"""Driver of the kernel's VXLAN devices and of what stands in their FDBs.

Effects: links of the node. Ours are the VXLAN devices that bear our mark as their alias, with all that is in their
FDBs (which learn nothing). Creation and mark go to the kernel in one system call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from nebula.desired.diff import Change
from nebula.desired.kinds import FdbEntry, KernelObject, Key, VxlanDevice
from nebula.desired.state import NodeState
from nebula.errors import KernelRefused
from nebula.ids import Owner, parse_mark
from nebula.view.report import Action
from nebula_agent.drivers.driver import Failures, into
from nebula_agent.drivers.kernel import Kernel, Look
from nebula_agent.edge import rtnl, vxlan
from nebula_agent.edge.netlink import Events
from nebula_agent.edge.rtnl import Link, Message
from nebula_agent.edge.vxlan import Forwarding
from nebula_agent.edge.watch import Watch

_GONE = ("ENODEV", "ENOENT")
_NOT_AS_MADE = 0
"""VNI of a device of ours that is not as we make them: it is made anew."""


class VxlanDriver:
    """Makes, mends and deletes VXLAN devices; fills their FDBs."""

    kinds = (VxlanDevice.kind, FdbEntry.kind)

    def __init__(self, kernel: Kernel, watch: Watch) -> None:
        self._kernel = kernel
        self._look = Look(kernel)
        self._watch = watch
        self._entries_dirty = True
        self._any = False
        self._events = Events(None, vxlan.RTMGRP_NEIGH, family=vxlan.AF_BRIDGE)
        watch.add(self._events.fileno(), self._changed)

    @property
    def dirty(self) -> bool:
        return self._look.dirty or (self._entries_dirty and self._any)

    def mark_dirty(self) -> None:
        self._look.mark_dirty()
        self._entries_dirty = True

    def close(self) -> None:
        """Close the event socket."""
        self._watch.remove(self._events.fileno())
        self._events.close()

    def observe(self, desired: NodeState) -> Iterable[KernelObject]:
        self._look.take()
        self._events.drain()
        self._entries_dirty = False
        devices = [link for link in self._kernel.root.links.values() if link.kind == "vxlan" and parse_mark(link.alias)]
        self._any = bool(devices)
        with self._kernel.root.netlink() as netlink:
            for link in devices:
                owner = parse_mark(link.alias)
                assert owner is not None
                yield _device(link, owner, desired)
                bodies = netlink.dump(vxlan.dump_forwarding(link.index))
                entries = filter(None, (vxlan.parse_forwarding(body, link.index) for body in bodies))
                yield from _entries(link.name, owner, entries, desired)

    def apply(self, changes: Sequence[Change]) -> Failures:
        failures: dict[Key, str] = {}
        for change in changes:
            if isinstance(change.subject, VxlanDevice):
                with into(failures, change):
                    self._put_device(change)
        entries = [change for change in changes if isinstance(change.subject, FdbEntry)]
        for change in entries:
            if any(key in failures for key in change.subject.requires):
                failures[change.key] = "its device failed"
        self._put_entries([change for change in entries if change.key not in failures], failures)
        return failures

    def _put_device(self, change: Change) -> None:
        before, after = change.before, change.after
        messages: list[Message] = []
        if isinstance(before, VxlanDevice) and (not isinstance(after, VxlanDevice) or _other(before, after)):
            with self._kernel.root.netlink() as netlink:
                _raise(netlink.requests([rtnl.delete_link(before.name)]), before.name, _GONE)
            before = None
        if not isinstance(after, VxlanDevice):
            return
        if before is None:
            if self._kernel.link_index(after.name):
                # The mark is set by name in the same breath: never on what somebody else made.
                raise KernelRefused(f"link {after.name} exists already: remove it if it is not in use", "EEXIST")
            messages.append(vxlan.new_vxlan(after.name, after.vni, after.vtep_ip, after.mtu_bytes))
        messages += [
            rtnl.set_link(after.name, alias=after.owner.mark, mtu_bytes=after.mtu_bytes, ipv6_silent=True),
            rtnl.set_link(after.name, up=True),
        ]
        with self._kernel.root.netlink() as netlink:
            _raise(netlink.requests(messages, unit=len(messages)), after.name, ())

    def _put_entries(self, changes: Sequence[Change], failures: dict[Key, str]) -> None:
        indices = {name: self._kernel.link_index(name) for name in {_entry(change).device for change in changes}}
        ready = [change for change in changes if indices[_entry(change).device]]
        messages = [_message(change, indices[_entry(change).device]) for change in ready]
        with self._kernel.root.netlink() as netlink:
            answers = netlink.requests(messages)
        for change, answer in zip(ready, answers, strict=True):
            removed = change.action is Action.REMOVE
            if answer is not None and not (removed and answer.errno_name in _GONE):
                failures[change.key] = f"FDB entry {change.key.name}: {answer.message}"
        for change in changes:
            if change not in ready and change.action is not Action.REMOVE:
                failures[change.key] = f"there is no device {_entry(change).device}"

    def _changed(self) -> None:
        if self._events.drain():
            self._entries_dirty = True


def _entry(change: Change) -> FdbEntry:
    assert isinstance(change.subject, FdbEntry)
    return change.subject


def _message(change: Change, index: int) -> Message:
    entry = _entry(change)
    there = Forwarding(entry.mac_address, entry.vtep_ip)
    if change.action is Action.REMOVE:
        return vxlan.stop_forwarding(index, there)
    return vxlan.forward(index, there, append=entry.mac_address == FdbEntry.FLOOD)


def _device(link: Link, owner: Owner, desired: NodeState) -> VxlanDevice:
    wanted = desired.get(Key(VxlanDevice.kind, link.name))
    needs = wanted.needs if isinstance(wanted, VxlanDevice) else ""
    tunnel = vxlan.parse_tunnel(link.info)
    as_made = tunnel.udp_port == vxlan.UDP_PORT and not tunnel.learning
    whole = link.up and not link.ipv6_autoconfigured
    vni = tunnel.vni if as_made else _NOT_AS_MADE
    return VxlanDevice(link.name, vni, tunnel.vtep_ip, link.mtu_bytes if whole else 0, needs, owner)


def _entries(device: str, owner: Owner, found: Iterable[Forwarding], desired: NodeState) -> Iterator[FdbEntry]:
    """The kernel keeps no owner of an entry: it is the wanted one's, else the device's.

    Of several destinations of one MAC (somebody else's doing) the one that is not wanted is shown, so that the entry is
    put right.
    """
    seen: dict[Key, FdbEntry] = {}
    for item in found:
        entry = FdbEntry(device, item.mac_address, item.vtep_ip, owner)
        wanted = desired.get(entry.key)
        if isinstance(wanted, FdbEntry):
            entry = FdbEntry(device, item.mac_address, item.vtep_ip, wanted.owner)
        if entry.key not in seen or entry != wanted:
            seen[entry.key] = entry
    yield from seen.values()


def _other(before: VxlanDevice, after: VxlanDevice) -> bool:
    """True where no change of a device comes to it."""
    return (before.vni, before.vtep_ip) != (after.vni, after.vtep_ip)


def _raise(answers: Sequence[KernelRefused | None], name: str, accepted: Sequence[str]) -> None:
    for answer in answers:
        if answer is not None and answer.errno_name not in accepted:
            raise KernelRefused(f"{name}: {answer.message}", answer.errno_name)
