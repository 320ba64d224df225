"""What a trace reads of this node: links, namespaces, bridges, and whose they are.

Effects: reads by netlink, of Open vSwitch's database, of iptables and /proc. Changes nothing. Made anew for each
question: nothing here is remembered.
"""

from __future__ import annotations

import contextlib
from functools import cached_property
from pathlib import Path

from nebula.compile.facts import BridgeMapping
from nebula.compile.pipeline.dump import owners_by_cookie
from nebula.desired.kinds import FdbEntry, Flow, Key, Process
from nebula.desired.state import NodeState
from nebula.errors import KernelRefused, NebulaError
from nebula.ids import Owner, OwnerKind, parse_mark
from nebula.trace import rules
from nebula.trace.packet import Packet
from nebula.view.records import NodeView
from nebula_agent.drivers.kernel import Space
from nebula_agent.edge import fib, netns
from nebula_agent.edge.netlink import Netlink
from nebula_agent.edge.ovsdb_rows import InterfaceRow, OvsState
from nebula_agent.edge.rtnl import Link
from nebula_agent.edge.run import run
from nebula_agent.edge.unixctl import appctl
from nebula_agent.edge.vxlan import Forwarding, Tunnel, dump_forwarding, parse_forwarding, parse_tunnel
from nebula_agent.node import Node

_LISTENS = "0A"
"""State TCP_LISTEN in /proc/net/tcp."""
_BOUND = "07"
"""State of a UDP socket that takes from anybody."""


