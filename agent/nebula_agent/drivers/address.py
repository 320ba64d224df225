"""Driver of addresses on devices inside namespaces of ours.

Effects: addresses, and a gratuitous ARP for each floating one that comes. Ours are those with our protocol number, on
devices that bear our mark in namespaces of ours. A kernel before 5.18 keeps no such number: there all are ours,
except in instances, where a DHCP client sets some.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Interface

from nebula.desired.diff import Change
from nebula.desired.kinds import Address, KernelObject, Key
from nebula.desired.state import NodeState
from nebula.errors import KernelRefused
from nebula.ids import OwnerKind, parse_mark
from nebula.view.report import Action
from nebula_agent.drivers.driver import Failures, into
from nebula_agent.drivers.kernel import Kernel, Look
from nebula_agent.edge import rtnl
from nebula_agent.edge.announce import announce
from nebula_agent.edge.ioctl import interface_index
from nebula_agent.edge.libc import kernel_release
from nebula_agent.edge.run import in_namespace

_GONE = ("EADDRNOTAVAIL", "ENODEV")


class AddressDriver:
    """Adds and deletes addresses."""

    kinds = (Address.kind,)

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._look = Look(kernel)
        self._kernel_keeps_marks = kernel_release() >= (5, 18)

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
            all_ours = not self._kernel_keeps_marks and space.owner.kind is not OwnerKind.INSTANCE
            devices = {link.index: link for link in space.links.values()}
            for found in space.addresses:
                link = devices.get(found.index)
                owner = parse_mark(link.alias) if link is not None and link.name != "lo" else None
                if link is None or owner is None or found.scope != 0:
                    continue
                address = Address(space.name, link.name, found.cidr, "", owner)
                if address.key in desired:
                    yield desired[address.key]
                elif all_ours or found.protocol == rtnl.ADDRESS_MARK:
                    yield address

    def apply(self, changes: Sequence[Change]) -> Failures:
        failures: dict[Key, str] = {}
        for change in changes:
            with into(failures, change):
                subject = change.subject
                assert isinstance(subject, Address)
                self._apply(subject, change.action is Action.REMOVE)
                if subject.owner.kind is OwnerKind.FLOATING_IP and change.action is not Action.REMOVE:
                    self._announce(subject)
        return failures

    def _announce(self, wanted: Address) -> None:
        """A floating address may have been on another router: the neighbours' entries are of no use any more."""
        with in_namespace(self._kernel.space(wanted.namespace).fd):
            announce(wanted.device, IPv4Interface(wanted.cidr).ip)

    def _apply(self, wanted: Address, remove: bool) -> None:
        try:
            space = self._kernel.space(wanted.namespace)
            with space.netlink() as netlink:
                index = interface_index(netlink.fileno(), wanted.device)
                answer = netlink.requests([rtnl.address(wanted.cidr, index, delete=remove)])[0]
        except KernelRefused as error:
            if remove and error.errno_name in ("ENOENT", "ENODEV"):
                return
            raise
        if answer is not None and answer.errno_name not in (_GONE if remove else ("EEXIST",)):
            raise KernelRefused(f"address {wanted.cidr} on {wanted.device}: {answer.message}", answer.errno_name)
