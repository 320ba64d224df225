"""What is shared with whom: RBAC policies as rows, and what follows from them. Effects: SQL in a transaction.

A kind of object that can be shared is one line in ``TYPES``, and a collection that stands on ``Shareable``.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import msgspec
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Select,
    String,
    Table,
    bindparam,
    delete,
    literal_column,
    or_,
    select,
)
from sqlalchemy.sql.selectable import ScalarSelect

from nebula.errors import Conflict, InvalidAttribute
from nebula.model import accept
from nebula.model.address_scope import ADDRESS_SCOPE
from nebula.model.rbac import EVERYBODY, EXTERNAL, RBAC_POLICY, SHARED, RbacPolicy
from nebula.model.standard import Nameless
from nebula_controller.api.context import RequestContext
from nebula_controller.api.query import FilterMaker
from nebula_controller.api.readable import PROJECT, Row
from nebula_controller.network import rows
from nebula_controller.network.limited import Limited
from nebula_controller.store.database import Transaction
from nebula_controller.store.metadata import table as table_of
from nebula_controller.store.records import RecordTable
from nebula_controller.store.tables import network as tables
from nebula_controller.store.tables import pools, security
from nebula_controller.store.tables.floating import floating_ips
from nebula_controller.store.tables.qos import qos_policies
from nebula_controller.store.tables.rbac import rbac_policies

S = TypeVar("S", bound=Nameless)

POLICIES = RecordTable(RBAC_POLICY)

_policy = rbac_policies.c
_OBJECT: BindParameter[str] = bindparam("object", type_=String)


class SharedType(msgspec.Struct, frozen=True):
    """A table of objects that can be shared; for each action the projects that use the object ``_OBJECT`` by it."""

    table: Table
    users: Mapping[str, Select[Any] | CompoundSelect[Any]]


def _users(table: Table, column: str) -> Select[Any]:
    return select(table.c.project_id).where(table.c[column] == _OBJECT, table.c.project_id != "").distinct()


_port_groups = security.port_security_groups.c
_of_grouped_ports = (
    select(tables.ports.c.project_id)
    .join(security.port_security_groups, _port_groups.port_id == tables.ports.c.id)
    .where(_port_groups.group_id == _OBJECT)
    .distinct()
)

TYPES: Mapping[str, SharedType] = {
    "address_group": SharedType(
        security.address_groups, {SHARED: _users(security.security_group_rules, "remote_address_group_id")}
    ),
    "address_scope": SharedType(table_of(ADDRESS_SCOPE), {SHARED: _users(pools.subnet_pools, "address_scope_id")}),
    "network": SharedType(
        tables.networks,
        {SHARED: _users(tables.ports, "network_id"), EXTERNAL: _users(tables.routers, "gateway_network_id")},
    ),
    "qos_policy": SharedType(
        qos_policies,
        {
            SHARED: _users(tables.ports, "qos_policy_id").union(
                _users(tables.networks, "qos_policy_id"),
                _users(tables.routers, "gateway_qos_policy_id"),
                _users(floating_ips, "qos_policy_id"),
            )
        },
    ),
    "security_group": SharedType(security.security_groups, {SHARED: _of_grouped_ports}),
    "subnetpool": SharedType(pools.subnet_pools, {SHARED: _users(tables.subnets, "subnetpool_id")}),
}
"""By the API's word for the type."""

_of_object = POLICIES.query(
    (_policy.object_id == _OBJECT) & (_policy.action == bindparam("action")), literal_column("rbac_policies.rowid")
)
_granted_one = select(_policy.id).where(
    _policy.object_id == _OBJECT,
    _policy.action == bindparam("action"),
    or_(_policy.target_tenant == EVERYBODY, _policy.target_tenant == PROJECT),
)
_granted_among = select(_policy.object_id).where(
    rows.among(_policy.object_id),
    _policy.action == SHARED,
    or_(_policy.target_tenant == EVERYBODY, _policy.target_tenant == PROJECT),
)
_forget = delete(rbac_policies).where(_policy.object_id == _OBJECT)
_forget_action = _forget.where(_policy.action == bindparam("taken"))


def granted_ids(object_type: str, *actions: str) -> ScalarSelect[Any]:
    """The ids of the type's objects that are shared with the project ``PROJECT``; for use with ``in_``."""
    return (
        select(_policy.object_id)
        .where(
            _policy.object_type == object_type,
            _policy.action.in_(actions or (SHARED,)),
            _policy.target_tenant.in_([EVERYBODY, PROJECT]),
        )
        .scalar_subquery()
    )


def is_granted(tx: Transaction, object_id: str, project_id: str | None, action: str = SHARED) -> bool:
    """Whether the object is shared with the project, by name or with all."""
    known = {"object": object_id, "project": project_id, "action": action}
    return tx.execute(_granted_one, known).first() is not None


def usable(tx: Transaction, context: RequestContext, of: RecordTable[S], key: str) -> S:
    """The object, where the caller may use it: its own, or one that is shared with it; raises ``NotFound``."""
    found = of.one(tx, key)
    if context.is_admin or found.project_id == context.project_id or is_granted(tx, key, context.project_id):
        return found
    raise of.resource.not_found(key)


