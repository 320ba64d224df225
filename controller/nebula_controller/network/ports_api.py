"""``/v2.0/ports``: who may do what with a port, and its answers. Effects: SQL in a transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import ColumnElement, and_, or_, select

from nebula.errors import BadRequest, Conflict
from nebula.ids import Owner, OwnerKind, SubnetId
from nebula.model.attribute import Who
from nebula.model.port import DHCP, SERVICE_OWNED, Port
from nebula.rules import ports as rules
from nebula.rules import security_groups
from nebula.view.records import FixedIp
from nebula_controller.api.context import RequestContext
from nebula_controller.api.policy import Target
from nebula_controller.api.query import FilterMaker
from nebula_controller.api.readable import PROJECT, Row
from nebula_controller.network import groups, ports, qos, rows
from nebula_controller.network.limited import Limited
from nebula_controller.network.visibility import network_for, network_owner
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables import network as tables
from nebula_controller.store.tables.security import port_security_groups

table = tables.ports
fixed = tables.fixed_ips.c
grouped = port_security_groups.c

_fixed_ips_of = (
    select(fixed.port_id, fixed.subnet_id, fixed.ip_address)
    .where(rows.among(fixed.port_id))
    .order_by(fixed.port_id, fixed.position)
)

_groups_of = select(grouped.port_id, grouped.group_id).where(rows.among(grouped.port_id)).order_by(grouped.group_id)

_network_policies = (
    select(table.c.id, tables.networks.c.qos_policy_id)
    .join(tables.networks, tables.networks.c.id == table.c.network_id)
    .where(rows.among(table.c.id), tables.networks.c.qos_policy_id.is_not(None))
)

_FIXED_AT_SERVICES = ("device_id", "device_owner", "fixed_ips", "mac_address")
"""What only the service that owns a port changes of it; but a DHCP server may get other addresses of its subnets."""

_MOST_PARTS = 100
"""Of addresses in one filter: each is a term of an expression of the database, which takes 1,000 levels."""

_OWNER = "not rule:network_device or rule:admin_or_net_owner_member"


class Ports(Limited[Port]):
    """A project sees its own ports, and all that are on its networks."""

    of = (rows.PORTS,)
    rule_texts = {
        "get": "rule:admin_or_net_owner_reader or rule:admin_or_project_reader",
        "delete": "rule:admin_or_net_owner_member or rule:admin_or_project_member",
        "create:device_owner": _OWNER,
        "update:device_owner": _OWNER,
        "create:fixed_ips:ip_address": "rule:admin_or_net_owner_member",
        "update:fixed_ips:ip_address": "rule:admin_or_net_owner_member",
    }

    def visible(self) -> ColumnElement[bool]:
        mine = select(tables.networks.c.id).where(tables.networks.c.project_id == PROJECT)
        return or_(table.c.project_id == PROJECT, table.c.network_id.in_(mine))

    def owners(self, tx: Transaction, context: RequestContext, values: Row) -> Target:
        return network_owner(tx, context, values)

    def asked(self, old: Port, values: Row) -> Iterable[str]:
        """Clients send back what they read: what stays as it is needs no right, unless it is an administrator's."""
        current = self._comparable(old)
        return [
            n for n, v in values.items() if current[n] != v or self.resource.attributes[n].attribute.set_by is Who.ADMIN
        ]

    def record(self, tx: Transaction, key: str) -> Port:
        return rows.port(tx, key)

    def touch(self, tx: Transaction, record: Port) -> None:
        ports.touch(tx, record)

    def limit(self, tx: Transaction, projects: Sequence[str]) -> None:
        """They are counted wherever they are made."""

    def create(self, tx: Transaction, context: RequestContext, values: Row) -> Port:
        network_for(tx, context, str(values["network_id"]))
        ports.refuse_service_owner(values.get("device_owner"))
        _check_groups(tx, context, values.get("security_groups"))
        qos.may_assign(tx, context, values)
        if "extra_dhcp_opts" in values:
            values = {**values, "extra_dhcp_opts": rules.with_options((), _options(values["extra_dhcp_opts"]))}
        return ports.create(tx, values)

    def update(self, tx: Transaction, context: RequestContext, old: Port, values: Row) -> None:
        current = self._comparable(old)
        if values.get("security_groups") is not None:
            values = {**values, "security_groups": sorted(map(str, _listed(values["security_groups"])))}
        if "extra_dhcp_opts" in values:
            options = rules.with_options(old.extra_dhcp_opts, _options(values["extra_dhcp_opts"]))
            values = {**values, "extra_dhcp_opts": options}
        changed = {name: value for name, value in values.items() if current[name] != value}
        _check_groups(tx, context, changed.get("security_groups"))
        qos.may_assign(tx, context, changed, old.qos_policy_id)
        ports.refuse_service_owner(changed.get("device_owner"))
        if old.device_owner in SERVICE_OWNED or old.device_owner == DHCP:
            frozen = [name for name in _FIXED_AT_SERVICES if name in changed]
            if old.device_owner == DHCP and "fixed_ips" in frozen:
                frozen.remove("fixed_ips")
            if frozen and not _same_addresses(frozen, current, changed):
                raise _frozen(old, frozen)
        new = ports.change(tx, old, values)
        if old.device_owner == DHCP and _subnets(new) != _subnets(old):
            raise _frozen(old, ["the subnets"])

    def delete(self, tx: Transaction, context: RequestContext, old: Port) -> None:
        """A DHCP port may go (as in Neutron); its subnets are touched, so that the scheduler makes another."""
        del context
        if old.device_owner in SERVICE_OWNED:
            raise Conflict(
                f"Port {old.id} cannot be deleted directly via the port API: has device owner {old.device_owner}.",
                type_name="ServicePortInUse",
            )
        ports.delete(tx, old.id)
        if old.device_owner == DHCP:
            for address in old.fixed_ips:
                tx.touch(Owner(OwnerKind.SUBNET, address.subnet_id), Owner(OwnerKind.NETWORK, old.network_id))

    def expand(self, tx: Transaction, shown: Sequence[Row]) -> None:
        ids = rows.ids(shown)
        found: dict[object, list[dict[str, str]]] = {}
        for port_id, subnet_id, address in tx.execute(_fixed_ips_of, ids).all():
            found.setdefault(port_id, []).append({"subnet_id": subnet_id, "ip_address": address})
        groups = rows.grouped(tx.execute(_groups_of, ids))
        of_network = {key: policy for key, policy in tx.execute(_network_policies, ids)}  # noqa: C416 (no tuples)
        for row in shown:
            row["qos_network_policy_id"] = of_network.get(row["id"])
            row["security_groups"] = groups.get(row["id"], [])
            row["fixed_ips"] = addresses = found.get(row["id"], [])
            of_port = [FixedIp(SubnetId(a["subnet_id"]), a["ip_address"]) for a in addresses]
            pairs = row["allowed_address_pairs"]
            row["warnings"] = security_groups.warnings(pairs) if isinstance(pairs, list | tuple) else []
            row["dns_assignment"] = rules.dns_assignment(str(row["dns_name"]), of_port)

    def filters(self) -> Mapping[str, FilterMaker]:
        return {
            "fixed_ips": _by_fixed_ips,
            "mac_address": _by_mac_address,
            "security_groups": _by_security_groups,
        }

    def _comparable(self, old: Port) -> Row:
        """The port's values as a request would have them."""
        return {n: list(v) if isinstance(v, tuple) else v for n, v in self.resource.show(old).items()}


