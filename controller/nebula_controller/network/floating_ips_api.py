"""``/v2.0/floatingips``. Effects: SQL in a transaction."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import func, select

from nebula.errors import BadRequest, Conflict, NotFound
from nebula.model.floating_ip import FloatingIp
from nebula.model.port import FLOATING_IP, Port
from nebula.rules import port_forwardings as rules
from nebula.view.capability import Capability
from nebula_controller.api.context import RequestContext
from nebula_controller.api.query import FilterMaker
from nebula_controller.api.readable import Row
from nebula_controller.network import floating_rows, node_parts, ports, qos, rows
from nebula_controller.network.limited import Limited
from nebula_controller.network.visibility import network_for, port_for
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables import network as tables
from nebula_controller.store.tables.floating import floating_ips

table = floating_ips

_gateway = tables.ports.alias("gateway")
_status = (
    select(_gateway.c.status)
    .join(tables.routers, tables.routers.c.gateway_port_id == _gateway.c.id)
    .where(tables.routers.c.id == table.c.router_id)
    .scalar_subquery()
)
_shown_status = func.coalesce(_status, "DOWN")
_statuses = select(table.c.id, _shown_status).where(rows.among(table.c.id))

_DETAILS = ("name", "network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner")
_details = (
    select(table.c.id, *[tables.ports.c[name] for name in _DETAILS])
    .join(tables.ports, tables.ports.c.id == table.c.port_id)
    .where(rows.among(table.c.id))
)
_network_policies = (
    select(table.c.id, tables.networks.c.qos_policy_id)
    .join(tables.networks, tables.networks.c.id == table.c.floating_network_id)
    .where(rows.among(table.c.id), tables.networks.c.qos_policy_id.is_not(None))
)


class FloatingIps(Limited[FloatingIp]):
    """They keep an address of the external network by a port of their own."""

    of = (floating_rows.FLOATING_IPS,)

    def not_found(self, key: str) -> NotFound:
        return floating_rows.not_found(key[:100])

    def touch(self, tx: Transaction, record: FloatingIp) -> None:
        floating_rows.touch(tx, record)

    def filters(self) -> Mapping[str, FilterMaker]:
        return {"status": _shown_status.in_}

    def create(self, tx: Transaction, context: RequestContext, values: Row) -> FloatingIp:
        network = network_for(tx, context, str(values["floating_network_id"]))
        qos.may_assign(tx, context, values)
        if bool(values.get("dns_name")) != bool(values.get("dns_domain")):
            one, other = ("dns_name", "dns_domain") if values.get("dns_name") else ("dns_domain", "dns_name")
            raise bad_request(f"{one} cannot be specified without a {other}")
        if not network.external:
            raise bad_request(f"Network {network.id} is not a valid external network")
        if all(subnet.ip_version != 4 for subnet in rows.subnets_of(tx, network.id)):
            raise bad_request(f"Network {network.id} does not contain any IPv4 subnet")
        wish = {"subnet_id": values.get("subnet_id"), "ip_address": values.get("floating_ip_address")}
        wish = {name: value for name, value in wish.items() if value}
        key = str(uuid.uuid4())
        port = ports.create_service_port(
            tx,
            network_id=network.id,
            device_owner=FLOATING_IP,
            device_id=key,
            project_id="",
            fixed_ips=[{name: str(value) for name, value in wish.items()}] if wish else None,
            status="N/A",
        )
        address = next((fixed.ip_address for fixed in port.fixed_ips if ":" not in fixed.ip_address), None)
        if address is None:
            raise BadRequest(
                f"Unable to find any IP address on external network {network.id}.",
                type_name="ExternalIpAddressExhausted",
            )
        plain = {n: v for n, v in values.items() if n not in ("port_id", "fixed_ip_address", "floating_ip_address")}
        draft = msgspec.structs.replace(
            self.resource.make(plain), id=key, floating_ip_address=address, floating_port_id=port.id, subnet_id=None
        )
        made = floating_rows.FLOATING_IPS.insert(tx, self._associated(tx, context, draft, values))
        self.touch(tx, made)
        return made

    def update(self, tx: Transaction, context: RequestContext, old: FloatingIp, values: Row) -> None:
        qos.may_assign(tx, context, values, old.qos_policy_id)
        new = self.resource.change(old, {n: v for n, v in values.items() if n not in ("port_id", "fixed_ip_address")})
        if values.get("port_id") is not None and floating_rows.forwardings_of(tx, old.id):
            raise in_use_by_forwarding(old.id)
        new = self._associated(tx, context, new, values)
        if new != old:
            saved = floating_rows.FLOATING_IPS.save(tx, old, new)
            self.touch(tx, old)
            self.touch(tx, saved)

    def delete(self, tx: Transaction, context: RequestContext, old: FloatingIp) -> None:
        del context
        if floating_rows.forwardings_of(tx, old.id):
            raise in_use_by_forwarding(old.id)
        remove(tx, old)

    def expand(self, tx: Transaction, shown: Sequence[Row]) -> None:
        ids = rows.ids(shown)
        statuses = {row[0]: row[1] for row in tx.execute(_statuses, ids)}
        details = {key: dict(zip(_DETAILS, rest, strict=True)) for key, *rest in tx.execute(_details, ids)}
        forwardings: dict[str, list[Row]] = {}
        for forwarding in floating_rows.forwardings_among(tx, ids):
            forwardings.setdefault(forwarding.floating_ip_id, []).append(rules.shown(forwarding))
        of_network = {key: policy for key, policy in tx.execute(_network_policies, ids)}  # noqa: C416 (no tuples)
        for row in shown:
            row["qos_network_policy_id"] = of_network.get(row["id"])
            row["status"] = statuses.get(row["id"], "DOWN")
            row["port_details"] = details.get(row["id"])
            row["port_forwardings"] = forwardings.get(str(row["id"]), [])

    def _associated(
        self, tx: Transaction, context: RequestContext, floating: FloatingIp, values: Mapping[str, object]
    ) -> FloatingIp:
        """The floating IP with what the request says of port and inner address; without a word, as it is."""
        port_id, wanted = values.get("port_id"), values.get("fixed_ip_address")
        if wanted is not None and port_id is None:
            raise bad_request("fixed_ip_address cannot be specified without a port_id")
        if port_id is None:
            if "port_id" not in values or floating.port_id is None:
                return floating
            return msgspec.structs.replace(floating, port_id=None, fixed_ip_address=None, router_id=None)
        port = port_for(tx, context, str(port_id))
        if port.project_id != floating.project_id and not context.is_admin:
            raise bad_request(
                f"Cannot process floating IP association with Port {port.id}, since that port is owned by a different "
                "project"
            )
        address, subnet_id = inner_address(port, None if wanted is None else str(wanted))
        external = floating.floating_network_id
        router_id = floating_rows.router_between(tx, rows.subnet(tx, subnet_id), external)
        if router_id is None:
            raise NotFound(
                f"External network {external} is not reachable from subnet {subnet_id}.  Therefore, cannot associate "
                f"Port {port.id} with a Floating IP.",
                type_name="ExternalGatewayForFloatingIPNotFound",
            )
        for other in floating_rows.of_port(tx, port.id):
            if other.id != floating.id and other.fixed_ip_address == address and other.floating_network_id == external:
                raise already_associated(floating, port.id, address)
        if (port.id, address, router_id) != (floating.port_id, floating.fixed_ip_address, floating.router_id):
            node_parts.check_router(tx, router_id, Capability.NAT)
        return msgspec.structs.replace(floating, port_id=port.id, fixed_ip_address=address, router_id=router_id)


def inner_address(port: Port, wanted: str | None) -> tuple[str, str]:
    """The port's IPv4 address that a floating IP leads to, with its subnet; raises Neutron's ``BadRequest``."""
    found = [fixed for fixed in port.fixed_ips if ":" not in fixed.ip_address]
    if wanted is not None:
        for fixed in found:
            if fixed.ip_address == wanted:
                return wanted, fixed.subnet_id
        raise bad_request(f"Port {port.id} does not have fixed ip {wanted}")
    if not found:
        raise bad_request(f"Cannot add floating IP to port {port.id} that has no fixed IPv4 addresses")
    if len(found) > 1:
        raise bad_request(
            f"Port {port.id} has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when assigning a "
            "floating IP"
        )
    return found[0].ip_address, found[0].subnet_id


def remove(tx: Transaction, floating: FloatingIp) -> None:
    """Delete a floating IP with the port that keeps its address."""
    floating_rows.FLOATING_IPS.delete(tx, floating.id)
    floating_rows.touch(tx, floating)
    ports.delete(tx, floating.floating_port_id)


def bad_request(problem: str) -> BadRequest:
    """Neutron's ``BadRequest`` for floating IPs."""
    return BadRequest(f"Bad floatingip request: {problem}.", type_name="BadRequest")


def already_associated(floating: FloatingIp, port_id: str, address: str | None) -> Conflict:
    """An inner address has at most one floating IP of an external network."""
    return Conflict(
        f"Cannot associate floating IP {floating.floating_ip_address} ({floating.id}) with port {port_id} using fixed "
        f"IP {address}, as that fixed IP already has a floating IP on external network "
        f"{floating.floating_network_id}.",
        type_name="FloatingIPPortAlreadyAssociated",
    )


def in_use_by_forwarding(key: str) -> Conflict:
    """A floating IP with forwardings stays, and leads to no port of its own."""
    return Conflict(f"Floating IP {key} in use by Port Forwarding resources.", type_name="FipInUseByPortForwarding")
