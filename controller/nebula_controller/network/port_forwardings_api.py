"""``/v2.0/floatingips/{id}/port_forwardings``. Effects: SQL in a transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import ColumnElement, String, cast

from nebula.errors import NotFound
from nebula.model.attribute import raise_all
from nebula.model.floating_ip import FloatingIp, PortForwarding
from nebula.rules import port_forwardings as rules
from nebula.view.capability import Capability
from nebula_controller.api.context import RequestContext
from nebula_controller.api.endpoint import Answer, Call, Operation, PlainHandler
from nebula_controller.api.query import FilterMaker
from nebula_controller.api.readable import Row
from nebula_controller.network import floating_rows, node_parts, rows
from nebula_controller.network.floating_ips_api import already_associated, inner_address
from nebula_controller.network.limited import Limited
from nebula_controller.network.visibility import port_for
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.floating import port_forwardings

table = port_forwardings

_PORTS = ("external_port", "internal_port", "external_port_range", "internal_port_range")
_SPANS = {
    side: cast(table.c[f"{side}_first"], String) + ":" + cast(table.c[f"{side}_last"], String)
    for side in ("external", "internal")
}
_UNDER = "floatingip_id"


class PortForwardings(Limited[PortForwarding]):
    """Those of a floating IP that the caller sees; who may change the floating IP may change them."""

    of = (floating_rows.FORWARDINGS,)

    def noun(self) -> str:
        return "floatingip_port_forwarding"

    def operations(self) -> list[Operation]:
        path = f"/v2.0/floatingips/{{{_UNDER}}}/port_forwardings"
        return self.plain_operations(path, self._under, bulk=False)

    def not_found(self, key: str) -> NotFound:
        return NotFound(f"Port Forwarding {key[:100]} could not be found.", type_name="PortForwardingNotFound")

    def filters(self) -> Mapping[str, FilterMaker]:
        alone = {f"{side}_port": _of_single_port(span) for side, span in _SPANS.items()}
        spans = {f"{side}_port_range": span.in_ for side, span in _SPANS.items()}
        return {_UNDER: table.c.floating_ip_id.in_, **alone, **spans}

    def create(self, tx: Transaction, context: RequestContext, values: Row) -> PortForwarding:
        floating = floating_rows.floating_ip(tx, str(values[_UNDER]))
        plain = {name: value for name, value in values.items() if name not in (_UNDER, *_PORTS)}
        draft = msgspec.structs.replace(self.draft(plain), floating_ip_id=floating.id, project_id=floating.project_id)
        if floating.port_id is not None:
            raise already_associated(floating, draft.internal_port_id, draft.internal_ip_address)
        draft, router_id = self._placed(tx, context, rules.complete(draft, values), floating)
        made = floating_rows.FORWARDINGS.insert(tx, draft)
        floating_rows.save(tx, floating, router_id=router_id)
        floating_rows.touch(tx, floating_rows.floating_ip(tx, floating.id))
        return made

    def update(self, tx: Transaction, context: RequestContext, old: PortForwarding, values: Row) -> None:
        floating = floating_rows.floating_ip(tx, old.floating_ip_id)
        if "internal_port_id" in values and values["internal_port_id"] != old.internal_port_id:
            values = {"internal_ip_address": None, **values}
        new = self.resource.change(old, {name: value for name, value in values.items() if name not in _PORTS})
        new, _ = self._placed(tx, context, rules.complete(new, values), floating)
        if new != old:
            floating_rows.FORWARDINGS.save(tx, old, new)
            floating_rows.touch(tx, floating)

    def delete(self, tx: Transaction, context: RequestContext, old: PortForwarding) -> None:
        del context
        floating_rows.drop_forwarding(tx, old)

    def _placed(
        self, tx: Transaction, context: RequestContext, forwarding: PortForwarding, floating: FloatingIp
    ) -> tuple[PortForwarding, str]:
        """The forwarding with its inner address, and the router that does it."""
        port = port_for(tx, context, forwarding.internal_port_id)
        wanted = forwarding.internal_ip_address or next(
            (fixed.ip_address for fixed in port.fixed_ips if ":" not in fixed.ip_address), None
        )
        address, subnet_id = inner_address(port, wanted)
        router_id = floating_rows.router_between(tx, rows.subnet(tx, subnet_id), floating.floating_network_id)
        if router_id is None:
            raise rules.bad_request(
                f"External network {floating.floating_network_id} is not reachable from subnet {subnet_id}. Cannot set "
                f"Port forwarding for port {port.id} with Floating IP {floating.id}"
            )
        if floating.router_id is not None and floating.router_id != router_id:
            raise rules.bad_request(
                f"The Floating IP {floating.id} had been set to router {floating.router_id}, and Port {port.id} is "
                f"reached through router {router_id}"
            )
        forwarding = msgspec.structs.replace(forwarding, internal_ip_address=address)
        of_protocol = {"sctp": Capability.NAT_SCTP, "dccp": Capability.NAT_DCCP}
        needed = [of_protocol[forwarding.protocol]] if forwarding.protocol in of_protocol else []
        node_parts.check_router(tx, router_id, Capability.NAT, *needed)
        raise_all(rules.check(forwarding, floating_rows.forwardings_of(tx, floating.id)))
        return forwarding, router_id

    def _under(self, handler: PlainHandler) -> PlainHandler:
        """The caller sees the floating IP, and it has the forwarding that is named."""

        def handle(call: Call) -> Answer:
            above = call.path[_UNDER]
            with self.database.read() as tx:
                self.others[floating_rows.FLOATING_IPS.table.name].known(tx, call.context, above)
                if "id" in call.path:
                    known = floating_rows.FORWARDINGS.get(tx, call.path["id"])
                    if known is None or known.floating_ip_id != above:
                        raise self.not_found(call.path["id"])
            if call.context.method == "GET" and "id" not in call.path:
                call = msgspec.structs.replace(call, query=[*call.query, (_UNDER, above)])
            return handler(call)

        return handle

    def _create(self, call: Call) -> Answer:
        context, body = call.context, call.json()
        values = self.resource.parse_post(body.get("port_forwarding") if isinstance(body, dict) else None)
        with self.database.write(context, status=201) as tx:
            above = floating_rows.floating_ip(tx, call.path[_UNDER])
            self.authorise_new(tx, context, {**values, "project_id": above.project_id})
            made = self.create(tx, context, {**values, _UNDER: call.path[_UNDER], "project_id": ""})
            return Answer(201, {"port_forwarding": self.fetch(tx, context, made.id)})

    def _present(
        self, tx: Transaction, context: RequestContext, shown: Sequence[Row], fields: frozenset[str]
    ) -> list[Row]:
        del tx, context
        found = [rules.shown(self.resource.make({n: v for n, v in row.items() if n != "tenant_id"})) for row in shown]
        return [{n: v for n, v in row.items() if n in fields} for row in found] if fields else found


def _of_single_port(span: ColumnElement[str]) -> FilterMaker:
    return lambda values: span.in_([f"{port}:{port}" for port in values])
