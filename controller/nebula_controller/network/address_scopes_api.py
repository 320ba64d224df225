"""``/v2.0/address-scopes``. Effects: SQL in a transaction."""

from __future__ import annotations

from nebula.errors import BadRequest, Conflict
from nebula.model.address_scope import AddressScope
from nebula.model.rbac import EVERYBODY, SHARED
from nebula_controller.api.context import RequestContext
from nebula_controller.api.readable import Row
from nebula_controller.network import sharing, subnet_pools
from nebula_controller.network.sharing import Shareable
from nebula_controller.store.database import Transaction


class AddressScopes(Shareable[AddressScope]):
    """How many a project has is not limited, as in Neutron."""

    of = (subnet_pools.SCOPES,)

    def update(self, tx: Transaction, context: RequestContext, old: AddressScope, values: Row) -> None:
        shared = any(p.target_tenant == EVERYBODY for p in sharing.policies_of(tx, old.id, SHARED))
        if shared and values.get("shared") is False:
            raise BadRequest(
                f"Unable to update address scope {old.id} : Shared address scope can't be unshared.",
                type_name="AddressScopeUpdateError",
            )
        super().update(tx, context, old, values)

    def delete(self, tx: Transaction, context: RequestContext, old: AddressScope) -> None:
        if subnet_pools.of_scope(tx, old.id):
            raise Conflict(
                f"Unable to complete operation on address scope {old.id}. There are one or more subnet pools in use on "
                "the address scope.",
                type_name="AddressScopeInUse",
            )
        super().delete(tx, context, old)
