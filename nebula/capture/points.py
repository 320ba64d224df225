"""From what a person wants to see packets of to the points where they pass: ports, and the underlay between nodes.

Pure. The kernel devices of a point are the node's own business.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Iterator
from ipaddress import ip_address

import msgspec

from nebula.errors import BadRequest, NotFound
from nebula.ids import Host, InstanceId, NetworkId, PortId, RouterId
from nebula.model.port import DHCP, ROUTER_GATEWAY
from nebula.model.snapshot import NetworkRow, PortRow, Snapshot


class Kind(enum.StrEnum):
    """What can be asked for. ``path``: from one port, instance or address to another."""

    INSTANCE = "instance"
    PORT = "port"
    NETWORK = "network"
    ROUTER = "router"
    UNDERLAY = "underlay"
    PATH = "path"


class What(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing. ``id``: the object's, a path's beginning; ``host``: the underlay's node, empty for all nodes.

    ``to``: a path's end. The ends of a path are ids of ports or instances, or addresses.
    """

    kind: Kind
    id: str = ""
    host: str = ""
    to: str = ""


class Spot(msgspec.Struct, frozen=True):
    """A point before its node has been asked. ``port`` is None for the underlay, ``host`` empty where it is nowhere.

    ``title`` is what people call it; of the underlay, ``vnis`` are those whose packets are meant (None: everything).
    """

    host: Host
    title: str
    port: PortRow | None = None
    vnis: frozenset[int] | None = None


