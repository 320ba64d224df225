"""The kernel's links, addresses and routes, of the node and of each namespace of ours, kept in memory.

Effects: reads by netlink, event sockets, an inotify watch on /run/netns. Changes nothing. A namespace is ours
when its loopback's alias is one of our marks. An event only marks its namespace dirty; ``refresh`` reads again.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from nebula.desired.kinds import Offload
from nebula.errors import KernelRefused
from nebula.ids import Owner, parse_mark
from nebula_agent.edge import ioctl, libc, netns, rtnl
from nebula_agent.edge.netlink import Events, Netlink
from nebula_agent.edge.rtnl import Link, LinkAddress, LinkRoute
from nebula_agent.edge.watch import Watch

_NETLINK_NETFILTER = 12
_NETFILTER_EVENTS = 1 << 6
"""Multicast group NFNLGRP_NFTABLES (7): iptables-nft changes."""
_UDP_SEGMENTS, _SCTP_CHECKSUM = "tx-udp-segmentation", "tx-checksum-sctp"


class Space:
    """One network namespace: the node's own (``name`` empty), or one of ours."""

    def __init__(self, name: str, fd: int | None, owner: Owner | None) -> None:
        self.name = name
        self.fd = fd
        self.owner = owner
        self.links: dict[str, Link] = {}
        self.offload: dict[str, Offload] = {}
        """Of the veth ends here."""
        self.addresses: tuple[LinkAddress, ...] = ()
        self.routes: tuple[LinkRoute, ...] = ()
        self.dirty = True
        self.rules_dirty = True
        self._events = Events(fd, rtnl.EVENTS)
        self._rules: Events | None = None
        with contextlib.suppress(OSError):
            self._rules = Events(fd, _NETFILTER_EVENTS, _NETLINK_NETFILTER)

    def netlink(self) -> Netlink:
        """A request socket in this namespace; close it after use."""
        return Netlink(self.fd)

    def watch(self, watch: Watch) -> None:
        """Let events mark this namespace dirty."""
        watch.add(self._events.fileno(), self._changed)
        if self._rules is not None:
            watch.add(self._rules.fileno(), self._rules_changed)

    def _changed(self) -> None:
        if self._events.drain():
            self.dirty = True

    def _rules_changed(self) -> None:
        if self._rules is not None and self._rules.drain():
            self.rules_dirty = True

    def refresh(self) -> None:
        """Read links, addresses and routes. Raises KernelRefused."""
        self._events.drain()
        with self.netlink() as netlink:
            links = [rtnl.parse_link(body) for body in netlink.dump(rtnl.dump_links())]
            self.links = {link.name: link for link in links}
            if self.fd is not None:
                veths = [link.name for link in links if link.kind == "veth"]
                self.offload = {name: offload_of(netlink.fileno(), name) for name in veths}
                self.addresses = tuple(rtnl.parse_address(body) for body in netlink.dump(rtnl.dump_addresses()))
                routes = (rtnl.parse_route(body) for body in netlink.dump(rtnl.dump_routes()))
                self.routes = tuple(route for route in routes if route is not None)
        self.dirty = False

    def close(self, watch: Watch) -> None:
        """Let go of the namespace, so that the kernel can free it."""
        for events in (self._events, self._rules):
            if events is not None:
                watch.remove(events.fileno())
                events.close()
        if self.fd is not None:
            os.close(self.fd)


def offload_of(socket_fd: int, device: str) -> Offload:
    """What senders leave to the device."""
    on = ioctl.features(socket_fd, device)
    if not any(name.startswith("tx-checksum-ip") for name in on):
        return Offload.NONE
    return Offload.ALL if _UDP_SEGMENTS in on else Offload.TCP


def set_offload(socket_fd: int, device: str, offload: Offload) -> None:
    """Let senders leave that to the device."""
    ioctl.set_tx_checksum(socket_fd, device, offload is not Offload.NONE)
    if offload is not Offload.NONE:
        everything = offload is Offload.ALL
        ioctl.set_features(socket_fd, device, {_UDP_SEGMENTS: everything, _SCTP_CHECKSUM: everything})


