"""``/v2.0/qos``: policies, their rules, the kinds of rules. Effects: SQL in a transaction.

By Neutron's default policy, administrators make and change them, and whoever sees a policy may use it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import ColumnElement, true

from nebula.errors import BadRequest, InvalidAttribute, NotFound
from nebula.model import accept
from nebula.model.attribute import raise_all
from nebula.model.qos import DSCP_MARKS, QOS_RULES, QosPolicy, QosRule, rule_type
from nebula.rules import qos as rules
from nebula_controller.api import query as queries
from nebula_controller.api.authority import ADMIN
from nebula_controller.api.collection import wrapped
from nebula_controller.api.context import RequestContext
from nebula_controller.api.endpoint import Answer, Call, Operation, PlainHandler
from nebula_controller.api.query import FilterMaker
from nebula_controller.api.readable import Row
from nebula_controller.network import qos
from nebula_controller.network.limited import Limited
from nebula_controller.network.sharing import Shareable
from nebula_controller.store.database import Transaction

_UNDER = "policy_id"
_ALL_OF = ("all_supported", "all_rules")
"""Of the extension ``qos-rule-type-filter``."""


_CHANGED_BY_ADMINS = dict.fromkeys(("create", "update", "delete"), ADMIN)


class QosPolicies(Shareable[QosPolicy]):
    """A project sees its own policies, and those that are shared with it."""

    of = (qos.POLICIES,)
    rule_texts = _CHANGED_BY_ADMINS

    def not_found(self, key: str) -> NotFound:
        return qos.not_found(key)

    def create(self, tx: Transaction, context: RequestContext, values: Row) -> QosPolicy:
        qos.refuse_second_default(tx, self.resource.make(values))
        return super().create(tx, context, values)

    def update(self, tx: Transaction, context: RequestContext, old: QosPolicy, values: Row) -> None:
        qos.refuse_second_default(tx, self.resource.change(old, values))
        super().update(tx, context, old, values)

    def delete(self, tx: Transaction, context: RequestContext, old: QosPolicy) -> None:
        qos.refuse_in_use(tx, old.id)
        super().delete(tx, context, old)

    def expand(self, tx: Transaction, shown: Sequence[Row]) -> None:
        found = qos.rules_among(tx, [str(row["id"]) for row in shown])
        for row in shown:
            row["rules"] = [_in_policy(rule) for rule in found[str(row["id"])]]


class QosRules(Limited[QosRule]):
    """One kind of rules, below its policy; also under Neutron's alias path, without the policy."""

    of = qos.RULES
    rule_texts = {**_CHANGED_BY_ADMINS, "get": "role:admin or role:reader"}

    def noun(self) -> str:
        return f"policy_{self.resource.singular}"

    def operations(self) -> list[Operation]:
        path = f"/v2.0/qos/policies/{{{_UNDER}}}/{self.resource.plural}"
        alias = f"/v2.0/qos/alias_{self.resource.plural}/{{id}}"
        return [
            *self.plain_operations(path, self._under, bulk=False),
            Operation("GET", alias, self._aliased(self._show)),
            Operation("PUT", alias, self._aliased(self._update)),
            Operation("DELETE", alias, self._aliased(self._delete)),
        ]

    def visible(self) -> ColumnElement[bool]:
        """The policy decides, before: see ``_under``."""
        return true()

    def filters(self) -> dict[str, FilterMaker]:
        return {_UNDER: self.rows.table.c.qos_policy_id.in_}

    def create(self, tx: Transaction, context: RequestContext, values: Row) -> QosRule:
        del context
        policy_id = str(values[_UNDER])
        draft = self.draft({name: value for name, value in values.items() if name != _UNDER})
        rule = msgspec.structs.replace(draft, qos_policy_id=policy_id)
        raise_all(rules.check(rule, qos.rules_among(tx, [policy_id])[policy_id]))
        made = self.rows.insert(tx, rule)
        qos.bump(tx, policy_id)
        return made

    def update(self, tx: Transaction, context: RequestContext, old: QosRule, values: Row) -> None:
        del context
        new = self.resource.change(old, values)
        raise_all(rules.check(new, qos.rules_among(tx, [old.qos_policy_id])[old.qos_policy_id]))
        if new != old:
            self.rows.save(tx, old, new)
            qos.bump(tx, old.qos_policy_id)

    def delete(self, tx: Transaction, context: RequestContext, old: QosRule) -> None:
        super().delete(tx, context, old)
        qos.bump(tx, old.qos_policy_id)

    def _create(self, call: Call) -> Answer:
        context, singular = call.context, self.resource.singular
        values = self.resource.parse_post(wrapped(call.json(), singular))
        with self.database.write(context, status=201) as tx:
            self.authorise_new(tx, context, values)
            made = self.create(tx, context, {**values, _UNDER: call.path[_UNDER]})
            return Answer(201, {singular: self.fetch(tx, context, made.id)})

    def _present(
        self, tx: Transaction, context: RequestContext, shown: Sequence[Row], fields: frozenset[str]
    ) -> list[Row]:
        del tx, context
        return [{n: v for n, v in row.items() if n in fields} for row in shown] if fields else list(shown)

    def _under(self, handler: PlainHandler) -> PlainHandler:
        """The caller sees the policy, and it has the rule that is named."""

        def handle(call: Call) -> Answer:
            above = call.path[_UNDER]
            with self.database.read() as tx:
                self.others[qos.POLICIES.table.name].known(tx, call.context, above)
                if "id" in call.path:
                    known = self.rows.get(tx, call.path["id"])
                    if known is None or known.qos_policy_id != above:
                        raise _rule_not_found(call.path["id"], above)
            if call.context.method == "GET" and "id" not in call.path:
                call = msgspec.structs.replace(call, query=[*call.query, (_UNDER, above)])
            return handler(call)

        return handle

    def _aliased(self, handler: PlainHandler) -> PlainHandler:
        """As below the rule's policy, with the alias for the rule's name in both bodies."""

        def handle(call: Call) -> Answer:
            key, singular = call.path["id"], self.resource.singular
            with self.database.read() as tx:
                rule = self.rows.get(tx, key)
            if rule is None:
                raise _rule_not_found(key, "")
            call = msgspec.structs.replace(call, path={**call.path, _UNDER: rule.qos_policy_id})
            if call.context.method == "PUT":
                body = {singular: wrapped(call.json(), f"alias_{singular}")}
                call = msgspec.structs.replace(call, raw=msgspec.json.encode(body))
            answer = self._under(handler)(call)
            if not isinstance(answer.body, dict):
                return answer
            return msgspec.structs.replace(answer, body={f"alias_{singular}": answer.body[singular]})

        return handle


