"""``/v2.0/routers``, with adding and removing of interfaces. Effects: SQL in a transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
from sqlalchemy import select

from nebula.errors import BadRequest, InvalidAttribute
from nebula.ids import Owner, OwnerKind
from nebula.model import accept
from nebula.model.attribute import raise_all
from nebula.model.port import Port
from nebula.model.router import Router
from nebula.rules import routers as rules
from nebula_controller.api.authority import ADMIN, MEMBER
from nebula_controller.api.context import RequestContext
from nebula_controller.api.endpoint import Answer, Call, Operation
from nebula_controller.api.readable import Row
from nebula_controller.network import qos, routers, rows, zones
from nebula_controller.network.limited import Limited
from nebula_controller.network.visibility import network_for, subnet_for
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables import network as tables

table = tables.routers

GATEWAY = "external_gateway_info"

_FOR_ADMINS = ("enable_snat", "external_fixed_ips")
_ACTIONS = ("add_router_interface", "remove_router_interface", "add_extraroutes", "remove_extraroutes")

Routes = list[dict[str, str]]
"""Routes as JSON has them."""

_fixed = tables.fixed_ips.c
_gateways_of = (
    select(
        table.c.id,
        table.c.gateway_network_id,
        table.c.enable_snat,
        table.c.gateway_qos_policy_id,
        _fixed.subnet_id,
        _fixed.ip_address,
    )
    .outerjoin(tables.fixed_ips, _fixed.port_id == table.c.gateway_port_id)
    .where(rows.among(table.c.id), table.c.gateway_port_id.is_not(None))
    .order_by(table.c.id, _fixed.position)
)
_placed = (
    select(tables.router_ports.c.router_id)
    .join(tables.ports, tables.ports.c.id == tables.router_ports.c.port_id)
    .where(rows.among(tables.router_ports.c.router_id), tables.ports.c.host != "")
)


class Routers(Limited[Router]):
    """A project sees its own routers."""

    of = (rows.ROUTERS,)
    rule_texts = {
        **{f"{verb}:{GATEWAY}:{name}": ADMIN for verb in ("create", "update") for name in _FOR_ADMINS},
        **dict.fromkeys(_ACTIONS, MEMBER),
    }

    def operations(self) -> list[Operation]:
        path = "/v2.0/routers/{id}"
        return [
            *super().operations(),
            Operation("PUT", f"{path}/add_router_interface", self._add_interface),
            Operation("PUT", f"{path}/remove_router_interface", self._remove_interface),
            Operation("PUT", f"{path}/add_extraroutes", self._add_routes),
            Operation("PUT", f"{path}/remove_extraroutes", self._remove_routes),
        ]

    def touch(self, tx: Transaction, record: Router) -> None:
        tx.touch(Owner(OwnerKind.ROUTER, record.id))

    def create(self, tx: Transaction, context: RequestContext, values: Row) -> Router:
        plain = {name: value for name, value in values.items() if name != GATEWAY}
        draft = self.draft(plain)
        raise_all(zones.check(draft.availability_zone_hints))
        router = rows.ROUTERS.insert(tx, draft)
        self.touch(tx, router)
        wish = values.get(GATEWAY)
        if isinstance(wish, dict):
            new = self._set_gateway(tx, context, router, wish)
            rows.ROUTERS.save(tx, router, new)
        return router

    def update(self, tx: Transaction, context: RequestContext, old: Router, values: Row) -> None:
        new = self.resource.change(old, {name: value for name, value in values.items() if name != GATEWAY})
        if GATEWAY in values:
            wish = values[GATEWAY]
            if isinstance(wish, dict):
                new = self._set_gateway(tx, context, new, wish)
            else:
                new = routers.clear_gateway(tx, new)
        if new.routes != old.routes:
            own = routers.interfaces(tx, old.id)
            if new.gateway_port_id is not None:
                own.append(rows.port(tx, new.gateway_port_id))
            fixed = [ip for port in own for ip in port.fixed_ips]
            raise_all(rules.check_routes(new.routes, routers.subnets_of_ports(tx, own), fixed, old.routes))
        if new != old:
            rows.ROUTERS.save(tx, old, new)
            self.touch(tx, new)

    def delete(self, tx: Transaction, context: RequestContext, old: Router) -> None:
        raise_all(rules.in_use(old.id, [port.id for port in routers.interfaces(tx, old.id)]))
        routers.clear_gateway(tx, old)
        super().delete(tx, context, old)
        self.touch(tx, old)

    def expand(self, tx: Transaction, shown: Sequence[Row]) -> None:
        ids = rows.ids(shown)
        gateways: dict[object, dict[str, object]] = {}
        for key, network, snat, qos_policy, subnet, address in tx.execute(_gateways_of, ids):
            gateway = gateways.setdefault(
                key,
                {"network_id": network, "enable_snat": snat, "external_fixed_ips": [], "qos_policy_id": qos_policy},
            )
            addresses = gateway["external_fixed_ips"]
            assert isinstance(addresses, list)
            if subnet is not None:
                addresses.append({"subnet_id": subnet, "ip_address": address})
        placed = set(tx.execute(_placed, ids).scalars())
        for row in shown:
            row[GATEWAY] = gateways.get(row["id"])
            row["availability_zones"] = [zones.ZONE] if row["id"] in placed else []

    def _set_gateway(
        self, tx: Transaction, context: RequestContext, router: Router, wish: Mapping[str, object]
    ) -> Router:
        qos.may_assign(tx, context, wish, router.gateway_qos_policy_id)
        network = network_for(tx, context, str(wish["network_id"]))
        return routers.set_gateway(tx, router, network, wish)

    def _add_interface(self, call: Call) -> Answer:
        subnet_id, port_id = _interface(call.json())
        if subnet_id is not None and port_id is not None:
            raise rules.bad_request("Cannot specify both subnet-id and port-id")
        with self.database.write(call.context) as tx:
            router = self.load(tx, call.context, call, "add_router_interface")
            if port_id is not None:
                port = routers.add_port(tx, router, _port_for(tx, call.context, port_id))
            else:
                port = routers.add_subnet(tx, router, subnet_for(tx, call.context, str(subnet_id)))
            return Answer(200, _shown(router, port))

    def _remove_interface(self, call: Call) -> Answer:
        subnet_id, port_id = _interface(call.json())
        with self.database.write(call.context) as tx:
            router = self.load(tx, call.context, call, "remove_router_interface")
            return Answer(200, _shown(router, routers.remove_interface(tx, router, subnet_id, port_id)))

    def _add_routes(self, call: Call) -> Answer:
        return self._change_routes(
            call, "add_extraroutes", lambda have, given: [*have, *[route for route in given if route not in have]]
        )

    def _remove_routes(self, call: Call) -> Answer:
        return self._change_routes(
            call, "remove_extraroutes", lambda have, given: [route for route in have if route not in given]
        )

    def _change_routes(self, call: Call, rule: str, combine: Callable[[Routes, Routes], Routes]) -> Answer:
        """Extension ``extraroute-atomic``: some routes more or less, whatever the others are."""
        body = call.json()
        wrapped = body.get("router") if isinstance(body, dict) else None
        if not isinstance(wrapped, dict) or set(wrapped) != {"routes"}:
            raise BadRequest("Unable to find 'router' with 'routes' in request body", type_name="HTTPBadRequest")
        given = self.resource.parse_put(wrapped)["routes"]
        assert isinstance(given, list)
        with self.database.write(call.context) as tx:
            router = self.load(tx, call.context, call, rule)
            have = [msgspec.structs.asdict(route) for route in router.routes]
            self.update(tx, call.context, router, {"routes": combine(have, given)})
            return Answer(200, {"router": self.fetch(tx, call.context, router.id)})


def _interface(body: object) -> tuple[str | None, str | None]:
    """``subnet_id`` and ``port_id`` of a request to add or remove an interface."""
    if not isinstance(body, dict):
        raise rules.bad_request("Either subnet_id or port_id must be specified")
    unknown = sorted(set(body) - {"subnet_id", "port_id"})
    if unknown:
        raise BadRequest(f"Unrecognized attribute(s) '{', '.join(unknown)}'", type_name="HTTPBadRequest")
    found: dict[str, str | None] = {}
    for name in ("subnet_id", "port_id"):
        try:
            value = accept.optional(accept.identifier)(body.get(name))
        except ValueError as error:
            raise InvalidAttribute(name, str(error)) from None
        found[name] = None if value is None else str(value)
    if found["subnet_id"] is None and found["port_id"] is None:
        raise rules.bad_request("Either subnet_id or port_id must be specified")
    return found["subnet_id"], found["port_id"]


def _port_for(tx: Transaction, context: RequestContext, port_id: str) -> Port:
    port = rows.port(tx, port_id)
    if context.is_admin or port.project_id == context.project_id:
        return port
    raise rows.PORTS.resource.not_found(port_id)


def _shown(router: Router, port: Port) -> dict[str, object]:
    subnets = [fixed.subnet_id for fixed in port.fixed_ips]
    return {
        "id": router.id,
        "project_id": router.project_id,
        "tenant_id": router.project_id,
        "port_id": port.id,
        "network_id": port.network_id,
        "subnet_id": subnets[-1] if subnets else None,
        "subnet_ids": subnets,
    }
