"""Driver of veth pairs between the node and a namespace.

Effects: links. Ours are those whose end on the node bears our mark as its alias. Creation and mark go to the
kernel in one system call, so that no pair of ours is ever without its mark.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from nebula.desired.diff import Change
from nebula.desired.kinds import KernelObject, Key, Offload, VethPair
from nebula.desired.state import NodeState
from nebula.errors import KernelRefused
from nebula.ids import parse_mark
from nebula.view.report import Action
from nebula_agent.drivers.driver import Failures, into
from nebula_agent.drivers.kernel import Kernel, Look, Space, set_offload
from nebula_agent.edge import rtnl
from nebula_agent.edge.rtnl import Link, Message

_DOOMED_GROUP = 0x4E44
"""Link group ('ND') for the moment between "these go" and one request that deletes them all."""
_GONE = ("ENODEV", "ENOENT")


class VethDriver:
    """Makes, mends and deletes veth pairs."""

    kinds = (VethPair.kind,)

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
        peers = {
            link.peer_index: (space, link)
            for space in self._kernel.spaces.values()
            for link in space.links.values()
            if link.kind == "veth"
        }
        for end in self._kernel.root.links.values():
            if end.kind == "veth":
                pair = _pair(end, *peers.get(end.index, (None, None)))
                if pair is not None:
                    yield pair

    def apply(self, changes: Sequence[Change]) -> Failures:
        failures: dict[Key, str] = {}
        going = [change for change in changes if change.action is Action.REMOVE]
        self._delete(going, failures)
        fresh: list[Change] = []
        for change in changes:
            if change.action is Action.REMOVE:
                continue
            before, after = change.before, change.after
            assert isinstance(after, VethPair)
            if isinstance(before, VethPair):
                if before.peer_namespace == after.peer_namespace and before.peer_name == after.peer_name:
                    with into(failures, change):
                        self._mend(after)
                    continue
                with into(failures, change), self._kernel.root.netlink() as netlink:
                    _raise(netlink.requests([rtnl.delete_link(after.name)]), _GONE)
            fresh.append(change)
        self._create(fresh, failures)
        return failures

    def _create(self, changes: Sequence[Change], failures: dict[Key, str]) -> None:
        for change, refused in self._ask(changes, failures):
            pair = change.subject
            assert isinstance(pair, VethPair)
            with into(failures, change):
                if refused is not None and refused.errno_name == "EEXIST" and self._make_room(pair):
                    refused = next((again for _, again in self._ask([change], failures)), None)  # noqa: PLW2901
                if refused is not None:
                    raise KernelRefused(f"veth {pair.name}: {refused.message}", refused.errno_name)
                self._finish_peer(pair)

    def _ask(self, changes: Sequence[Change], failures: dict[Key, str]) -> list[tuple[Change, KernelRefused | None]]:
        """Make all pairs in one go; for each what the kernel refused, if anything."""
        messages: list[Message] = []
        asked: list[Change] = []
        for change in changes:
            pair = change.subject
            assert isinstance(pair, VethPair)
            with into(failures, change):
                fd = self._kernel.space(pair.peer_namespace).fd
                assert fd is not None
                if self._kernel.link_index(pair.name):
                    # The mark is set by name in the same breath: never on what somebody else made.
                    raise KernelRefused(f"link {pair.name} exists already: remove it if it is not in use", "EEXIST")
                messages += [
                    rtnl.new_veth(pair.name, pair.mtu_bytes, pair.peer_name, pair.peer_mac_address, fd),
                    rtnl.set_link(pair.name, alias=pair.owner.mark, ipv6_silent=True),
                    rtnl.set_link(pair.name, up=True),
                ]
                asked.append(change)
        with self._kernel.root.netlink() as netlink:
            answers = netlink.requests(messages, unit=3)
        refusals = [next(filter(None, answers[start : start + 3]), None) for start in range(0, len(answers), 3)]
        return list(zip(asked, refusals, strict=True))

    def _make_room(self, pair: VethPair) -> bool:
        """A pair of ours that goes in this very pass may still hold the name inside the namespace."""
        space = self._kernel.space(pair.peer_namespace)
        space.refresh()
        holder = space.links.get(pair.peer_name)
        if holder is None or parse_mark(holder.alias) is None:
            return False
        with space.netlink() as netlink:
            _raise(netlink.requests([rtnl.delete_link(pair.peer_name)]), _GONE)
        return True

    def _finish_peer(self, pair: VethPair) -> None:
        with self._kernel.space(pair.peer_namespace).netlink() as netlink:
            messages = [
                rtnl.set_link(pair.peer_name, alias=pair.owner.mark, ipv6_silent=True),
                rtnl.set_link(pair.peer_name, up=True),
            ]
            _raise(netlink.requests(messages), (), f"{pair.peer_name} in {pair.peer_namespace}: ")
            if pair.offload is not Offload.ALL:
                set_offload(netlink.fileno(), pair.peer_name, pair.offload)

    def _mend(self, pair: VethPair) -> None:
        mark, mtu = pair.owner.mark, pair.mtu_bytes
        with self._kernel.root.netlink() as netlink:
            messages = [
                rtnl.set_link(pair.name, alias=mark, mtu_bytes=mtu, ipv6_silent=True),
                rtnl.set_link(pair.name, up=True),
            ]
            _raise(netlink.requests(messages), (), f"veth {pair.name}: ")
        with self._kernel.space(pair.peer_namespace).netlink() as netlink:
            mac = pair.peer_mac_address
            messages = [
                rtnl.set_link(pair.peer_name, alias=mark, mtu_bytes=mtu, mac_address=mac, ipv6_silent=True),
                rtnl.set_link(pair.peer_name, up=True),
            ]
            _raise(netlink.requests(messages), (), f"{pair.peer_name} in {pair.peer_namespace}: ")
            set_offload(netlink.fileno(), pair.peer_name, pair.offload)

    def _delete(self, changes: Sequence[Change], failures: dict[Key, str]) -> None:
        names = [change.key.name for change in changes]
        links = self._kernel.root.links.values()
        with self._kernel.root.netlink() as netlink:
            if len(names) > 2 and not any(link.group == _DOOMED_GROUP for link in links):
                netlink.requests([rtnl.set_link(name, group=_DOOMED_GROUP) for name in names])
                netlink.requests([rtnl.delete_group(_DOOMED_GROUP)])
            answers = netlink.requests([rtnl.delete_link(name) for name in names])
        for change, answer in zip(changes, answers, strict=True):
            if answer is not None and answer.errno_name not in _GONE:
                failures[change.key] = str(answer)


def _pair(end: Link, space: Space | None, peer: Link | None) -> VethPair | None:
    owner = parse_mark(end.alias)
    if owner is None:
        return None
    if space is None or peer is None:
        return VethPair(end.name, "", "", "", end.mtu_bytes, Offload.ALL, owner)
    pair = VethPair(
        name=end.name,
        peer_namespace=space.name,
        peer_name=peer.name,
        peer_mac_address=peer.mac_address,
        mtu_bytes=peer.mtu_bytes,
        offload=space.offload.get(peer.name, Offload.ALL),
        owner=owner,
    )
    silent = not end.ipv6_autoconfigured and not peer.ipv6_autoconfigured
    whole = end.up and peer.up and silent and peer.alias == end.alias and end.mtu_bytes == peer.mtu_bytes
    return pair if whole else msgspec.structs.replace(pair, mtu_bytes=0)


def _raise(answers: Sequence[KernelRefused | None], accepted: Sequence[str], prefix: str = "") -> None:
    for answer in answers:
        if answer is not None and answer.errno_name not in accepted:
            raise KernelRefused(prefix + answer.message, answer.errno_name)