def rule_type_operations() -> list[Operation]:
    """``/v2.0/qos/rule-types``: all kinds of rules are kept; for administrators, as by Neutron's default."""
    return [
        Operation("GET", "/v2.0/qos/rule-types", _rule_types),
        Operation("GET", "/v2.0/qos/rule-types/{rule_type}", _rule_type),
    ]


def _rule_types(call: Call) -> Answer:
    """Whether all kinds are asked for, or those of one driver or of all: there is one driver, and it has them all."""
    query = queries.parse(call.query)
    unknown = [name for name in query.filters if name not in ("type", *_ALL_OF)]
    if unknown:
        raise BadRequest(f"{unknown} is invalid attribute for filtering", type_name="HTTPBadRequest")
    for name in _ALL_OF:
        for value in query.filters.get(name, ()):
            _boolean(name, value)
    known = [{"type": rule_type(kind)} for kind in QOS_RULES] if call.context.allows("get_rule_type", {}) else []
    found = [row for row in known if row["type"] in query.filters.get("type", (row["type"],))]
    found, links = queries.page(found, query, call.url, call.query, key="type")
    return Answer(200, {"rule_types": found} | ({"rule_types_links": links} if links else {}))


def _boolean(name: str, value: str) -> None:
    try:
        accept.boolean(value)
    except ValueError as error:
        raise InvalidAttribute(name, str(error)) from None


def _rule_type(call: Call) -> Answer:
    for kind in QOS_RULES:
        if call.context.allows("get_rule_type", {}) and rule_type(kind) == call.path["rule_type"]:
            own = [name for name, bound in kind.attributes.items() if bound.attribute.post]
            parameters = [{"parameter_name": name, **_VALUES[name]} for name in own]
            drivers = [{"name": "openvswitch", "supported_parameters": parameters}]
            return Answer(200, {"rule_type": {"type": rule_type(kind), "drivers": drivers}})
    raise NotFound(f"Rule type {call.path['rule_type'][:100]} could not be found.", type_name="QosRuleTypeNotFound")


_RATES: Row = {"parameter_type": "range", "parameter_range": {"start": 0, "end": 2**31 - 1}}
_VALUES: dict[str, Row] = {
    **dict.fromkeys(("max_kbps", "max_burst_kbps", "min_kbps", "min_kpps"), _RATES),
    "dscp_mark": {"parameter_type": "choices", "parameter_values": list(DSCP_MARKS)},
    "direction": {"parameter_type": "choices", "parameter_values": ["egress", "ingress"]},
}


def _in_policy(rule: QosRule) -> Row:
    """A rule as its policy shows it."""
    kind = next(kind for kind in QOS_RULES if isinstance(rule, kind.record))
    sent = {name for name, bound in kind.attributes.items() if bound.attribute.sent}
    shown = {name: value for name, value in kind.show(rule).items() if name in sent}
    return {**shown, "qos_policy_id": rule.qos_policy_id, "type": rule_type(kind)}


def _rule_not_found(key: str, policy_id: str) -> NotFound:
    return NotFound(
        f"QoS rule {key[:100]} for policy {policy_id[:100]} could not be found.", type_name="QosRuleNotFound"
    )