def grant(tx: Transaction, object_type: str, of: Nameless, action: str) -> None:
    """Share the object with everybody, in the name of its project; nothing where that is so."""
    if any(known.target_tenant == EVERYBODY for known in policies_of(tx, of.id, action)):
        return
    policy = RbacPolicy(
        id=str(uuid.uuid4()),
        project_id=of.project_id,
        object_type=object_type,
        object_id=of.id,
        action=action,
        target_tenant=EVERYBODY,
    )
    POLICIES.insert(tx, policy)


def policies_of(tx: Transaction, object_id: str, action: str) -> list[RbacPolicy]:
    """The object's policies, oldest first."""
    return POLICIES.all(tx, _of_object, {"object": object_id, "action": action})


def forget(tx: Transaction, object_id: str, action: str | None = None) -> None:
    """The object is gone (or nobody's by this action any more): its policies go too."""
    if action is None:
        tx.execute(_forget, {"object": object_id})
    else:
        tx.execute(_forget_action, {"object": object_id, "taken": action})


def depend_on(tx: Transaction, policy: RbacPolicy, owner: str, new_target: str | None = None) -> set[str]:
    """The projects that could no longer use what they use, were the policy deleted (or led to ``new_target``).

    ``owner`` is the object's project, which needs none.
    """
    if new_target == EVERYBODY or policy.target_tenant == owner:
        return set()
    others = {p.target_tenant for p in policies_of(tx, policy.object_id, policy.action) if p.id != policy.id}
    if EVERYBODY in others:
        return set()
    users = set(
        tx.execute(TYPES[policy.object_type].users[policy.action], {"object": policy.object_id}).scalars().all()
    )
    if policy.target_tenant != EVERYBODY:
        users &= {policy.target_tenant}
    return users - others - {owner, new_target}


def refuse_in_use(tx: Transaction, policy: RbacPolicy, owner: str, new_target: str | None = None) -> None:
    """Raises ``RbacPolicyInUse`` where any project depends on the policy; see ``depend_on``."""
    users = depend_on(tx, policy, owner, new_target)
    if users:
        raise in_use(policy, f"project_id={', '.join(sorted(users))}")


def in_use(policy: RbacPolicy, details: str) -> Conflict:
    """Neutron's words."""
    return Conflict(
        f"RBAC policy on object {policy.object_id} cannot be removed because other objects depend on it.\nDetails: "
        f"{details}",
        type_name="RbacPolicyInUse",
    )


class Shareable(Limited[S]):
    """A collection whose objects can be shared: a project sees its own, and those that are shared with it.

    ``shared`` says so to each caller (of its own project, or of all); it is no column.
    """

    seen_by: ClassVar[tuple[str, ...]] = (SHARED,)
    """By these actions an object is seen."""

    @cached_property
    def object_type(self) -> str:
        """The key in ``TYPES``."""
        return next(name for name, kind in TYPES.items() if kind.table is self.rows.table)

    def create(self, tx: Transaction, context: RequestContext, values: Row) -> S:
        made = super().create(tx, context, values)
        self.share(tx, made, values)
        return made

    def update(self, tx: Transaction, context: RequestContext, old: S, values: Row) -> None:
        reshared = self.share(tx, old, values)
        self.rows.save(tx, old, self.resource.change(old, values), always=reshared)

    def delete(self, tx: Transaction, context: RequestContext, old: S) -> None:
        super().delete(tx, context, old)
        forget(tx, old.id)

    def visible(self) -> ColumnElement[bool]:
        table = self.rows.table
        return or_(table.c.project_id == PROJECT, table.c.id.in_(granted_ids(self.object_type, *self.seen_by)))

    def filters(self) -> Mapping[str, FilterMaker]:
        return {"shared": self._by_shared}

    def expand_for(self, tx: Transaction, context: RequestContext, shown: Sequence[Row]) -> None:
        known = {**rows.ids(shown), "project": context.project_id}
        granted = set(tx.execute(_granted_among, known).scalars())
        for row in shown:
            row["shared"] = row["id"] in granted

    def share(self, tx: Transaction, of: S, values: Row) -> bool:
        """Do what a request says of ``shared``, the policy for everybody; True where that changed something.

        Raises ``RbacPolicyInUse`` where other projects use the object by it; for networks, ``InvalidSharedSetting``.
        """
        wanted = values.get("shared")
        everybody = [p for p in policies_of(tx, of.id, SHARED) if p.target_tenant == EVERYBODY]
        if wanted is None or bool(wanted) == bool(everybody):
            return False
        if wanted:
            grant(tx, self.object_type, of, SHARED)
        for policy in everybody:
            if self.object_type != "network":
                refuse_in_use(tx, policy, of.project_id)
            elif depend_on(tx, policy, of.project_id):
                raise Conflict(
                    f"Unable to reconfigure sharing settings for network {of.id}. Multiple tenants are using it.",
                    type_name="InvalidSharedSetting",
                )
            POLICIES.delete(tx, policy.id)
        return True

    def _by_shared(self, values: Sequence[str]) -> ColumnElement[bool]:
        wanted = set()
        for value in values:
            try:
                wanted.add(accept.boolean(value))
            except ValueError as error:
                raise InvalidAttribute("shared", str(error)) from None
        granted = self.rows.table.c.id.in_(granted_ids(self.object_type))
        return or_(*[granted if value else ~granted for value in wanted])
