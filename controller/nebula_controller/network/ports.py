"""Ports: making, changing, binding and deleting them, for the API and for the controller's own services.

Effects: SQL in a transaction. For other modules: ``create`` (an instance's port), ``create_dhcp_port``,
``create_service_port`` (routers), ``set_subnets``, ``bind`` and ``delete``; each touches what it changes.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import bindparam, select

from nebula.errors import Conflict, InvalidAttribute
from nebula.ids import Host, Owner, OwnerKind
from nebula.model.attribute import raise_all
from nebula.model.port import DHCP, PORT, ROUTER_OWNED, SERVICE_OWNED, Port
from nebula.rules import security_groups as rules
from nebula_controller.network import addresses, floating_rows, groups, node_parts, quotas, rows
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.network import ports as table

MAC_PREFIX = "fa:16:3e"
"""Neutron's ``base_mac``: the first three octets of every address that we give."""

VIF_UNBOUND, VIF_OVS = "unbound", "ovs"

VIF_DETAILS: dict[str, object] = {
    "bound_drivers": {"0": "openvswitch"},
    "bridge_name": "br-int",
    "connectivity": "l2",
    "ovs_hybrid_plug": False,
    "port_filter": False,
}
"""What Nova reads to plug: Neutron's, without ``datapath_type``; ``port_filter`` says that nothing filters."""

_APART = ("fixed_ips", "security_groups")
"""Values that are more, or less, than what a record holds."""

_mac_holder = select(table.c.id).where(
    table.c.network_id == bindparam("network"), table.c.mac_address == bindparam("mac")
)


def create(tx: Transaction, values: Mapping[str, object]) -> Port:
    """A port from values by API name: at least ``network_id`` and ``project_id``.

    ``fixed_ips`` is a list of {"subnet_id"?, "ip_address"?}; without it the port gets one address of each version, and
    in any case those that it makes for itself (SLAAC).
    Raises ``NotFound`` for the network, and Neutron's conflicts; DHCP's ports go beyond any quota.
    """
    if values["project_id"] and values.get("device_owner") != DHCP:
        quotas.check(tx, quotas.PORT, [str(values["project_id"])])
    network = rows.network(tx, str(values["network_id"]))
    wanted = values.get("fixed_ips")
    assert wanted is None or isinstance(wanted, list)
    named = values.get("security_groups")
    draft = PORT.make({name: value for name, value in values.items() if name not in _APART})
    draft = msgspec.structs.replace(draft, id=_new_id(tx), mac_address=_mac(tx, network.id, draft.mac_address))
    if "port_security_enabled" not in values:
        draft = msgspec.structs.replace(draft, port_security_enabled=network.port_security_enabled)
    draft = _with_groups(tx, draft, named)
    raise_all(rules.check_protection(draft, groups_given=True))
    node_parts.check_port(tx, draft)
    port = rows.PORTS.insert(tx, _bound(draft))
    groups.join(tx, port.id, port.security_groups)
    given = addresses.assign(tx, port, wanted, subnets=rows.subnets_of(tx, network.id))
    touch(tx, port)
    return msgspec.structs.replace(port, fixed_ips=given)


def create_service_port(
    tx: Transaction,
    *,
    network_id: str,
    device_owner: str,
    device_id: str,
    project_id: str,
    host: str = "",
    fixed_ips: Sequence[Mapping[str, str]] | None = None,
    status: str = "DOWN",
) -> Port:
    """A port of the controller's own services: DHCP's, a router's or a floating IP's; as ``create`` otherwise."""
    values: dict[str, object] = {
        "network_id": network_id,
        "device_owner": device_owner,
        "device_id": device_id,
        "project_id": project_id,
        "binding:host_id": host,
        "port_security_enabled": False,
        "status": status,
    }
    if fixed_ips is not None:
        values["fixed_ips"] = [dict(entry) for entry in fixed_ips]
    return create(tx, values)


def create_dhcp_port(tx: Transaction, network_id: str, subnet_ids: Sequence[str], host: str) -> Port:
    """The port of the network's DHCP server, with an address on each of the subnets, in the network's project."""
    network = rows.network(tx, network_id)
    return create_service_port(
        tx,
        network_id=network_id,
        device_owner=DHCP,
        device_id=f"dhcp{uuid.uuid5(uuid.NAMESPACE_DNS, host)}-{network_id}",
        project_id=network.project_id,
        host=host,
        fixed_ips=[{"subnet_id": subnet} for subnet in subnet_ids],
    )


def set_subnets(tx: Transaction, port_id: str, subnet_ids: Sequence[str]) -> Port:
    """Give the port one address on each of these subnets; it keeps what it has there. Writes nothing when it is so."""
    port = rows.port(tx, port_id)
    have = {fixed.subnet_id for fixed in port.fixed_ips}
    if have == set(subnet_ids) and len(port.fixed_ips) == len(have):
        return port
    kept = dict.fromkeys(fixed.subnet_id for fixed in port.fixed_ips if fixed.subnet_id in subnet_ids)
    ordered = [*kept, *[subnet for subnet in subnet_ids if subnet not in have]]
    return change(tx, port, {"fixed_ips": [{"subnet_id": subnet} for subnet in ordered]})


def join_subnets(tx: Transaction, port_id: str) -> Port:
    """Give the port what it makes for itself (SLAAC) of the subnets that its network has by now."""
    port = rows.port(tx, port_id)
    return change(tx, port, {"fixed_ips": _fixed_ips(port)})


