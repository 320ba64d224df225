"""``/v2.0/rbac-policies``: an owner shares an object with another project; an administrator, also with all.

Effects: SQL in a transaction.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import String, bindparam, select

from nebula.errors import BadRequest, Conflict, Forbidden, NotFound
from nebula.ids import Owner, OwnerKind
from nebula.model.rbac import EXTERNAL, RbacPolicy
from nebula_controller.api.context import RequestContext
from nebula_controller.api.readable import Row
from nebula_controller.network import rows, sharing
from nebula_controller.network.limited import Limited
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.network import routers

_OWNERS = {
    name: select(kind.table.c.project_id).where(kind.table.c.id == bindparam("key", type_=String))
    for name, kind in sharing.TYPES.items()
}
_gateways = select(routers.c.id).where(routers.c.gateway_network_id == bindparam("network")).limit(1)


class RbacPolicies(Limited[RbacPolicy]):
    """A project sees the policies that it made, not those that are made for it."""

    of = (sharing.POLICIES,)
    rule_texts = dict.fromkeys(("create:target_tenant", "update:target_tenant"), "rule:restrict_wildcard")

    def not_found(self, key: str) -> NotFound:
        return NotFound(f"RBAC policy of type unknown with ID {key[:100]} not found", type_name="RbacPolicyNotFound")

    def create(self, tx: Transaction, context: RequestContext, values: Row) -> RbacPolicy:
        policy = self.draft(values)
        _may_make_external(context, "create", policy)
        if policy.object_type not in sharing.TYPES:
            raise _invalid(f"'{policy.object_type}' is not a valid RBAC object type")
        actions = list(sharing.TYPES[policy.object_type].users)
        if policy.action not in actions:
            raise _invalid(
                f"Invalid action '{policy.action}' for object type '{policy.object_type}'. Valid actions: "
                f"{', '.join(actions)}"
            )
        self._owner(tx, context, policy)
        if any(
            p.target_tenant == policy.target_tenant for p in sharing.policies_of(tx, policy.object_id, policy.action)
        ):
            raise _duplicate()
        made = sharing.POLICIES.insert(tx, policy)
        _reached(tx, made)
        return made

    def update(self, tx: Transaction, context: RequestContext, old: RbacPolicy, values: Row) -> None:
        new = self.resource.change(old, values)
        if new.target_tenant == old.target_tenant:
            return
        _may_make_external(context, "update", new)
        owner = self._owner(tx, context, old)
        if any(p.target_tenant == new.target_tenant for p in sharing.policies_of(tx, old.object_id, old.action)):
            raise _duplicate()
        sharing.refuse_in_use(tx, old, owner, new.target_tenant)
        sharing.POLICIES.save(tx, old, new)
        _reached(tx, new)

    def delete(self, tx: Transaction, context: RequestContext, old: RbacPolicy) -> None:
        owner = tx.execute(_OWNERS[old.object_type], {"key": old.object_id}).scalar_one()
        sharing.refuse_in_use(tx, old, owner)
        super().delete(tx, context, old)
        _reached(tx, old)

    def _owner(self, tx: Transaction, context: RequestContext, policy: RbacPolicy) -> str:
        """The object's project; raises where there is no such object, or where it is not the caller's."""
        owner = tx.execute(_OWNERS[policy.object_type], {"key": policy.object_id}).scalar_one_or_none()
        if owner is None:
            raise _invalid(f"{policy.object_type.replace('_', ' ')} {policy.object_id} could not be found")
        if owner != context.project_id and not context.is_admin:
            raise _invalid("Only admins can manipulate policies on objects they do not own")
        return str(owner)


def _may_make_external(context: RequestContext, verb: str, policy: RbacPolicy) -> None:
    """Only an administrator makes a network external, as by ``router:external``."""
    if policy.action == EXTERNAL and not context.is_admin:
        raise Forbidden(f"rule:{verb}_rbac_policy:action is disallowed by policy")


def _reached(tx: Transaction, policy: RbacPolicy) -> None:
    """What a new, changed or deleted policy does to a network: its revision; whether it is external."""
    if policy.object_type != "network":
        return
    network = rows.network(tx, policy.object_id)
    external = network.external
    if policy.action == EXTERNAL:
        external = bool(sharing.policies_of(tx, network.id, EXTERNAL))
        if not external and tx.execute(_gateways, {"network": network.id}).first():
            raise sharing.in_use(
                policy, "There are routers attached to this network that depend on this policy for access."
            )
    rows.NETWORKS.save(tx, network, msgspec.structs.replace(network, external=external), always=True)
    tx.touch(Owner(OwnerKind.NETWORK, network.id))


def _duplicate() -> Conflict:
    return Conflict("An RBAC policy already exists with those values.", type_name="DuplicateRbacPolicy")


def _invalid(problem: str) -> BadRequest:
    return BadRequest(f"Invalid input for operation: {problem}.", type_name="InvalidInput")
