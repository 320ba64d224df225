"""``/v2.0/security-groups`` and ``/v2.0/security-group-rules``. Effects: SQL in a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Select, literal_column, or_, select

from nebula.errors import Conflict, NotFound
from nebula.model.attribute import raise_all
from nebula.model.security_group import SecurityGroup, SecurityGroupRule
from nebula.rules import security_groups as rules
from nebula_controller.api.context import RequestContext
from nebula_controller.api.endpoint import Answer, Call
from nebula_controller.api.policy import Target
from nebula_controller.api.readable import PROJECT, Row
from nebula_controller.network import groups, rows
from nebula_controller.network.limited import Limited
from nebula_controller.network.sharing import Shareable
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables import security as tables

group_table = tables.security_groups
rule_table = tables.security_group_rules

_defaults = select(group_table.c.id).where(rows.among(group_table.c.id), group_table.c.is_default.is_(True))
_oldest_first: ColumnElement[int] = literal_column("security_group_rules.rowid")


class SecurityGroupRules(Limited[SecurityGroupRule]):
    """A project sees its own rules, and all of its groups'. Rules are made and deleted, never changed."""

    of = (groups.RULES,)
    rule_texts = {
        "create": "rule:admin_or_sg_owner_member",
        "get": "rule:admin_or_sg_owner_reader or rule:admin_or_project_reader",
        "delete": "rule:admin_or_sg_owner_member or rule:admin_or_project_member",
    }

    @cached_property
    def _of_groups(self) -> Select[Any]:
        among = rows.among(rule_table.c.security_group_id)
        return self._select.where(among).order_by(rule_table.c.security_group_id, _oldest_first)

    def visible(self) -> ColumnElement[bool]:
        mine = select(group_table.c.id).where(group_table.c.project_id == PROJECT)
        return or_(rule_table.c.project_id == PROJECT, rule_table.c.security_group_id.in_(mine))

    def not_found(self, key: str) -> NotFound:
        return NotFound(f"Security group rule {key[:100]} does not exist", type_name="SecurityGroupRuleNotFound")

    def owners(self, tx: Transaction, context: RequestContext, values: Row) -> Target:
        key = str(values["security_group_id"])

        def project() -> str:
            return (groups.group(tx, key) if "id" in values else groups.group_for(tx, context, key)).project_id

        return {"security_group:project_id": project}

    def create(self, tx: Transaction, context: RequestContext, values: Row) -> SecurityGroupRule:
        rule = rules.complete(self.draft(values))
        raise_all(rules.check(rule))
        group = groups.group_for(tx, context, rule.security_group_id)
        if rule.remote_group_id is not None:
            groups.group_for(tx, context, rule.remote_group_id)
        if rule.remote_address_group_id is not None:
            groups.address_group_for(tx, context, rule.remote_address_group_id)
        raise_all(rules.check_duplicate(rule, groups.alike(tx, rule)))
        made = groups.RULES.insert(tx, rule)
        groups.bump(tx, group)
        return made

    def _create_all(self, context: RequestContext, items: Sequence[object]) -> list[Row]:
        """Several rules are of one group, and no two of them allow the same."""
        if len(items) > 1:
            parsed = [self.resource.parse_post(item) for item in items]
            raise_all(rules.check_bulk([rules.complete(self.resource.make(values)) for values in parsed]))
        return super()._create_all(context, items)

    def update(self, tx: Transaction, context: RequestContext, old: SecurityGroupRule, values: Row) -> None:
        super().update(tx, context, old, values)
        groups.touch(tx, old.security_group_id)

    def delete(self, tx: Transaction, context: RequestContext, old: SecurityGroupRule) -> None:
        del context
        groups.RULES.delete(tx, old.id)
        groups.bump(tx, groups.group(tx, old.security_group_id))

    def expand(self, tx: Transaction, shown: Sequence[Row]) -> None:
        keys = rows.ids({"id": row["security_group_id"]} for row in shown if "security_group_id" in row)
        defaults = set(tx.execute(_defaults, keys).scalars())
        for row in shown:
            row["belongs_to_default_sg"] = row.get("security_group_id") in defaults

    def of_groups(self, tx: Transaction, shown: Sequence[Row]) -> dict[object, list[Row]]:
        """The rules of these groups as the API shows them, by group."""
        found = [dict(zip(self._names, row, strict=True)) for row in tx.execute(self._of_groups, rows.ids(shown))]
        self.expand(tx, found)
        of_group: dict[object, list[Row]] = {}
        for row in found:
            row["tenant_id"] = row["project_id"]
            of_group.setdefault(row["security_group_id"], []).append(row)
        return of_group


class SecurityGroups(Shareable[SecurityGroup]):
    """A project's default group is made when it first asks for any."""

    of = (groups.GROUPS,)

    @cached_property
    def _rules(self) -> SecurityGroupRules:
        return SecurityGroupRules(self.database)

    def not_found(self, key: str) -> NotFound:
        return groups.not_found(key[:100])

    def touch(self, tx: Transaction, record: SecurityGroup) -> None:
        groups.touch(tx, record.id)

    def create(self, tx: Transaction, context: RequestContext, values: Row) -> SecurityGroup:
        del context
        group = self.draft(values)
        raise_all(rules.check_name(group.name))
        groups.ensure_default(tx, group.project_id)
        return groups.create(tx, group)

    def update(self, tx: Transaction, context: RequestContext, old: SecurityGroup, values: Row) -> None:
        del context
        new = self.resource.change(old, values)
        raise_all(rules.check_name(new.name, old))
        if new.stateful != old.stateful and groups.members(tx, old.id):
            raise rules.in_use(old.id)
        if new != old:
            groups.GROUPS.save(tx, old, new)
            self.touch(tx, new)

    def delete(self, tx: Transaction, context: RequestContext, old: SecurityGroup) -> None:
        """Rules of other groups that name it as their remote side go with it, as in Neutron."""
        if groups.members(tx, old.id):
            raise rules.in_use(old.id)
        if old.is_default and not context.is_admin:
            raise Conflict("Removing default security group not allowed.", type_name="SecurityGroupCannotRemoveDefault")
        others = groups.referring(tx, old.id) - {old.id}
        super().delete(tx, context, old)
        self.touch(tx, old)
        for other in others:
            groups.bump(tx, groups.group(tx, other))

    def expand(self, tx: Transaction, shown: Sequence[Row]) -> None:
        found = self._rules.of_groups(tx, shown)
        for row in shown:
            row["security_group_rules"] = found.get(row["id"], [])

    def _list(self, call: Call) -> Answer:
        asked = [value for name, value in call.query if name in ("project_id", "tenant_id")]
        project = asked[0] if asked and call.context.is_admin else call.context.project_id
        if project:
            with self.database.read() as tx:
                missing = groups.default_id(tx, project) is None
            if missing:
                with self.database.write(call.context) as tx:
                    groups.ensure_default(tx, project)
        return super()._list(call)