def _listed(value: object) -> list[object]:
    assert isinstance(value, list)
    return value


def _options(value: object) -> list[rules.DhcpOption]:
    return [option for option in _listed(value) if isinstance(option, dict)]


def _check_groups(tx: Transaction, context: RequestContext, named: object) -> None:
    """The caller may know of all the groups that are named."""
    for group in _listed(named) if named is not None else []:
        groups.group_for(tx, context, str(group))


def _frozen(port: Port, names: Sequence[str]) -> BadRequest:
    return BadRequest(
        f"Cannot change {', '.join(names)} of port {port.id}: it has device owner {port.device_owner}.",
        type_name="HTTPBadRequest",
    )


def _subnets(port: Port) -> list[str]:
    return sorted(address.subnet_id for address in port.fixed_ips)


def _same_addresses(frozen: Sequence[str], current: Row, changed: Row) -> bool:
    """Clients send ``fixed_ips`` back as they read it, maybe in another order."""
    if list(frozen) != ["fixed_ips"]:
        return False
    before, after = current["fixed_ips"], changed["fixed_ips"]
    assert isinstance(before, list) and isinstance(after, list)
    return sorted(map(str, before)) == sorted(map(str, after))


def _by_fixed_ips(values: Sequence[str]) -> ColumnElement[bool]:
    """``fixed_ips=ip_address=10.0.0.1``, ``fixed_ips=subnet_id=...``, ``fixed_ips=ip_address_substr=10.0``."""
    wanted: dict[str, list[str]] = {}
    for value in values:
        name, _, content = value.partition("=")
        wanted.setdefault(name, []).append(content)
    conditions: list[ColumnElement[bool]] = []
    for name, texts in wanted.items():
        if name == "ip_address_substr" and len(texts) > _MOST_PARTS:
            raise BadRequest(f"fixed_ips takes at most {_MOST_PARTS} parts of addresses", type_name="HTTPBadRequest")
        if name == "ip_address_substr":
            conditions.append(or_(*[fixed.ip_address.contains(text, autoescape=True) for text in texts]))
        elif name in ("ip_address", "subnet_id"):
            conditions.append(fixed[name].in_(texts))
        else:
            raise BadRequest(f"['{name}'] is invalid attribute for filtering in fixed_ips", type_name="HTTPBadRequest")
    return table.c.id.in_(select(fixed.port_id).where(and_(*conditions)))


def _by_mac_address(values: Sequence[str]) -> ColumnElement[bool]:
    """In capitals and with dashes too, as in Neutron."""
    return table.c.mac_address.in_([value.lower().replace("-", ":") for value in values])


def _by_security_groups(values: Sequence[str]) -> ColumnElement[bool]:
    return table.c.id.in_(select(grouped.port_id).where(grouped.group_id.in_(values)))
