"""Kinds of kernel and OVS object that a node can hold for us.

Pure. One frozen record per kind. ``key`` says which object it is, the other fields what it shall be;
``owner`` is the API object that it exists for; ``requires`` are the keys of what must be there before it.
A new kind comes with its row in ``docs/ownership.md`` and a restart test.
"""

from __future__ import annotations

import enum
from typing import ClassVar, NamedTuple

import msgspec

from nebula.ids import Owner


class Key(NamedTuple):
    """Which object: its kind and its name, unique on a node within the kind."""

    kind: str
    name: str


class Namespace(msgspec.Struct, frozen=True):
    """A named network namespace, its loopback up. Marked by an alias on its loopback: ``nebula:<kind>:<id>``."""

    kind: ClassVar[str] = "namespace"
    name: str
    owner: Owner

    @property
    def key(self) -> Key:
        return Key(self.kind, self.name)

    @property
    def requires(self) -> tuple[Key, ...]:
        return ()


class Offload(enum.StrEnum):
    """What a sender leaves to its device, as a network card would do it."""

    ALL = "all"
    """Whatever the kernel can."""
    TCP = "tcp"
    """Checksums and TCP's segmentation; not UDP's segmentation nor SCTP's checksum, which OVS 3.1's userspace
    datapath loses."""
    NONE = "none"
    """Nothing: frames come out as they are on a wire."""


class VethPair(msgspec.Struct, frozen=True):
    """A veth pair: ``name`` on the node, ``peer_name`` inside ``peer_namespace``; both up, both with our ifalias.

    ``offload`` is the peer's: OVS's userspace datapath does not finish what the kernel leaves to hardware, and can
    carry it on only in part. Neither end makes IPv6 link-local addresses of its own.
    """

    kind: ClassVar[str] = "veth"
    name: str
    peer_namespace: str
    peer_name: str
    peer_mac_address: str
    mtu_bytes: int
    offload: Offload
    owner: Owner

    @property
    def key(self) -> Key:
        return Key(self.kind, self.name)

    @property
    def requires(self) -> tuple[Key, ...]:
        return (Key(Namespace.kind, self.peer_namespace),)


class Address(msgspec.Struct, frozen=True):
    """An address, with prefix length, on a device of ours inside a namespace. ``veth`` names the pair's node end."""

    kind: ClassVar[str] = "address"
    namespace: str
    device: str
    cidr: str
    veth: str
    owner: Owner

    @property
    def key(self) -> Key:
        return Key(self.kind, f"{self.namespace} {self.device} {self.cidr}")

    @property
    def requires(self) -> tuple[Key, ...]:
        return (Key(VethPair.kind, self.veth),)


class NextHop(msgspec.Struct, frozen=True, order=True):
    """Where a route leads: by ``device`` to the neighbour ``via`` (None: on link). ``veth``: the pair's node end."""

    via: str | None
    device: str
    veth: str = ""


class Route(msgspec.Struct, frozen=True):
    """A route of the namespace's main table, ``proto static``. Several next hops share the traffic equally (ECMP).

    ``hops`` are distinct and sorted; there is at least one.
    """

    kind: ClassVar[str] = "route"
    namespace: str
    destination: str
    hops: tuple[NextHop, ...]
    owner: Owner

    @property
    def key(self) -> Key:
        return Key(self.kind, f"{self.namespace} {self.destination}")

    @property
    def requires(self) -> tuple[Key, ...]:
        return tuple(Key(VethPair.kind, veth) for veth in dict.fromkeys(hop.veth for hop in self.hops))