class Site:
    """Raises NebulaError where the node cannot be read."""

    def __init__(self, node: Node, desired: NodeState, view: NodeView | None) -> None:
        if node.ovsdb is None:
            raise NebulaError("Open vSwitch is not there")
        self._node = node
        self._desired = desired
        self.view = view
        node.kernel.refresh()
        self.ovs: OvsState = node.ovsdb.state()
        self.spaces = node.kernel.spaces
        self.root = node.kernel.root
        self.vtep_ip = node.vtep_ip
        self.run_folder = node.run_folder
        self._rules: dict[tuple[str, int], rules.Ruleset] = {}

    # Devices.

    @cached_property
    def _root_by_index(self) -> dict[int, Link]:
        return {link.index: link for link in self.root.links.values()}

    @cached_property
    def _inner_ends(self) -> dict[str, tuple[Space, Link]]:
        """The other ends of the veth pairs whose one end is on the node itself, by that one's name.

        Two namespaces may number their links alike: the pair's ends bear the same mark.
        """
        found: dict[str, tuple[Space, Link]] = {}
        for space in self.spaces.values():
            for link in space.links.values():
                outer = self._root_by_index.get(link.peer_index)
                if outer is None or outer.peer_index != link.index or link.kind != "veth" or outer.kind != "veth":
                    continue
                if outer.name not in found or outer.alias == link.alias:
                    found[outer.name] = (space, link)
        return found

    def inner_end(self, device: str) -> tuple[Space, Link] | None:
        """Where a device of the node leads to: the namespace and the link there."""
        return self._inner_ends.get(device)

    def outer_end(self, space: Space, link: Link) -> Link | None:
        """The end on the node of a link inside a namespace."""
        outer = self._root_by_index.get(link.peer_index)
        known = self._inner_ends.get(outer.name) if outer is not None else None
        return outer if known is not None and known[0] is space and known[1].name == link.name else None

    def device_of_port(self, mark: str) -> tuple[Space, Link] | None:
        """The link inside a namespace that bears the port's mark."""
        for space, link in self._inner_ends.values():
            if link.alias == mark:
                return space, link
        return None

    def link(self, space: Space, index: int) -> Link | None:
        return next((link for link in space.links.values() if link.index == index), None)

    def interface(self, name: str) -> InterfaceRow | None:
        """A port of Open vSwitch."""
        return self.ovs.interfaces.get(name)

    def plugged(self, port: str) -> InterfaceRow | None:
        """The device on br-int that stands for an API port."""
        rows = (row for row in self.ovs.interfaces.values() if row.external_ids.get("iface-id") == port)
        return next(rows, None)

    def provider_bridge(self, physical_network: str) -> str:
        """'' where nothing here is mapped to it."""
        return next((item.bridge for item in self._mappings if item.physical_network == physical_network), "")

    def physical_network(self, bridge: str) -> str:
        return next((item.physical_network for item in self._mappings if item.bridge == bridge), "")

    @cached_property
    def _mappings(self) -> tuple[BridgeMapping, ...]:
        return self._node.facts().bridge_mappings

    def wire_of(self, bridge: str) -> str:
        """The provider bridge's device towards the segment."""
        rows = (row for row in self.ovs.interfaces.values() if row.bridge == bridge)
        return next((row.name for row in rows if row.type not in ("patch", "internal") and row.name != bridge), "")

    def number_of(self, name: str) -> int:
        """The OpenFlow number of a port. Raises NebulaError."""
        row = self.interface(name)
        if row is None or row.ofport is None or row.ofport < 0:
            raise NebulaError(f"{name or 'the device'} is no port of Open vSwitch")
        return row.ofport

    # What the kernel says.

    def route(self, space: Space, packet: Packet, in_index: int = 0) -> fib.Found:
        """Raises KernelRefused."""
        with space.netlink() as netlink:
            return fib.route(netlink, packet, in_index)

    def neighbour(self, space: Space, address: str, index: int) -> fib.Known:
        """What the kernel has for it."""
        with space.netlink() as netlink:
            return fib.neighbour(netlink, address, index)

    def addresses(self, space: Space, index: int = 0) -> list[str]:
        """Addresses without prefix lengths, of one link or of all."""
        return [item.cidr.partition("/")[0] for item in space.addresses if index in (0, item.index)]

    def sysctl(self, space: Space, name: str) -> str:
        """'' where there is none."""
        with contextlib.suppress(OSError), netns.inside(space.fd if space.fd is not None else netns.home()):
            return Path("/proc/sys", *name.split(".")).read_text(encoding="ascii").strip()
        return ""

    def listens(self, space: Space, protocol: str, port: int) -> bool:
        """Whether somebody in the namespace waits for what comes to a TCP or UDP port."""
        wanted = _LISTENS if protocol == "tcp" else _BOUND
        with contextlib.suppress(OSError), netns.inside(space.fd if space.fd is not None else netns.home()):
            for name in (protocol, f"{protocol}6"):
                for line in Path(f"/proc/thread-self/net/{name}").read_text(encoding="ascii").splitlines()[1:]:
                    words = line.split()
                    if words[3] == wanted and int(words[1].rpartition(":")[2], 16) == port:
                        return True
        return False

    def rules(self, space: Space, version: int) -> rules.Ruleset:
        """All iptables rules of the namespace, read once. Raises CommandFailed."""
        key = (space.name, version)
        if key not in self._rules:
            program = "iptables-save" if version == 4 else "ip6tables-save"
            self._rules[key] = rules.parse(run([program], namespace_fd=space.fd))
        return self._rules[key]

    def tunnel(self, device: str) -> Tunnel | None:
        """What the VXLAN device of that name on the node was made with."""
        link = self.root.links.get(device)
        return parse_tunnel(link.info) if link is not None and link.kind == "vxlan" else None

    def vxlan_device(self, vni: int) -> str:
        """The device with the VNI, or ''."""
        links = (link for link in self.root.links.values() if link.kind == "vxlan")
        return next((link.name for link in links if parse_tunnel(link.info).vni == vni), "")

    def forwarding(self, device: str) -> list[Forwarding]:
        """The device's FDB."""
        link = self.root.links.get(device)
        if link is None:
            return []
        with Netlink() as netlink:
            bodies = netlink.dump(dump_forwarding(link.index))
        entries = (parse_forwarding(body, link.index) for body in bodies)
        return [entry for entry in entries if entry is not None]

    def tunnel_device(self, underlay: str) -> str:
        """Which device the tunnels' packets cross, where the route to the other node says ``underlay``.

        OVS's userspace tunnels pass by a bridge's own device and go straight to its port.
        """
        rows = (row for row in self.ovs.interfaces.values() if row.bridge == underlay and row.name != underlay)
        return next((row.name for row in rows if row.type in ("", "system")), underlay)

    def ofproto_trace(self, *arguments: str) -> str:
        """Raises CommandFailed."""
        return appctl(self._node.run_folder, "ofproto/trace", "--names", *arguments)

    # Whose it is.

    @cached_property
    def _owners(self) -> dict[int, Owner]:
        return owners_by_cookie(item for item in self._desired.values() if isinstance(item, Flow))

    def owner_of_cookie(self, cookie: int) -> Owner | None:
        return self._owners.get(cookie)

    def owner_of_entry(self, device: str, entry: Forwarding) -> Owner | None:
        """Of an FDB entry."""
        for place in ("", f" {entry.vtep_ip}"):
            found = self._desired.get(Key(FdbEntry.kind, f"{device} {entry.mac_address}{place}"))
            if found is not None:
                return found.owner
        return None

    def owner_of_link(self, link: Link | None) -> Owner | None:
        return parse_mark(link.alias) if link is not None else None

    def owner_of_device(self, name: str) -> Owner | None:
        """Of a device of the node: by its mark, or by the port that something else plugged it in for."""
        marked = self.owner_of_link(self.root.links.get(name))
        row = self.interface(name)
        plugged = row.external_ids.get("iface-id", "") if row is not None else ""
        return marked or (Owner(OwnerKind.PORT, plugged) if plugged else None)

    def dhcp_server(self, space: Space) -> Process | None:
        """The dnsmasq that shall run in the namespace."""
        for item in self._desired.values():
            if isinstance(item, Process) and item.namespace == space.name and item.name.startswith("dnsmasq:"):
                return item
        return None


def refused(error: KernelRefused) -> str:
    """The kernel's refusal of a route, for people."""
    words = {
        "ENETUNREACH": "no route: network is unreachable",
        "EHOSTUNREACH": "no route to host (or the namespace does not forward)",
        "EXDEV": "the reverse path filter refuses the source",
        "EACCES": "a route says prohibit",
        "EINVAL": "a route says blackhole, or the source is no address that may come in here",
    }
    return words.get(error.errno_name, error.message)