class Sight:
    """What one caller may see. ``project_id`` None: everything; else what is the project's.

    ``project_of`` says whose a port is that belongs to no instance, router or network's server.
    """

    def __init__(self, snapshot: Snapshot, project_id: str | None, project_of: Callable[[PortId], str | None]) -> None:
        self._snapshot = snapshot
        self._project_id = project_id
        self._project_of = project_of

    def spots(self, wanted: tuple[What, ...]) -> list[Spot]:
        """All points, each once. Raises NotFound, BadRequest."""
        found: dict[tuple[Host, PortId | None], Spot] = {}
        for what in wanted:
            for spot in self._of(what):
                key = (spot.host, spot.port.id if spot.port is not None else None)
                found[key] = _merged(found[key], spot) if key in found else spot
        return list(found.values())

    def _of(self, what: What) -> Iterator[Spot]:
        if what.kind is Kind.UNDERLAY:
            return self._underlay(what.host)
        if what.kind is Kind.PATH:
            return self._path(what.id, what.to)
        if what.kind is Kind.NETWORK:
            return self._network(what.id)
        if what.kind is Kind.PORT:
            return iter([self._port(self._seen_port(what.id))])
        return self._device(what.kind, what.id)

    def _sees(self, project_id: str | None) -> bool:
        return self._project_id is None or project_id == self._project_id

    def _sees_port(self, port: PortRow) -> bool:
        """The port's project does, and its network's."""
        network = self._snapshot.networks.get(port.network_id)
        if self._project_id is None or (network is not None and network.project_id == self._project_id):
            return True
        return self._project_id == self._project(port)

    def _project(self, port: PortRow) -> str | None:
        instance = self._snapshot.instances.get(InstanceId(port.device_id))
        router = self._snapshot.routers.get(RouterId(port.device_id))
        owner = instance or router
        return owner.project_id if owner is not None else self._project_of(port.id)

    def _seen_port(self, identity: str) -> PortRow:
        port = self._snapshot.ports.get(PortId(identity))
        if port is None or not self._sees_port(port):
            raise NotFound(f"Port {identity} could not be found.")
        return port

    def _port(self, port: PortRow) -> Spot:
        return Spot(port.host, self._title(port), port)

    def _title(self, port: PortRow) -> str:
        """``web``, ``nebula_router qg``, ``nebula_router qr nebula_net``, ``nebula_net dhcp``."""
        network = self._snapshot.networks.get(port.network_id)
        network_name = (network.name if network is not None else "") or port.network_id[:8]
        instance = self._snapshot.instances.get(InstanceId(port.device_id))
        router = self._snapshot.routers.get(RouterId(port.device_id))
        if instance is not None:
            return instance.name or instance.id[:8]
        if router is not None:
            name = router.name or router.id[:8]
            return f"{name} qg" if port.device_owner == ROUTER_GATEWAY else f"{name} qr {network_name}"
        if port.device_owner == DHCP:
            return f"{network_name} dhcp"
        return f"port {port.id[:8]}"

    def _device(self, kind: Kind, identity: str) -> Iterator[Spot]:
        """The ports of an instance or a router."""
        row = (
            self._snapshot.instances.get(InstanceId(identity))
            if kind is Kind.INSTANCE
            else self._snapshot.routers.get(RouterId(identity))
        )
        if row is None or not self._sees(row.project_id):
            raise NotFound(f"{kind.value.capitalize()} {identity} could not be found.")
        ports = sorted(self._snapshot.ports_of_device(identity))
        if not ports:
            raise BadRequest(f"{kind.value.capitalize()} {row.name or identity} has no port: nothing can pass there.")
        yield from (self._port(self._snapshot.ports[port]) for port in ports)

    def _network(self, identity: str) -> Iterator[Spot]:
        """All ports on it that may be seen, and the underlay where nodes share it."""
        network = self._snapshot.networks.get(NetworkId(identity))
        ports = [self._snapshot.ports[port] for port in sorted(self._snapshot.ports_of_network(NetworkId(identity)))]
        seen = [port for port in ports if self._sees_port(port)]
        if network is None or not (seen or self._sees(network.project_id)):
            raise NotFound(f"Network {identity} could not be found.")
        bound = [port for port in seen if port.host]
        if not bound:
            raise BadRequest(f"No port of network {network.name or identity} is on a node: nothing can pass there.")
        yield from map(self._port, bound)
        yield from self._tunnel(network, set(self._snapshot.hosts_of_network(network.id)))

    def _tunnel(self, network: NetworkRow, hosts: set[Host]) -> Iterator[Spot]:
        """The underlay of these nodes, for one network's packets; nothing where it is not theirs to see."""
        if network.segmentation_id is None or len(hosts) < 2 or not self._sees(network.project_id):
            return
        for host in sorted(hosts):
            yield Spot(host, "underlay", vnis=frozenset({network.segmentation_id}))

    def _underlay(self, host: str) -> Iterator[Spot]:
        vnis = None
        if self._project_id is not None:
            own = (row for row in self._snapshot.networks.values() if row.project_id == self._project_id)
            vnis = frozenset(row.segmentation_id for row in own if row.segmentation_id is not None)
            if not vnis:
                raise BadRequest("Your project has no network that a tunnel carries: nothing on the underlay is yours.")
        hosts = sorted(self._snapshot.nodes)
        if host and host not in hosts:
            raise NotFound(f"Node {host} could not be found. There are: {', '.join(hosts) or 'none'}.")
        yield from (Spot(Host(name), "underlay", vnis=vnis) for name in hosts if host in ("", name))

    def _path(self, beginning: str, end: str) -> Iterator[Spot]:
        """In the packet's order: the port, tunnels, the routers' sides, the other port."""
        sources, targets = self._ends(beginning), self._ends(end)
        if not sources:
            sources, targets, beginning, end = targets, sources, end, beginning
        if not sources:
            raise NotFound(f"Neither {end} nor {beginning} is an address of a port.")
        ends: list[PortRow | None] = [*targets] or [None]
        ways = [
            [source, *way, *([target] if target is not None else [])]
            for source in sources
            for target in ends
            if (way := self._way(source, target)) is not None
        ]
        if not ways:
            raise BadRequest(f"No router leads from {beginning} to {end}{'' if targets else ', beyond the cloud'}.")
        stations = min(ways, key=len)
        for port, following in zip(stations, [*stations[1:], None], strict=True):
            if self._sees_port(port):
                yield self._port(port)
            if following is not None and following.network_id == port.network_id and following.host != port.host:
                network = self._snapshot.networks[port.network_id]
                yield from self._tunnel(network, {port.host, following.host} - {Host("")})

    def _ends(self, text: str) -> list[PortRow]:
        """The ports that may be meant: an id's, an instance's, or whose address it is; none for what is outside.

        Projects may have equal addresses: a floating one stands for a port beside its router.
        """
        instance = self._snapshot.instances.get(InstanceId(text))
        if instance is not None and self._sees(instance.project_id):
            return [self._snapshot.ports[port] for port in instance.ports if port in self._snapshot.ports]
        if PortId(text) in self._snapshot.ports:
            return [self._seen_port(text)]
        try:
            address = str(ip_address(text))
        except ValueError:
            raise NotFound(f"{text} is neither an address, nor a port or an instance with a port.") from None
        floating = [
            port
            for router in self._snapshot.routers.values()
            for item in router.floating_ips
            if item.floating_ip_address == address and self._sees(router.project_id)
            for leg in self._snapshot.ports_of_device(router.id)
            for port in self._with_address(item.fixed_ip_address)
            if port.network_id == self._snapshot.ports[leg].network_id
        ]
        return floating or self._with_address(address)

    def _with_address(self, address: str) -> list[PortRow]:
        ports = (port for _id, port in sorted(self._snapshot.ports.items()))
        return [
            port for port in ports if any(ip.ip_address == address for ip in port.fixed_ips) and self._sees_port(port)
        ]

    def _way(self, here: PortRow, there: PortRow | None) -> list[PortRow] | None:
        """The routers' ports between, the fewest; to the first external network where ``there`` is None."""
        if here.device_id and there is not None and here.device_id == there.device_id:
            return []
        queue: deque[tuple[NetworkId, list[PortRow]]] = deque([(here.network_id, [])])
        known = {here.network_id}
        while queue:
            network, way = queue.popleft()
            row = self._snapshot.networks.get(network)
            if there is not None and network == there.network_id:
                return way
            if there is None and row is not None and row.external:
                return way
            for entry, leave in self._crossings(network):
                if leave.network_id not in known:
                    known.add(leave.network_id)
                    queue.append((leave.network_id, [*way, entry, leave]))
        return None

    def _crossings(self, network: NetworkId) -> Iterator[tuple[PortRow, PortRow]]:
        """Routers on the network: the port on it, and each of the other ports."""
        ports = (self._snapshot.ports[port] for port in sorted(self._snapshot.ports_of_network(network)))
        for entry in ports:
            if RouterId(entry.device_id) in self._snapshot.routers:
                others = (
                    self._snapshot.ports[port] for port in sorted(self._snapshot.ports_of_device(entry.device_id))
                )
                yield from ((entry, other) for other in others if other.id != entry.id)


def _merged(known: Spot, spot: Spot) -> Spot:
    """The same point asked for twice: of the underlay, the packets of both."""
    if known.vnis is None or spot.vnis is None:
        return known if known.vnis is None else spot
    return msgspec.structs.replace(known, vnis=known.vnis | spot.vnis)
