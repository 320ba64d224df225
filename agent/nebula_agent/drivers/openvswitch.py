"""Driver of OVS bridges, their ports, and the local VLANs kept on br-int.

Effects: one OVSDB transaction for all changes of a step; what a bridge does with fragments, by OpenFlow. Ours is what
has our mark in ``external_ids:nebula-owner`` (of the Bridge or the Port), and the keys ``nebula-vlan-*`` of br-int. A
bridge that is another's is used as it is where that is asked for, and otherwise refused.

OVS's userspace datapath goes on reading from a device that is gone when another of its name has taken its place. So
``external_ids:nebula-ifindex`` of a Port keeps which very device was put in; where that has changed, also that of a
provider network which somebody plugs in again, the port is taken out and put in again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from nebula.desired.diff import Change
from nebula.desired.kinds import Bridge, BridgePort, KernelObject, Key, LocalVlan
from nebula.desired.shell import OWNER_KEY, VLAN_KEY
from nebula.desired.state import NodeState
from nebula.errors import KernelRefused
from nebula.ids import BR_INT, Owner, OwnerKind, parse_mark
from nebula.view.report import Action
from nebula_agent.drivers.driver import Failures, together
from nebula_agent.drivers.kernel import Kernel, Look
from nebula_agent.edge import ofctl, switchconfig
from nebula_agent.edge.ovsdb import Ovsdb
from nebula_agent.edge.ovsdb_edit import Transaction
from nebula_agent.edge.ovsdb_rows import BridgeRow, InterfaceRow, OvsState

IFACE_ID = "iface-id"
IFINDEX_KEY = "nebula-ifindex"
_NO_DEVICE = "0"


class OpenVSwitchDriver:
    """Bridges, local VLANs, ports."""

    kinds = (Bridge.kind, LocalVlan.kind, BridgePort.kind)

    def __init__(self, ovsdb: Ovsdb, kernel: Kernel, run_folder: Path) -> None:
        self._ovsdb = ovsdb
        self._kernel = kernel
        self._run_folder = run_folder
        self._look = Look(kernel)
        self._observed_seqno = -1

    @property
    def dirty(self) -> bool:
        return self._ovsdb.seqno != self._observed_seqno or self._look.dirty

    def mark_dirty(self) -> None:
        self._observed_seqno = -1

    def observe(self, desired: NodeState) -> Iterable[KernelObject]:
        self._look.take()
        self._ovsdb.run()
        self._observed_seqno = self._ovsdb.seqno
        state = self._ovsdb.state()
        for row in state.bridges.values():
            yield from self._bridge(row, desired)
        yield from _vlans(state, desired)
        for interface in state.interfaces.values():
            owner = parse_mark(interface.port_external_ids.get(OWNER_KEY, ""))
            if owner is not None:
                port = _port(interface, owner)
                wanted = desired.get(port.key)
                if self._device_replaced(interface, wanted):
                    port = msgspec.structs.replace(port, bridge="")
                yield wanted if isinstance(wanted, BridgePort) and _same(wanted, port) else port

    def apply(self, changes: Sequence[Change]) -> Failures:
        state = self._ovsdb.state()
        failures: dict[Key, str] = {}
        allowed: list[Change] = []
        for change in sorted(changes, key=lambda item: self.kinds.index(item.key.kind)):
            problem = _not_ours(change, state)
            if any(key in failures for key in change.subject.requires):
                problem = "its bridge failed"
            if problem:
                failures[change.key] = problem
            else:
                allowed.append(change)
        replaced = [change for change in allowed if isinstance(change.before, BridgePort) and not change.before.bridge]
        failures |= together(replaced, self._take_out)
        failures |= together([change for change in allowed if change.key not in failures], self._step)
        interfaces = self._ovsdb.state().interfaces
        for change in allowed:
            subject = change.subject
            if isinstance(subject, BridgePort) and change.action is not Action.REMOVE:
                row = interfaces.get(subject.name)
                if row is not None and row.error:
                    failures.setdefault(change.key, f"ovs-vswitchd: {row.error}")
        return failures

    def _port_ids(self, change: Change) -> dict[str, str]:
        port = change.after
        if not isinstance(port, BridgePort):
            return {}
        ids = {OWNER_KEY: port.owner.mark}
        return ids if port.type else ids | {IFINDEX_KEY: str(self._kernel.link_index(port.name))}

    def _device_replaced(self, row: InterfaceRow, wanted: KernelObject | None) -> bool:
        kept = row.port_external_ids.get(IFINDEX_KEY, "")
        link = self._kernel.root.links.get(row.name)
        if link is None and not (isinstance(wanted, BridgePort) and wanted.device is not None):
            return False  # not a device of ours to make again: its port waits for it
        return bool(kept) and kept != (str(link.index) if link is not None else _NO_DEVICE)

    def _take_out(self, changes: Sequence[Change]) -> None:
        def edit(transaction: Transaction) -> None:
            for change in changes:
                transaction.delete_port(change.key.name)

        self._ovsdb.transact(edit)

    def _step(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if isinstance(change.after, LocalVlan):
                self._forget_connections(change.after.tag)

        def edit(transaction: Transaction) -> None:
            for change in changes:
                _edit(transaction, change, self._port_ids(change))

        self._ovsdb.transact(edit)
        for change in changes:
            if isinstance(change.after, Bridge) and change.after.fragments:
                try:
                    switchconfig.set_fragments(self._run_folder, change.after.name, change.after.fragments)
                except OSError as error:
                    raise KernelRefused(f"bridge {change.after.name}: {error}", "EIO") from error

    def _bridge(self, row: BridgeRow, desired: NodeState) -> Iterator[KernelObject]:
        wanted = desired.get(Key(Bridge.kind, row.name))
        owner = parse_mark(row.external_ids.get(OWNER_KEY, ""))
        if owner is None:
            if isinstance(wanted, Bridge) and wanted.adopt:
                yield wanted
            return
        adopt, fragments = False, ""
        if isinstance(wanted, Bridge):
            adopt, fragments = wanted.adopt, self._fragments(row.name) if wanted.fragments else ""
        tables = tuple(sorted(row.table_names.items()))
        yield Bridge(row.name, row.datapath_type, row.fail_mode, owner, adopt, tables, fragments)

    def _forget_connections(self, tag: int) -> None:
        """The tag is a conntrack zone as well, and may have been another network's, with the same addresses.

        Before the tag is noted as given out, so that an agent that dies in between does it again.
        """
        row = self._ovsdb.state().bridges.get(BR_INT)
        if row is not None and _is_ours(row.external_ids):
            ofctl.flush_zone(self._run_folder, BR_INT, tag)

    def _fragments(self, bridge: str) -> str:
        try:
            return switchconfig.fragments(self._run_folder, bridge)
        except OSError:
            return ""  # it is just being made, or ovs-vswitchd is away


def uplink(state: OvsState, bridge: str) -> str:
    """The first device of the kernel that is a port of the bridge, or ''."""
    rows = (row for row in state.interfaces.values() if row.bridge == bridge and row.type in ("", "system"))
    return min((row.name for row in rows if row.name != bridge), default="")


def plugged(state: OvsState, exists: Callable[[str], bool]) -> tuple[tuple[str, str], ...]:
    """(port id, device) of interfaces on br-int that something else plugged, sorted.

    A device that the kernel no longer has is none, whatever the database says: ``exists`` tells by its name.
    """
    return tuple(
        sorted(
            (row.external_ids[IFACE_ID], row.name)
            for row in state.interfaces.values()
            if row.bridge == BR_INT
            and row.external_ids.get(IFACE_ID)
            and not _is_ours(row.port_external_ids)
            and (row.type != "" or exists(row.name))
        )
    )


def devices(state: OvsState) -> frozenset[tuple[str, int]]:
    """(name, index in the kernel) of the devices that we have put into bridges."""
    kept = {
        row.name: row.port_external_ids.get(IFINDEX_KEY, "")
        for row in state.interfaces.values()
        if _is_ours(row.port_external_ids)
    }
    return frozenset((name, int(index)) for name, index in kept.items() if index.isdecimal() and index != _NO_DEVICE)


def local_vlans(state: OvsState) -> tuple[tuple[str, int], ...]:
    """(network id, tag) kept on br-int, sorted."""
    row = state.bridges.get(BR_INT)
    found = row.external_ids if row is not None and _is_ours(row.external_ids) else {}
    return tuple(
        sorted(
            (key.removeprefix(VLAN_KEY), int(value))
            for key, value in found.items()
            if key.startswith(VLAN_KEY) and value.isdecimal()
        )
    )


def foreign_bridges(state: OvsState) -> tuple[str, ...]:
    """Bridges that are not ours, sorted."""
    return tuple(sorted(row.name for row in state.bridges.values() if not _is_ours(row.external_ids)))


def our_bridges(state: OvsState) -> tuple[str, ...]:
    """Bridges that bear our mark, sorted."""
    return tuple(sorted(row.name for row in state.bridges.values() if _is_ours(row.external_ids)))


def _is_ours(external_ids: Mapping[str, str]) -> bool:
    return parse_mark(external_ids.get(OWNER_KEY, "")) is not None


def _vlans(state: OvsState, desired: NodeState) -> Iterator[KernelObject]:
    for network_id, tag in local_vlans(state):
        owner = Owner(OwnerKind.NETWORK, network_id)
        wanted = desired.get(Key(LocalVlan.kind, network_id))
        yield LocalVlan(network_id, tag, wanted.owner if wanted is not None else owner)


def _port(row: InterfaceRow, owner: Owner) -> BridgePort:
    iface_id = row.external_ids.get(IFACE_ID, "")
    return BridgePort(row.bridge, row.name, row.type, row.options, row.tag, iface_id, owner)


def _same(wanted: BridgePort, found: BridgePort) -> bool:
    """Equal in all that OVSDB keeps (options in whatever order; not that the device is ours)."""
    return (wanted.bridge, wanted.type, tuple(sorted(wanted.options)), wanted.tag, wanted.iface_id, wanted.owner) == (
        found.bridge,
        found.type,
        found.options,
        found.tag,
        found.iface_id,
        found.owner,
    )


def _not_ours(change: Change, state: OvsState) -> str:
    subject = change.subject
    if isinstance(subject, Bridge):
        row = state.bridges.get(subject.name)
        if row is not None and not _is_ours(row.external_ids):
            return f"bridge {subject.name} exists and is not ours: remove it, or map the network to another bridge"
    if isinstance(subject, BridgePort):
        port = state.interfaces.get(subject.name)
        if port is not None and not _is_ours(port.port_external_ids):
            return f"port {subject.name} exists on bridge {port.bridge} and is not ours"
    return ""


def _edit(transaction: Transaction, change: Change, port_ids: Mapping[str, str]) -> None:
    subject, remove = change.subject, change.action is Action.REMOVE
    if isinstance(subject, Bridge):
        if remove:
            transaction.delete_bridge(subject.name)
        else:
            transaction.set_bridge(
                subject.name,
                datapath_type=subject.datapath_type,
                fail_mode=subject.fail_mode,
                external_ids={OWNER_KEY: subject.owner.mark},
                table_names=dict(subject.tables),
            )
    elif isinstance(subject, LocalVlan):
        transaction.set_bridge_id(BR_INT, VLAN_KEY + subject.network_id, None if remove else str(subject.tag))
    elif isinstance(subject, BridgePort):
        if remove:
            transaction.delete_port(subject.name)
        else:
            transaction.set_port(
                subject.bridge,
                subject.name,
                type=subject.type,
                options=dict(subject.options),
                tag=subject.tag,
                port_external_ids=port_ids,
                external_ids={IFACE_ID: subject.iface_id} if subject.iface_id else {},
            )
    else:
        raise KernelRefused(f"{change.key.kind} is not a kind of Open vSwitch's")