def leave_subnet(tx: Transaction, port_id: str, subnet_id: str) -> Port:
    """The subnet goes, and the port's addresses there with it."""
    port = rows.port(tx, port_id)
    left = addresses.leave(tx, port, subnet_id)
    floating_rows.let_go(tx, port_id, {fixed.ip_address for fixed in left})
    saved = rows.PORTS.save(tx, port, port, always=True)
    touch(tx, saved)
    return msgspec.structs.replace(saved, fixed_ips=left)


def bind(tx: Transaction, port_id: str, host: str) -> Port:
    """Put the port on a node ("" for none). Its status is DOWN until that node reports it."""
    return change(tx, rows.port(tx, port_id), {"binding:host_id": host})


def change(tx: Transaction, old: Port, values: Mapping[str, object]) -> Port:
    """Change a port by API name. Writes and touches nothing where nothing differs."""
    wanted = values.get("fixed_ips")
    new = PORT.change(old, {name: value for name, value in values.items() if name not in _APART})
    if new.mac_address != old.mac_address:
        _mac(tx, new.network_id, new.mac_address)
        wanted = _fixed_ips(old) if wanted is None else wanted
    if "security_groups" in values:
        new = _with_groups(tx, new, values["security_groups"] or [])
    new = rules.protected(new)
    raise_all(rules.check_protection(new, groups_given="security_groups" in values))
    if (new.host, new.security_groups) != (old.host, old.security_groups):
        node_parts.check_port(tx, new)
    if new.host != old.host:
        new = _bound(msgspec.structs.replace(new, status="DOWN"))
    given = old.fixed_ips
    if wanted is not None:
        assert isinstance(wanted, list)
        given = addresses.assign(tx, new, wanted, subnets=rows.subnets_of(tx, old.network_id), kept=old.fixed_ips)
        floating_rows.let_go(tx, old.id, {fixed.ip_address for fixed in given})
    if new == old and given == old.fixed_ips:
        return old
    saved = rows.PORTS.save(tx, old, new, always=True)
    if new.security_groups != old.security_groups:
        groups.set_groups(tx, old.id, new.security_groups)
    touch(tx, old)
    touch(tx, saved)
    return msgspec.structs.replace(saved, fixed_ips=given)


def delete(tx: Transaction, port_id: str) -> None:
    """Remove a port and give its addresses back; floating IPs let go of it. Deleting what is gone succeeds."""
    if rows.PORTS.get(tx, port_id) is None:
        return
    port = rows.port(tx, port_id)
    floating_rows.let_go(tx, port_id)
    addresses.release_all(tx, port_id)
    rows.PORTS.delete(tx, port_id)
    touch(tx, port)


def touch(tx: Transaction, port: Port) -> None:
    """The port changed; its network, and the router or instance that it belongs to, may follow."""
    related = [Owner(OwnerKind.NETWORK, port.network_id)]
    if port.device_owner in ROUTER_OWNED:
        related.append(Owner(OwnerKind.ROUTER, port.device_id))
    elif port.device_owner.startswith("compute:") and port.device_id:
        related.append(Owner(OwnerKind.INSTANCE, port.device_id))
    related += [Owner(OwnerKind.SECURITY_GROUP, group) for group in port.security_groups]
    tx.touch(Owner(OwnerKind.PORT, port.id), *related)


def _fixed_ips(port: Port) -> list[dict[str, str]]:
    return [{"subnet_id": fixed.subnet_id, "ip_address": fixed.ip_address} for fixed in port.fixed_ips]


def _with_groups(tx: Transaction, port: Port, named: object) -> Port:
    """The port with the groups that were named, or else its project's default group where port security is on."""
    if isinstance(named, list):
        port = msgspec.structs.replace(port, security_groups=tuple(sorted(named)))
    elif port.port_security_enabled and not port.device_owner.startswith(rules.TRUSTED_PREFIX):
        port = msgspec.structs.replace(port, security_groups=(groups.ensure_default(tx, port.project_id),))
    return rules.protected(port)


def _bound(port: Port) -> Port:
    if not port.host:
        return msgspec.structs.replace(port, vif_type=VIF_UNBOUND, vif_details={})
    return msgspec.structs.replace(port, host=Host(port.host), vif_type=VIF_OVS, vif_details=VIF_DETAILS)


def _new_id(tx: Transaction) -> str:
    """A random UUID whose first 8 digits no port has: they are its OpenFlow key and stand in its device's name."""
    while True:
        port_id = str(uuid.uuid4())
        if not rows.key_is_taken(tx, port_id):
            return port_id


def _mac(tx: Transaction, network_id: str, wanted: str) -> str:
    """The wanted address, or a random one under ``MAC_PREFIX``; on its network no other port has it."""
    if wanted:
        if tx.execute(_mac_holder, {"network": network_id, "mac": wanted}).first() is not None:
            raise Conflict(
                f"Unable to complete operation for network {network_id}. The mac address {wanted} is in use.",
                type_name="MacAddressInUse",
            )
        return wanted
    for _ in range(100):
        tail = secrets.token_bytes(3)
        mac = f"{MAC_PREFIX}:{tail.hex(':')}"
        if tx.execute(_mac_holder, {"network": network_id, "mac": mac}).first() is None:
            return mac
    raise Conflict(f"Unable to generate unique mac on network {network_id}.", type_name="MacAddressGenerationFailure")


def refuse_service_owner(device_owner: object) -> None:
    """Only the services themselves make ports of these owners: a row alone would be a router or server that is none."""
    if device_owner in SERVICE_OWNED or device_owner == DHCP:
        raise InvalidAttribute("device_owner", f"'{device_owner}' ports are made by the service itself")
