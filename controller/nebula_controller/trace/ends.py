"""The two ends of a trace: from the names that people give to ports, addresses and nodes.

Effects: reads in a transaction.

A name may be an instance's, a port's, a router's, an id of any of them, or an address; ``instance:web`` says which is
meant where several bear it. An address that is a floating IP of ours is that; else it is an address and no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network

import msgspec
from sqlalchemy import or_, select

from nebula.errors import BadRequest, Conflict, NotFound
from nebula.ids import Host, Owner, OwnerKind, PortId
from nebula.model.port import FLOATING_IP
from nebula.model.snapshot import PortRow, Snapshot
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.compute import servers
from nebula_controller.store.tables.floating import floating_ips
from nebula_controller.store.tables.network import networks, ports, routers, subnets
from nebula_controller.store.tables.security import address_groups, security_groups

_NAMED = {
    OwnerKind.INSTANCE: servers,
    OwnerKind.PORT: ports,
    OwnerKind.ROUTER: routers,
    OwnerKind.NETWORK: networks,
    OwnerKind.SUBNET: subnets,
    OwnerKind.SECURITY_GROUP: security_groups,
    OwnerKind.ADDRESS_GROUP: address_groups,
}
_ENDS = (OwnerKind.INSTANCE, OwnerKind.PORT, OwnerKind.ROUTER)
ADDRESS = "address"


class End(msgspec.Struct, frozen=True):
    """``kind``: instance, port, router, floating_ip or address. ``ports``: where it is plugged in, in order.

    ``address``: the one that was named, '' where an object was; of a floating IP its public one.
    """

    kind: str
    id: str
    name: str
    ports: tuple[PortRow, ...] = ()
    address: str = ""

    @property
    def words(self) -> str:
        """For people."""
        if self.kind == ADDRESS:
            return self.address
        return f"{self.kind.replace('_', ' ')} {self.name or self.id}"


DHCP_SERVERS = End("dhcp", "", "")
"""The goal of who has no address yet."""


def find(tx: Transaction, snapshot: Snapshot, text: str, *, start: bool) -> End:
    """``start``: where the packet begins. Raises NotFound, Conflict (several), BadRequest (it cannot be that end)."""
    prefix, separator, rest = text.partition(":")
    only = [kind for kind in _ENDS if separator and kind.value == prefix]
    word = rest if only else text
    if not word.strip():
        raise BadRequest("The name of an end is empty: give an instance, a port, a router or an address.")
    if not only and _is_address(word):
        return _address(tx, snapshot, word, start)
    found: list[End] = []
    for kind in only or _ENDS:
        table = _NAMED[kind]
        rows = tx.execute(select(table.c.id, table.c.name).where(or_(table.c.id == word, table.c.name == word)))
        found += [_end(snapshot, kind, identity, name) for identity, name in rows]
    exact = [end for end in found if end.id == word]
    found = exact or found
    if not found:
        raise NotFound(f"No instance, port or router is called {word!r}, and it is no address.")
    if len(found) > 1:
        listed = ", ".join(f"{end.kind}:{end.id}" for end in found)
        raise Conflict(f"{len(found)} objects are called {word!r}; give the one: {listed}.")
    if start and found[0].kind == OwnerKind.ROUTER:
        raise BadRequest("A trace begins at an instance, a port or an address outside, not at a router.")
    return found[0]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _end(snapshot: Snapshot, kind: OwnerKind, identity: str, name: str) -> End:
    if kind is OwnerKind.PORT:
        known = [PortId(identity)] if PortId(identity) in snapshot.ports else []
    elif kind is OwnerKind.INSTANCE:
        instance = next((item for item in snapshot.instances.values() if item.id == identity), None)
        known = [port for port in instance.ports if port in snapshot.ports] if instance is not None else []
    else:
        known = sorted(snapshot.ports_of_device(identity))
    return End(kind.value, identity, name, tuple(snapshot.ports[port] for port in known))


def _address(tx: Transaction, snapshot: Snapshot, text: str, start: bool) -> End:
    """A floating IP of ours; where the packet begins, a port's own address, or its floating one, means that port."""
    address = str(ip_address(text))
    statement = select(floating_ips.c.id, floating_ips.c.port_id).where(floating_ips.c.floating_ip_address == address)
    rows = list(tx.execute(statement))
    if len(rows) == 1:
        port = snapshot.ports.get(PortId(rows[0].port_id or ""))
        if not start:
            return End("floating_ip", rows[0].id, address, (port,) if port is not None else (), address)
        if port is not None:
            return End(OwnerKind.PORT.value, port.id, "", (port,))
    if start:
        holders = [
            port
            for port in snapshot.ports.values()
            if port.device_owner != FLOATING_IP and port.host and any(ip.ip_address == address for ip in port.fixed_ips)
        ]
        if len(holders) > 1:
            listed = ", ".join(f"port:{port.id}" for port in holders)
            raise Conflict(f"{len(holders)} ports have the address {address}; give the one: {listed}.")
        if holders:
            return End(OwnerKind.PORT.value, holders[0].id, "", (holders[0],), address)
    return End(ADDRESS, "", "", (), address)


def is_external(snapshot: Snapshot, port: PortRow) -> bool:
    network = snapshot.networks.get(port.network_id)
    return network is not None and network.external


def versions(end: End) -> set[int]:
    """The families of its addresses."""
    if end.address:
        return {ip_address(end.address).version}
    return {ip_address(ip.ip_address).version for port in end.ports for ip in port.fixed_ips}


def address_of(port: PortRow, version: int) -> str:
    """The port's first address of the family, or ''."""
    return next((ip.ip_address for ip in port.fixed_ips if ip_address(ip.ip_address).version == version), "")


def on_network(snapshot: Snapshot, port: PortRow, address: str) -> bool:
    """Whether the address is of one of the subnets that the port has."""
    network = snapshot.networks.get(port.network_id)
    found = network.subnets if network is not None else ()
    return any(_contains(subnet.cidr, address) for subnet in found)


def _contains(cidr: str, address: str) -> bool:
    network, parsed = ip_network(cidr), ip_address(address)
    return network.version == parsed.version and parsed in network


def host_of_vtep(snapshot: Snapshot, vtep_ip: str) -> Host | None:
    return next((node.host for node in snapshot.nodes.values() if node.vtep_ip == vtep_ip), None)


def names(tx: Transaction, owners: Iterable[Owner]) -> Mapping[Owner, str]:
    """Names of the objects; '' for what has none or is gone."""
    wanted: dict[OwnerKind, set[str]] = {}
    for owner in owners:
        wanted.setdefault(owner.kind, set()).add(owner.id)
    found: dict[Owner, str] = {}
    for kind, identities in wanted.items():
        if kind is OwnerKind.FLOATING_IP:
            rows = tx.execute(
                select(floating_ips.c.id, floating_ips.c.floating_ip_address).where(floating_ips.c.id.in_(identities))
            )
        elif kind in _NAMED:
            table = _NAMED[kind]
            rows = tx.execute(select(table.c.id, table.c.name).where(table.c.id.in_(identities)))
        else:
            found |= {Owner(kind, identity): identity for identity in identities}
            continue
        found |= {Owner(kind, identity): name or "" for identity, name in rows}
    return found
