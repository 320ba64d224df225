"""``/v2.0/address-scopes``. Effects: SQL in a transaction."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import msgspec

from nebula.errors import BadRequest, Conflict, NotFound
from nebula.model.address_scope import AddressScope
from nebula.model.rbac import EVERYBODY, SHARED
from nebula_controller.api.collection import Row
from nebula_controller.api.context import RequestContext
from nebula_controller.network import sharing, subnet_pools
from nebula_controller.network.sharing import Shareable
from nebula_controller.store.database import Database, Transaction


class AddressScopes(Shareable[AddressScope]):
    """A project sees its own, and those that are shared with it. How many it has is not limited, as in Neutron."""

    object_type = "address_scope"

    def __init__(self, database: Database) -> None:
        super().__init__(database, subnet_pools.SCOPES)

    def not_found(self, key: str) -> NotFound:
        return subnet_pools.scope_not_found(key)

    def create(self, tx: Transaction, context: RequestContext, values: Row) -> AddressScope:
        del context
        made = self.rows.insert(tx, msgspec.structs.replace(self.resource.make(values), id=str(uuid.uuid4())))
        self.share(tx, made, values)
        return made

    def limit(self, tx: Transaction, projects: Sequence[str]) -> None:
        del tx, projects

    def update(self, tx: Transaction, context: RequestContext, old: AddressScope, values: Row) -> None:
        del context
        shared = any(p.target_tenant == EVERYBODY for p in sharing.policies_of(tx, old.id, SHARED))
        if shared and values.get("shared") is False:
            raise BadRequest(
                f"Unable to update address scope {old.id} : Shared address scope can't be unshared.",
                type_name="AddressScopeUpdateError",
            )
        reshared = self.share(tx, old, values)
        self.rows.save(tx, old, self.resource.change(old, values), always=reshared)

    def delete(self, tx: Transaction, context: RequestContext, old: AddressScope) -> None:
        del context
        if subnet_pools.of_scope(tx, old.id):
            raise Conflict(
                f"Unable to complete operation on address scope {old.id}. There are one or more subnet pools in use on "
                "the address scope.",
                type_name="AddressScopeInUse",
            )
        self.rows.delete(tx, old.id)
        sharing.forget(tx, old.id)