class Sysctl(msgspec.Struct, frozen=True):
    """A sysctl inside a namespace, by its dotted name; ``value`` as the kernel prints it.

    ``after_rules``: only set once the namespace's rules are in (forwarding, so that nothing leaves before NAT).
    """

    kind: ClassVar[str] = "sysctl"
    namespace: str
    name: str
    value: str
    owner: Owner
    after_rules: bool = False

    @property
    def key(self) -> Key:
        return Key(self.kind, f"{self.namespace} {self.name}")

    @property
    def requires(self) -> tuple[Key, ...]:
        namespace = Key(Namespace.kind, self.namespace)
        return (namespace, Key(Ruleset.kind, self.namespace)) if self.after_rules else (namespace,)


class Ruleset(msgspec.Struct, frozen=True):
    """All IPv4 iptables rules of a namespace, loaded by one ``iptables-restore``.

    ``text`` is in ``iptables-save`` form without counters and comments lines, tables in the order in which they
    are to be committed.
    """

    kind: ClassVar[str] = "ruleset"
    namespace: str
    text: str
    owner: Owner

    @property
    def key(self) -> Key:
        return Key(self.kind, self.namespace)

    @property
    def requires(self) -> tuple[Key, ...]:
        return (Key(Namespace.kind, self.namespace),)


class Bridge(msgspec.Struct, frozen=True):
    """An OVS bridge. ``adopt``: where a bridge of that name exists already and is not ours, use it as it is.

    ``tables`` are the names of its OpenFlow tables by number (OVSDB's ``Flow_Table:name``), sorted. ``fragments`` is
    what its flows see of IP fragments: ``nx-match`` (ports of the first one) or '' (OVS's default: no ports).
    """

    kind: ClassVar[str] = "bridge"
    name: str
    datapath_type: str
    fail_mode: str
    owner: Owner
    adopt: bool = False
    tables: tuple[tuple[int, str], ...] = ()
    fragments: str = ""

    @property
    def key(self) -> Key:
        return Key(self.kind, self.name)

    @property
    def requires(self) -> tuple[Key, ...]:
        return ()


class BridgePort(msgspec.Struct, frozen=True):
    """A port with one interface of the same name on an OVS bridge.

    ``type`` is '' (a kernel device, such as a veth's end), ``patch`` or ``vxlan``; ``tag`` is the network's local
    VLAN or None; ``iface_id`` is the port's UUID for what stands for an API port. ``device`` is the link of ours that
    is put in, where there is one.
    """

    kind: ClassVar[str] = "bridge-port"
    bridge: str
    name: str
    type: str
    options: tuple[tuple[str, str], ...]
    tag: int | None
    iface_id: str
    owner: Owner
    device: Key | None = None

    @property
    def key(self) -> Key:
        return Key(self.kind, self.name)

    @property
    def requires(self) -> tuple[Key, ...]:
        bridge = Key(Bridge.kind, self.bridge)
        return (bridge, self.device) if self.device is not None else (bridge,)


class Chain(msgspec.Struct, frozen=True):
    """An iptables chain of the node's own namespace, in the table ``mangle``, that INPUT sends some packets to.

    In ``mangle``, because no rule elsewhere can let in again what is dropped there, and few others use it.
    ``match`` says which packets; ``rules`` follow the chain's name; both in ``iptables-save`` form, comments without.
    The jump to it bears our mark as its comment; the chain is ours by its name.
    """

    kind: ClassVar[str] = "chain"
    name: str
    match: str
    rules: tuple[str, ...]
    owner: Owner

    @property
    def key(self) -> Key:
        return Key(self.kind, self.name)

    @property
    def requires(self) -> tuple[Key, ...]:
        return ()

    @property
    def jump(self) -> str:
        """The rule of INPUT, in ``iptables-save`` form."""
        return f'INPUT {self.match} -m comment --comment "{self.owner.mark}" -j {self.name}'


class VxlanDevice(msgspec.Struct, frozen=True):
    """A VXLAN device of the kernel (UDP port 4789), up, with our ifalias; it learns nothing.

    ``needs`` is the chain that keeps strangers out: without it there is no device.
    """

    kind: ClassVar[str] = "vxlan"
    name: str
    vni: int
    vtep_ip: str
    mtu_bytes: int
    needs: str
    owner: Owner

    @property
    def key(self) -> Key:
        return Key(self.kind, self.name)

    @property
    def requires(self) -> tuple[Key, ...]:
        return (Key(Chain.kind, self.needs),)