class Kernel:
    """All namespaces of ours, and the node's own."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.root = Space("", None, None)
        self.root.watch(watch)
        self.spaces: dict[str, Space] = {}
        self.unfinished: set[str] = set()
        """Names under /run/netns with nothing mounted there."""
        self.generation = 0
        """Grows with each refresh that read something."""
        self._foreign: dict[str, int] = {}
        self._names_dirty = True
        self._inotify: int | None = None
        if netns.FOLDER.exists():
            self._inotify = libc.inotify({str(netns.FOLDER): libc.IN_CREATE | libc.IN_DELETE | libc.IN_MOVED})
            watch.add(self._inotify, self._names_changed)

    @property
    def dirty(self) -> bool:
        """True when a refresh would read something."""
        return self._names_dirty or self.root.dirty or any(space.dirty for space in self.spaces.values())

    def mark_dirty(self) -> None:
        """Read everything at the next refresh."""
        self._names_dirty = True
        for space in (self.root, *self.spaces.values()):
            space.dirty = space.rules_dirty = True

    def refresh(self) -> None:
        """Read what is dirty."""
        if not self.dirty:
            return
        self.generation += 1
        if self._names_dirty:
            self._names_dirty = False
            self._refresh_names()
        for space in (self.root, *self.spaces.values()):
            if space.dirty:
                space.refresh()

    def space(self, name: str) -> Space:
        """Our namespace of that name, opened if it is new. Raises KernelRefused (``ENOENT``) where there is none."""
        if name not in self.spaces:
            self._look_at(name)
        space = self.spaces.get(name)
        if space is None:
            raise KernelRefused(f"network namespace {name} does not exist or is not ours", "ENOENT")
        return space

    def forget(self, name: str) -> None:
        """Let go of a namespace that is to be deleted."""
        space = self.spaces.pop(name, None)
        if space is not None:
            space.close(self._watch)

    def is_foreign(self, name: str) -> bool:
        """True when a namespace of that name exists and does not bear our mark."""
        self._look_at(name)
        return name in self._foreign

    @property
    def foreign(self) -> frozenset[str]:
        """Names of the namespaces that do not bear our mark."""
        return frozenset(self._foreign)

    def link_index(self, name: str) -> int:
        """The kernel's number of a link of the node as it is at this moment, 0 where there is none."""
        try:
            with self.root.netlink() as netlink:
                return ioctl.interface_index(netlink.fileno(), name)
        except KernelRefused:
            return 0

    def _names_changed(self) -> None:
        assert self._inotify is not None
        with contextlib.suppress(BlockingIOError):
            os.read(self._inotify, 1 << 16)
        self._names_dirty = True

    def _refresh_names(self) -> None:
        present = netns.names()
        for name in set(self.spaces) - set(present):
            self.forget(name)
        self._foreign = {name: inode for name, inode in self._foreign.items() if name in set(present)}
        self.unfinished.clear()
        for name in present:
            self._look_at(name)

    def _look_at(self, name: str) -> None:
        """Open the namespace if it is new or another than before, and see whose it is."""
        try:
            inode = Path(netns.FOLDER / name).stat().st_ino
        except OSError:
            self.forget(name)
            self._foreign.pop(name, None)
            return
        known = self.spaces.get(name)
        if known is not None and known.fd is not None and netns.identity(known.fd) == inode:
            return
        self.forget(name)
        fd = netns.open_namespace(name)
        if fd is None:
            self.unfinished.add(name)
            return
        self.unfinished.discard(name)
        owner = parse_mark(self._loopback_alias(fd))
        if owner is None:
            self._foreign[name] = inode
            os.close(fd)
            return
        self._foreign.pop(name, None)
        space = Space(name, fd, owner)
        space.watch(self._watch)
        self.spaces[name] = space

    def _loopback_alias(self, fd: int) -> str:
        try:
            with Netlink(fd) as netlink:
                links = [rtnl.parse_link(body) for body in netlink.dump(rtnl.dump_links())]
        except (KernelRefused, OSError):
            return ""
        return next((link.alias for link in links if link.name == "lo"), "")

    def close(self) -> None:
        """Let go of everything."""
        for name in list(self.spaces):
            self.forget(name)
        self.root.close(self._watch)
        if self._inotify is not None:
            self._watch.remove(self._inotify)
            os.close(self._inotify)


class Look:
    """One driver's look at the kernel: several drivers share what one refresh has read."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._seen = -1

    @property
    def dirty(self) -> bool:
        """True when there is something that this driver has not seen."""
        return self._kernel.dirty or self._kernel.generation != self._seen

    def take(self) -> None:
        """Bring the kernel's state up to date, and note that this driver has seen it."""
        self._kernel.refresh()
        self._seen = self._kernel.generation

    def mark_dirty(self) -> None:
        """Read everything anew."""
        self._kernel.mark_dirty()
