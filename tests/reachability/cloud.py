"""Three nodes with real agents and Open vSwitch, and a port for every station: topologies are put on them by views.

Effects: namespaces, links and processes of the sandbox (``tests/netns/sandbox.py``), all of which end with it. Guests
are plugged into br-int as libvirt does it, by an interface whose ``external_ids:iface-id`` is the port.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nebula.view.project import project
from tests.netns.agent_node import PATIENCE, AgentNode, eventually, sh, underlay
from tests.reachability.topology import NODES, PROVIDER_HOSTS, SLOTS, Topology
from tests.reachability.wire import Wire

_OUTSIDE = ("outside0", "outside1")
"""Devices on the provider's segment, for as many stations."""


class Cloud:
    """The nodes; ``wire`` has the stations' ends."""

    def __init__(self) -> None:
        for name in ("all", "default"):
            Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
        self.nodes = tuple(AgentNode(node.host, node.vtep_ip) for node in NODES)
        underlay(*self.nodes)
        sh("ip", "link", "add", "provider", "type", "bridge")
        sh("ip", "link", "set", "provider", "up")
        for device in _OUTSIDE:
            self._leg(device, f"{device}-peer")
        for number, node in enumerate(self.nodes):
            self._make_ports(number, node)
            node.start_ovs()
        self.revision = 1
        self._plugged: dict[str, dict[str, str]] = {}
        for node in self.nodes:
            node.show(project(Topology().snapshot(self.revision), node.host))  # type: ignore[arg-type]
            node.start_agent()
        for node in self.nodes:
            node.wait_sync(self.revision, timeout_s=20)
            node.run(
                "ovs-vsctl", *(word for slot in range(SLOTS) for word in ("--", "add-port", "br-int", f"plug{slot}"))
            )
        self.wire = Wire([*_OUTSIDE, *(f"g{number}-{slot}" for number in range(len(NODES)) for slot in range(SLOTS))])

    def _leg(self, device: str, peer: str) -> None:
        """Into the provider's segment."""
        sh("ip", "link", "add", device, "type", "veth", "peer", peer)
        for name in (device, peer):
            sh("ip", "link", "set", name, "up")
        sh("ip", "link", "set", peer, "master", "provider")

    def _make_ports(self, number: int, node: AgentNode) -> None:
        for slot in range(SLOTS):
            inner, outer = f"plug{slot}", f"g{number}-{slot}"
            sh("ip", "link", "add", outer, "type", "veth", "peer", inner, "netns", str(node.pid))
            sh("ip", "link", "set", outer, "up", "arp", "off")
            node.run("ip", "link", "set", inner, "up")
        if node.host in PROVIDER_HOSTS:
            sh("ip", "link", "add", f"p{number}", "type", "veth", "peer", "inet0", "netns", str(node.pid))
            sh("ip", "link", "set", f"p{number}", "master", "provider", "up")
            node.run("ip", "link", "set", "inet0", "up")
            node.run("ethtool", "-K", "inet0", "tx", "off")  # what a network card does: whole frames leave
            node.mappings = ("public:br-ex:inet0",)

    def show(self, topology: Topology) -> None:
        """Put the topology in force and wait until all nodes have it."""
        self.revision += 1
        strangers = [station.name for station in topology.stations.values() if station.port is None]
        places: dict[str, str] = dict(zip(strangers, _OUTSIDE, strict=False))
        snapshot = topology.snapshot(self.revision)
        for number, node in enumerate(self.nodes):
            guests = [port for port in topology.guests if port.host == node.host]
            places |= {port.id: f"g{number}-{slot}" for slot, port in enumerate(guests)}
            self._plug(node, {f"plug{slot}": port.id for slot, port in enumerate(guests)})
        since = [len(node.passes()) for node in self.nodes]
        for node in self.nodes:
            node.show(project(snapshot, node.host))  # type: ignore[arg-type]
        for node, seen in zip(self.nodes, since, strict=True):
            node.wait_sync(self.revision, seen)
        self.wire.occupy(places, topology.stations)

    def _plug(self, node: AgentNode, wanted: Mapping[str, str]) -> None:
        """Each device is the port it shall be, the agent has seen it."""
        now = self._plugged.get(node.host, {})
        words: list[str] = []
        for slot in range(SLOTS):
            device = f"plug{slot}"
            if now.get(device) == wanted.get(device):
                continue
            words += ["--", "remove", "interface", device, "external_ids", "iface-id"]
            if device in wanted:
                words += ["--", "set", "interface", device, f"external_ids:iface-id={wanted[device]}"]
        if not words:
            return
        since = len(node.passes())
        node.run("ovs-vsctl", *words[1:])
        eventually(lambda: len(node.passes()) > since, f"{node.host} has seen the plugs", 8.0 * PATIENCE)
        self._plugged[node.host] = dict(wanted)