class FdbEntry(msgspec.Struct, frozen=True):
    """To which node a VXLAN device sends what is for one MAC address, or, with FLOOD as the MAC, a copy of the rest."""

    kind: ClassVar[str] = "fdb"
    FLOOD: ClassVar[str] = "00:00:00:00:00:00"
    device: str
    mac_address: str
    vtep_ip: str
    owner: Owner

    @property
    def key(self) -> Key:
        """A MAC is at one place; copies of a flood go to many."""
        place = f" {self.vtep_ip}" if self.mac_address == self.FLOOD else ""
        return Key(self.kind, f"{self.device} {self.mac_address}{place}")

    @property
    def requires(self) -> tuple[Key, ...]:
        return (Key(VxlanDevice.kind, self.device),)


class LocalVlan(msgspec.Struct, frozen=True):
    """The local VLAN (1..4094) that stands for a network on this node's bridges.

    Kept in ``external_ids:nebula-vlan-<network>`` of br-int, so that it outlives the agent and is read as a fact.
    """

    kind: ClassVar[str] = "local-vlan"
    network_id: str
    tag: int
    owner: Owner

    @property
    def key(self) -> Key:
        return Key(self.kind, self.network_id)

    @property
    def requires(self) -> tuple[Key, ...]:
        return (Key(Bridge.kind, "br-int"),)


class Flow(msgspec.Struct, frozen=True):
    """An OpenFlow rule. ``match`` and ``actions`` are in the very form that ``ovs-ofctl --names dump-flows`` prints.

    ``table`` is the number; port names, no numbers, so that equal means equal text. ``ports`` are the names used.
    """

    kind: ClassVar[str] = "flow"
    bridge: str
    table: int
    priority: int
    match: str
    actions: str
    owner: Owner
    ports: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        return Key(self.kind, f"{self.bridge} table={self.table},priority={self.priority},{self.match}")

    @property
    def cookie(self) -> int:
        """The owner's 64-bit cookie."""
        return self.owner.cookie

    @property
    def requires(self) -> tuple[Key, ...]:
        return (Key(Bridge.kind, self.bridge), *(Key(BridgePort.kind, name) for name in self.ports))


class ConfigFile(msgspec.Struct, frozen=True):
    """A file that is ours by its path (under the agent's state folder). ``path`` is absolute."""

    kind: ClassVar[str] = "file"
    path: str
    content: str
    owner: Owner

    @property
    def key(self) -> Key:
        return Key(self.kind, self.path)

    @property
    def requires(self) -> tuple[Key, ...]:
        return ()


class Process(msgspec.Struct, frozen=True):
    """A daemon inside a namespace, not the agent's child; ours by its pid file and its command line.

    ``reload_on`` are files whose change is followed by SIGHUP; a change of ``argv`` restarts.
    ``name`` is ``dnsmasq:<network>`` or ``udhcpc:<port>``; ``needs`` are keys beside the namespace.
    """

    kind: ClassVar[str] = "process"
    name: str
    namespace: str
    argv: tuple[str, ...]
    pid_file: str
    owner: Owner
    needs: tuple[Key, ...] = ()
    reload_on: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        return Key(self.kind, self.name)

    @property
    def requires(self) -> tuple[Key, ...]:
        return (Key(Namespace.kind, self.namespace), *self.needs)


KernelObject = (
    Namespace
    | VethPair
    | Address
    | Route
    | Sysctl
    | Ruleset
    | Chain
    | VxlanDevice
    | FdbEntry
    | Bridge
    | BridgePort
    | LocalVlan
    | Flow
    | ConfigFile
    | Process
)
