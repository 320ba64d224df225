"""``/v2.0/subnetpools``, with adding and removing of prefixes and onboarding. Effects: SQL in a transaction."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from nebula.errors import BadRequest, InvalidAttribute, NebulaError
from nebula.ids import Owner, OwnerKind
from nebula.model import accept
from nebula.model.attribute import raise_all
from nebula.model.subnet import Subnet
from nebula.model.subnet_pool import SubnetPool
from nebula.rules import subnet_pools as rules
from nebula_controller.api.authority import MEMBER
from nebula_controller.api.context import RequestContext
from nebula_controller.api.endpoint import Answer, Call, Operation
from nebula_controller.api.readable import Row
from nebula_controller.network import prefixes, rows, subnet_pools
from nebula_controller.network.sharing import Shareable
from nebula_controller.network.visibility import network_for
from nebula_controller.store.database import Transaction


class SubnetPools(Shareable[SubnetPool]):
    """A project sees its own, and those that are shared with it."""

    of = (subnet_pools.POOLS,)
    rule_texts = dict.fromkeys(("add_prefixes", "remove_prefixes", "onboard_network_subnets"), MEMBER)

    def operations(self) -> list[Operation]:
        path = "/v2.0/subnetpools/{id}"
        return [
            *super().operations(),
            Operation("PUT", f"{path}/add_prefixes", self._add_prefixes),
            Operation("PUT", f"{path}/remove_prefixes", self._remove_prefixes),
            Operation("PUT", f"{path}/onboard_network_subnets", self._onboard),
        ]

    def create(self, tx: Transaction, context: RequestContext, values: Row) -> SubnetPool:
        draft = self.draft(values)
        raise_all(rules.check_prefixes(draft.prefixes))
        pool = rules.complete(draft, values.keys())
        raise_all([*rules.check_lengths(pool), *_check_default(tx, pool), *_check_scope(tx, context, pool)])
        made = self.rows.insert(tx, pool)
        prefixes.give_back(tx, made.id, made.prefixes)
        self.share(tx, made, values)
        return made

    def update(self, tx: Transaction, context: RequestContext, old: SubnetPool, values: Row) -> None:
        new = self.resource.change(old, values)
        if "prefixes" in values:
            raise_all(rules.check_prefixes(new.prefixes, old.ip_version) or rules.check_grown(old, new.prefixes))
        self._change(tx, context, old, new)

    def delete(self, tx: Transaction, context: RequestContext, old: SubnetPool) -> None:
        if subnet_pools.allocated(tx, old.id):
            raise BadRequest(
                "Unable to delete subnet pool: Subnet pool has existing allocations.", type_name="SubnetPoolDeleteError"
            )
        super().delete(tx, context, old)

    def _change(self, tx: Transaction, context: RequestContext, old: SubnetPool, new: SubnetPool) -> SubnetPool:
        """Check and write a pool that has not lost prefixes; those that it has won are free."""
        new = msgspec.structs.replace(new, prefixes=rules.compact(new.prefixes))
        problems = rules.check_lengths(new)
        if new.is_default and not old.is_default:
            problems += _check_default(tx, new)
        problems += _check_update(tx, context, old)
        if new.address_scope_id != old.address_scope_id or new.prefixes != old.prefixes:
            problems += _check_scope(tx, context, new)
        raise_all(problems)
        if new.address_scope_id != old.address_scope_id and subnet_pools.shares_networks(tx, old):
            raise subnet_pools.affinity_error()
        saved = self.rows.save(tx, old, new)
        prefixes.give_back(tx, old.id, rules.minus(new.prefixes, old.prefixes))
        return saved

    def _add_prefixes(self, call: Call) -> Answer:
        given = _prefixes(call)
        with self.database.write(call.context) as tx:
            old = self.load(tx, call.context, call, "add_prefixes")
            wanted = (*old.prefixes, *given)
            raise_all(rules.check_prefixes(wanted, old.ip_version))
            saved = self._change(tx, call.context, old, msgspec.structs.replace(old, prefixes=wanted))
            return Answer(200, {"prefixes": saved.prefixes})

    def _remove_prefixes(self, call: Call) -> Answer:
        """Prefixes that the pool does not have are left out of account, as in Neutron."""
        given = _prefixes(call)
        with self.database.write(call.context) as tx:
            old = self.load(tx, call.context, call, "remove_prefixes")
            raise_all(rules.check_removed(given, subnet_pools.allocated(tx, old.id)))
            left = rules.minus(old.prefixes, given)
            for gone in rules.minus(old.prefixes, left):
                prefixes.take(tx, old.id, gone)
            saved = self.rows.save(tx, old, msgspec.structs.replace(old, prefixes=left))
            return Answer(200, {"prefixes": saved.prefixes})

    def _onboard(self, call: Call) -> Answer:
        """The subnets of a network, of the pool's IP version, become the pool's, and their blocks its prefixes."""
        network_id = _network_id(call)
        with self.database.write(call.context) as tx:
            pool = self.load(tx, call.context, call, "onboard_network_subnets")
            network = network_for(tx, call.context, network_id)
            call.context.require("onboard_network_subnets", {"project_id": network.project_id})
            subnets = [s for s in rows.subnets_of(tx, network.id) if s.ip_version == pool.ip_version]
            pairs = [(subnet.id, subnet.cidr) for subnet in subnets]
            raise_all(rules.check_onboarding(pool, pairs, subnet_pools.allocated(tx, pool.id)))
            wanted = (*pool.prefixes, *[subnet.cidr for subnet in subnets])
            self._change(tx, call.context, pool, msgspec.structs.replace(pool, prefixes=wanted))
            for subnet in subnets:
                _move(tx, subnet, pool)
            return Answer(200, [{"id": subnet_id, "cidr": cidr} for subnet_id, cidr in pairs])


def _move(tx: Transaction, subnet: Subnet, pool: SubnetPool) -> None:
    subnet_pools.release(tx, subnet)
    prefixes.take(tx, pool.id, subnet.cidr)
    rows.SUBNETS.save(tx, subnet, msgspec.structs.replace(subnet, subnetpool_id=pool.id))
    tx.touch(Owner(OwnerKind.SUBNET, subnet.id), Owner(OwnerKind.NETWORK, subnet.network_id))


def _check_default(tx: Transaction, pool: SubnetPool) -> list[NebulaError]:
    if not pool.is_default or subnet_pools.default_of(tx, pool.ip_version) is None:
        return []
    return [
        InvalidAttribute(
            "is_default",
            "A default subnetpool for this IP family has already been set. Only one default may exist per IP family",
            type_name="InvalidInput",
        )
    ]


def _check_scope(tx: Transaction, context: RequestContext, pool: SubnetPool) -> list[NebulaError]:
    if pool.address_scope_id is None:
        return []
    scope = subnet_pools.scope_for(tx, context, pool.address_scope_id)
    return rules.check_scope(pool, scope, subnet_pools.of_scope(tx, scope.id))


def _check_update(tx: Transaction, context: RequestContext, pool: SubnetPool) -> list[NebulaError]:
    """A pool stays as it is while it is in another project's scope."""
    if pool.address_scope_id is None or context.is_admin:
        return []
    scope = subnet_pools.SCOPES.get(tx, pool.address_scope_id)
    if scope is not None and scope.project_id == context.project_id:
        return []
    return [
        BadRequest(
            f"Illegal subnetpool update : subnetpool {pool.id} cannot be updated when associated with shared address "
            f"scope {pool.address_scope_id}.",
            type_name="IllegalSubnetPoolUpdate",
        )
    ]


def _prefixes(call: Call) -> Sequence[str]:
    body = call.json()
    given = body.get("prefixes") if isinstance(body, dict) else None
    if not isinstance(given, list) or not given:
        raise BadRequest("Request body contains invalid data", type_name="HTTPBadRequest")
    try:
        found = accept.list_of(accept.cidr, "subnet", "subnet")(given)
    except ValueError as error:
        raise InvalidAttribute("prefixes", str(error)) from None
    assert isinstance(found, list)
    return found


def _network_id(call: Call) -> str:
    body = call.json()
    try:
        return str(accept.identifier(body.get("network_id") if isinstance(body, dict) else None))
    except ValueError as error:
        raise InvalidAttribute("network_id", str(error), type_name="InvalidInput") from None
